"""The measurements, each of them one function that returns rows: what, how much, and the target if there is one."""

import asyncio
import contextlib
import hashlib
import os
import random
import statistics
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic, perf_counter, sleep
from typing import Any, NamedTuple

import boto3
import redis
import redis.asyncio

import daxlite
from benchmarks import canned, servers
from benchmarks.interleave import Case, Comparison, duration, median, ratio
from benchmarks.items import TABLE, description, item, key
from benchmarks.servers import connection
from daxlite.core.extents import EVERYTHING
from daxlite.core.schema import schema_of
from daxlite.demo.measure import percentile
from daxlite.shared.connections import connections_of
from daxlite.shared.messages import encode_message
from tests.valkey import Valkey

ACCOUNT = "123456789012"
SCRIPT = "return redis.call('SET', KEYS[1], ARGV[1])"
BUDGET = 1.0
"""Seconds: a busy machine is no part of what is measured."""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    target: str = ""


def config() -> daxlite.CacheConfig:
    """With the table's keys, so that nothing is described."""
    schema = schema_of(description(TABLE)["Table"])
    return daxlite.CacheConfig(tables={TABLE: daxlite.TableConfig(schema=schema)})


@contextlib.contextmanager
def shared_cache(valkey: Valkey, **settings: Any) -> Iterator[daxlite.Cache]:
    """A cache that hears the others already."""
    namespace = f"b{os.urandom(6).hex()}"
    shared = daxlite.Shared(valkey.url, namespace, account=ACCOUNT, **{"budget": BUDGET, **settings})
    cache = daxlite.Cache(config(), shared=shared)
    try:
        yield cache
    finally:
        cache.close()


def _drop_local(cache: daxlite.Cache) -> None:
    entries = cache._memory._state.entries
    for name in [*entries]:
        entries.discard(name)


def calls(valkey: Valkey, seconds: float) -> list[Row]:
    """Hits and puts beside bare commands of redis-py, interleaved."""
    with (
        canned.running() as endpoint,
        shared_cache(valkey) as cache,
        redis.Redis.from_url(valkey.url) as bare,
    ):
        client = daxlite.wrap(boto3.client("dynamodb", **connection(endpoint)), cache=cache)
        plain = daxlite.wrap(boto3.client("dynamodb", **connection(endpoint)), cache=daxlite.Cache(config()))
        client.get_item(TableName=TABLE, Key=key())
        sleep(cache.config.settle_window + 1)
        client.get_item(TableName=TABLE, Key=key())  # kept in both places from here on
        value = next(bare.get(name) for name in bare.scan_iter("*") if not name.endswith(b":state"))
        bare.set("bare", value or b"")
        digest = bare.script_load(SCRIPT)

        def shared_hit() -> None:
            _drop_local(cache)
            client.get_item(TableName=TABLE, Key=key())

        comparison = Comparison(
            [
                Case("bare GET", lambda: bare.get("bare")),
                Case("shared hit", shared_hit),
                Case("local hit", lambda: client.get_item(TableName=TABLE, Key=key())),
                Case("bare EVALSHA", lambda: bare.evalsha(digest, 1, "bare script", value or b"")),
                Case("put with a tier", lambda: client.put_item(TableName=TABLE, Item=item())),
                Case("put without", lambda: plain.put_item(TableName=TABLE, Item=item())),
            ]
        ).run(seconds)
    rounds = comparison.rounds
    more = [
        one - other - 2 * script
        for one, other, script in zip(
            rounds("put with a tier"), rounds("put without"), rounds("bare EVALSHA"), strict=True
        )
    ]
    hit = ratio(rounds("shared hit"), rounds("bare GET"))
    return [
        Row("hit at the tier", duration(median(rounds("shared hit")).median)),
        Row("of a bare GET of the same bytes", f"{hit.median:.2f} ({hit.low:.2f} to {hit.high:.2f})", "1.25"),
        Row("hit in this process's memory, with a tier", duration(median(rounds("local hit")).median)),
        Row("put with a tier", duration(median(rounds("put with a tier")).median)),
        Row("above one without, and two bare EVALSHA", duration(max(0.0, median(more).median)), "60 µs"),
    ]


