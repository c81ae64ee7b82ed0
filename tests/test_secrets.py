"""No key, password or content is in what an object shows of itself, in an error, or in a pickle (P7)."""

import copy
import dataclasses
import functools
import importlib
import pickle
import pkgutil
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import fakeredis
import msgspec
import pytest
import redis

import daxlite
from daxlite import aggregations
from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache, on_item, on_partition
from daxlite.aggregations.engine.near import NearEntry
from daxlite.aggregations.functions.callables import unbind
from daxlite.aggregations.stored_result import StoredResult
from daxlite.core.expressions.updates import read_update
from daxlite.core.extents import EVERYTHING
from daxlite.core.replies import BrokenReply
from daxlite.core.steps import AboutToRead, Call, Compute, Notify, Run
from daxlite.core.tables import AWS, Place, Scope, table_id
from daxlite.core.tags import item_tag, partition_tag
from daxlite.shared.encryption import Encryptor

KEY = secrets.token_bytes(32)
SECRET = "s3cret-of-an-item"
URL = f"redis://user:{SECRET}@127.0.0.1:1/0"
ITEM = {"pk": SECRET}


def shown() -> dict[str, str]:
    config = AggregationConfig(encryption_keys=[KEY])
    client = boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        aws_access_key_id="id",
        aws_secret_access_key=SECRET,
        aws_session_token=SECRET,
    )
    cache = daxlite.Cache()
    wrapped = daxlite.wrap(client, cache)
    threads, tasks = AggregationCache(URL, "shop", config), AsyncAggregationCache(URL, "shop", config)
    stored = StoredResult(SECRET.encode(), 0.0, 0.0, 0.0, 0.0, (b"tag",), (b"token",), (EVERYTHING,))
    tags = (item_tag(PLACE, SECRET.encode()), partition_tag(PLACE, "by_owner", SECRET.encode()))
    scope = Scope(AWS, "eu-west-1", SECRET)

    def total(argument: str) -> str:
        return argument

    bound, server = functools.partial(total, SECRET), threads._home.server
    objects: list[Any] = [
        *(config, client, wrapped, cache, threads, tasks, threads.cached()(total), threads.stats()),
        *(threads.cached()(total).refresh, server, server.threads, threads._engine, threads._home),
        *(threads._engine.store, threads._near, threads._outbox, threads._home.hearing, tasks._home.server.asyncio),
        *(Encryptor([KEY]), redis.Redis.from_url("redis://127.0.0.1:1")),
        *(stored, NearEntry(stored, (), 0, 0), Call("PutItem", {"Item": {"a": {"S": SECRET}}})),
        *(Run(server, (("SET", "key", SECRET.encode()),)), BrokenReply({"Item": {"a": {"S": SECRET}}})),
        *(daxlite.CacheConfig(), *tags, AboutToRead(cache, tags, tags), Notify(cache, tags)),
        *(on_item("Orders", ITEM), on_partition("Orders", ITEM), *on_item("Orders", ITEM).tags),
        *(unbind(bound), Compute(bound, None), scope, table_id(scope, "Orders")),
        read_update("SET a = :a", None, {":a": {"S": SECRET}}),
    ]
    objects += [getattr(module, name) for module in (daxlite, aggregations) for name in module.__all__]
    for cache in (threads, tasks):
        cache._close()
    return {f"{number} {type(each).__name__}": f"{each!r} {each}" for number, each in enumerate(objects)}


PLACE = Place("eu-west-1", "Orders")


def test_nothing_shows_a_secret() -> None:
    texts = shown()
    assert len(texts) > 40
    leaking = [name for name, text in texts.items() if SECRET in text or repr(KEY)[2:-1] in text or KEY.hex() in text]
    assert leaking == []


# Each record of daxlite, with those of its fields that its repr shows. They are names, settings, counts and moments; or
# they have a repr of their own, which is looked at, too.

