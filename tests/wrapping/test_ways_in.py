"""All the ways into a wrapped client end in the cache: its own, and those of resources and sessions."""

from typing import Any

import boto3
from boto3.dynamodb.conditions import Attr, Key

import daxlite
from daxlite import Cache
from daxlite.calls.dialects import Typed, dialect_of
from daxlite.calls.native import Native
from tests.responses import is_hit
from tests.scripted_client import ITEM, KEY, TABLE, description, made, page
from tests.wrapping.wire import HERE, answer


def test_paginators_and_waiters_go_through_the_cache(client: Any) -> None:
    wrapped = daxlite.wrap(client)
    answers = [page(ITEM, LastEvaluatedKey=KEY), page(ITEM)]
    described = description("pk")
    described["Table"]["TableStatus"] = "ACTIVE"
    dynamodb = answer(client, Query=answers, DescribeTable=described)
    request = {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :a",
        "ExpressionAttributeValues": {":a": KEY["pk"]},
    }
    for _ in range(2):
        pages = list(wrapped.get_paginator("query").paginate(**request))
        assert [each["Items"] for each in pages] == [[ITEM], [ITEM]]
    assert dynamodb.take().count("Query") == 2
    wrapped.get_waiter("table_exists").wait(TableName=TABLE)
    assert dynamodb.take() == ["DescribeTable"]


def test_the_call_that_pynamodb_makes(client: Any) -> None:
    wrapped = daxlite.wrap(client)
    dynamodb = answer(client, GetItem=made(Item=ITEM))
    for _ in range(2):
        assert wrapped._make_api_call("GetItem", {"TableName": TABLE, "Key": KEY})["Item"] == ITEM
    assert dynamodb.take().count("GetItem") == 1


def test_a_wrapped_table_takes_native_values(resource: Any) -> None:
    table = daxlite.wrap(resource).Table(TABLE)
    assert isinstance(dialect_of(table.meta.client.meta), Native)
    dynamodb = answer(
        resource.meta.client,
        DescribeTable=description("pk", arn=None),
        GetItem=lambda _: made(Item={**KEY, "n": {"N": "1"}}),
        Query=page(),
        Scan=page(),
    )
    for _ in range(2):
        assert table.get_item(Key={"pk": "a"})["Item"] == {"pk": "a", "n": 1}
        table.query(KeyConditionExpression=Key("pk").eq("a"), FilterExpression=Attr("n").gt(0))
        table.scan(FilterExpression=Attr("n").gt(0))
    assert sorted(dynamodb.take()) == ["DescribeTable", "GetItem", "Query", "Scan"]


def test_a_client_and_a_resource_share_one_cache(client: Any, resource: Any) -> None:
    assert isinstance(dialect_of(client.meta), Typed)
    cache = Cache()
    typed, table = daxlite.wrap(client, cache), daxlite.wrap(resource.Table(TABLE), cache)
    # The text in which DynamoDB returns small numbers is not the one in which Decimal writes them.
    item = {**KEY, "small": {"N": "0.0000000015"}, "set": {"NS": ["0.00000001"]}, "list": {"L": [{"N": "0.0000001"}]}}
    answer(
        resource.meta.client, GetItem=lambda _: made(Item=dict(item)), PutItem=made(), Query=lambda _: page(dict(item))
    )
    dynamodb = answer(client, PutItem=made())
    native = table.get_item(Key={"pk": "a"})["Item"]
    found = typed.get_item(TableName=TABLE, Key=KEY)
    assert is_hit(found)
    assert found["Item"] == item
    table.query(KeyConditionExpression=Key("pk").eq("a"))
    found = typed.query(TableName=TABLE, KeyConditionExpression="pk = :a", ExpressionAttributeValues={":a": KEY["pk"]})
    assert is_hit(found)
    assert found["Items"] == [item]
    dynamodb.take()
    typed.put_item(TableName=TABLE, Item={**KEY, "n": {"N": "1.50"}})
    found = table.get_item(Key={"pk": "a"})
    assert is_hit(found)
    assert found["Item"] == {"pk": "a", "n": native["small"] * 10**9}


def test_a_session_wraps_what_it_makes_for_dynamodb() -> None:
    cache = Cache()
    session = daxlite.wrap(boto3.Session(region_name="eu-west-1"), cache)
    made_client = session.client(service_name="dynamodb", **HERE)
    made_resource = session.resource("dynamodb", **HERE)
    other = session.client("sts", **HERE)
    answer(made_client, GetItem=made(Item=ITEM))
    made_client.get_item(TableName=TABLE, Key=KEY)
    found = made_resource.Table(TABLE).get_item(Key={"pk": "a"})
    assert is_hit(found)
    assert "daxlite" not in repr(other)
    assert session.region_name == "eu-west-1"
    for each in (made_client, made_resource.meta.client, other):
        each.close()


def test_objects_wrapped_without_a_cache_have_one_each(client: Any) -> None:
    one, other = daxlite.wrap(client), daxlite.wrap(client)
    dynamodb = answer(client, GetItem=made(Item=ITEM))
    for wrapped in (one, other, one, other):
        wrapped.get_item(TableName=TABLE, Key=KEY)
    assert dynamodb.take().count("GetItem") == 2
