"""Reads through a plain client, and hits and misses through a wrapped one."""

from typing import Any

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import daxlite
from benchmarks.items import TABLE, item

KEY = {"pk": {"S": "customer#1"}, "sk": {"S": "order#000001"}}
NATIVE_KEY = {"pk": "customer#1", "sk": "order#000001"}
QUERY = {
    "KeyConditionExpression": "pk = :pk",
    "ExpressionAttributeValues": {":pk": {"S": "customer#1"}},
}
BATCH = {TABLE: {"Keys": [{**KEY, "sk": {"S": f"order#{number:06}"}} for number in range(25)]}}


@pytest.mark.benchmark(group="GetItem")
def test_get_item_raw(benchmark: BenchmarkFixture, raw: Any) -> None:
    assert benchmark(raw.get_item, TableName=TABLE, Key=KEY)["Item"]


@pytest.mark.benchmark(group="GetItem")
def test_get_item_hit(benchmark: BenchmarkFixture, client: Any) -> None:
    client.get_item(TableName=TABLE, Key=KEY)
    answer = benchmark(client.get_item, TableName=TABLE, Key=KEY)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-cache"] == "Hit from daxlite"


@pytest.mark.benchmark(group="GetItem")
def test_get_item_floor_decoding_alone(benchmark: BenchmarkFixture) -> None:
    data = msgspec.msgpack.encode(item("customer#1", 1))
    assert benchmark(msgspec.msgpack.Decoder().decode, data)


@pytest.mark.benchmark(group="GetItem")
def test_get_item_miss(benchmark: BenchmarkFixture, raw: Any) -> None:
    client = daxlite.wrap(raw, config=daxlite.CacheConfig(max_entry_bytes=1))  # nothing is small enough to be stored
    assert benchmark(client.get_item, TableName=TABLE, Key=KEY)["Item"]


@pytest.mark.benchmark(group="Table.get_item")
def test_table_get_item_raw(benchmark: BenchmarkFixture, resource: Any) -> None:
    assert benchmark(resource.Table(TABLE).get_item, Key=NATIVE_KEY)["Item"]


@pytest.mark.benchmark(group="Table.get_item")
def test_table_get_item_hit(benchmark: BenchmarkFixture, resource: Any) -> None:
    table = daxlite.wrap(resource).Table(TABLE)
    table.get_item(Key=NATIVE_KEY)
    assert benchmark(table.get_item, Key=NATIVE_KEY)["Item"]


@pytest.mark.benchmark(group="Query, 25 items")
def test_query_raw(benchmark: BenchmarkFixture, raw: Any) -> None:
    assert benchmark(raw.query, TableName=TABLE, **QUERY)["Count"] == 25


@pytest.mark.benchmark(group="Query, 25 items")
def test_query_hit(benchmark: BenchmarkFixture, client: Any) -> None:
    client.query(TableName=TABLE, **QUERY)
    assert benchmark(client.query, TableName=TABLE, **QUERY)["Count"] == 25


@pytest.mark.benchmark(group="BatchGetItem, 25 items")
def test_batch_get_item_raw(benchmark: BenchmarkFixture, raw: Any) -> None:
    assert len(benchmark(raw.batch_get_item, RequestItems=BATCH)["Responses"][TABLE]) == 25


@pytest.mark.benchmark(group="BatchGetItem, 25 items")
def test_batch_get_item_hit(benchmark: BenchmarkFixture, client: Any) -> None:
    client.batch_get_item(RequestItems=BATCH)
    assert len(benchmark(client.batch_get_item, RequestItems=BATCH)["Responses"][TABLE]) == 25


@pytest.mark.benchmark(group="PutItem")
def test_put_item_raw(benchmark: BenchmarkFixture, raw: Any) -> None:
    benchmark(raw.put_item, TableName=TABLE, Item=item("customer#2", 1))


@pytest.mark.benchmark(group="PutItem")
def test_put_item_wrapped(benchmark: BenchmarkFixture, client: Any) -> None:
    benchmark(client.put_item, TableName=TABLE, Item=item("customer#2", 1))
