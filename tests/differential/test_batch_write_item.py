"""BatchWriteItem: puts and deletes of several items, and several tables, and what reads see afterwards."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS, PLAIN, order, row
from tests.differential.test_query import OF_ADA
from tests.differential.test_query_indexes import OF_ANN, OPEN


def put(item: dict[str, Any]) -> dict[str, Any]:
    return {"PutRequest": {"Item": item}}


def delete(key: dict[str, Any]) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": key}}


@scenario(PLAIN)
def test_puts_and_deletes(steps: Steps) -> None:
    for number in (1, 2, 3, 50):
        steps.watch("get_item", Key={"pk": {"S": f"key-{number}"}})
    steps.watch("scan")
    keys = [{"pk": {"S": f"key-{number}"}} for number in (1, 2, 50)]
    steps.watch("batch_get_item", RequestItems={steps.name: {"Keys": keys}})
    requests = [put(row(50)), put(row(1) | {"value": {"S": "replaced"}}), delete({"pk": {"S": "key-2"}})]
    steps.write("batch_write_item", RequestItems={steps.name: requests})
    steps.write("batch_write_item", RequestItems={steps.name: [delete({"pk": {"S": "key-50"}})]})
    steps.write("batch_write_item", RequestItems={steps.name: [delete({"pk": {"S": "nobody"}})]})


@scenario(ORDERS)
def test_indexes_follow(steps: Steps) -> None:
    for query in (OF_ADA, OPEN, OF_ANN, OF_ADA | {"IndexName": "by-price"}):
        steps.watch("query", **query)
    steps.write(
        "batch_write_item",
        RequestItems={
            steps.name: [
                put(order("ada", 1, stage={"S": "paid"})),
                put(order("ada", 2, stage={"S": "open"}, holder={"S": "ann"})),
                delete({"customer": {"S": "ada"}, "seq": {"N": "4"}}),
                put(order("bob", 40)),
            ]
        },
    )


@scenario(PLAIN)
def test_several_tables(steps: Steps) -> None:
    orders = steps.another_table(ORDERS)
    key = {"customer": {"S": "ada"}, "seq": {"N": "1"}}
    steps.watch("scan")
    steps.watch("scan", TableName=orders)
    steps.watch("get_item", TableName=orders, Key=key)
    steps.watch("get_item", Key={"pk": {"S": "key-1"}})
    steps.write("batch_write_item", RequestItems={steps.name: [put(row(1) | {"new": {"NULL": True}})]})
    steps.write("batch_write_item", RequestItems={orders: [delete(key)], steps.name: [put(row(90))]})


@scenario(ORDERS)
def test_capacity_and_collection_metrics(steps: Steps) -> None:
    for kind in ("TOTAL", "NONE"):
        steps.do(
            "batch_write_item",
            RequestItems={steps.name: [put(order("ada", 1))]},
            ReturnConsumedCapacity=kind,
            ReturnItemCollectionMetrics="NONE",
        )


@scenario(PLAIN)
def test_bad_requests(steps: Steps) -> None:
    steps.watch("scan")
    steps.watch("get_item", Key={"pk": {"S": "key-1"}})
    for requests in (
        [],
        [put(row(1)), put(row(1))],
        [put(row(1)), delete({"pk": {"S": "key-1"}})],
        [put(row(number)) for number in range(26)],
        [put({"value": {"N": "1"}})],
        [put(row(1)), put({"pk": {"N": "1"}})],
    ):
        steps.fail("batch_write_item", RequestItems={steps.name: requests})
        steps.look()
    steps.fail("batch_write_item", RequestItems={})
    steps.fail("batch_write_item", RequestItems={"no-such-table": [put(row(1))]})
    steps.fail("batch_write_item", RequestItems={steps.name: [put(row(1))], "no-such-table": [put(row(1))]})
    steps.look()


@scenario(PLAIN, "validation")
def test_a_key_with_an_attribute_too_many(steps: Steps) -> None:
    steps.watch("get_item", Key={"pk": {"S": "key-1"}})
    requests = [delete({"pk": {"S": "key-1"}, "value": {"N": "1"}})]
    steps.fail("batch_write_item", RequestItems={steps.name: requests})
    steps.look()
