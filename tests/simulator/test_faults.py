"""Each fault leaves the server and the caller as it says."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from tests.simulator import Simulator
from tests.simulator import faults as effects
from tests.simulator.faults import Effect, Fault

ADD: dict[str, Any] = {
    "TableName": "plain",
    "Key": {"pk": {"S": "k"}},
    "UpdateExpression": "ADD n :one",
    "ExpressionAttributeValues": {":one": {"N": "1"}},
}


def count(client: Any) -> int:
    item = client.get_item(TableName="plain", Key=ADD["Key"]).get("Item")
    return 0 if item is None else int(item["n"]["N"])


@pytest.mark.parametrize(
    ("effect", "error", "status", "applied"),
    [
        (effects.LOST_REQUEST, EndpointConnectionError, None, 0),
        (effects.LOST_REPLY, ReadTimeoutError, None, 1),
        (effects.TIMEOUT, ReadTimeoutError, None, 0),
        (effects.CLOSED_AFTER, ConnectionClosedError, None, 1),
        (effects.CLOSED_BEFORE, ConnectionClosedError, None, 0),
        (effects.SERVER_ERROR_AFTER, "InternalServerError", 500, 1),
        (effects.SERVER_ERROR_BEFORE, "InternalServerError", 500, 0),
        (effects.THROTTLED, "ThrottlingException", 400, 0),
        (effects.THROUGHPUT_EXCEEDED, "ProvisionedThroughputExceededException", 400, 0),
        (effects.ACCESS_DENIED, "AccessDeniedException", 400, 0),
        (effects.CONFLICT, "TransactionConflictException", 400, 0),
    ],
    ids=lambda value: value.name.replace(" ", "-") if isinstance(value, Effect) else "",
)
def test_effects(
    simulator: Simulator,
    client: Any,
    effect: Effect,
    error: type[BotoCoreError] | str,
    status: int | None,
    applied: int,
) -> None:
    simulator.faults.append(Fault(effect, {"UpdateItem"}))
    with pytest.raises(ClientError if isinstance(error, str) else error) as raised:
        client.update_item(**ADD)
    if isinstance(raised.value, ClientError):
        response = raised.value.response
        assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (error, status)
    assert count(client) == applied
    client.update_item(**ADD)  # it strikes once
    assert count(client) == applied + 1


def test_a_retried_request_is_carried_out_twice(simulator: Simulator, client: Any) -> None:
    simulator.faults.append(Fault(effects.RETRIED, {"UpdateItem"}))
    assert client.update_item(**ADD, ReturnValues="ALL_NEW")["Attributes"]["n"] == {"N": "2"}
    simulator.faults.append(Fault(effects.RETRIED, {"PutItem"}))
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        # It was the first attempt of its own that it met.
        client.put_item(TableName="plain", Item={"pk": {"S": "new"}}, ConditionExpression="attribute_not_exists(pk)")


def test_a_policy_may_forbid_return_values(simulator: Simulator, client: Any) -> None:
    simulator.faults.append(Fault(effects.ACCESS_DENIED, when=effects.asks_for_return_values, times=None))
    client.update_item(**ADD)
    for _ in range(2):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.update_item(**ADD, ReturnValues="ALL_NEW")
    assert count(client) == 1


def test_parts_of_a_batch_are_left_unprocessed(simulator: Simulator, client: Any) -> None:
    parts = [{"PutRequest": {"Item": {"pk": {"S": name}}}} for name in "ab"]
    simulator.faults.append(Fault(effects.unprocessed(lambda table, part: part == parts[1])))
    answer = client.batch_write_item(RequestItems={"plain": parts})
    assert answer["UnprocessedItems"] == {"plain": parts[1:]}
    wanted = {"plain": {"Keys": [{"pk": {"S": name}} for name in "ab"], "ConsistentRead": True}}
    simulator.faults.append(Fault(effects.unprocessed()))
    answer = client.batch_get_item(RequestItems=wanted)
    assert answer["Responses"] == {"plain": []}
    assert answer["UnprocessedKeys"]["plain"]["ConsistentRead"] is True
    assert [client.batch_get_item(RequestItems=answer["UnprocessedKeys"])["Responses"]] == [
        {"plain": [{"pk": {"S": "a"}}]}
    ]


def test_a_conflict_cancels_a_transaction(simulator: Simulator, client: Any) -> None:
    simulator.faults.append(Fault(effects.CONFLICT))
    with pytest.raises(client.exceptions.TransactionCanceledException) as raised:
        client.transact_write_items(TransactItems=[{"Update": ADD}])
    assert [reason["Code"] for reason in raised.value.response["CancellationReasons"]] == ["TransactionConflict"]
    assert count(client) == 0


def test_a_rule_may_be_any_function(simulator: Simulator, client: Any) -> None:
    simulator.faults.append(lambda call: effects.THROTTLED if call.number % 2 else None)
    outcomes = []
    for _ in range(4):
        try:
            client.update_item(**ADD)
            outcomes.append("done")
        except ClientError:
            outcomes.append("throttled")
    assert outcomes == ["throttled", "done"] * 2
    assert [call.applied > 0 for call in simulator.history.calls[1:]] == [False, True] * 2
