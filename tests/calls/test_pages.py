"""Query and Scan: pages, and the requests that only DynamoDB can judge."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.scripted_client import ARN, ITEM, KEY, TABLE, ScriptedClient, description, made, page, refused

# What cannot be the value of a key, though botocore lets it pass.
NO_KEYS: list[dict[str, Any]] = [
    {"BOOL": True},
    {"NULL": True},
    {"SS": ["a"]},
    {"L": []},
    {"M": {}},
    {"N": "1e200"},
    {"N": "one"},
]


@pytest.mark.parametrize("value", NO_KEYS, ids=repr)
@pytest.mark.parametrize("style", ["expression", "legacy"])
def test_a_query_for_what_is_no_key_gets_dynamodbs_own_error(value: dict[str, Any], style: str) -> None:
    client = ScriptedClient(Query=refused("ValidationException"))
    legacy = {"KeyConditions": {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [value]}}}
    with pytest.raises(ClientError, match="ValidationException"):
        client.query(value=value) if style == "expression" else client("Query", **legacy)
    assert client.dynamodb.take() == ["Query"]


def test_a_page_comes_back_as_it_was() -> None:
    stored = page(ITEM, LastEvaluatedKey=KEY, SomethingNew={"x": 1})
    client = ScriptedClient(Query=stored, Scan=stored)
    for read in (client.query, lambda: client("Scan")):
        first, second = read(), read()
        assert client.is_hit(second)
        for response in (first, second):
            del response["ResponseMetadata"]
        assert first == second


def test_each_page_and_each_segment_is_an_entry_of_its_own() -> None:
    client = ScriptedClient(Scan=lambda params: page({"n": {"S": repr(sorted(params.items()))}}))
    requests: list[dict[str, Any]] = [
        {},
        {"ExclusiveStartKey": KEY},
        {"Limit": 1},
        {"Segment": 0, "TotalSegments": 2},
        {"Segment": 1, "TotalSegments": 2},
        {"Segment": 0, "TotalSegments": 3},
        {"IndexName": "by_owner"},
        {"Select": "COUNT"},
    ]
    first = [client("Scan", **request)["Items"] for request in requests]
    assert len({repr(items) for items in first}) == len(requests)
    again = [client("Scan", **request) for request in requests]
    assert all(client.is_hit(response) for response in again)
    assert [response["Items"] for response in again] == first


@pytest.mark.parametrize("name", [TABLE, ARN])
@pytest.mark.parametrize("operation", ["GetItem", "Query", "Scan"])
def test_capacity_names_the_table_as_the_request_did(operation: str, name: str) -> None:
    client = ScriptedClient(GetItem=made(Item=ITEM), Query=page(), Scan=page())
    asked: dict[str, Any] = {"TableName": name, "ReturnConsumedCapacity": "TOTAL"}
    read = {"GetItem": client.get, "Query": client.query, "Scan": lambda **asked: client("Scan", **asked)}[operation]
    read(**asked)
    hit = read(**asked)
    assert client.is_hit(hit)
    # botocore's model: "If you had specified the ARN of a table in the input, you'll see the table ARN".
    assert hit["ConsumedCapacity"] == {"TableName": name, "CapacityUnits": 0.0}


@pytest.mark.parametrize(("index", "kind"), [("by_owner", "Global"), ("by_age", "Local")])
def test_capacity_by_index_on_a_hit(index: str, kind: str) -> None:
    described = description("pk", indexes={"by_owner": ("owner", "age")}, local={"by_age": "age"})
    client = ScriptedClient(schema=None, DescribeTable=described, Query=page())
    for _ in range(2):
        names = {"#k": "owner" if kind == "Global" else "pk"}
        response = client.query("#k", IndexName=index, ExpressionAttributeNames=names, ReturnConsumedCapacity="INDEXES")
    assert response["ConsumedCapacity"] == {
        "TableName": TABLE,
        "CapacityUnits": 0.0,
        "Table": {"CapacityUnits": 0.0},
        f"{kind}SecondaryIndexes": {index: {"CapacityUnits": 0.0}},
    }


def test_capacity_is_not_returned_unasked() -> None:
    client = ScriptedClient(Query=page(ConsumedCapacity={"TableName": TABLE, "CapacityUnits": 1.0}))
    client.query(ReturnConsumedCapacity="TOTAL")
    assert "ConsumedCapacity" not in client.query()
    assert "ConsumedCapacity" not in client.query(ReturnConsumedCapacity="NONE")


@pytest.mark.parametrize("operation", ["Query", "Scan"])
def test_a_page_that_overlaps_a_change_is_returned_but_not_stored(operation: str) -> None:
    def overlapped(params: dict[str, Any]) -> dict[str, Any]:
        client.put({**KEY, "v": {"N": "2"}})
        return page(ITEM)

    client = ScriptedClient(PutItem=made(), **{operation: overlapped})
    read = client.query if operation == "Query" else lambda: client("Scan")
    assert read()["Items"] == [ITEM]
    client.dynamodb.answers[operation] = page({"new": {"S": ""}})
    assert read()["Items"] == [{"new": {"S": ""}}]
    assert client.cache.stats().total.discarded_fills == 1


def test_an_index_that_was_added_later_is_cached_and_invalidated() -> None:
    indexes = {"by_owner": ("owner", "age")}
    client = ScriptedClient(schema=None, DescribeTable=[description("pk"), description("pk", indexes=indexes)])
    client.dynamodb.answers |= {"PutItem": made(Attributes=ITEM), "Query": page(ITEM)}
    client.query()
    client.by_owner("ann")
    assert client.is_hit(client.by_owner("ann"))
    client.put({**ITEM, "owner": {"S": "bob"}})
    assert not client.is_hit(client.by_owner("ann"))
    client.clock.now += 120
    client.by_owner("ann")
    client.by_owner("cyd")
    client.clock.now += 120
    client.by_owner("dan")
    client.put({**ITEM, "owner": {"S": "dan"}})
    assert [client.is_hit(client.by_owner(owner)) for owner in ("ann", "cyd", "dan")] == [False, True, False]


def test_mutating_a_page_changes_no_other() -> None:
    client = ScriptedClient(Query=page(ITEM))
    for _ in range(3):
        response = client.query()
        assert response["Items"] == [ITEM]
        response["Items"][0]["note"]["S"] = "changed"
        response["Items"].clear()
