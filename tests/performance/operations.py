"""The operations whose cost is watched, on a client that is answered within the process, without boto3's part."""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import fakeredis
from boto3.dynamodb.types import TypeDeserializer

import daxlite
from benchmarks.interleave import Call
from benchmarks.items import (
    BATCH,
    FILTERED_QUERY,
    PAGE,
    PROJECTION,
    QUERY,
    TABLE,
    item,
    key,
    native_key,
    page,
    page_response,
)
from benchmarks.servers import connection, instant_client


def _client(items: int = PAGE, cache: daxlite.Cache | None = None) -> Any:
    """items: on a page of a Query."""
    answer = page_response(items)
    inner = instant_client(GetItem=lambda params: {"Item": item()}, Query=lambda params: answer)
    return daxlite.wrap(inner, cache)


def get_item_hit() -> Call:
    return partial(_client().get_item, TableName=TABLE, Key=key())


class _Hears:
    """Hears the others for ever, without a thread."""

    epoch = 1

    def listen(self, table: bytes) -> None:
        pass

    def hears(self, table: bytes) -> bool:
        return True


def shared_get_item_hit_local() -> Call:
    """A hit in this process's memory, with a tier."""
    shared = daxlite.Shared(fakeredis.FakeRedis(), account="123456789012", budget=10)
    cache = daxlite.Cache(daxlite.CacheConfig(item_ttl=None), shared=shared)
    assert cache._tier is not None
    cache._tier.hearing = _Hears()
    cache._memory._state.heard_until = cache._memory._state.heard_wall_until = math.inf
    call = partial(_client(cache=cache).get_item, TableName=TABLE, Key=key())
    for _ in range(2):
        call()
    assert cache.stats().tables[TABLE]["item"].hits, "it is kept in this process"
    return call


def table_get_item_hit() -> Call:
    deserialize = TypeDeserializer().deserialize
    native = {name: deserialize(value) for name, value in item().items()}
    resource: Any = boto3.resource("dynamodb", **connection("http://127.0.0.1:9"))
    resource.meta.client._make_api_call = instant_client(GetItem=lambda params: {"Item": native})._make_api_call
    return partial(daxlite.wrap(resource).Table(TABLE).get_item, Key=native_key())


def batch_get_item_hit() -> Call:
    wrapped = _client()
    for each in page():
        wrapped.put_item(TableName=TABLE, Item=each)
    return partial(wrapped.batch_get_item, **BATCH)


def projected_get_item_hit() -> Call:
    wrapped = _client()
    wrapped.get_item(TableName=TABLE, Key=key())
    return partial(wrapped.get_item, TableName=TABLE, Key=key(), **PROJECTION)


def query_hit_of_1() -> Call:
    return partial(_client(items=1).query, **QUERY)


def query_hit_of_25() -> Call:
    return partial(_client(items=25).query, **QUERY)


def query_hit_with_filter() -> Call:
    return partial(_client(items=1).query, **FILTERED_QUERY)


def get_item_miss() -> Call:
    wrapped, numbers = _client(), itertools.count()
    return lambda: wrapped.get_item(TableName=TABLE, Key=key(number=next(numbers)))


def put_item() -> Call:
    wrapped, numbers = _client(), itertools.count()
    return lambda: wrapped.put_item(TableName=TABLE, Item=item(number=next(numbers)))


def passed_through() -> Call:
    return _client().describe_limits  # type: ignore[no-any-return]


OPERATIONS: dict[str, Callable[[], Call]] = {
    make.__name__: make
    for make in (
        get_item_hit,
        shared_get_item_hit_local,
        table_get_item_hit,
        batch_get_item_hit,
        projected_get_item_hit,
        query_hit_of_1,
        query_hit_of_25,
        query_hit_with_filter,
        get_item_miss,
        put_item,
        passed_through,
    )
}
