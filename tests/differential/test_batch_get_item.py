"""BatchGetItem: all, some or none of the items cached, and what a batch and single reads share."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Steps, scenario
from tests.differential.tables import ORDERS, PLAIN


def of(*numbers: int) -> list[dict[str, Any]]:
    return [{"pk": {"S": f"key-{number}"}} for number in numbers]


@scenario(PLAIN)
def test_none_then_all_cached(steps: Steps) -> None:
    answer = steps.read("batch_get_item", RequestItems={steps.name: {"Keys": of(1, 2, 3)}})
    assert len(answer["Responses"][steps.name]) == 3


@scenario(PLAIN)
def test_some_cached(steps: Steps) -> None:
    steps.read("get_item", Key=of(1)[0])
    steps.read("batch_get_item", RequestItems={steps.name: {"Keys": of(1, 2)}})
    steps.read("batch_get_item", RequestItems={steps.name: {"Keys": of(3, 2, 1, 0)}})


@scenario(PLAIN)
def test_a_batch_fills_single_reads(steps: Steps) -> None:
    steps.do("batch_get_item", RequestItems={steps.name: {"Keys": of(1, 2)}})
    for key in of(1, 2):
        steps.read("get_item", Key=key)
    steps.read("batch_get_item", RequestItems={steps.name: {"Keys": of(2, 1)}})


@scenario(PLAIN)
def test_missing_items(steps: Steps) -> None:
    steps.read("batch_get_item", RequestItems={steps.name: {"Keys": of(1, 77, 2, 78)}})
    answer = steps.read("batch_get_item", RequestItems={steps.name: {"Keys": of(77, 78)}})
    assert answer["Responses"] == {steps.name: []}
    steps.read("get_item", Key=of(77)[0])


@scenario(PLAIN)
def test_consistent_read(steps: Steps) -> None:
    request = {steps.name: {"Keys": of(1, 2), "ConsistentRead": True}}
    steps.read("batch_get_item", RequestItems=request, hit=False)
    steps.read("batch_get_item", RequestItems={steps.name: {"Keys": of(1, 2), "ConsistentRead": False}})
    steps.read("batch_get_item", RequestItems=request, hit=False)


@scenario(PLAIN, "capacity", "capacity_on_request")
def test_consumed_capacity(steps: Steps) -> None:
    for kind in ("TOTAL", "INDEXES", "NONE"):
        request = {steps.name: {"Keys": of(1, 2)}}
        steps.read("batch_get_item", RequestItems=request, ReturnConsumedCapacity=kind)


@scenario(PLAIN)
def test_several_tables(steps: Steps) -> None:
    orders = steps.another_table(ORDERS)
    key = {"customer": {"S": "ada"}, "seq": {"N": "2"}}
    request = {steps.name: {"Keys": of(1, 2, 99)}, orders: {"Keys": [key]}}
    steps.read("batch_get_item", RequestItems=request)
    steps.read("get_item", TableName=orders, Key=key)
    steps.read("batch_get_item", RequestItems={orders: {"Keys": [key]}})


PROJECTIONS: list[dict[str, Any]] = [
    {"ProjectionExpression": "title"},
    {"ProjectionExpression": "customer, seq, address.city"},
    {"ProjectionExpression": "parcels[0].sku, #t", "ExpressionAttributeNames": {"#t": "title"}},
    {"AttributesToGet": ["price", "nowhere"]},
]


@scenario(ORDERS)
def test_projections(steps: Steps) -> None:
    keys = [{"customer": {"S": "ada"}, "seq": {"N": str(number)}} for number in (1, 2, 99)]
    for projection in PROJECTIONS:
        steps.read("batch_get_item", RequestItems={steps.name: {"Keys": keys, **projection}})
    steps.read("batch_get_item", RequestItems={steps.name: {"Keys": keys}})
    for projection in PROJECTIONS:
        steps.read("batch_get_item", RequestItems={steps.name: {"Keys": keys, **projection}})


@scenario(PLAIN)
def test_writes_are_seen(steps: Steps) -> None:
    steps.watch("batch_get_item", RequestItems={steps.name: {"Keys": of(1, 2, 3)}})
    projected = {"Keys": of(1, 2), "ProjectionExpression": "#v", "ExpressionAttributeNames": {"#v": "value"}}
    steps.watch("batch_get_item", RequestItems={steps.name: projected})
    steps.write("put_item", Item=of(1)[0] | {"value": {"S": "put"}})
    steps.write("delete_item", Key=of(2)[0])
    steps.write(
        "update_item",
        Key=of(3)[0],
        UpdateExpression="SET #v = :v",
        ExpressionAttributeNames={"#v": "value"},
        ExpressionAttributeValues={":v": {"S": "updated"}},
    )
    steps.write("put_item", Item=of(2)[0] | {"value": {"S": "back"}})


BAD: dict[str, dict[str, Any]] = {
    "more than 100 keys": {"Keys": of(*range(101))},
    "a key twice": {"Keys": of(1, 2, 1)},
    "no keys": {"Keys": []},
    "a key attribute too many": {"Keys": [of(1)[0] | {"name": {"S": "x"}}]},
    "a key of the wrong type": {"Keys": [{"pk": {"N": "1"}}]},
    "a reserved word": {"Keys": of(1), "ProjectionExpression": "value"},
    "an expression and AttributesToGet": {"Keys": of(1), "ProjectionExpression": "pk", "AttributesToGet": ["pk"]},
    "a name that is not used": {
        "Keys": of(1),
        "ProjectionExpression": "pk",
        "ExpressionAttributeNames": {"#x": "name"},
    },
}


@scenario(PLAIN)
def test_bad_requests_before_and_after_the_items_are_cached(steps: Steps) -> None:
    for request in BAD.values():
        steps.fail("batch_get_item", RequestItems={steps.name: request})
    steps.read("batch_get_item", RequestItems={steps.name: {"Keys": of(1, 2)}})
    for request in BAD.values():
        steps.fail("batch_get_item", RequestItems={steps.name: request})
    steps.fail("batch_get_item", RequestItems={})
    steps.fail("batch_get_item", RequestItems={"no-such-table": {"Keys": of(1)}})
    steps.fail("batch_get_item", RequestItems={steps.name: {"Keys": of(1)}, "no-such-table": {"Keys": of(1)}})


@scenario(PLAIN)
def test_a_hundred_keys(steps: Steps) -> None:
    request = {steps.name: {"Keys": of(*range(100))}}
    answer = steps.read("batch_get_item", RequestItems=request)
    assert len(answer["Responses"][steps.name]) == 6
