"""Query and Scan: pages, and the requests that only DynamoDB can judge."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.calls.scripted import ARN, ITEM, KEY, TABLE, Lab, description, made, page, refused

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
    lab = Lab(Query=refused("ValidationException"))
    legacy = {"KeyConditions": {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [value]}}}
    with pytest.raises(ClientError, match="ValidationException"):
        lab.query(value=value) if style == "expression" else lab("Query", **legacy)
    assert lab.dynamodb.take() == ["Query"]


def test_a_page_comes_back_as_it_was() -> None:
    stored = page(ITEM, LastEvaluatedKey=KEY, SomethingNew={"x": 1})
    lab = Lab(Query=stored, Scan=stored)
    for read in (lab.query, lambda: lab("Scan")):
        first, second = read(), read()
        assert lab.is_hit(second)
        for response in (first, second):
            del response["ResponseMetadata"]
        assert first == second


def test_each_page_and_each_segment_is_an_entry_of_its_own() -> None:
    lab = Lab(Scan=lambda params: page({"n": {"S": repr(sorted(params.items()))}}))
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
    first = [lab("Scan", **request)["Items"] for request in requests]
    assert len({repr(items) for items in first}) == len(requests)
    again = [lab("Scan", **request) for request in requests]
    assert all(lab.is_hit(response) for response in again)
    assert [response["Items"] for response in again] == first


@pytest.mark.parametrize("name", [TABLE, ARN])
@pytest.mark.parametrize("operation", ["GetItem", "Query", "Scan"])
def test_capacity_names_the_table_as_the_request_did(operation: str, name: str) -> None:
    lab = Lab(GetItem=made(Item=ITEM), Query=page(), Scan=page())
    asked: dict[str, Any] = {"TableName": name, "ReturnConsumedCapacity": "TOTAL"}
    read = {"GetItem": lab.get, "Query": lab.query, "Scan": lambda **asked: lab("Scan", **asked)}[operation]
    read(**asked)
    hit = read(**asked)
    assert lab.is_hit(hit)
    # botocore's model: "If you had specified the ARN of a table in the input, you'll see the table ARN".
    assert hit["ConsumedCapacity"] == {"TableName": name, "CapacityUnits": 0.0}


@pytest.mark.parametrize(("index", "kind"), [("by_owner", "Global"), ("by_age", "Local")])
def test_capacity_by_index_on_a_hit(index: str, kind: str) -> None:
    described = description("pk", indexes={"by_owner": ("owner", "age")}, local=("by_age",))
    lab = Lab(schema=None, DescribeTable=described, Query=page())
    for _ in range(2):
        names = {"#k": "owner" if kind == "Global" else "pk"}
        response = lab.query("#k", IndexName=index, ExpressionAttributeNames=names, ReturnConsumedCapacity="INDEXES")
    assert response["ConsumedCapacity"] == {
        "TableName": TABLE,
        "CapacityUnits": 0.0,
        "Table": {"CapacityUnits": 0.0},
        f"{kind}SecondaryIndexes": {index: {"CapacityUnits": 0.0}},
    }


def test_capacity_is_not_told_unasked() -> None:
    lab = Lab(Query=page(ConsumedCapacity={"TableName": TABLE, "CapacityUnits": 1.0}))
    lab.query(ReturnConsumedCapacity="TOTAL")
    assert "ConsumedCapacity" not in lab.query()
    assert "ConsumedCapacity" not in lab.query(ReturnConsumedCapacity="NONE")


@pytest.mark.parametrize("operation", ["Query", "Scan"])
def test_a_page_that_overlaps_a_change_is_returned_but_not_stored(operation: str) -> None:
    def overlapped(params: dict[str, Any]) -> dict[str, Any]:
        lab.put({**KEY, "v": {"N": "2"}})
        return page(ITEM)

    lab = Lab(PutItem=made(), **{operation: overlapped})
    read = lab.query if operation == "Query" else lambda: lab("Scan")
    assert read()["Items"] == [ITEM]
    lab.dynamodb.answers[operation] = page({"new": {"S": ""}})
    assert read()["Items"] == [{"new": {"S": ""}}]
    assert lab.cache.stats().total.discarded_fills == 1


def test_an_index_that_was_added_later_is_cached_and_invalidated() -> None:
    indexes = {"by_owner": ("owner", "age")}
    lab = Lab(schema=None, DescribeTable=[description("pk"), description("pk", indexes=indexes)])
    lab.dynamodb.answers |= {"PutItem": made(Attributes=ITEM), "Query": page(ITEM)}
    lab.query()
    lab.by_owner("ann")
    assert lab.is_hit(lab.by_owner("ann"))
    lab.put({**ITEM, "owner": {"S": "bob"}})
    assert not lab.is_hit(lab.by_owner("ann"))
    lab.clock.now += 120
    lab.by_owner("ann")
    lab.by_owner("cyd")
    lab.clock.now += 120
    lab.by_owner("dan")
    lab.put({**ITEM, "owner": {"S": "dan"}})
    assert [lab.is_hit(lab.by_owner(owner)) for owner in ("ann", "cyd", "dan")] == [False, True, False]


def test_mutating_a_page_changes_no_other() -> None:
    lab = Lab(Query=page(ITEM))
    for _ in range(3):
        response = lab.query()
        assert response["Items"] == [ITEM]
        response["Items"][0]["note"]["S"] = "changed"
        response["Items"].clear()
