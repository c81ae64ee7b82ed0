"""`wrap`: what may be wrapped, and that what comes out looks like what went in."""

import copy
import pickle
from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

import boto3
import botocore.client
import pytest
from botocore.exceptions import OperationNotPageableError

import daxlite
from daxlite import Cache, CacheConfig
from tests.responses import is_hit
from tests.scripted_client import ITEM, KEY, TABLE, made
from tests.wrapping.wire import HERE, answer


@pytest.mark.parametrize(
    "thing", [None, "dynamodb", 3, object(), boto3, boto3.Session, Cache(), mock.Mock()], ids=lambda x: type(x).__name__
)
def test_what_is_not_dynamodb_cannot_be_wrapped(thing: Any) -> None:
    with pytest.raises(TypeError, match="must be a DynamoDB client, resource or Table, or a Session, of boto3"):
        daxlite.wrap(thing)


def test_other_services_cannot_be_wrapped(s3: Any) -> None:
    with pytest.raises(TypeError, match=r"client of s3.*must be a DynamoDB client"):
        daxlite.wrap(s3)
    queues = boto3.resource("sqs", **HERE)
    with pytest.raises(TypeError, match=r"client of sqs.*must be a DynamoDB client"):
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


@pytest.mark.parametrize(("name", "wrong"), [("cache", 3), ("config", {}), ("config", Cache())])
def test_wrong_settings_are_refused(client: Any, name: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"{name} is .*must be a daxlite.Cache"):
        daxlite.wrap(client, **{name: wrong})
    with pytest.raises(TypeError, match=rf"{name} is .*must be a daxlite.Cache"):
        daxlite.wrap(boto3.Session(region_name="eu-west-1"), **{name: wrong})


def test_settings_in_the_place_of_a_cache_are_given_by_name(client: Any) -> None:
    with pytest.raises(TypeError, match=r"config=\.\.\."):
        daxlite.wrap(client, CacheConfig())  # type: ignore[arg-type]


def test_what_cannot_be_wrapped_is_named_by_its_type_alone() -> None:
    for thing, name in (({"password": "s3cret"}, "builtins.dict"), (boto3, "module boto3"), (boto3.Session, "Session")):
        with pytest.raises(TypeError, match=name) as refused:
            daxlite.wrap(thing)
        assert "s3cret" not in str(refused.value)


def test_a_client_whose_calls_are_coroutines_is_refused() -> None:
    class Client(botocore.client.BaseClient):
        async def _make_api_call(self, operation_name: str, api_params: Any) -> Any: ...

    with pytest.raises(TypeError, match="Client is for asyncio and of another library; it must be a DynamoDB client"):
        daxlite.wrap(object.__new__(Client))


COPIES: tuple[Callable[[Any], Any], ...] = (copy.copy, copy.deepcopy, pickle.dumps)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_wrapped_session_shares_its_cache(copied: Callable[[Any], Any]) -> None:
    cache = Cache()
    session = boto3.Session(region_name="eu-west-1")
    copied(session)  # boto3's own can be copied
    copy_of_it = copied(
        {"session": daxlite.wrap(session, cache)} if copied is copy.deepcopy else daxlite.wrap(session, cache)
    )
    other = copy_of_it["session"] if copied is copy.deepcopy else copy_of_it
    assert other._session is session._session if copied is copy.copy else other._session is not session._session
    first, second = other.client("dynamodb", **HERE), other.client("dynamodb", **HERE)
    answer(first, GetItem=made(Item=ITEM))
    assert first._self_dispatcher.context.cache is cache._memory
    assert not is_hit(first.get_item(TableName=TABLE, Key=KEY))
    assert is_hit(second.get_item(TableName=TABLE, Key=KEY))
    for made_by_it in (first, second):
        made_by_it.close()


def test_a_copy_of_a_wrapped_resource_is_wrapped(resource: Any) -> None:
    for wrapped in (daxlite.wrap(resource), daxlite.wrap(resource.Table(TABLE))):
        assert copy.copy(wrapped).meta.client is wrapped.meta.client


@pytest.mark.parametrize("copied", COPIES)
def test_what_boto3_does_not_copy_is_not_copied_when_wrapped(
    copied: Callable[[Any], Any], client: Any, resource: Any
) -> None:
    things = [client, resource, resource.Table(TABLE), boto3.Session(region_name="eu-west-1")]
    for thing in things:
        try:
            copied(thing)
        except (TypeError, AttributeError, RecursionError, pickle.PicklingError):
            with pytest.raises((TypeError, pickle.PicklingError), match=r"copy or pickle <daxlite|Can't pickle <class"):
                copied(daxlite.wrap(thing))


def test_a_wrapped_client_is_not_iterable(client: Any) -> None:
    """wrapt's proxies are in one version, and not in the other."""
    for wrapped in (daxlite.wrap(client), daxlite.wrap(boto3.Session(region_name="eu-west-1"))):
        assert not isinstance(wrapped, Iterable)
        with pytest.raises(TypeError, match="not iterable"):
            iter(wrapped)


def test_a_cache_and_settings_together_are_refused(client: Any) -> None:
    with pytest.raises(TypeError, match=r"either a cache.*or a config"):
        daxlite.wrap(client, Cache(), CacheConfig())


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
