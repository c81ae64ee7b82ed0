"""A wrapped Table: reads and writes with native types and condition objects."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary

from tests.differential.harness import Side, Steps, scenario
from tests.differential.tables import ORDERS, PLAIN

ADA_1 = {"customer": "ada", "seq": 1}


@scenario(ORDERS)
def test_get_item(steps: Steps) -> None:
    assert steps.read("table.get_item", Key=ADA_1)["Item"]["seq"] == Decimal(1)
    steps.read("table.get_item", Key={"customer": "ada", "seq": Decimal("1")})
    steps.read("table.get_item", Key={"customer": "nobody", "seq": 1})
    steps.read("table.get_item", Key=ADA_1, ProjectionExpression="title, address.city")
    steps.read("table.get_item", Key=ADA_1, ConsistentRead=True, hit=False)
    steps.read("table.get_item", Key=ADA_1, ReturnConsumedCapacity="TOTAL")


@scenario(ORDERS)
def test_query(steps: Steps) -> None:
    ada = Key("customer").eq("ada")
    steps.read("table.query", KeyConditionExpression=ada)
    for condition in (
        Key("seq").eq(3),
        Key("seq").lt(3),
        Key("seq").lte(3),
        Key("seq").gt(3),
        Key("seq").gte(3),
        Key("seq").between(2, 4),
    ):
        steps.read("table.query", KeyConditionExpression=ada & condition)
    steps.read("table.query", KeyConditionExpression="customer = :c", ExpressionAttributeValues={":c": "ada"})
    steps.read("table.query", KeyConditionExpression=ada, Select="COUNT")
    steps.read("table.query", KeyConditionExpression=ada, ProjectionExpression="title", ScanIndexForward=False)
    steps.read("table.query", IndexName="by-stage", KeyConditionExpression=Key("stage").eq("open"))
    first = steps.read("table.query", KeyConditionExpression=ada, Limit=3)
    steps.read("table.query", KeyConditionExpression=ada, ExclusiveStartKey=first["LastEvaluatedKey"])


@scenario(ORDERS)
def test_filters(steps: Steps) -> None:
    for condition in (
        Attr("stage").eq("open"),
        Attr("holder").exists() & Attr("price").gt(1),
        Attr("holder").not_exists() | Attr("stage").is_in(["paid", "lost"]),
        ~Attr("title").begins_with("order 1"),
        Attr("tags").contains("blue"),
        Attr("address.city").eq("Basel"),
        Attr("title").size().gt(5),
        Attr("parcels").attribute_type("L"),
    ):
        steps.read("table.query", KeyConditionExpression=Key("customer").eq("ada"), FilterExpression=condition)
        steps.read("table.scan", FilterExpression=condition)


@scenario(ORDERS)
def test_scan(steps: Steps) -> None:
    steps.read("table.scan")
    steps.read("table.scan", IndexName="by-holder")
    steps.read("table.scan", Limit=5)
    steps.read("table.scan", Segment=0, TotalSegments=2)


@scenario(ORDERS)
def test_writes_are_seen(steps: Steps) -> None:
    steps.watch("table.get_item", Key=ADA_1)
    steps.watch("table.query", KeyConditionExpression=Key("customer").eq("ada"))
    steps.watch("table.query", IndexName="by-stage", KeyConditionExpression=Key("stage").eq("open"))
    steps.watch("table.scan", Select="COUNT")
    steps.write("table.put_item", Item=ADA_1 | {"stage": "open", "price": Decimal("1.5")}, ReturnValues="ALL_OLD")
    for wanted in ("NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"):
        steps.write(
            "table.update_item",
            Key=ADA_1,
            UpdateExpression="SET stage = :s ADD price :n",
            ExpressionAttributeValues={":s": wanted, ":n": 1},
            ReturnValues=wanted,
        )
    held = {"ConditionExpression": Attr("stage").eq("UPDATED_NEW")}
    steps.write("table.put_item", Item=ADA_1 | {"stage": "open", "price": 1}, **held)
    steps.fail("table.put_item", Item=ADA_1, **held)
    steps.look()
    steps.write("table.delete_item", Key=ADA_1, ReturnValues="ALL_OLD")


@scenario(ORDERS)
def test_batch_writer(steps: Steps) -> None:
    steps.watch("table.query", KeyConditionExpression=Key("customer").eq("ada"))
    steps.watch("table.get_item", Key=ADA_1)
    steps.watch("table.scan", Select="COUNT")

    def write(side: Side) -> None:
        with side.table.batch_writer(overwrite_by_pkeys=["customer", "seq"]) as batch:
            batch.put_item(Item={"customer": "ada", "seq": 1, "title": "overwritten"})
            batch.put_item(Item={"customer": "ada", "seq": 1, "title": "once more"})
            batch.delete_item(Key={"customer": "ada", "seq": 2})
            for number in range(100, 140):
                batch.put_item(Item={"customer": "ada", "seq": number})

    steps.write(write)


NATIVE: dict[str, Any] = {
    "text": "text",
    "integer": 7,
    "decimal": Decimal("1.25"),
    "raw": b"\x00\xff",
    "wrapped": Binary(b"\x01"),
    "yes": True,
    "nothing": None,
    "words": {"a", "b"},
    "figures": {1, Decimal("2.5")},
    "blobs": {b"a", b"b"},
    "list": [1, "a", None, [True], {"k": {"x"}}],
    "map": {"a": {"b": [Decimal("1")]}, "empty": {}},
}


@scenario(PLAIN)
def test_native_types(steps: Steps) -> None:
    steps.watch("table.get_item", Key={"pk": "native"})
    steps.watch("get_item", Key={"pk": {"S": "native"}})
    steps.watch("table.query", KeyConditionExpression=Key("pk").eq("native"))
    steps.watch("table.scan")
    steps.write("table.put_item", Item={"pk": "native"} | NATIVE)
    item = steps.do("table.get_item", Key={"pk": "native"})["Item"]
    assert isinstance(item["raw"], Binary)
    assert isinstance(item["words"], set)
    assert isinstance(item["integer"], Decimal)
    for name, value in NATIVE.items():
        steps.write(
            "table.update_item",
            Key={"pk": "native"},
            UpdateExpression="SET payload = :v",
            ExpressionAttributeValues={":v": {name: value}},
            ReturnValues="ALL_NEW",
        )


@scenario(PLAIN)
def test_misuse(steps: Steps) -> None:
    steps.read("table.get_item", Key={"pk": "key-1"})
    steps.fail("table.get_item", Key={"pk": {"S": "key-1"}})
    steps.fail("table.get_item", Key={"pk": 1.5})
    steps.fail("table.get_item", Key={"pk": None})
    steps.fail("table.get_item", Key={})
    steps.fail("table.get_item")
    steps.fail("table.get_item", Key={"pk": "key-1"}, TableName="another", Nonsense=True)
    steps.fail("table.put_item", Item={"pk": "key-1", "float": 0.5})
    steps.fail("table.put_item", Item={"pk": "key-1", "mixed": {"a", 1}})
    steps.fail("table.put_item", Item={"pk": "key-1", "object": object})
    steps.fail("table.query", KeyConditionExpression=Key("pk").eq(Decimal("NaN")))
    steps.fail("table.query", KeyConditionExpression=Attr("pk").eq("key-1"))
    steps.fail(lambda side: side.table.get_item({"pk": "key-1"}))
    steps.fail(lambda side: side.table.no_such_action())
    steps.fail(lambda side: side.resource.Table("no-such-table").get_item(Key={"pk": "key-1"}))


@scenario(ORDERS)
def test_attributes(steps: Steps) -> None:
    def attributes(side: Side) -> Any:
        table = side.table
        return [table.name, table.key_schema, table.item_count, table.table_status, table.attribute_definitions]

    def loaded(side: Side) -> Any:
        table = side.table
        table.load()
        table.reload()
        return [index["IndexName"] for index in table.global_secondary_indexes]

    steps.do(attributes)
    steps.do(loaded)
    steps.do(lambda side: side.table.wait_until_exists())
    steps.do(lambda side: side.table == side.resource.Table(side.name))
    steps.do(lambda side: hash(side.table) == hash(side.resource.Table(side.name)))
    steps.do(lambda side: type(side.table).__name__)
    steps.do(lambda side: side.table.meta.service_name)
    steps.do(lambda side: sorted(side.table.meta.data or {}) if side.table.load() is None else None)
