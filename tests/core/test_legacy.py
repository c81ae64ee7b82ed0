"""KeyConditions, QueryFilter and ScanFilter: compared by what they say, and left to DynamoDB if not understood."""

from typing import Any

import pytest

from daxlite.core.legacy import LEGACY_PARAMETERS
from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.requests import read_query, read_scan

Params = dict[str, Any]


def condition(operator: str, *values: Params) -> Params:
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


QUERY: Params = {
    "TableName": "T",
    "KeyConditions": {"pk": condition("EQ", {"S": "x"}), "sk": condition("BETWEEN", {"N": "1"}, {"N": "2"})},
    "QueryFilter": {"a": condition("NE", {"SS": ["a", "b"]}), "b": {"ComparisonOperator": "NULL"}},
    "ConditionalOperator": "OR",
    "AttributesToGet": ["pk", "a"],
    "Limit": 10,
}


def test_what_a_legacy_query_asks_for() -> None:
    read = read_query(QUERY)
    assert (read.kind, read.index, read.equalities) == ("query", None, {"pk": {"S": "x"}})
    assert {condition.name for condition in read.conditions} == {"pk", "sk"}


def test_notation_and_order_make_no_difference() -> None:
    other = {
        "Limit": 10,
        "AttributesToGet": ("a", "pk"),
        "ConditionalOperator": "OR",
        "QueryFilter": {"b": {"ComparisonOperator": "NULL"}, "a": condition("NE", {"SS": ["b", "a"]})},
        "KeyConditions": {"sk": condition("BETWEEN", {"N": "1.0"}, {"N": "+2"}), "pk": condition("EQ", {"S": "x"})},
        "ReturnConsumedCapacity": "TOTAL",
    }
    assert read_query(other).signature == read_query(QUERY).signature


DIFFERENT: dict[str, Params] = {
    "partition": {"KeyConditions": QUERY["KeyConditions"] | {"pk": condition("EQ", {"S": "y"})}},
    "operator of a key": {"KeyConditions": QUERY["KeyConditions"] | {"sk": condition("GT", {"N": "1"})}},
    "one key": {"KeyConditions": {"pk": condition("EQ", {"S": "x"})}},
    "filter": {"QueryFilter": {"a": condition("EQ", {"SS": ["a", "b"]})}},
    "no values or an empty list of them": {
        "QueryFilter": QUERY["QueryFilter"] | {"b": {"ComparisonOperator": "NULL", "AttributeValueList": []}}
    },
    "empty filter": {"QueryFilter": {}},
    "no filter": {"QueryFilter": None},
    "and": {"ConditionalOperator": "AND"},
    "no conditional operator": {"ConditionalOperator": None},
    "attributes": {"AttributesToGet": ["pk", "b"]},
    "all attributes": {"AttributesToGet": None},
    "limit": {"Limit": 11},
    "direction": {"ScanIndexForward": False},
    "index": {"IndexName": "i"},
}


def test_what_can_change_the_answer_changes_the_signature() -> None:
    signatures = {read_query(QUERY).signature: "the query itself"}
    for name, change in DIFFERENT.items():
        request = {parameter: value for parameter, value in (QUERY | change).items() if value is not None}
        assert signatures.setdefault(read_query(request).signature, name) == name


def test_an_expression_of_the_same_words_is_another_query() -> None:
    legacy = {"KeyConditions": {"pk": condition("EQ", {"S": "x"})}}
    expression = {"KeyConditionExpression": "pk = :x", "ExpressionAttributeValues": {":x": {"S": "x"}}}
    assert read_query(legacy).signature != read_query(expression).signature
    assert read_query(legacy).equalities == read_query(expression).equalities


@pytest.mark.parametrize(
    "conditions",
    [
        None,
        [],
        "pk",
        {1: condition("EQ", {"S": "x"})},
        {"pk": None},
        {"pk": []},
        {"pk": {}},
        {"pk": {"AttributeValueList": [{"S": "x"}]}},
        {"pk": {"ComparisonOperator": None, "AttributeValueList": [{"S": "x"}]}},
        {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": None}},
        {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": ({"S": "x"},)}},
        {"pk": condition("EQ", {"S": 1})},
        {"pk": condition("EQ", {"S": "x"}) | {"Future": 1}},
        {"\ud800": condition("EQ", {"S": "x"})},
    ],
    ids=repr,
)
def test_conditions_that_are_left_to_dynamodb(conditions: Any) -> None:
    for request in ({"KeyConditions": conditions}, QUERY | {"QueryFilter": conditions}):
        with pytest.raises(NotCacheable):
            read_query(request)
    with pytest.raises(NotCacheable):
        read_scan({"ScanFilter": conditions})


@pytest.mark.parametrize(
    "change",
    [
        {"FilterExpression": "attribute_exists(a)"},
        {"ExpressionAttributeNames": {"#a": "a"}},
        {"ExpressionAttributeValues": {":a": {"S": "x"}}},
        {"ScanFilter": {}},
        {"ConditionalOperator": 1},
        {"AttributesToGet": []},
        {"AttributesToGet": "pk"},
        {"Segment": 0, "TotalSegments": 1},
        *[{name: None} for name in sorted(LEGACY_PARAMETERS["query"])],
    ],
    ids=repr,
)
def test_legacy_queries_that_are_left_to_dynamodb(change: Params) -> None:
    with pytest.raises(NotCacheable):
        read_query(QUERY | change)
