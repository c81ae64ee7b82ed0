"""`wrap`: what may be wrapped, and that what comes out is used as what went in."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

import boto3
import botocore.client
import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.config import Config
from botocore.exceptions import ClientError, OperationNotPageableError, StubAssertionError
from botocore.stub import Stubber

import daxlite
from daxlite import Cache, CacheConfig
from daxlite.calls.dialects import Native, Typed, dialect_of
from tests.calls.scripted import ITEM, KEY, TABLE, DynamoDB, description, made, page

HERE = {
    "region_name": "eu-west-1",
    "endpoint_url": "http://127.0.0.1:1",
    "aws_access_key_id": "AKIATEST",
    "aws_secret_access_key": "secret",
    "config": Config(retries={"total_max_attempts": 1}),
}


@pytest.fixture
def client() -> Iterator[Any]:
    made = boto3.client("dynamodb", **HERE)
    yield made
    made.close()


@pytest.fixture
def resource() -> Iterator[Any]:
    made = boto3.resource("dynamodb", **HERE)
    yield made
    made.meta.client.close()


@pytest.fixture
def s3() -> Iterator[Any]:
    made = boto3.client("s3", **HERE)
    yield made
    made.close()


def answer(client: Any, **answers: Any) -> DynamoDB:
    """Let a scripted DynamoDB answer what the client would send over the network, in wire form."""
    dynamodb = DynamoDB(**{"DescribeTable": description("pk"), **answers})

    def reply(model: Any, params: dict[str, Any], **_: Any) -> Any:
        return mock.Mock(status_code=200), dynamodb(model.name, json.loads(params["body"]))

    client.meta.events.register("before-call.dynamodb", reply)
    return dynamodb


def is_hit(response: dict[str, Any]) -> bool:
    return "x-cache" in response["ResponseMetadata"].get("HTTPHeaders", {})


# What may be wrapped


@pytest.mark.parametrize(
    "thing", [None, "dynamodb", 3, object(), boto3, boto3.Session, Cache(), mock.Mock()], ids=lambda x: type(x).__name__
)
def test_what_is_not_dynamodb_cannot_be_wrapped(thing: Any) -> None:
    with pytest.raises(TypeError, match="must be a boto3 DynamoDB client, a DynamoDB resource or Table, or a boto3"):
        daxlite.wrap(thing)


def test_other_services_cannot_be_wrapped(s3: Any) -> None:
    with pytest.raises(TypeError, match=r"client of s3.*must be a boto3 DynamoDB client"):
        daxlite.wrap(s3)
    queues = boto3.resource("sqs", **HERE)
    with pytest.raises(TypeError, match=r"client of sqs.*must be a boto3 DynamoDB client"):
        daxlite.wrap(queues)
    queues.meta.client.close()
    streams = boto3.client("dynamodbstreams", **HERE)
    with pytest.raises(TypeError, match=r"client of dynamodbstreams"):
        daxlite.wrap(streams)
    streams.close()


def test_wrapping_twice_is_refused(client: Any, resource: Any) -> None:
    wrapped_resource = daxlite.wrap(resource)
    session = daxlite.wrap(boto3.Session(region_name="eu-west-1"))
    made = session.client("dynamodb", **HERE)
    for thing in (
        daxlite.wrap(client),
        wrapped_resource,
        wrapped_resource.Table(TABLE),
        wrapped_resource.meta.client,
        session,
        made,
    ):
        with pytest.raises(TypeError, match="wrapped already"):
            daxlite.wrap(thing)
    made.close()


@pytest.mark.parametrize(
    ("name", "wrong"), [("cache", 3), ("cache", CacheConfig()), ("config", {}), ("config", Cache())]
)
def test_wrong_settings_are_refused(client: Any, name: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"{name} is .*must be a daxlite.Cache"):
        daxlite.wrap(client, **{name: wrong})
    with pytest.raises(TypeError, match=rf"{name} is .*must be a daxlite.Cache"):
        daxlite.wrap(boto3.Session(region_name="eu-west-1"), **{name: wrong})


def test_a_cache_and_settings_together_are_refused(client: Any) -> None:
    with pytest.raises(TypeError, match=r"either a cache.*or a config"):
        daxlite.wrap(client, Cache(), CacheConfig())


# What stays, and what comes out


def test_what_was_wrapped_stays_as_it_was(client: Any, resource: Any) -> None:
    table = resource.Table(TABLE)
    things = (client, resource, table, resource.meta.client)

    def state() -> list[Any]:
        handlers = [repr(thing.meta.events._emitter._handlers) for thing in (client, resource.meta.client)]
        metas = [(id(thing.meta), dict(vars(thing.meta))) for thing in things]
        return [
            handlers,
            [dict(vars(thing)) for thing in things],
            metas,
            [vars(type(thing)).keys() for thing in things],
        ]

    before = state()
    wrapped = [daxlite.wrap(thing) for thing in things]
    dynamodb = answer(client, GetItem=made(Item=ITEM))
    wrapped[0].get_item(TableName=TABLE, Key=KEY)
    for _ in range(2):
        assert not is_hit(client.get_item(TableName=TABLE, Key=KEY))
    assert dynamodb.take().count("GetItem") == 3
    before[0][0] = state()[0][0]  # the test registered a handler there by itself
    assert state() == before


def test_the_static_and_dynamic_types_are_kept(client: Any, resource: Any) -> None:
    wrapped = daxlite.wrap(client)
    assert isinstance(wrapped, botocore.client.BaseClient)
    assert isinstance(wrapped, type(client))
    assert type(wrapped).__name__ == type(client).__name__
    raw_table = resource.Table(TABLE)
    table = daxlite.wrap(raw_table)
    assert isinstance(table, type(raw_table))
    assert table == raw_table
    assert (table.name, table.table_name) == (TABLE, TABLE)
    assert isinstance(daxlite.wrap(boto3.Session(region_name="eu-west-1")), boto3.Session)


def test_a_wrapped_client_looks_like_a_client(client: Any) -> None:
    wrapped = daxlite.wrap(client)
    assert wrapped.meta is client.meta
    assert wrapped.exceptions is client.exceptions
    assert set(dir(client)) <= set(dir(wrapped))
    assert wrapped.waiter_names == client.waiter_names
    for operation in client.meta.method_to_api_mapping:
        assert getattr(wrapped, operation).__doc__ == getattr(client, operation).__doc__
        assert getattr(wrapped, operation).__name__ == operation
        assert wrapped.can_paginate(operation) == client.can_paginate(operation)
    assert "daxlite" in repr(wrapped)
    with pytest.raises(OperationNotPageableError):
        wrapped.get_paginator("get_item")
    with pytest.raises(TypeError) as raw:
        client.get_item(TABLE, KEY)
    with pytest.raises(TypeError) as ours:
        wrapped.get_item(TABLE, KEY)
    assert str(ours.value) == str(raw.value)


def test_close_closes_the_client(client: Any) -> None:
    with mock.patch.object(client._endpoint, "close") as close:
        daxlite.wrap(client).close()
    close.assert_called_once_with()


# The ways in


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


def test_a_wrapped_table_speaks_native_values(resource: Any) -> None:
    table = daxlite.wrap(resource).Table(TABLE)
    assert isinstance(dialect_of(table.meta.client), Native)
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


def test_batch_writer_invalidates(resource: Any) -> None:
    table = daxlite.wrap(resource.Table(TABLE))
    dynamodb = answer(
        resource.meta.client, GetItem=lambda _: made(Item=dict(KEY)), BatchWriteItem=made(UnprocessedItems={})
    )
    table.get_item(Key={"pk": "a"})
    with table.batch_writer() as batch:
        batch.put_item(Item={"pk": "a", "n": 2})
    dynamodb.take()
    assert not is_hit(table.get_item(Key={"pk": "a"}))


def test_a_client_and_a_resource_share_one_cache(client: Any, resource: Any) -> None:
    assert isinstance(dialect_of(client), Typed)
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


# What people's tests do to a client


def test_a_stubber_sees_the_requests_that_the_application_makes(client: Any) -> None:
    # A stubbed read is not stored within the settle window: the stub refuses to read strongly.
    wrapped = daxlite.wrap(client, config=CacheConfig(settle_window=0))
    put = {"TableName": TABLE, "Item": ITEM}
    update = {"TableName": TABLE, "Key": KEY, "UpdateExpression": "REMOVE note"}
    other = {"TableName": TABLE, "Key": {"pk": {"S": "other"}}}
    with Stubber(wrapped) as stubber:
        stubber.add_response("put_item", {}, put)
        stubber.add_response("get_item", {"Item": ITEM}, other)
        stubber.add_response("update_item", {}, update)
        stubber.add_client_error("get_item", "ProvisionedThroughputExceededException")
        wrapped.put_item(**put)
        for _ in range(2):
            assert wrapped.get_item(**other)["Item"] == ITEM
        wrapped.update_item(**update)
        with pytest.raises(wrapped.exceptions.ProvisionedThroughputExceededException):
            wrapped.get_item(TableName=TABLE, Key=KEY)
        stubber.assert_no_pending_responses()
        stubber.add_response("update_item", {}, {**update, "UpdateExpression": "REMOVE something_else"})
        with pytest.raises(StubAssertionError):
            wrapped.update_item(**update)


def test_a_patched_method_is_the_one_that_is_called(client: Any) -> None:
    wrapped = daxlite.wrap(client)
    with mock.patch.object(wrapped, "get_item", return_value={"Item": ITEM}) as get_item:
        assert wrapped.get_item(TableName=TABLE, Key=KEY) == {"Item": ITEM}
    get_item.assert_called_once()
    assert wrapped.get_item is not get_item
    assert client.get_item is not get_item


def test_a_patched_make_api_call_is_the_one_that_is_called(client: Any) -> None:
    """What moto's documentation tells people to patch, and what tracing libraries patch in earnest."""
    wrapped = daxlite.wrap(client)
    with mock.patch("botocore.client.BaseClient._make_api_call", return_value={"Item": ITEM}) as call:
        assert wrapped.get_item(TableName=TABLE, Key=KEY)["Item"] == ITEM
    call.assert_called_with("GetItem", {"TableName": TABLE, "Key": KEY})


