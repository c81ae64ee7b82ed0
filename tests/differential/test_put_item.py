"""PutItem and DeleteItem: return values, conditions, and what reads see afterwards."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS, PLAIN, order, row

KEY = {"pk": {"S": "key-1"}}
NEW_KEY = {"pk": {"S": "new"}}
NAMES = {"#v": "value"}


def given(condition: str, **values: dict[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {"ConditionExpression": condition}
    if values:
        request["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
    if "#v" in condition:
        request["ExpressionAttributeNames"] = NAMES
    return request


def watch(steps: Steps) -> None:
    for key in (KEY, NEW_KEY):
        steps.watch("get_item", Key=key)
        steps.watch("query", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": key["pk"]}, hit=True)
    steps.watch("scan")


@scenario(PLAIN)
def test_put_with_each_return_value(steps: Steps) -> None:
    watch(steps)
    for number, wanted in enumerate(("NONE", "ALL_OLD", None)):
        request = {} if wanted is None else {"ReturnValues": wanted}
        steps.write("put_item", Item=KEY | {"value": {"N": str(number)}}, **request)
        steps.write("put_item", Item={"pk": {"S": f"new-{number}"}}, **request)
    steps.write("put_item", Item=NEW_KEY, ReturnValues="ALL_OLD")


@scenario(PLAIN)
def test_delete_with_each_return_value(steps: Steps) -> None:
    watch(steps)
    for number, wanted in enumerate(("NONE", "ALL_OLD", None), start=1):
        request = {} if wanted is None else {"ReturnValues": wanted}
        key = {"pk": {"S": f"key-{number}"}}
        steps.write("delete_item", Key=key, **request)
        steps.write("delete_item", Key=key, **request)


@scenario(PLAIN)
def test_return_values_that_are_not_allowed(steps: Steps) -> None:
    watch(steps)
    for wanted in ("UPDATED_OLD", "ALL_NEW", "UPDATED_NEW", "SOME"):
        steps.fail("put_item", Item=row(1), ReturnValues=wanted)
        steps.attempt("delete_item", Key=KEY, ReturnValues=wanted)
        steps.look()


@scenario(ORDERS)
def test_capacity_and_collection_metrics(steps: Steps) -> None:
    for kind in ("TOTAL", "NONE"):
        steps.do("put_item", Item=order("ada", 1), ReturnConsumedCapacity=kind)
        steps.do("put_item", Item=order("ada", 1), ReturnConsumedCapacity=kind, ReturnValues="ALL_OLD")
        steps.do("delete_item", Key={"customer": {"S": "ada"}, "seq": {"N": "1"}}, ReturnConsumedCapacity=kind)
    steps.do("put_item", Item=order("ada", 1), ReturnItemCollectionMetrics="SIZE")
    steps.do("put_item", Item=order("ada", 1), ReturnItemCollectionMetrics="NONE")


@scenario(PLAIN)
def test_conditions_that_hold(steps: Steps) -> None:
    watch(steps)
    steps.write("put_item", Item=NEW_KEY, **given("attribute_not_exists(pk)"))
    steps.write("put_item", Item=KEY | {"value": {"N": "5"}}, **given("#v = :v", v={"N": "1"}))
    steps.write("put_item", Item=KEY, **given("#v > :v", v={"N": "4"}), ReturnValues="ALL_OLD")
    steps.write("delete_item", Key=KEY, **given("attribute_not_exists(#v)"))
    steps.write("delete_item", Key=NEW_KEY, **given("attribute_exists(pk)"), ReturnValues="ALL_OLD")


@scenario(PLAIN)
def test_conditions_that_fail(steps: Steps) -> None:
    watch(steps)
    for returned in ({}, {"ReturnValues": "ALL_OLD"}):
        steps.fail("put_item", Item=KEY, **given("attribute_not_exists(pk)"), **returned)
        steps.fail("delete_item", Key=KEY, **given("#v = :v", v={"N": "77"}), **returned)
        steps.fail("delete_item", Key=NEW_KEY, **given("attribute_exists(pk)"), **returned)
        steps.look()


@scenario(PLAIN, "condition_items")
def test_the_item_of_a_failed_condition(steps: Steps) -> None:
    watch(steps)
    for wanted in ("ALL_OLD", "NONE"):
        returned = {"ReturnValuesOnConditionCheckFailure": wanted}
        error = steps.fail("put_item", Item=KEY, **given("attribute_not_exists(pk)"), **returned)
        assert ("Item" in error.response) == (wanted == "ALL_OLD")
        steps.fail("delete_item", Key=KEY, **given("attribute_not_exists(pk)"), **returned)
        steps.fail("delete_item", Key=NEW_KEY, **given("attribute_exists(pk)"), **returned)
        steps.look()


@scenario(PLAIN)
def test_optimistic_locking(steps: Steps) -> None:
    """Read, fail because another writer was faster, read again, succeed."""
    partition: dict[str, Any] = {
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": {"S": "key-3"}},
    }
    key = {"pk": {"S": "key-3"}}
    for write, request in (
        ("put_item", {"Item": key | {"value": {"S": "mine"}}}),
        ("update_item", {"Key": key, "UpdateExpression": "REMOVE title"}),
        ("delete_item", {"Key": key}),
    ):
        seen = steps.read("get_item", Key=key)["Item"]["value"]
        steps.read("query", **partition)
        steps.harness.raw.put_item(TableName=steps.name, Item=key | {"value": {"S": f"before {write}"}})
        steps.fail(write, **request, **given("#v = :v", v=seen))
        seen = steps.do("get_item", Key=key)["Item"]["value"]
        steps.do("query", **partition)
        steps.do(write, **request, **given("#v = :v", v=seen))
        steps.do("get_item", Key=key)


@scenario(PLAIN)
def test_bad_requests(steps: Steps) -> None:
    watch(steps)
    requests: tuple[dict[str, Any], ...] = (
        {"Item": {"value": {"N": "1"}}},
        {"Item": {"pk": {"N": "1"}}},
        {"Item": {"pk": {"S": ""}}},
        {"Item": KEY | {"set": {"SS": []}}},
        {"Item": KEY | {"set": {"SS": ["a", "a"]}}},
        {"Item": KEY | {"value": {"N": "one"}}},
        {"Item": KEY, "ConditionExpression": "value = :v"},
        {"Item": KEY, "ExpressionAttributeValues": {":v": {"N": "1"}}},
        {"Item": KEY, "TableName": "no-such-table"},
        {"Item": KEY | {"value": {"S": "x" * 410_000}}},
    )
    for request in requests:
        steps.fail("put_item", **request)
    steps.fail("put_item")
    steps.fail("delete_item", Key={})
    steps.fail("delete_item", Key=KEY | {"value": {"N": "1"}})
    steps.fail("delete_item", Key=KEY, TableName="no-such-table")
    steps.look()


@scenario(PLAIN)
def test_put_removes_what_it_does_not_mention(steps: Steps) -> None:
    watch(steps)
    steps.write("put_item", Item=KEY)
    assert steps.do("get_item", Key=KEY)["Item"] == KEY