SETTINGS = ("CacheConfig", "TableConfig", "TableSettings", "AggregationOptions", "Settings")
COUNTS = ("CacheCounts", "CacheStats", "AggregationCounts", "AggregationStats", "Counts", "SharedStats")
FOUND = ("Contents", "Facts", "Finding", "Node", "Refusal", "Times")  # by the doctor
OF_STREAMS = ("Ended", "Gap", "Listing", "Reading", "Shard", "Trouble")
OF_FEEDS = (*OF_STREAMS, "FeedStats", "Epoch", "Health", "TableProgress")
ALL = (
    *SETTINGS,
    *COUNTS,
    *FOUND,
    "Engine",
    "Context",
    "Operation",
    "Row",
    "KeySchema",
    "Moment",
    "Place",
    "ReadDependencies",
    *OF_FEEDS,
)
SHOWN = {
    "_Interrupted": "by",
    "AboutToRead": "cache tags lagging",
    "AggregationConfig": "ttl near_bytes max_value_bytes compress_above timeout on_error max_background "
    "capture_threads",
    "Added": "name placeholder",
    "Address": "host port",
    "Answer": "status code",
    "Call": "operation",
    "Default": "name otherwise",
    "Limits": "ttl negative_ttl since",
    "Lease": "until wall_since wall_until",
    "Dependency": "kind table region index",
    "Entry": "size",
    "ExpectedTags": "tags keys",  # digests
    "Filter": "form holes",  # expressions have placeholders where their values are
    "FoundResult": "stored is_current since",
    "Get": "server keys",
    "Given": "placeholder",
    "KeyCondition": "form terms",
    "Less": "name placeholder",
    "NearEntry": "stored stamps tick epoch",
    "Notify": "cache tags told",
    "Outcome": "stored true_at is_current",
    "Progress": "operation",
    "Projection": "signature paths",
    "Record": "tick moment",
    "Scope": "endpoint region",
    "Shared": "namespace local reads write_through account budget require_for_writes outage_ttl max_wait proxy "
    "compress_above report report_every",
    "Sleep": "seconds",
    "Stamp": "tag tick changed_at holders size log rest everything",
    "Statement": "is_read table",
    "Stored": "name",
    "LogRecord": "token moment extent",
    "NotedState": "since is_young log open leader noted_at",
    "OpenRecord": "id deadline extent",
    "ReadPart": "tag token extent",
    "SeenState": "tag shared state",
    "State": "since is_young log open leader",
    "Sum": "left right is_plus",
    "TableId": "endpoint region name",
    "TableSchema": "key global_indexes local_indexes",
    "Tag": "kind table index_name",
    "Term": "name operator holes",
    "Token": "kind text",
    "Update": "touched",
    "Wait": "latch seconds",
    "_Flight": "table",
    "_Look": "redis clock wall",
    "ReadFlight": "table",
    "WriteFlight": "table",
}


