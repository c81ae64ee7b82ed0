"""TransactWriteItems and TransactGetItems: all or nothing, and what reads see afterwards."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS, PLAIN, order, row
from tests.differential.test_query import OF_ADA
from tests.differential.test_query_indexes import OF_ANN, OPEN


def key(number: int) -> dict[str, Any]:
    return {"pk": {"S": f"key-{number}"}}


def watch(steps: Steps) -> None:
    for number in (1, 2, 3, 60):
        steps.watch("get_item", Key=key(number))
    steps.watch("scan")


def actions(steps: Steps) -> list[dict[str, Any]]:
    """A put of something new, an update, a deletion, and a check that holds."""
    table = {"TableName": steps.name}
    names = {"ExpressionAttributeNames": {"#v": "value"}}
    values = {"ExpressionAttributeValues": {":v": {"N": "10"}}}
    return [
        {"Put": {**table, "Item": row(60)}},
        {"Update": {**table, "Key": key(1), "UpdateExpression": "SET #v = :v", **names, **values}},
        {"Delete": {**table, "Key": key(2)}},
        {"ConditionCheck": {**table, "Key": key(3), "ConditionExpression": "attribute_exists(pk)"}},
    ]


@scenario(PLAIN, "transactions")
def test_write(steps: Steps) -> None:
    watch(steps)
    steps.write("transact_write_items", TransactItems=actions(steps))
    steps.write("transact_write_items", TransactItems=[{"Put": {"TableName": steps.name, "Item": row(2)}}])


@scenario(PLAIN, "transactions")
def test_cancelled_write(steps: Steps) -> None:
    watch(steps)
    for returned in ("NONE", "ALL_OLD"):
        check = {
            "TableName": steps.name,
            "Key": key(3),
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": returned,
        }
        error = steps.fail("transact_write_items", TransactItems=[*actions(steps)[:3], {"ConditionCheck": check}])
        assert [reason["Code"] for reason in error.response["CancellationReasons"]][-1] == "ConditionalCheckFailed"
        steps.look()


@scenario(PLAIN, "transactions")
def test_write_over_several_tables(steps: Steps) -> None:
    orders = steps.another_table(ORDERS)
    for query in (OF_ADA, OPEN, OF_ANN):
        steps.watch("query", **query, TableName=orders)
    watch(steps)
    update = {
        "TableName": orders,
        "Key": {"customer": {"S": "ada"}, "seq": {"N": "1"}},
        "UpdateExpression": "SET holder = stage REMOVE stage",
    }
    moved = order("ada", 2, stage={"S": "open"})
    deletion = {"TableName": orders, "Key": {"customer": {"S": "ada"}, "seq": {"N": "4"}}}
    steps.write(
        "transact_write_items",
        TransactItems=[
            {"Update": update},
            {"Put": {"TableName": orders, "Item": moved}},
            {"Delete": deletion},
            {"Put": {"TableName": steps.name, "Item": row(60)}},
        ],
    )


@scenario(PLAIN, "transactions")
def test_get(steps: Steps) -> None:
    gets = [{"Get": {"TableName": steps.name, "Key": key(number)}} for number in (1, 77, 2)]
    steps.watch("transact_get_items", TransactItems=gets, hit=False)
    steps.read("get_item", Key=key(1))
    steps.watch("transact_get_items", TransactItems=gets, hit=False)
    projected = {"TableName": steps.name, "Key": key(1), "ProjectionExpression": "pk"}
    steps.read("transact_get_items", TransactItems=[{"Get": projected}], hit=False)
    steps.write("put_item", Item=row(1) | {"new": {"BOOL": True}})
    steps.write("transact_write_items", TransactItems=[{"Delete": {"TableName": steps.name, "Key": key(2)}}])


@scenario(PLAIN, "transactions")
def test_bad_requests(steps: Steps) -> None:
    watch(steps)
    twice = {"Put": {"TableName": steps.name, "Item": row(1)}}
    bad: tuple[list[dict[str, Any]], ...] = (
        [twice, twice],
        [{"Put": {"TableName": "no-such-table", "Item": row(1)}}],
        [{}],
        [{"Put": {"TableName": steps.name, "Item": {"value": {"N": "1"}}}}],
        [],
    )
    for items in bad:
        steps.attempt("transact_write_items", TransactItems=items)
        steps.look()
    for gets in ([], [{"Get": {"TableName": "no-such-table", "Key": key(1)}}]):
        steps.attempt("transact_get_items", TransactItems=gets)
