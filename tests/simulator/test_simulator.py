"""The model where no server can be asked: replicas, history, points, and keys of several attributes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.conditions import Key
from boto3.dynamodb.types import Binary
from botocore.exceptions import ClientError, ParamValidationError

from tests.differential.tables import ORDERS, attributes, keys, order
from tests.simulator import Simulator
from tests.simulator.errors import UnsupportedError
from tests.simulator.history import Call
from tests.simulator.replicas import newest

KEY = {"pk": {"S": "k"}}


def put(client: Any, n: int, **more: Any) -> Any:
    return client.put_item(TableName="plain", Item={**KEY, "n": {"N": str(n)}, "gk": {"S": "g"}}, **more)


def get(client: Any, **more: Any) -> str | None:
    item = client.get_item(TableName="plain", Key=KEY, **more).get("Item")
    return None if item is None else item["n"]["N"]


def by_group(client: Any) -> list[str]:
    found = client.query(
        TableName="plain",
        IndexName="by-gk",
        KeyConditionExpression="gk = :g",
        ExpressionAttributeValues={":g": {"S": "g"}},
    )
    return [item["n"]["N"] for item in found["Items"]]


def test_values_are_what_botocore_makes_of_them(simulator: Simulator, client: Any) -> None:
    table = simulator.resource().Table("plain")
    table.put_item(Item={"pk": "k", "n": Decimal("1.50"), "b": Binary(b"\x00"), "s": {1, 2}, "l": [b"x", {"B": "x"}]})
    item = {
        "pk": "k",
        "n": Decimal("1.5"),
        "b": Binary(b"\x00"),
        "s": {Decimal(1), Decimal(2)},
        "l": [Binary(b"x"), {"B": "x"}],
    }
    assert table.get_item(Key={"pk": "k"})["Item"] == item
    assert client.get_item(TableName="plain", Key=KEY)["Item"]["b"] == {"B": b"\x00"}
    assert table.query(KeyConditionExpression=Key("pk").eq("k"))["Count"] == 1
    # Text that looks like a binary value in JSON is still text.
    client.put_item(TableName="plain", Item={**KEY, "n": {"S": base64.b64encode(b"x").decode()}})
    assert client.get_item(TableName="plain", Key=KEY)["Item"]["n"] == {"S": "eA=="}


def test_botocore_validates_and_errors_are_its_own(client: Any) -> None:
    with pytest.raises(ParamValidationError):
        client.get_item(TableName="plain", Key={"pk": {"S": 1}})
    put(client, 1)
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as raised:
        put(client, 2, ConditionExpression="attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    response = raised.value.response
    assert response["Item"]["n"] == {"N": "1"}
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["ResponseMetadata"]["RetryAttempts"]) == (400, 0)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_item(TableName="nowhere", Key=KEY)


def test_the_model_refuses_what_it_does_not_support(client: Any) -> None:
    with pytest.raises(UnsupportedError, match="Expected"):
        client.delete_item(TableName="plain", Key=KEY, Expected={"n": {"Exists": False}})
    with pytest.raises(ClientError, match="UnknownOperation"):
        client.execute_statement(Statement="SELECT * FROM plain")


def test_replicas_lag_by_the_clock(simulator: Simulator, client: Any) -> None:
    put(client, 1)
    simulator.replicas.base_lag, simulator.replicas.index_lag = 2.0, 5.0
    simulator.settle()
    put(client, 2)
    assert (get(client), get(client, ConsistentRead=True), by_group(client)) == ("1", "2", ["1"])
    simulator.clock.advance(2.0)
    assert (get(client), by_group(client)) == ("2", ["1"])
    simulator.clock.advance(3.0)
    assert by_group(client) == ["2"]


def test_a_chooser_picks_the_state(simulator: Simulator, client: Any) -> None:
    simulator.replicas.base_lag = 1.0
    for n in (1, 2, 3):
        put(client, n)
    asked: list[tuple[str, int]] = []

    def middle(call: Call, ticks: Sequence[int]) -> int:
        asked.append((call.operation, len(ticks)))
        return ticks[len(ticks) // 2]

    simulator.replicas.choose = middle
    assert get(client) == "2"
    assert asked == [("GetItem", 4)]  # before the first write, and after each
    simulator.replicas.choose = newest
    assert get(client) == "3"


def test_a_global_index_has_no_strong_reads(client: Any) -> None:
    with pytest.raises(ClientError, match="Consistent reads are not supported"):
        client.scan(TableName="plain", IndexName="by-gk", ConsistentRead=True)


def test_history(simulator: Simulator, client: Any) -> None:
    put(client, 1)
    before = simulator.history.now
    put(client, 2)
    put(client, 2)  # changes nothing
    after = simulator.history.now
    client.delete_item(TableName="plain", Key=KEY)
    values = [state.item and state.item["n"]["N"] for state in simulator.states("plain", KEY)]
    assert values == [None, "1", "2", None]
    assert [state.item["n"]["N"] for state in simulator.states("plain", KEY, before, after) if state.item] == ["1", "2"]
    request = {"TableName": "plain", "Select": "COUNT"}
    counts = [simulator.answer_at(tick, "Scan", request)["Count"] for tick in simulator.moments("plain", before)]
    assert counts == [1, 1, 0]
    calls = [call for call in simulator.history.calls if call.operation == "PutItem"]
    assert all(call.sent < call.applied < call.replied for call in calls)
    assert [state.since for state in simulator.states("plain", KEY, before, after)][1] in range(
        calls[1].sent, calls[1].applied
    )


def test_points(simulator: Simulator, client: Any) -> None:
    seen: list[tuple[str, Any]] = []

    def at(point: str, call: Call) -> None:
        latest = simulator.states("plain", KEY)[-1].item
        seen.append((point, latest and latest["n"]["N"]))

    simulator.at = at
    put(client, 1)
    assert seen == [("sent", None), ("applied", "1"), ("replied", "1")]
    seen.clear()
    client.batch_get_item(RequestItems={"plain": {"Keys": [KEY, {"pk": {"S": "other"}}]}})
    assert [point for point, _ in seen] == ["sent", "part", "applied", "replied"]


def test_indexes_with_keys_of_several_attributes(simulator: Simulator, client: Any) -> None:
    schema = [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in (("a", "HASH"), ("b", "HASH"), ("c", "RANGE"), ("d", "RANGE"))
    ]
    index = {"IndexName": "wide", "KeySchema": schema, "Projection": {"ProjectionType": "KEYS_ONLY"}}
    client.create_table(
        TableName="wide",
        KeySchema=keys("pk"),
        AttributeDefinitions=attributes(pk="S", a="S", b="S", c="N", d="N"),
        GlobalSecondaryIndexes=[index],
        BillingMode="PAY_PER_REQUEST",
    )
    for number, (a, b, c, d) in enumerate((("x", "y", 1, 2), ("x", "y", 1, 1), ("x", "y", 0, 9), ("xy", "", 1, 1))):
        item = {"pk": {"S": str(number)}, "a": {"S": a}, "c": {"N": str(c)}, "d": {"N": str(d)}}
        client.put_item(TableName="wide", Item=item | ({"b": {"S": b}} if b else {}))

    def found(condition: str, **values: Any) -> list[str]:
        given = {f":{name}": value for name, value in values.items() if f":{name}" in condition}
        request = {"KeyConditionExpression": condition, "ExpressionAttributeValues": given}
        paginator = client.get_paginator("query").paginate(TableName="wide", IndexName="wide", Limit=1, **request)
        return [item["pk"]["S"] for page in paginator for item in page["Items"]]

    values = {"a": {"S": "x"}, "b": {"S": "y"}, "n": {"N": "1"}}
    assert found("a = :a AND b = :b", **values) == ["2", "1", "0"]
    assert found("a = :a AND b = :b AND c = :n", **values) == ["1", "0"]
    assert found("a = :a AND b = :b AND c = :n AND d > :n", **values) == ["0"]
    for bad in ("a = :a", "a = :a AND b = :b AND d = :n", "a = :a AND b = :b AND c > :n AND d = :n"):
        with pytest.raises(ClientError, match="ValidationException"):
            found(bad, **values)


def test_pages_end_at_a_size(simulator: Simulator, client: Any) -> None:
    for number in range(4):
        client.put_item(TableName="plain", Item={"pk": {"S": str(number)}, "fill": {"S": "x" * 100}})
    simulator.page_bytes = 250
    page = client.scan(TableName="plain")
    assert page["Count"] == 2
    rest = client.scan(TableName="plain", ExclusiveStartKey=page["LastEvaluatedKey"])
    assert (rest["Count"], "LastEvaluatedKey" in rest) == (2, False)


def test_segments_share_a_table(client: Any) -> None:
    for number in range(20):
        client.put_item(TableName="plain", Item={"pk": {"S": str(number)}})
    counts = [client.scan(TableName="plain", Segment=part, TotalSegments=3)["Count"] for part in range(3)]
    assert sum(counts) == 20
    assert all(counts)


def test_a_transaction_is_one_moment_and_its_token_counts_once(simulator: Simulator, client: Any) -> None:
    add = {"TableName": "plain", "UpdateExpression": "ADD n :o", "ExpressionAttributeValues": {":o": {"N": "1"}}}
    actions = [{"Update": {**add, "Key": {"pk": {"S": name}}}} for name in ("one", "two")]
    for _ in range(2):
        client.transact_write_items(TransactItems=actions, ClientRequestToken="token")
    one, two = (simulator.states("plain", {"pk": {"S": name}}) for name in ("one", "two"))
    assert [state.since for state in one] == [state.since for state in two]
    assert one[-1].item == {"pk": {"S": "one"}, "n": {"N": "1"}}
    with pytest.raises(client.exceptions.IdempotentParameterMismatchException):
        client.transact_write_items(TransactItems=actions[:1], ClientRequestToken="token")


def test_items_expire(simulator: Simulator, client: Any) -> None:
    specification = {"Enabled": True, "AttributeName": "n"}
    client.update_time_to_live(TableName="plain", TimeToLiveSpecification=specification)
    assert client.describe_time_to_live(TableName="plain")["TimeToLiveDescription"]["AttributeName"] == "n"
    put(client, int(simulator.clock.now()) + 10)
    simulator.expire()
    assert get(client) is not None
    simulator.clock.advance(10.0)
    simulator.expire()
    assert get(client) is None


def test_capacity(client: Any) -> None:
    client.create_table(TableName="orders", BillingMode="PAY_PER_REQUEST", **ORDERS.request)
    big = order("ada", 4, fill={"S": "x" * 5000})
    units = client.put_item(TableName="orders", Item=big, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert units["Table"]["CapacityUnits"] == 6.0
    assert units["GlobalSecondaryIndexes"]["by-holder"]["CapacityUnits"] == 1.0
    key = {"customer": {"S": "ada"}, "seq": {"N": "4"}}
    for consistent, expected in ((False, 1.0), (True, 2.0)):
        read = client.get_item(TableName="orders", Key=key, ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")
        assert read["ConsumedCapacity"]["CapacityUnits"] == expected


def test_tables(simulator: Simulator, client: Any) -> None:
    put(client, 1)
    arn = client.describe_table(TableName="plain")["Table"]["TableArn"]
    assert get(client) == "1"
    assert client.get_item(TableName=arn, Key=KEY)["Item"]["n"] == {"N": "1"}
    client.delete_table(TableName="plain")
    assert client.list_tables()["TableNames"] == []
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        get(client)
    client.create_table(
        TableName="plain", KeySchema=keys("pk"), AttributeDefinitions=attributes(pk="S"), BillingMode="PAY_PER_REQUEST"
    )
    assert get(client) is None
    assert [state.item is None for state in simulator.states("plain", KEY)] == [True, False, True]


def test_places_in_a_list_are_those_before_the_update(client: Any) -> None:
    """As the documentation has it; the servers for tests disagree."""
    members = [{"S": each} for each in "abcde"]

    def updated(expression: str, **values: Any) -> str:
        client.put_item(TableName="plain", Item={**KEY, "l": {"L": members}})
        request = {"ExpressionAttributeValues": values} if values else {}
        answer = client.update_item(
            TableName="plain", Key=KEY, UpdateExpression=expression, ReturnValues="ALL_NEW", **request
        )
        return "".join(member["S"] for member in answer["Attributes"]["l"]["L"])

    assert updated("REMOVE l[1], l[2]") == "ade"
    assert updated("REMOVE l[3], l[0], l[9]") == "bce"
    assert updated("SET l[9] = :x", **{":x": {"S": "x"}}) == "abcdex"
    assert (
        updated("SET l[8] = :y, l[7] = :x, l[0] = :z", **{":x": {"S": "x"}, ":y": {"S": "y"}, ":z": {"S": "z"}})
        == "zbcdexy"
    )
