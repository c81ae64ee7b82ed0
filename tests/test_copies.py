"""What a program may copy and pickle, and what says why not: a copy of a cache would share a part of its state, and
change it under a lock of its own."""

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import boto3
import fakeredis
import pytest

import daxlite
from daxlite import (
    Cache,
    CacheConfig,
    CacheStats,
    KeySchema,
    Shared,
    SharedStats,
    SharedUnavailable,
    TableConfig,
    TableSchema,
    aggregations,
    feeds,
)
from daxlite.aggregations import AggregationCache, AggregationConfig, AggregationOptions, AsyncAggregationCache
from daxlite.feeds.clients import Clients
from daxlite.feeds.follower import Follower
from daxlite.feeds.following import Settings
from daxlite.feeds.kcl import RecordProcessor
from tests.scripted_client import ITEM, ScriptedClient, made

HERE: dict[str, Any] = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
URL = "redis://localhost:6379/0"
KEY = b"k" * 32

COPIES: dict[str, Callable[[Any], Any]] = {"copy.copy": copy.copy, "copy.deepcopy": copy.deepcopy}
PICKLES: dict[str, Callable[[Any], Any]] = {
    f"pickle {protocol}": lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))  # noqa: S301
    for protocol in (2, pickle.HIGHEST_PROTOCOL)
}
WAYS = COPIES | PICKLES

SCHEMA = TableSchema(KeySchema.of("pk", "sk"), {"by_owner": KeySchema.of("owner")})


def counted() -> CacheStats:
    client = ScriptedClient(GetItem=made(Item=ITEM))
    client.get()
    return client.cache.stats()


def computed() -> aggregations.AggregationStats:
    results = AggregationCache.local()
    results.get_or_compute("k", lambda: 1)
    return results.stats()


VALUES: dict[str, Callable[[], Any]] = {
    "CacheConfig": lambda: CacheConfig(item_ttl=3, tables={"T": TableConfig(schema=SCHEMA, query_ttl=1)}),
    "TableConfig": lambda: TableConfig(schema=SCHEMA),
    "TableSchema": lambda: SCHEMA,
    "CacheStats": counted,
    "CacheCounts": lambda: counted().total,
    "SharedStats": lambda: SharedStats(hits=1, refused_fills={"changed": 1}),
    "AggregationConfig": lambda: AggregationConfig(ttl=5),
    "AggregationOptions": lambda: AggregationOptions(ttl=5, jitter=0.5),
    "AggregationStats": computed,
    "AggregationCounts": lambda: computed().total,
    "Dependency": lambda: aggregations.on_item("T", {"pk": "a"}),
    "FeedStats": lambda: feeds.stats.FeedCounts("T").snapshot(),
}
ERRORS: dict[str, Callable[[], Exception]] = {
    "SharedUnavailable": lambda: SharedUnavailable("not told"),
    "Unkeyable": lambda: aggregations.Unkeyable("no key"),
    "FeedError": lambda: feeds.FeedError("no stream"),
    "StreamMissingError": lambda: feeds.StreamMissingError("no stream"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", VALUES)
def test_settings_and_counts_can_be_copied_and_pickled(name: str, way: str) -> None:
    value = VALUES[name]()
    assert WAYS[way](value) == value


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ERRORS)
def test_errors_can_be_copied_and_pickled(name: str, way: str) -> None:
    error = ERRORS[name]()
    same = WAYS[way](error)
    assert (type(same), same.args) == (type(error), error.args)


@pytest.mark.parametrize("way", PICKLES)
def test_what_a_tier_is_made_from_can_be_pickled_where_it_is_data(way: str) -> None:
    shared = Shared(URL, namespace="shop", local=False, report=print)
    same = PICKLES[way](shared)
    assert [getattr(same, name) for name in Shared.__slots__] == [getattr(shared, name) for name in Shared.__slots__]


SHARED: dict[str, tuple[Callable[[], Any], str]] = {
    "with keys": (lambda: Shared(URL, encryption_keys=[KEY]), "encryption_keys, .* make one in each process"),
    "with a client": (lambda: Shared(fakeredis.FakeRedis()), "a client, .* give it a URL, or make one in each process"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SHARED)
def test_the_rest_of_it_is_shared_and_says_why_it_cannot_be_pickled(name: str, way: str) -> None:
    make, says = SHARED[name]
    shared = make()
    if way in COPIES:
        assert COPIES[way](shared) is shared
    else:
        with pytest.raises(TypeError, match=f"this Shared has {says}"):
            PICKLES[way](shared)


def in_redis() -> AggregationCache:
    return AggregationCache(fakeredis.FakeRedis(), "shop")


def of_asyncio() -> AsyncAggregationCache:
    server = fakeredis.FakeServer()
    redis = fakeredis.FakeAsyncRedis(server=server)
    return AsyncAggregationCache(redis, "shop", sync_client=fakeredis.FakeRedis(server=server))


def with_a_tier() -> Cache:
    return Cache(shared=Shared(fakeredis.FakeRedis(), local=False))


def plain() -> Any:
    return boto3.client("dynamodb", **HERE)


ALIVE: dict[str, Callable[[], Any]] = {
    "Cache": Cache,
    "Cache with a tier": with_a_tier,
    "Bulk": lambda: Cache().bulk("T"),
    "AggregationCache": in_redis,
    "AggregationCache.local": AggregationCache.local,
    "AsyncAggregationCache": of_asyncio,
    "AsyncAggregationCache.local": AsyncAggregationCache.local,
    "client": lambda: daxlite.wrap(plain()),
    "method of a client": lambda: daxlite.wrap(plain()).get_item,
    "Follower": lambda: Follower(Cache(), ["T"], Clients(plain()), Settings()),
    "LambdaHandler": lambda: feeds.lambda_handler(with_a_tier(), client=plain()),
    "RecordProcessor": lambda: RecordProcessor(with_a_tier(), client=plain()),
    "within another object": lambda: {"cache": Cache()},
}
COPIED = [
    (name, way)
    for name in ALIVE
    for way in WAYS
    if way != "copy.copy" or name not in ("within another object", "method of a client")  # no copies of what they hold
]


@pytest.mark.parametrize(("name", "way"), COPIED)
def test_what_is_alive_says_why_it_cannot_be_copied_and_what_to_do(name: str, way: str) -> None:
    alive = ALIVE[name]()
    says = r"cannot copy or pickle .*, which has .* of its own; share it in this process, and make another one in each"
    with pytest.raises(TypeError, match=says):
        WAYS[way](alive)


def answer(config: CacheConfig, shared: Shared, fails: bool) -> tuple[CacheConfig, str, CacheStats]:
    """What another process does with settings, and sends back."""
    if fails:
        raise SharedUnavailable("not told")
    return config, shared.server, Cache(config).stats()


def test_settings_counts_and_errors_cross_to_a_process_that_is_spawned_and_back() -> None:
    config, shared = CacheConfig(tables={"T": TableConfig(schema=SCHEMA)}), Shared(URL)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        ask = partial(pool.submit, answer, config, shared)
        assert ask(fails=False).result(60) == (config, URL, Cache().stats())
        with pytest.raises(SharedUnavailable, match="not told"):
            ask(fails=True).result(60)
        with pytest.raises(TypeError, match="cannot copy or pickle an object of Cache"):
            pool.submit(print, Cache()).result(60)