def staleness(valkey: Valkey, writes: int) -> list[Row]:
    """One process writes, the other one reads as soon as the write has returned."""
    namespace, stale, took = f"b{os.urandom(6).hex()}", 0, []
    with servers.moto() as endpoint:
        raw = boto3.client("dynamodb", **connection(endpoint))
        raw.create_table(**_creation())
        cache = daxlite.Cache(shared=daxlite.Shared(valkey.url, namespace, budget=BUDGET))
        client = daxlite.wrap(boto3.client("dynamodb", **connection(endpoint)), cache=cache)
        arguments = [sys.executable, "-m", "benchmarks.shared.process", valkey.url, endpoint, namespace]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdin is not None
            assert other.stdout is not None
            for version in range(1, writes + 1):
                number = version % 20
                client.put_item(TableName=TABLE, Item={**key(number=number), "version": {"N": str(version)}})
                other.stdin.write(f"get {number}\n")
                other.stdin.flush()
                seen, seconds = other.stdout.readline().split()
                stale += int(seen) < version
                took.append(float(seconds))
            other.stdin.close()
        cache.close()
    took.sort()
    return [
        Row(f"stale answers of another process, of {writes:,} reads at once after a write", str(stale), "0"),
        Row("such a read, p50 and p99", f"{duration(percentile(took, 50))}, {duration(percentile(took, 99))}"),
    ]


def outage(seconds: float) -> list[Row]:
    """The latency that a Redis that is gone adds."""
    with canned.running() as endpoint, contextlib.ExitStack() as stack:
        server = stack.enter_context(servers.valkey())
        cache = stack.enter_context(shared_cache(server, budget=0.05))
        client = daxlite.wrap(boto3.client("dynamodb", **connection(endpoint)), cache=cache)
        plain = daxlite.wrap(
            boto3.client("dynamodb", **connection(endpoint)), cache=daxlite.Cache(daxlite.CacheConfig(item_ttl=0))
        )
        client.get_item(TableName=TABLE, Key=key())
        server.kill()
        for _ in range(10):
            client.get_item(TableName=TABLE, Key=key())
        times: dict[str, list[float]] = {"read": [], "plain read": [], "put": [], "plain put": []}
        until = monotonic() + seconds
        while monotonic() < until:
            for name, call in (
                ("read", lambda: client.get_item(TableName=TABLE, Key=key())),
                ("plain read", lambda: plain.get_item(TableName=TABLE, Key=key())),
                ("put", lambda: client.put_item(TableName=TABLE, Item=item())),
                ("plain put", lambda: plain.put_item(TableName=TABLE, Item=item())),
            ):
                began = perf_counter()
                call()
                times[name].append(perf_counter() - began)
    p99 = {name: percentile(sorted(every), 99) for name, every in times.items()}
    return [
        Row(
            "with Redis gone: a read, p99 above one without a tier",
            duration(max(0.0, p99["read"] - p99["plain read"])),
            "5 ms",
        ),
        Row("a put, p99 above one without", duration(max(0.0, p99["put"] - p99["plain put"])), "50 ms"),
    ]


