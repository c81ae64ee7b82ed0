"""Query on local and global secondary indexes, and how they follow the writes to the table."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS, order
from tests.differential.test_query import OF_ADA, where

OPEN: dict[str, Any] = {"IndexName": "by-stage", **where("stage = :s", s={"S": "open"})}
PAID: dict[str, Any] = {"IndexName": "by-stage", **where("stage = :s", s={"S": "paid"})}
OF_ANN: dict[str, Any] = {"IndexName": "by-holder", **where("holder = :h", h={"S": "ann"})}
CHEAP: dict[str, Any] = {
    "IndexName": "by-price",
    **where("customer = :c AND price < :p", c={"S": "ada"}, p={"N": "30"}),
}
KEY = {"customer": {"S": "ada"}, "seq": {"N": "1"}}


@scenario(ORDERS)
def test_global_index(steps: Steps) -> None:
    answer = steps.read("query", **OPEN)
    assert answer["Count"] == 5
    steps.read("query", **PAID)
    steps.read("query", **OPEN, ScanIndexForward=False, Limit=2)
    steps.read("query", **OPEN, ProjectionExpression="title")
    steps.read("query", **OPEN, FilterExpression="attribute_exists(holder)")
    steps.read("query", **OPEN, Select="COUNT")
    steps.read("query", **OPEN | where("stage = :s AND price > :p", s={"S": "open"}, p={"N": "10"}))


@scenario(ORDERS)
def test_sparse_index(steps: Steps) -> None:
    """Only the items that have the attribute are in it, and of these only what it projects."""
    answer = steps.read("query", **OF_ANN)
    assert answer["Count"] == 3
    assert answer["Items"][0].keys() == {"customer", "seq", "holder", "title"}
    steps.read("query", **OF_ANN | where("holder = :h", h={"S": "zoe"}))


@scenario(ORDERS)
def test_local_index(steps: Steps) -> None:
    answer = steps.read("query", **CHEAP)
    assert answer["Count"] == 5
    steps.read("query", **CHEAP, ScanIndexForward=False)
    steps.read("query", **CHEAP, ConsistentRead=True, hit=False)
    steps.read("query", **OF_ADA, IndexName="by-stage-of-customer")
    steps.read("query", **OF_ADA, IndexName="by-stage-of-customer", Select="COUNT")


@scenario(ORDERS)
def test_selections(steps: Steps) -> None:
    steps.read("query", **OPEN, Select="ALL_PROJECTED_ATTRIBUTES")
    steps.read("query", **OF_ANN, Select="ALL_PROJECTED_ATTRIBUTES")
    steps.read("query", **OPEN, Select="ALL_ATTRIBUTES")
    # A global index cannot reach what it does not project; a local one fetches it.
    steps.attempt("query", **OF_ANN, Select="ALL_ATTRIBUTES")
    steps.attempt("query", **OF_ANN, ProjectionExpression="price")
    steps.attempt("query", **OF_ADA, IndexName="by-stage-of-customer", Select="ALL_ATTRIBUTES")
    steps.attempt("query", **OF_ADA, IndexName="by-stage-of-customer", Select="ALL_ATTRIBUTES")


@scenario(ORDERS, "capacity")
def test_consumed_capacity(steps: Steps) -> None:
    for kind in ("TOTAL", "INDEXES", "NONE"):
        steps.read("query", **OPEN, ReturnConsumedCapacity=kind)
        steps.read("query", **CHEAP, ReturnConsumedCapacity=kind)


def watch_everything(steps: Steps) -> None:
    steps.watch("get_item", Key=KEY)
    steps.watch("query", **OF_ADA)
    steps.watch("query", **CHEAP)
    steps.watch("query", **OPEN)
    steps.watch("query", **PAID)
    steps.watch("query", **OF_ANN)
    steps.watch("scan")


@scenario(ORDERS)
def test_item_moves_between_partitions(steps: Steps) -> None:
    watch_everything(steps)
    for stage in ("paid", "open", "lost", "paid"):
        steps.write(
            "update_item",
            Key=KEY,
            UpdateExpression="SET stage = :s",
            ExpressionAttributeValues={":s": {"S": stage}},
        )


@scenario(ORDERS)
def test_item_leaves_an_index_and_comes_back(steps: Steps) -> None:
    watch_everything(steps)
    steps.write("update_item", Key=KEY, UpdateExpression="REMOVE stage")
    holder = {"ExpressionAttributeValues": {":h": {"S": "ann"}}}
    steps.write("update_item", Key=KEY, UpdateExpression="SET holder = :h", **holder)
    steps.write("update_item", Key=KEY, UpdateExpression="SET stage = :h REMOVE holder", **holder)
    steps.write("put_item", Item=order("ada", 1))


@scenario(ORDERS)
def test_put_replaces_an_item_of_several_indexes(steps: Steps) -> None:
    watch_everything(steps)
    steps.write("put_item", Item=order("ada", 1, stage={"S": "paid"}, holder={"S": "ann"}))
    steps.write("put_item", Item=order("ada", 1, price={"N": "49"}))
    steps.write("put_item", Item=KEY)
    steps.write("put_item", Item=order("ada", 100, stage={"S": "open"}, price={"N": "1"}))


@scenario(ORDERS)
def test_delete_removes_from_every_index(steps: Steps) -> None:
    watch_everything(steps)
    steps.write("delete_item", Key=KEY)
    steps.write("delete_item", Key=KEY)
    steps.write("delete_item", Key={"customer": {"S": "bob"}, "seq": {"N": "4"}})


@scenario(ORDERS)
def test_a_change_that_no_index_key_shows(steps: Steps) -> None:
    """The items of an index are projections: they change without moving."""
    watch_everything(steps)
    steps.write(
        "update_item",
        Key={"customer": {"S": "ada"}, "seq": {"N": "4"}},
        UpdateExpression="SET title = :t",
        ExpressionAttributeValues={":t": {"S": "renamed"}},
    )
    steps.write(
        "update_item",
        Key=KEY,
        UpdateExpression="SET price = price + :d, #n = :d",
        ExpressionAttributeNames={"#n": "count"},
        ExpressionAttributeValues={":d": {"N": "1"}},
    )
