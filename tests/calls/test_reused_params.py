"""A caller may reuse its dicts while a call is under way, in another thread or task: the call is as it was made."""

from collections.abc import Callable
from typing import Any

import pytest

from daxlite.core.snapshot import snapshot
from tests.scripted_client import ITEM, KEY, TABLE, ScriptedClient, description, made, page

OTHER = {"pk": {"S": "b"}}


def reusing(params: Any) -> ScriptedClient:
    """A client whose caller puts another key into its parameters as soon as a request is on its way."""

    def reused(answer: Any) -> Callable[[Any], Any]:
        def reply(sent: Any) -> Any:
            response = answer(sent) if callable(answer) else answer
            _replace(params, "a", "b")
            return response

        return reply

    return ScriptedClient(
        schema=None,
        config={"settle_window": 0},
        DescribeTable=reused(description("pk")),
        GetItem=reused(lambda sent: made(Item={**ITEM, **sent["Key"]})),
        Query=reused(lambda sent: page({**ITEM, "pk": sent["ExpressionAttributeValues"][":v"]})),
        BatchGetItem=reused(
            lambda sent: made(
                Responses={TABLE: [{**ITEM, **key} for key in sent["RequestItems"][TABLE]["Keys"]]}, UnprocessedKeys={}
            )
        ),
        **{name: reused(made()) for name in ("PutItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")},
    )


def _replace(value: Any, old: str, new: str) -> None:
    """Put another text in the place of this one, in place."""
    for name, part in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if part == old:
            value[name] = new
        elif isinstance(part, dict | list):
            _replace(part, old, new)


def key() -> Any:
    return {"pk": {"S": "a"}}


READS: dict[str, Callable[[], Any]] = {
    "GetItem": lambda: {"TableName": TABLE, "Key": key()},
    "Query": lambda: {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :v",
        "ExpressionAttributeValues": {":v": {"S": "a"}},
    },
    "BatchGetItem": lambda: {"RequestItems": {TABLE: {"Keys": [key()]}}},
}


@pytest.mark.parametrize("operation", READS)
def test_p1_what_is_stored_under_a_key_is_what_was_read_by_it(operation: str) -> None:
    params = READS[operation]()
    client = reusing(params)
    first = client.dispatcher.call(operation, params)
    assert "'b'" not in repr(first), "what was asked for at the call"
    again = client.dispatcher.call(operation, READS[operation]())
    assert client.is_hit(again)
    assert "'b'" not in repr(again)


WRITES: dict[str, Callable[[], Any]] = {
    "PutItem": lambda: {"TableName": TABLE, "Item": {**ITEM, "pk": {"S": "a"}}},
    "DeleteItem": lambda: {"TableName": TABLE, "Key": key()},
    "BatchWriteItem": lambda: {"RequestItems": {TABLE: [{"PutRequest": {"Item": {**ITEM, "pk": {"S": "a"}}}}]}},
    "TransactWriteItems": lambda: {
        "TransactItems": [{"Put": {"TableName": TABLE, "Item": {**ITEM, "pk": {"S": "a"}}}}],
    },
}


@pytest.mark.parametrize("operation", WRITES)
def test_p2_a_write_changes_the_item_that_it_named_at_the_call(operation: str) -> None:
    params = WRITES[operation]()
    client = reusing(params)
    for each in (KEY, OTHER):
        client("GetItem", Key=snapshot(each))
        assert client.is_hit(client("GetItem", Key=snapshot(each)))
    _replace(params, "b", "a")
    client.dispatcher.call(operation, params)
    assert client.is_hit(client("GetItem", Key=snapshot(OTHER))), "another item was not written"
    found = client("GetItem", Key=snapshot(KEY))
    assert found.get("Item", {}).get("pk", KEY["pk"]) == KEY["pk"]
    assert client.is_hit(found), "the new state"


def test_a_request_that_changes_while_it_is_planned_is_only_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    params = READS["GetItem"]()

    def changing(value: Any) -> Any:
        _replace(params, "a", "b")
        return snapshot(value)

    monkeypatch.setattr("daxlite.calls.get_item.snapshot", changing)
    client = ScriptedClient(GetItem=made(Item=ITEM))
    client.dispatcher.call("GetItem", params)
    assert client.cache.stats().total.entries == 0
