"""UpdateItem: the clauses of an update expression, return values, conditions, and what reads see afterwards."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS
from tests.differential.test_query import OF_ADA
from tests.differential.test_query_indexes import OPEN

KEY = {"customer": {"S": "ada"}, "seq": {"N": "1"}}
NEW_KEY = {"customer": {"S": "ada"}, "seq": {"N": "100"}}


def update(expression: str, **values: dict[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {"Key": KEY, "UpdateExpression": expression}
    if values:
        request["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
    return request


def watch(steps: Steps) -> None:
    steps.watch("get_item", Key=KEY)
    steps.watch("get_item", Key=NEW_KEY)
    steps.watch("query", **OF_ADA)
    steps.watch("query", **OPEN)
    steps.watch("scan", ProjectionExpression="customer, seq, title, price, stage")


@scenario(ORDERS)
def test_set(steps: Steps) -> None:
    watch(steps)
    steps.write("update_item", **update("SET title = :t", t={"S": "new"}))
    steps.write("update_item", **update("SET price = price + :one, title = :t", one={"N": "1"}, t={"S": "x"}))
    steps.write("update_item", **update("SET price = price - :one", one={"N": "1"}))
    steps.write("update_item", **update("SET extra = if_not_exists(extra, :e)", e={"S": "first"}))
    steps.write("update_item", **update("SET extra = if_not_exists(extra, :e)", e={"S": "second"}))
    steps.write("update_item", **update("SET title = extra"))


@scenario(ORDERS)
def test_set_inside_a_value(steps: Steps) -> None:
    watch(steps)
    steps.write("update_item", **update("SET address.city = :c", c={"S": "Bern"}))
    steps.write("update_item", **update("SET address.geo.lon = :n", n={"N": "7.5"}))
    steps.write("update_item", **update("SET parcels[1] = :p", p={"S": "card"}))
    steps.write("update_item", **update("SET parcels[0].amount = parcels[0].amount + :n", n={"N": "1"}))
    steps.write("update_item", **update("SET parcels = list_append(parcels, :p)", p={"L": [{"S": "bow"}]}))
    steps.write("update_item", **update("REMOVE parcels[0], address.zip"))


@scenario(ORDERS)
def test_remove(steps: Steps) -> None:
    watch(steps)
    steps.write("update_item", **update("REMOVE title"))
    steps.write("update_item", **update("REMOVE title, nowhere"))
    steps.write("update_item", **update("REMOVE stage"))


@scenario(ORDERS)
def test_add(steps: Steps) -> None:
    watch(steps)
    steps.write("update_item", **update("ADD price :n", n={"N": "5"}))
    steps.write("update_item", **update("ADD price :n", n={"N": "-5"}))
    steps.write("update_item", **update("ADD hits :n", n={"N": "1"}))
    steps.write("update_item", **update("ADD tags :s", s={"SS": ["red"]}))


@scenario(ORDERS)
def test_delete_from_a_set(steps: Steps) -> None:
    watch(steps)
    steps.write("update_item", **update("DELETE tags :s", s={"SS": ["new", "old"]}))
    steps.write("update_item", **update("DELETE tags :s", s={"SS": ["blue"]}))
    steps.write("update_item", **update("DELETE tags :s", s={"SS": ["blue"]}))


@scenario(ORDERS)
def test_several_clauses(steps: Steps) -> None:
    watch(steps)
    steps.write(
        "update_item",
        **update(
            "SET title = :t REMOVE address ADD price :n DELETE tags :s",
            t={"S": "all"},
            n={"N": "2"},
            s={"SS": ["new"]},
        ),
    )
    steps.write(
        "update_item",
        **update("set #s = :s remove #h", s={"S": "paid"}),
        ExpressionAttributeNames={"#s": "stage", "#h": "title"},
    )


@scenario(ORDERS)
def test_an_update_may_create_the_item(steps: Steps) -> None:
    watch(steps)
    steps.write("update_item", **update("SET stage = :s, price = :p", s={"S": "open"}, p={"N": "2"}) | {"Key": NEW_KEY})
    steps.write("delete_item", Key=NEW_KEY)
    steps.write("update_item", **update("ADD hits :n", n={"N": "1"}) | {"Key": NEW_KEY})


@scenario(ORDERS, "bare_updates")
def test_an_update_may_update_nothing(steps: Steps) -> None:
    watch(steps)
    steps.write("update_item", Key=KEY)
    steps.write("update_item", Key=NEW_KEY)
    steps.write("update_item", Key=NEW_KEY, ReturnValues="ALL_NEW")
    steps.write("update_item", Key=KEY, AttributeUpdates={})


@scenario(ORDERS)
def test_each_return_value(steps: Steps) -> None:
    watch(steps)
    for number, wanted in enumerate(("NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")):
        value = {"S": f"title {number}"}
        steps.write("update_item", **update("SET title = :t", t=value), ReturnValues=wanted)
        steps.write("update_item", **update("SET stage = :t", t=value), ReturnValues=wanted)
    steps.fail("update_item", **update("SET title = :t", t={"S": "x"}), ReturnValues="SOME")


@scenario(ORDERS)
def test_each_return_value_of_a_new_item(steps: Steps) -> None:
    for number, wanted in enumerate(("NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"), start=20):
        key = {"customer": {"S": "ada"}, "seq": {"N": str(number)}}
        steps.watch("get_item", Key=key)
        request = update("SET title = :t", t={"S": "new"}) | {"Key": key}
        steps.write("update_item", **request, ReturnValues=wanted)
        steps.write("update_item", **update("REMOVE title") | {"Key": key}, ReturnValues=wanted)


@scenario(ORDERS, "nested_updates")
def test_return_values_of_nested_paths(steps: Steps) -> None:
    watch(steps)
    for number, wanted in enumerate(("UPDATED_OLD", "UPDATED_NEW")):
        value = {"S": f"place {number}"}
        steps.write("update_item", **update("SET address.city = :c", c=value), ReturnValues=wanted)
        steps.write("update_item", **update("SET parcels[1] = :c", c=value), ReturnValues=wanted)
        steps.write("update_item", **update("SET address.geo.lat = :c REMOVE title", c=value), ReturnValues=wanted)


@scenario(ORDERS)
def test_conditions(steps: Steps) -> None:
    watch(steps)
    held = update("SET title = :t", t={"S": "held"}, old={"S": "order 1 of ada"})
    steps.write("update_item", **held, ConditionExpression="title = :old")
    for returned in (
        {},
        {"ReturnValues": "ALL_NEW"},
        {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
        {"ReturnValues": "UPDATED_OLD", "ReturnValuesOnConditionCheckFailure": "NONE"},
    ):
        steps.fail("update_item", **held, ConditionExpression="title = :old", **returned)
        steps.look()
    missing = {"Key": NEW_KEY, "ConditionExpression": "attribute_exists(customer)"}
    steps.fail("update_item", **update("SET title = :t", t={"S": "x"}) | missing)
    steps.look()


@scenario(ORDERS)
def test_consumed_capacity(steps: Steps) -> None:
    for kind in ("TOTAL", "NONE"):
        for wanted in ("NONE", "ALL_OLD", "UPDATED_NEW"):
            request = update("SET title = :t", t={"S": kind})
            steps.do("update_item", **request, ReturnValues=wanted, ReturnConsumedCapacity=kind)


@scenario(ORDERS)
def test_bad_requests(steps: Steps) -> None:
    watch(steps)
    one = {"N": "1"}
    for request in (
        update("SET seq = :n", n=one),
        update("SET title = title + :n", n=one),
        update("SET title = :m", n=one),
        update("SET title = :n, price = :n", n=one, m=one),
        update("SET title = :n, title = :n", n=one),
        update("SET nowhere.city = :n", n=one),
        update("ADD title :n", n=one),
        update("DELETE tags :n", n=one),
        update("SET"),
        update(""),
        update("title = :n", n=one),
        update("SET status = :n", n=one),
        update("SET #x = :n", n=one),
        update("SET stage = :n", n=one),
        update("SET title = :n", n=one) | {"Key": {"customer": {"S": "ada"}}},
        update("SET title = :n", n=one) | {"AttributeUpdates": {"price": {"Action": "DELETE"}}},
        update("SET title = :n", n=one) | {"TableName": "no-such-table"},
    ):
        steps.fail("update_item", **request)
    steps.look()
