"""One cache under a client, a resource and a table: a write through one is seen by the others."""

from __future__ import annotations

from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

import daxlite
from tests.differential.harness import Harness, Side, Steps, scenario
from tests.differential.tables import ORDERS, PLAIN
from tests.servers import connection

TYPED = {"customer": {"S": "ada"}, "seq": {"N": "1"}}
NATIVE = {"customer": "ada", "seq": 1}


def watch_both(steps: Steps) -> None:
    steps.watch("get_item", Key=TYPED)
    steps.watch("table.get_item", Key=NATIVE)
    steps.watch("query", KeyConditionExpression="customer = :c", ExpressionAttributeValues={":c": {"S": "ada"}})
    steps.watch("table.query", KeyConditionExpression=Key("customer").eq("ada"))
    steps.watch("table.query", IndexName="by-stage", KeyConditionExpression=Key("stage").eq("open"))
    steps.watch("resource.batch_get_item", RequestItems={steps.name: {"Keys": [NATIVE]}})


@scenario(ORDERS)
def test_writes_through_the_client(steps: Steps) -> None:
    watch_both(steps)
    steps.write("put_item", Item=TYPED | {"title": {"S": "by the client"}})
    steps.write(
        "update_item",
        Key=TYPED,
        UpdateExpression="SET stage = :s, price = :p",
        ExpressionAttributeValues={":s": {"S": "open"}, ":p": {"N": "3"}},
    )
    steps.write("delete_item", Key=TYPED)


@scenario(ORDERS)
def test_writes_through_the_resource(steps: Steps) -> None:
    watch_both(steps)
    steps.write("table.put_item", Item=NATIVE | {"title": "by the table"})
    steps.write(
        "table.update_item",
        Key=NATIVE,
        UpdateExpression="SET stage = :s, price = :p",
        ExpressionAttributeValues={":s": "open", ":p": 3},
    )
    steps.write("table.delete_item", Key=NATIVE)


@scenario(PLAIN)
def test_what_one_read_the_other_has(steps: Steps) -> None:
    """The entry of an item serves both, each in its own form."""
    steps.do("get_item", Key={"pk": {"S": "key-1"}})
    steps.read("table.get_item", Key={"pk": "key-1"})
    steps.do("table.get_item", Key={"pk": "key-2"})
    steps.read("get_item", Key={"pk": {"S": "key-2"}})
    steps.do("table.get_item", Key={"pk": "nobody"})
    steps.read("get_item", Key={"pk": {"S": "nobody"}})


def test_a_hit_of_one_was_a_fill_of_the_other(harness: Harness) -> None:
    name = harness.fill(PLAIN)
    cache = daxlite.Cache()
    client = daxlite.wrap(harness.raw, cache=cache)
    table = daxlite.wrap(harness.raw_resource, cache=cache).Table(name)
    client.get_item(TableName=name, Key={"pk": {"S": "key-1"}})
    answer = table.get_item(Key={"pk": "key-1"})
    assert answer["Item"]["name"] == "row 1"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-cache"] == "Hit from daxlite"


def test_caches_of_their_own(harness: Harness) -> None:
    """Without a shared cache, one client knows nothing of what another one read."""
    name = harness.fill(PLAIN)
    request: dict[str, Any] = {"TableName": name, "Key": {"pk": {"S": "key-1"}}}
    first, second = daxlite.wrap(harness.raw), daxlite.wrap(harness.raw)
    first.get_item(**request)
    assert "x-cache" not in second.get_item(**request)["ResponseMetadata"]["HTTPHeaders"]


def test_what_a_session_makes_shares_its_cache(harness: Harness, endpoint: str) -> None:
    name = harness.fill(PLAIN)
    key = {"pk": {"S": "key-1"}}
    session = daxlite.wrap(boto3.Session())
    client = session.client("dynamodb", **connection(endpoint))
    resource = session.resource("dynamodb", **connection(endpoint))
    try:
        client.get_item(TableName=name, Key=key)
        answer = resource.Table(name).get_item(Key={"pk": "key-1"})
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-cache"] == "Hit from daxlite"
        resource.Table(name).delete_item(Key={"pk": "key-1"})
        assert "Item" not in client.get_item(TableName=name, Key=key)
    finally:
        client.close()
        resource.meta.client.close()


def test_bypass(harness: Harness) -> None:
    name = harness.fill(PLAIN)
    request: dict[str, Any] = {"TableName": name, "Key": {"pk": {"S": "key-1"}}}
    client = daxlite.wrap(harness.raw)
    client.get_item(**request)
    with daxlite.bypass():
        answer = client.get_item(**request)
        assert "x-cache" not in answer["ResponseMetadata"]["HTTPHeaders"]
        client.put_item(TableName=name, Item=request["Key"] | {"new": {"BOOL": True}})
    assert client.get_item(**request)["Item"] == request["Key"] | {"new": {"BOOL": True}}


@scenario(PLAIN)
def test_a_table_that_was_wrapped_by_itself(steps: Steps) -> None:
    def alone(side: Side) -> Any:
        plain = steps.harness.raw_resource.Table(side.name)
        return plain if side.resource is steps.harness.raw_resource else steps.harness.wrap(plain)

    steps.watch("get_item", Key={"pk": {"S": "key-1"}})
    steps.watch(lambda side: alone(side).get_item(Key={"pk": "key-1"}))
    steps.write(lambda side: alone(side).put_item(Item={"pk": "key-1", "by": "a table"}))
    steps.write("put_item", Item={"pk": {"S": "key-1"}, "by": {"S": "the client"}})
