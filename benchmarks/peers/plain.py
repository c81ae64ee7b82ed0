"""boto3 alone: nothing is cached."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.interleave import Call
from benchmarks.items import BATCH, PROJECTION, TABLE, key, native_key


def get_item(client: Any) -> Call:
    return partial(client.get_item, TableName=TABLE, Key=key())


def table_get_item(resource: Any) -> Call:
    return partial(resource.Table(TABLE).get_item, Key=native_key())


def batch_get_item(client: Any) -> Call:
    return partial(client.batch_get_item, **BATCH)


def projected_get_item(client: Any) -> Call:
    return partial(client.get_item, TableName=TABLE, Key=key(), **PROJECTION)


def query(client: Any, request: Mapping[str, Any]) -> Call:
    return partial(client.query, **request)
