"""The parameters that expressions replaced: KeyConditions, QueryFilter, ScanFilter, AttributesToGet, Expected."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS

KEY = {"customer": {"S": "ada"}, "seq": {"N": "4"}}


def condition(operator: str, *values: dict[str, Any]) -> dict[str, Any]:
    listed: dict[str, Any] = {"AttributeValueList": list(values)} if values else {}
    return {"ComparisonOperator": operator, **listed}


ADA = {"customer": condition("EQ", {"S": "ada"})}
OPEN_AND_DEAR = {"stage": condition("EQ", {"S": "open"}), "price": condition("GT", {"N": "10"})}


@scenario(ORDERS)
def test_key_conditions(steps: Steps) -> None:
    steps.read("query", KeyConditions=ADA)
    for operator in ("EQ", "LT", "LE", "GT", "GE"):
        steps.read("query", KeyConditions=ADA | {"seq": condition(operator, {"N": "4"})})
    steps.read("query", KeyConditions=ADA | {"seq": condition("BETWEEN", {"N": "2"}, {"N": "5"})})
    steps.read("query", KeyConditions=ADA | {"price": condition("GT", {"N": "9"})}, IndexName="by-price")
    steps.read("query", KeyConditions={"stage": condition("EQ", {"S": "open"})}, IndexName="by-stage")


@scenario(ORDERS)
def test_key_conditions_and_writes(steps: Steps) -> None:
    steps.watch("query", KeyConditions=ADA)
    steps.watch("query", KeyConditions={"stage": condition("EQ", {"S": "open"})}, IndexName="by-stage")
    steps.watch("query", KeyConditions={"holder": condition("EQ", {"S": "ann"})}, IndexName="by-holder")
    steps.write("put_item", Item=KEY | {"stage": {"S": "open"}, "price": {"N": "1"}, "holder": {"S": "ann"}})
    steps.write("delete_item", Key=KEY)


@scenario(ORDERS)
def test_query_filter(steps: Steps) -> None:
    for test in (condition("GT", {"N": "10"}), condition("IN", {"N": "7"}, {"N": "14"})):
        steps.read("query", KeyConditions=ADA, QueryFilter={"price": test})


@scenario(ORDERS, "query_filter")
def test_query_filter_on_sparse_attributes(steps: Steps) -> None:
    steps.read("query", KeyConditions=ADA, QueryFilter={"holder": condition("NOT_NULL")})
    steps.read("query", KeyConditions=ADA, QueryFilter={"holder": condition("NULL")})
    steps.read("query", KeyConditions=ADA, QueryFilter=OPEN_AND_DEAR)


@scenario(ORDERS, "query_filter")
def test_conditional_operator(steps: Steps) -> None:
    for operator in ("AND", "OR"):
        steps.read("query", KeyConditions=ADA, QueryFilter=OPEN_AND_DEAR, ConditionalOperator=operator)
        steps.read("scan", ScanFilter=OPEN_AND_DEAR, ConditionalOperator=operator)


@scenario(ORDERS)
def test_attributes_to_get(steps: Steps) -> None:
    steps.read("query", KeyConditions=ADA, AttributesToGet=["title", "holder"])
    steps.read("scan", AttributesToGet=["title"])


@scenario(ORDERS, "attributes_to_get")
def test_attributes_to_get_of_an_item(steps: Steps) -> None:
    steps.watch("get_item", Key=KEY, AttributesToGet=["title", "holder"])
    steps.watch("get_item", Key=KEY)
    steps.watch("get_item", Key=KEY, AttributesToGet=["address", "nowhere"])
    steps.watch("get_item", Key=KEY, AttributesToGet=["nowhere"])
    steps.read("get_item", Key=KEY | {"seq": {"N": "99"}}, AttributesToGet=["title"])
    steps.write("put_item", Item=KEY | {"title": {"S": "new"}})
    steps.write("delete_item", Key=KEY)


@scenario(ORDERS)
def test_scan_filter(steps: Steps) -> None:
    for test in (
        condition("EQ", {"S": "open"}),
        condition("NE", {"S": "open"}),
        condition("IN", {"S": "open"}, {"S": "lost"}),
        condition("BEGINS_WITH", {"S": "o"}),
        condition("NULL"),
    ):
        steps.read("scan", ScanFilter={"stage": test})


@scenario(ORDERS)
def test_expected(steps: Steps) -> None:
    steps.watch("get_item", Key=KEY)
    steps.watch("query", KeyConditions=ADA)
    changed = KEY | {"title": {"S": "changed"}}
    steps.write("put_item", Item=changed, Expected={"title": {"Value": {"S": "order 4 of ada"}}})
    steps.fail("put_item", Item=KEY, Expected={"title": {"Value": {"S": "order 4 of ada"}}})
    steps.look()
    steps.fail("delete_item", Key=KEY, Expected={"title": {"Exists": False}})
    steps.write("delete_item", Key=KEY, Expected={"title": condition("EQ", {"S": "changed"})})


@scenario(ORDERS)
def test_attribute_updates(steps: Steps) -> None:
    steps.watch("get_item", Key=KEY)
    steps.watch("query", KeyConditions=ADA)
    steps.watch("query", KeyConditions={"stage": condition("EQ", {"S": "open"})}, IndexName="by-stage")
    steps.watch("query", KeyConditions={"stage": condition("EQ", {"S": "paid"})}, IndexName="by-stage")
    for updates in (
        {"title": {"Value": {"S": "put"}, "Action": "PUT"}},
        {"price": {"Value": {"N": "5"}, "Action": "ADD"}},
        {"stage": {"Value": {"S": "paid"}, "Action": "PUT"}},
        {"tags": {"Value": {"SS": ["blue"]}, "Action": "DELETE"}},
        {"stage": {"Action": "DELETE"}},
    ):
        steps.write("update_item", Key=KEY, AttributeUpdates=updates)