class Marker(str):
    """A value that tells by which field it is shown, and stands for a table, a schema and a mapping, too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    @property
    def name(self) -> "Marker":
        return self

    id = names = name

    def __iter__(self) -> Iterator[str]:
        return iter((str(self),))

    def items(self) -> list[tuple[str, "Marker"]]:
        return [(self, self)]


def records() -> Iterator[tuple[type, tuple[str, ...]]]:
    """The classes of daxlite that have fields, with the names of these."""
    for module in pkgutil.walk_packages(daxlite.__path__, "daxlite."):
        if module.name.startswith(("daxlite.demo", "daxlite.__main__")):
            continue
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, type) and kind.__module__ == module.name:
                if dataclasses.is_dataclass(kind):
                    yield kind, tuple(part.name for part in dataclasses.fields(kind))
                elif issubclass(kind, msgspec.Struct):
                    yield kind, kind.__struct_fields__
                elif issubclass(kind, tuple):
                    yield kind, kind._fields  # type: ignore[attr-defined]


def test_no_record_shows_another_field_than_is_listed() -> None:
    found = {}
    for kind, names in records():
        markers = {name: Marker(f"<{name}>") for name in names}
        if dataclasses.is_dataclass(kind):
            record = object.__new__(kind)
            for name, marker in markers.items():
                object.__setattr__(record, name, marker)
        else:
            record = kind(**markers)
        fields = " ".join(name for name in names if f"<{name}>" in repr(record))
        if fields != (" ".join(names) if kind.__name__ in ALL else SHOWN.get(kind.__name__, "")):
            found[kind.__name__] = fields
    assert found == {}
    assert len(list(records())) > 40


# Errors


def in_cache(do: Callable[[AggregationCache], Any]) -> Callable[[], Any]:
    def call() -> None:
        cache = AggregationCache(fakeredis.FakeRedis(), "shop")
        try:
            do(cache)
        finally:
            cache.close()

    return call


WRONG: dict[str, Callable[[], Any]] = {
    "a config of a cache": lambda: daxlite.Cache({"item": ITEM}),  # type: ignore[arg-type]
    "a config of aggregations": lambda: AggregationCache(URL, "shop", {"encryption_keys": [SECRET]}),  # type: ignore[arg-type]
    "a cache": lambda: daxlite.wrap(boto3.client("dynamodb", region_name="eu-west-1"), ITEM),  # type: ignore[arg-type]
    "what is wrapped": lambda: daxlite.wrap(ITEM),
    "a URL as namespace": lambda: AggregationCache("redis://127.0.0.1:1", URL),
    "a TTL": lambda: daxlite.CacheConfig(item_ttl=ITEM),  # type: ignore[arg-type]
    "settings of a table": lambda: daxlite.CacheConfig(tables={"Orders": ITEM}),  # type: ignore[dict-item]
    "a schema": lambda: daxlite.TableConfig(schema=ITEM),  # type: ignore[arg-type]
    "a key schema": lambda: daxlite.KeySchema(ITEM),  # type: ignore[arg-type]
    "global indexes": lambda: daxlite.TableSchema(daxlite.KeySchema.of("pk"), [ITEM]),  # type: ignore[arg-type]
    "local indexes": lambda: daxlite.TableSchema(daxlite.KeySchema.of("pk"), {}, [SECRET]),  # type: ignore[arg-type]
    "a table": lambda: daxlite.Cache().invalidate(ITEM),  # type: ignore[arg-type]
    "a region": lambda: daxlite.Cache().invalidate("Orders", region=ITEM),  # type: ignore[arg-type]
    "a key": lambda: on_item("Orders", {"pk": [SECRET]}),
    "a key that is none": lambda: on_item("Orders", [SECRET]),  # type: ignore[arg-type]
    "an index": lambda: on_partition("Orders", {"pk": "a"}, ITEM),  # type: ignore[arg-type]
    "a result for a function": in_cache(lambda cache: cache.get_or_compute("k", SECRET)),  # type: ignore[arg-type]
    "a result to be cached": in_cache(lambda cache: cache.cached(name="f")(SECRET)),  # type: ignore[arg-type]
    "a function without a name": in_cache(lambda cache: cache.cached()(functools.partial(max, SECRET))),
    "a name": in_cache(lambda cache: cache.cached(name=[SECRET])(max)),  # type: ignore[arg-type]
    "a version": in_cache(lambda cache: cache.cached(name="f", version=[SECRET])(shown)),  # type: ignore[arg-type]
    "a key of a function": in_cache(lambda cache: cache.cached(name="f", key=[SECRET])(shown)),  # type: ignore[arg-type]
    "a type": in_cache(lambda cache: cache.cached(name="f", returns=[SECRET])(shown)),
    "a tag": in_cache(lambda cache: cache.invalidate_tags([SECRET])),  # type: ignore[arg-type]
    "tags": in_cache(lambda cache: cache.cached(name="f", tags=ITEM)(shown)),
    "a dependency": in_cache(lambda cache: cache.cached(name="f", depends_on=[ITEM])(shown)),  # type: ignore[list-item]
    "dependencies": in_cache(lambda cache: cache.cached(name="f", depends_on=ITEM)(shown)),
    "an argument": in_cache(lambda cache: cache.get_or_compute(Exception(SECRET), shown)),
    "an option": in_cache(lambda cache: cache.cached(ttl=[SECRET])),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", WRONG)
def test_an_error_does_not_repeat_what_is_wrong(what: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        WRONG[what]()
    assert SECRET not in str(raised.value)


# Pickles and copies


def test_keys_are_not_pickled_in_silence() -> None:
    config = AggregationConfig(encryption_keys=[KEY])
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match=r"has encryption_keys.*make one in each process"):
            pickle.dumps(config, protocol)
    assert copy.copy(config) is config
    assert copy.deepcopy([config])[0] is config


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_config_without_keys_is_pickled(protocol: int) -> None:
    config = AggregationConfig(ttl=7)
    assert pickle.loads(pickle.dumps(config, protocol)) == config  # noqa: S301 - its own