def tasks(valkey: Valkey, seconds: float) -> list[Row]:
    """Steps of tasks with the server: one after the other, and many at once."""
    sizes = 1, 500, 5_000
    names = [f"{{k{number}}}:{kind}" for number in range(100) for kind in ("state", "value")]
    with redis.Redis.from_url(valkey.url) as bare:
        bare.mset({name: b"x" * (60 if name.endswith("state") else 1000) for name in names})
    connections = connections_of(valkey.url, BUDGET, monotonic, is_budget=True)
    assert connections.asyncio is not None
    connection = connections.asyncio
    times: dict[tuple[str, int], list[float]] = {}

    async def measured() -> None:
        pool = redis.asyncio.BlockingConnectionPool.from_url(valkey.url, max_connections=50, timeout=None)
        async with redis.asyncio.Redis(connection_pool=pool) as client:
            ways: dict[str, Callable[[list[str]], Awaitable[Any]]] = {
                "": connection.get,
                ", by redis-py's pool for asyncio": client.mget,
                ", by threads": lambda keys: asyncio.to_thread(connections.threads.get, keys),
            }
            turns = [(name, size) for name in ways for size in sizes]
            until = monotonic() + seconds
            while monotonic() < until or len(times) < len(turns):
                name, size = random.choice(turns)
                asked = [names[2 * (number % 100) :][:2] for number in range(size)]
                began = perf_counter()
                if size == 1:
                    for _ in range(200):
                        await ways[name](asked[0])
                else:
                    await asyncio.gather(*[ways[name](keys) for keys in asked])
                times.setdefault((name, size), []).append((perf_counter() - began) / max(size, 200))
        await connections.async_close()

    asyncio.run(measured())
    found = {where: duration(statistics.median(each)) for where, each in times.items()}
    return [
        Row(
            f"in asyncio, a value and its state: in turn, gathered by 500 and by 5,000{name}",
            ", ".join(found[name, size] for size in sizes),
            "30 µs gathered" if not name else "",
        )
        for name in sorted({name for name, _ in found}, key=len)
    ]


def messages(valkey: Valkey, count: int) -> list[Row]:
    """How many messages one process takes in."""
    with canned.running() as endpoint, shared_cache(valkey) as cache, redis.Redis.from_url(valkey.url) as bare:
        client = daxlite.wrap(boto3.client("dynamodb", **connection(endpoint)), cache=cache)
        client.get_item(TableName=TABLE, Key=key())
        while not cache.stats().shared.is_hearing:  # type: ignore[union-attr]
            sleep(0.01)
        tier = cache._tier
        assert tier is not None
        (table,) = tier._tables.values()
        channel = tier.keyspace.table_channel(table.digest)

        def publish() -> None:
            for start in range(0, count, 500):
                with bare.pipeline(transaction=False) as pipeline:
                    for number in range(start, start + 500):
                        tag = table.digest + hashlib.blake2b(str(number).encode(), digest_size=24).digest()
                        pipeline.publish(channel, encode_message(os.urandom(16), 10.0, {tag: EVERYTHING}))
                    pipeline.execute()

        before, began = cache.stats().shared.messages, perf_counter()  # type: ignore[union-attr]
        thread = threading.Thread(target=publish)
        thread.start()
        while cache.stats().shared.messages - before < count:  # type: ignore[union-attr]
            sleep(0.005)
        seconds = perf_counter() - began
        thread.join()
    return [Row("messages a second that one process takes in, while it sends as many", f"{count / seconds:,.0f}")]


def sizes(valkey: Valkey) -> list[Row]:
    """What an item takes in Redis."""
    with canned.running() as endpoint, shared_cache(valkey) as cache, redis.Redis.from_url(valkey.url) as bare:
        client = daxlite.wrap(boto3.client("dynamodb", **connection(endpoint)), cache=cache)
        client.put_item(TableName=TABLE, Item=item())
        assert cache._tier is not None
        names = list(bare.scan_iter(f"{cache._tier.keyspace.namespace}:*"))
        value = next(name for name in names if not name.endswith(b":state"))
        state = value.rpartition(b":")[0] + b":state"
        stored = len(bare.get(value) or b"")
        return [
            Row("bytes of a value of 1 KB, and with its key in Redis", f"{stored:,}, {bare.memory_usage(value):,}"),
            Row(
                "bytes of an item's state after a write, and with its key",
                f"{len(bare.get(state) or b'')}, {bare.memory_usage(state)}",
            ),
        ]


def _creation() -> dict[str, Any]:
    told = description(TABLE)["Table"]
    return {
        "TableName": TABLE,
        "KeySchema": told["KeySchema"],
        "AttributeDefinitions": [
            {"AttributeName": each["AttributeName"], "AttributeType": "S"} for each in told["KeySchema"]
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }
