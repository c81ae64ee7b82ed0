"""The measurements on real servers, each of them one function that returns rows."""

import contextlib
import datetime
import json
import os
import time
from collections.abc import Callable, Iterator
from random import Random
from time import perf_counter, process_time, sleep
from typing import Any, Final, NamedTuple, NoReturn

import boto3
from botocore.parsers import create_parser

import daxlite
import daxlite.feeds
from benchmarks import servers
from benchmarks.interleave import duration
from benchmarks.servers import connection
from daxlite.core.schema import KeySchema, TableSchema
from daxlite.demo.measure import percentile
from daxlite.drivers.threads import ThreadDriver
from daxlite.feeds.applying import Applier
from daxlite.feeds.clients import Clients
from daxlite.feeds.described import FollowedTable
from daxlite.feeds.stats import FeedCounts
from tests.valkey import Valkey

TABLE: Final = "Orders"
ACCOUNT: Final = "123456789012"
POLL: Final = 0.2
"""Seconds between two reads of an idle shard, where the lag is measured."""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    target: str = ""


@contextlib.contextmanager
def _table() -> Iterator[tuple[Any, str]]:
    """A plain client, and the endpoint, of a server that has the table with a stream."""
    with servers.moto() as endpoint:
        client = boto3.client("dynamodb", **connection(endpoint))
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        yield client, endpoint


def _cache(valkey: Valkey, namespace: str, *, is_local: bool = True, **config: Any) -> daxlite.Cache:
    shared = daxlite.Shared(valkey.url, namespace, account=ACCOUNT, budget=1.0, local=is_local)
    return daxlite.Cache(daxlite.CacheConfig(**config), shared=shared)


def _namespace() -> str:
    return f"b{os.urandom(6).hex()}"


def lags(valkey: Valkey, seconds: float) -> list[Row]:
    """From a plain client's write to the moment at which another cache asks DynamoDB anew."""
    namespace, took, random = _namespace(), [], Random(1)
    with _table() as (plain, endpoint), contextlib.ExitStack() as stack:
        caches = [_cache(valkey, namespace) for _ in range(2)]
        for each in caches:
            stack.callback(each.close)
        reader = daxlite.wrap(boto3.client("dynamodb", **connection(endpoint)), cache=caches[0])
        stack.enter_context(daxlite.feeds.follow(caches[1], [TABLE], client=plain, poll=POLL, start="latest"))
        until, number, key = perf_counter() + seconds, 0, {"pk": {"S": "a"}}
        while perf_counter() < until:
            number += 1
            reader.get_item(TableName=TABLE, Key=key)
            began = perf_counter()
            plain.put_item(TableName=TABLE, Item={**key, "n": {"N": str(number)}})
            while reader.get_item(TableName=TABLE, Key=key).get("Item", {}).get("n") != {"N": str(number)}:
                sleep(0.001)
            took.append(perf_counter() - began)
            sleep(random.random() * 2 * POLL)
    took.sort()
    return [
        Row(f"lag from write to drop, p50, reading every {POLL} s", duration(percentile(took, 50)), "150 ms"),
        Row("p99", duration(percentile(took, 99)), "1 s"),
    ]


def _image(number: int, version: int) -> dict[str, Any]:
    """An item of 1 KB."""
    item = {"pk": {"S": f"o#{number}"}, "sk": {"S": f"{version:05}"}, "total": {"N": str(version)}}
    return {**item, "day": {"S": f"d{number % 7}"}, **{f"note_{each}": {"S": "x" * 65} for each in range(12)}}


def _records(count: int) -> list[dict[str, Any]]:
    random, moment = Random(1), datetime.datetime.now(datetime.UTC)
    found = []
    for number in range(count):
        new = _image(random.randrange(2_000), random.randrange(1_000))
        told = {"Keys": {name: new[name] for name in ("pk", "sk")}, "NewImage": new}
        told |= {"OldImage": {**new, "total": {"N": "-1"}}, "SequenceNumber": str(number)}
        told["ApproximateCreationDateTime"] = moment
        found.append({"eventName": "MODIFY", "dynamodb": told})
    return found


def _botocores_own(records: list[dict[str, Any]]) -> float:
    """Seconds that botocore takes to parse such a record, out of a reply with a hundred of them."""
    client = boto3.client("dynamodbstreams", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    shape = client.meta.service_model.operation_model("GetRecords").output_shape
    told = [{**each, "dynamodb": {**each["dynamodb"], "ApproximateCreationDateTime": 1.79e9}} for each in records[:100]]
    reply = {"body": json.dumps({"Records": told}).encode(), "headers": {}, "status_code": 200}
    parse, times = create_parser("json").parse, []
    for _ in range(20):
        began = perf_counter()
        parse(reply, shape)
        times.append((perf_counter() - began) / len(told))
    return sorted(times)[len(times) // 2]


def records(valkey: Valkey, seconds: float) -> list[Row]:
    """How long a record takes that another program's write made, beyond botocore's own work."""
    schema = TableSchema(KeySchema.of("pk", "sk"), {"by_day": KeySchema.of("day", "total")})
    given = _records(5_000)
    own = _botocores_own(given)
    found = [Row("botocore's own parsing of a record with two images of 1 KB", duration(own))]
    caches: dict[str, Callable[[], daxlite.Cache]] = {
        "a cache of one process": lambda: daxlite.Cache(daxlite.CacheConfig(tables=_with(schema))),
        "a shared tier": lambda: _cache(valkey, _namespace(), is_local=False, tables=_with(schema)),
    }
    for what, make in caches.items():
        cache = make()  # one at a time: caches of one process tell each other
        client = boto3.client("dynamodb", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
        table = FollowedTable(Clients(client).context(cache), TABLE)
        driver = ThreadDriver()
        applier = Applier(table, FeedCounts(TABLE), time.time, _nothing_is_lost)
        driver.drive(applier.apply_raw(given[:500]))
        began, applied = perf_counter(), 0
        while perf_counter() - began < seconds / 4:
            driver.drive(applier.apply_raw(given[:1_000]))
            applied += 1_000
        each = (perf_counter() - began) / applied
        cache.close()
        del table, applier, cache
        target = duration(own) if what == "a shared tier" else ""
        found.append(Row(f"applying such a record of a table with an index, {what}", duration(each), target))
        found.append(Row("such records a second, with botocore's parsing", f"{1 / (each + own):,.0f}"))
    return found


def _nothing_is_lost(reason: str) -> NoReturn:
    raise AssertionError(reason)


def _with(schema: TableSchema) -> dict[str, daxlite.TableConfig]:
    return {TABLE: daxlite.TableConfig(schema=schema)}


def idle(valkey: Valkey, seconds: float) -> list[Row]:
    """The share of a core that a follower takes while nothing is written, and that of the calls alone."""
    with _table() as (plain, _):
        cache = _cache(valkey, _namespace())
        with daxlite.feeds.follow(cache, [TABLE], client=plain, start="latest"):
            sleep(1.0)
            began, busy = perf_counter(), process_time()
            sleep(max(5.0, seconds / 2))
            share = (process_time() - busy) / (perf_counter() - began)
        cache.close()
        bare, calls = process_time(), max(5, round(seconds / 2))
        for _ in range(calls):  # one that parses as little
            sleep(1.0)
            plain.list_tables()
        bare = (process_time() - bare) / calls
    return [
        Row("idle, reading one shard every second: share of a core", f"{share:.2%}", "1 %"),
        Row("a bare call of boto3 every second: share of a core", f"{bare:.2%}"),
    ]