def test_errors_are_the_clients_own(client: Any) -> None:
    wrapped = daxlite.wrap(client)
    with Stubber(client) as stubber:
        stubber.add_client_error("get_item", "ResourceNotFoundException")
        with pytest.raises(client.exceptions.ResourceNotFoundException) as raised:
            wrapped.get_item(TableName=TABLE, Key=KEY)
    assert isinstance(raised.value, ClientError)
    assert not [frame for frame in [raised.value.__context__, raised.value.__cause__] if frame is not None]


# The way around


def test_bypass(client: Any) -> None:
    cache = Cache()
    wrapped = daxlite.wrap(client, cache)
    dynamodb = answer(client, GetItem=made(Item=ITEM), PutItem=made())

    def get() -> bool:
        return is_hit(wrapped.get_item(TableName=TABLE, Key=KEY))

    with daxlite.bypass():
        assert [get(), get()] == [False, False]
        with daxlite.bypass():
            assert not get()
        assert not get(), "the inner one ended, the outer one did not"
        assert cache.stats().total.entries == 0
        elsewhere: list[bool] = []
        thread = threading.Thread(target=lambda: elsewhere.extend([get(), get()]))
        thread.start()
        thread.join()
        assert elsewhere == [False, True], "another thread is not bypassed"
        wrapped.put_item(TableName=TABLE, Item={**KEY, "v": {"S": "2"}})
    assert wrapped.get_item(TableName=TABLE, Key=KEY)["Item"]["v"] == {"S": "2"}
    with pytest.raises(ValueError, match="mine"), daxlite.bypass():
        raise ValueError("mine")
    assert get()
    assert cache.stats().tables[TABLE]["item"].bypasses == {"bypass": 4}
    assert dynamodb.take().count("GetItem") == 5


def test_bypass_holds_for_the_task_that_enters_it(client: Any) -> None:
    wrapped = daxlite.wrap(client)
    answer(client, GetItem=made(Item=ITEM))
    wrapped.get_item(TableName=TABLE, Key=KEY)

    async def get(around: bool, other: asyncio.Event, mine: asyncio.Event) -> bool:
        with daxlite.bypass() if around else mock.MagicMock():
            mine.set()
            await other.wait()
            return is_hit(wrapped.get_item(TableName=TABLE, Key=KEY))

    async def both() -> list[bool]:
        one, two = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(get(True, one, two), get(False, two, one))

    assert asyncio.run(both()) == [False, True]
