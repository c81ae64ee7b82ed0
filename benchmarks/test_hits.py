"""What is in the cache: daxlite beside what people would use instead, and above the floor."""

import contextlib
import itertools
import random
from typing import Any

import redis

import daxlite
from benchmarks.canned import SHORT_TABLE
from benchmarks.conftest import Compare
from benchmarks.interleave import Call, Case
from benchmarks.items import (
    FILTERED_QUERY,
    QUERY,
    TABLE,
    description,
    flat_item,
    item,
    key,
    page,
    page_response,
)
from benchmarks.peers import dax, floor, hashed, memoised, plain, wrapped
from benchmarks.servers import instant_client
from tests.valkey import Valkey

NO_DAX_CLIENT = "amazon-dax-client is not installed"


def test_get_item(compare: Compare, raw: Any, moto_client: Any, valkey: Valkey) -> None:
    schema = {name: part for name, part in description()["Table"].items() if name in _CREATE}
    moto_client.create_table(**schema, BillingMode="PAY_PER_REQUEST")
    moto_client.put_item(TableName=TABLE, Item=item())
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(redis.Redis.from_url(valkey.url))
        cases = [
            Case("boto3, canned server", plain.get_item(raw)),
            Case("boto3, moto", plain.get_item(moto_client)),
            Case("hash of the request in Redis", hashed.get_item(raw, server)),
            Case("daxlite, hit", wrapped.get_item(raw)),
            Case("cachetools.cached", memoised.get_item(raw)),
            Case("floor: msgspec decodes it", floor.decode(item())),
            Case("daxlite, hit, flat item", wrapped.get_flat_item(flat_item())),
            Case("floor: msgspec decodes the flat item", floor.decode(flat_item())),
        ]
        missing = {}
        try:
            client, _ = stack.enter_context(dax.clients())
        except ImportError:
            missing = {"amazon-dax-client, canned node": NO_DAX_CLIENT}
        else:
            cases.append(Case("amazon-dax-client, canned node", plain.get_item(client)))
        compare(cases, share=2, not_measured=missing)


_CREATE = ("TableName", "KeySchema", "AttributeDefinitions")


def test_table_get_item(compare: Compare, raw_resource: Any) -> None:
    with contextlib.ExitStack() as stack:
        cases = [
            Case("boto3 Table, canned server", plain.table_get_item(raw_resource)),
            Case("daxlite Table, hit", wrapped.table_get_item(raw_resource)),
            Case("floor: msgspec decodes it", floor.decode(item())),
        ]
        missing = {}
        try:
            _, resource = stack.enter_context(dax.clients())
        except ImportError:
            missing = {"amazon-dax-client Table, canned node": NO_DAX_CLIENT}
        else:
            cases.append(Case("amazon-dax-client Table, canned node", plain.table_get_item(resource)))
        compare(cases, not_measured=missing)


def test_batch_get_item(compare: Compare, raw: Any) -> None:
    compare(
        [
            Case("boto3, canned server", plain.batch_get_item(raw)),
            Case("daxlite, 25 hits", wrapped.batch_get_item(raw)),
            Case("floor: msgspec decodes them", floor.decode(page())),
        ]
    )


def test_get_item_with_projection(compare: Compare, raw: Any) -> None:
    compare(
        [
            Case("boto3, canned server", plain.projected_get_item(raw)),
            Case("daxlite, hit", wrapped.projected_get_item(raw)),
            Case("floor: msgspec decodes the whole item", floor.decode(item())),
        ]
    )


def test_query(compare: Compare, raw: Any) -> None:
    compare(
        [
            Case("boto3, canned server", plain.query(raw, QUERY)),
            Case("daxlite, hit", wrapped.query(raw, QUERY)),
            Case("floor: msgspec decodes it", floor.decode(page_response())),
        ]
    )


def test_query_of_one_item(compare: Compare, raw: Any) -> None:
    one, filtered = ({**query, "TableName": SHORT_TABLE} for query in (QUERY, FILTERED_QUERY))
    compare(
        [
            Case("boto3, canned server", plain.query(raw, one)),
            Case("daxlite, hit", wrapped.query(raw, one)),
            Case("daxlite, hit, with a filter", wrapped.query(raw, filtered)),
            Case("floor: msgspec decodes it", floor.decode(page_response(items=1))),
        ]
    )


def test_entries(compare: Compare) -> None:
    """The same hit in caches that hold more and more; which item is asked for is random, as in life."""
    compare([Case(f"{entries}", _random_hit(entries)) for entries in (1, 100, 10_000, 100_000)])


def _random_hit(entries: int) -> Call:
    client = daxlite.wrap(instant_client(GetItem=lambda params: {"Item": item()}))
    for number in range(entries):
        client.get_item(TableName=TABLE, Key=key(number=number))
    draw = random.Random(5)
    asked = itertools.cycle([key(number=draw.randrange(entries)) for _ in range(20_000)])

    def call() -> Any:
        return client.get_item(TableName=TABLE, Key=next(asked))

    return wrapped.hit(call)
