"""The operations whose cost is watched, on a client that is answered within the process, without boto3's part."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
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


def _client(items: int = PAGE) -> Any:
    """items: on a page of a Query."""
    answer = page_response(items)
    return daxlite.wrap(instant_client(GetItem=lambda params: {"Item": item()}, Query=lambda params: answer))


def get_item_hit() -> Call:
    return partial(_client().get_item, TableName=TABLE, Key=key())


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
