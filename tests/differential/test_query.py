"""Query on a base table: key conditions, order, filters, projections and counts."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import NUMBERS, ORDERS, STRINGS

ADA = {":c": {"S": "ada"}}
OF_ADA: dict[str, Any] = {"KeyConditionExpression": "customer = :c", "ExpressionAttributeValues": ADA}


def where(condition: str, **values: dict[str, Any]) -> dict[str, Any]:
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }


@scenario(ORDERS)
def test_partition(steps: Steps) -> None:
    answer = steps.read("query", **OF_ADA)
    assert [item["seq"]["N"] for item in answer["Items"]] == list("12345678")
    steps.read("query", **where("customer = :c", c={"S": "nobody"}))


@scenario(ORDERS)
def test_order(steps: Steps) -> None:
    for forward in (True, False):
        steps.read("query", **OF_ADA, ScanIndexForward=forward)
        steps.read("query", **OF_ADA, ScanIndexForward=forward, Limit=3)


@scenario(ORDERS)
def test_range_conditions(steps: Steps) -> None:
    for operator in ("=", "<", "<=", ">", ">="):
        steps.read("query", **where(f"customer = :c AND seq {operator} :s", c={"S": "ada"}, s={"N": "4"}))
    steps.read("query", **where("customer = :c AND seq BETWEEN :a AND :b", c={"S": "ada"}, a={"N": "2"}, b={"N": "5"}))
    steps.read("query", **where("seq > :s AND customer = :c", c={"S": "ada"}, s={"N": "6"}))
    steps.read("query", **where("(customer = :c) and (seq > :s)", c={"S": "ada"}, s={"N": "6"}))


@scenario(STRINGS)
def test_begins_with(steps: Steps) -> None:
    for prefix in ("b", "b#", "c", "x"):
        steps.read("query", **where("pk = :p AND begins_with(sk, :s)", p={"S": "a"}, s={"S": prefix}))
    steps.read("query", **where("pk = :p", p={"S": "a#b"}))
    steps.read("query", **where("pk = :p AND sk > :s", p={"S": "ä"}, s={"S": "z"}))


@scenario(NUMBERS)
def test_numbers_are_ordered_as_numbers(steps: Steps) -> None:
    answer = steps.read("query", **where("pk = :p", p={"N": "1"}))
    assert [item["sk"]["N"] for item in answer["Items"]] == ["-5", "0", "3", "20"]
    steps.read("query", **where("pk = :p AND sk > :s", p={"N": "1"}, s={"N": "-1"}))
    steps.read("query", **where("pk = :p AND sk BETWEEN :a AND :b", p={"N": "1"}, a={"N": "-5"}, b={"N": "9"}))


@scenario(ORDERS)
def test_aliases(steps: Steps) -> None:
    steps.read(
        "query",
        KeyConditionExpression="#c = :c AND #s >= :s",
        ExpressionAttributeNames={"#c": "customer", "#s": "seq"},
        ExpressionAttributeValues=ADA | {":s": {"N": "5"}},
    )
    steps.read(
        "query",
        KeyConditionExpression="#x = :x AND #y >= :y",
        ExpressionAttributeNames={"#x": "customer", "#y": "seq"},
        ExpressionAttributeValues={":x": {"S": "ada"}, ":y": {"N": "5"}},
    )


@scenario(ORDERS)
def test_filters(steps: Steps) -> None:
    filters: dict[str, dict[str, Any]] = {
        "stage = :v": {"S": "open"},
        "attribute_exists(holder) AND price > :v": {"N": "1"},
        "address.city = :v": {"S": "Basel"},
        "contains(tags, :v)": {"S": "blue"},
        "NOT stage IN (:v)": {"S": "open"},
        "size(title) > :v": {"N": "100"},
    }
    for expression, value in filters.items():
        request = where("customer = :c", c={"S": "ada"}, v=value)
        answer = steps.read("query", **request, FilterExpression=expression)
        assert answer["ScannedCount"] == 8
        steps.read("query", **request, FilterExpression=expression, Limit=3)


@scenario(ORDERS)
def test_count(steps: Steps) -> None:
    steps.read("query", **OF_ADA)
    answer = steps.read("query", **OF_ADA, Select="COUNT")
    assert answer["Count"] == 8
    assert "Items" not in answer
    steps.read("query", **OF_ADA, Select="COUNT", Limit=3)
    steps.read("query", **OF_ADA, Select="COUNT", FilterExpression="attribute_exists(holder)")
    steps.read("query", **OF_ADA, Select="ALL_ATTRIBUTES")


@scenario(ORDERS)
def test_projections(steps: Steps) -> None:
    for projection in ("title", "customer, seq", "address.city", "parcels[0].sku, title", "nowhere", "holder"):
        steps.read("query", **OF_ADA, ProjectionExpression=projection)
    steps.read("query", **OF_ADA, ProjectionExpression="title", Select="SPECIFIC_ATTRIBUTES")
    steps.read("query", **OF_ADA, ProjectionExpression="#t", ExpressionAttributeNames={"#t": "title"})


@scenario(ORDERS)
def test_consistent_read(steps: Steps) -> None:
    steps.read("query", **OF_ADA, ConsistentRead=True, hit=False)
    steps.read("query", **OF_ADA)
    steps.read("query", **OF_ADA, ConsistentRead=True, hit=False)
    steps.read("query", **OF_ADA, ConsistentRead=False)


@scenario(ORDERS)
def test_consumed_capacity(steps: Steps) -> None:
    for kind in ("TOTAL", "INDEXES", "NONE"):
        steps.read("query", **OF_ADA, ReturnConsumedCapacity=kind)
        steps.read("query", **OF_ADA, Limit=1, ReturnConsumedCapacity=kind)


@scenario(ORDERS)
def test_queries_do_not_answer_for_each_other(steps: Steps) -> None:
    """Requests that differ in one place only."""
    bob = {":c": {"S": "bob"}}
    for _ in range(2):
        steps.read("query", **OF_ADA)
        steps.read("query", **OF_ADA | {"ExpressionAttributeValues": bob})
        steps.read("query", **OF_ADA, Limit=2)
        steps.read("query", **OF_ADA, ScanIndexForward=False)
        steps.read("query", **OF_ADA, FilterExpression="attribute_exists(holder)")
        steps.read("query", **OF_ADA, FilterExpression="attribute_not_exists(holder)")
        steps.read("query", **OF_ADA, IndexName="by-price")
        steps.read("scan")
        steps.read("scan", FilterExpression="customer = :c", ExpressionAttributeValues=ADA)


@scenario(ORDERS)
def test_a_query_fills_no_wrong_item(steps: Steps) -> None:
    """What a query leaves behind must not stand for the whole item."""
    steps.read("query", **OF_ADA, ProjectionExpression="customer, seq")
    steps.read("query", **OF_ADA, IndexName="by-stage-of-customer")
    for number in ("1", "2", "99"):
        steps.read("get_item", Key={"customer": {"S": "ada"}, "seq": {"N": number}})
