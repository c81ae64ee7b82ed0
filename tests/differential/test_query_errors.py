"""Query: malformed requests are refused in the same words, whether or not their partition is cached."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS
from tests.differential.test_query import ADA, OF_ADA, where

BAD: dict[str, dict[str, Any]] = {
    "no condition": {},
    "a condition on no key": where("title = :t", t={"S": "x"}),
    "a condition on the range key alone": where("seq = :s", s={"N": "1"}),
    "a range of partitions": where("customer > :c", c={"S": "ada"}),
    "unequal": where("customer = :c AND seq <> :s", c={"S": "ada"}, s={"N": "1"}),
    "or": where("customer = :c OR seq = :s", c={"S": "ada"}, s={"N": "1"}),
    "too many conditions": where("customer = :c AND seq = :s AND price = :s", c={"S": "ada"}, s={"N": "1"}),
    "the wrong type": where("customer = :c", c={"N": "1"}),
    "an upside-down range": where("customer = :c AND seq BETWEEN :a AND :b", c={"S": "a"}, a={"N": "5"}, b={"N": "2"}),
    "a value that is not given": where("customer = :d", c={"S": "ada"}),
    "a value that is not used": where("customer = :c", c={"S": "ada"}, d={"S": "bob"}),
    "a name that is not used": OF_ADA | {"ExpressionAttributeNames": {"#x": "price"}},
    "a name that is not given": where("#c = :c", c={"S": "ada"}),
    "no expression": where("", c={"S": "ada"}),
    "half an expression": where("customer =", c={"S": "ada"}),
    "a filter on a key": OF_ADA | {"FilterExpression": "customer = :c"},
    "a filter that is none": OF_ADA | {"FilterExpression": "price >>> :c"},
    "a limit of zero": OF_ADA | {"Limit": 0},
    "an unknown index": OF_ADA | {"IndexName": "by-nothing"},
    "an index on another key": OF_ADA | {"IndexName": "by-holder"},
    "a consistent read of a global index": {
        **where("stage = :s", s={"S": "open"}),
        "IndexName": "by-stage",
        "ConsistentRead": True,
    },
    "an unknown selection": OF_ADA | {"Select": "SOME"},
    "a start in another partition": OF_ADA | {"ExclusiveStartKey": {"customer": {"S": "bob"}, "seq": {"N": "1"}}},
    "a start with half a key": OF_ADA | {"ExclusiveStartKey": {"customer": {"S": "ada"}}},
    "old and new conditions": OF_ADA
    | {"KeyConditions": {"customer": {"AttributeValueList": [{"S": "ada"}], "ComparisonOperator": "EQ"}}},
    "values without an expression": {
        "KeyConditions": {"customer": {"AttributeValueList": [{"S": "ada"}], "ComparisonOperator": "EQ"}},
        "ExpressionAttributeValues": ADA,
    },
}


@scenario(ORDERS)
def test_bad_requests(steps: Steps) -> None:
    for request in BAD.values():
        steps.fail("query", **request)


@scenario(ORDERS)
def test_bad_requests_on_a_partition_that_is_cached(steps: Steps) -> None:
    steps.read("query", **OF_ADA)
    steps.read("query", **OF_ADA, IndexName="by-price")
    steps.read("query", **OF_ADA, Select="COUNT")
    steps.read("query", **where("stage = :s", s={"S": "open"}), IndexName="by-stage")
    for request in BAD.values():
        steps.fail("query", **request)
    steps.read("query", **OF_ADA)


@scenario(ORDERS)
def test_parameters_that_do_not_exist(steps: Steps) -> None:
    steps.read("query", **OF_ADA)
    steps.fail("query", **OF_ADA, NoSuchParameter=1)
    steps.fail("query", **OF_ADA, Limit="ten")
    steps.fail("query", **OF_ADA | {"ExpressionAttributeValues": {":c": "ada"}})
    steps.fail("query", **OF_ADA | {"ExpressionAttributeValues": {":c": {"S": 1}}})
    steps.fail("query", **OF_ADA | {"TableName": "no-such-table"})
    steps.fail("query", **OF_ADA | {"TableName": "!"})
    steps.attempt("query", **OF_ADA, Select="ALL_PROJECTED_ATTRIBUTES")
    steps.attempt("query", **OF_ADA, Select="COUNT", ProjectionExpression="title")
    steps.attempt("query", **where("customer = :c", c={"S": ""}))
    steps.attempt("query", **OF_ADA, Select="SPECIFIC_ATTRIBUTES")
