"""A process can be told not to cache: by a block, by the environment. What is switched on again is true."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from typing import Any
from unittest import mock

import boto3
import pytest
from fakeredis import FakeAsyncRedis, FakeRedis, FakeServer

import daxlite
from daxlite import Cache, TableConfig
from daxlite.aggregations import AggregationCache, AsyncAggregationCache
from daxlite.cache.switch import SWITCH
from daxlite.cache.table import Table
from daxlite.testing import clean_caches, disabled, enabled
from tests.scripted_client import ITEM, KEY, SCHEMA, TABLE, ScriptedClient, description, made, page
from tests.shared.fleet import Fleet
from tests.test_imports import python
from tests.wrapping.wire import HERE, answer


def a_client(**more: Any) -> ScriptedClient:
    return ScriptedClient(GetItem=made(Item=ITEM), Query=page(ITEM), Scan=page(ITEM), PutItem=made(), **more)


def hits(client: ScriptedClient) -> list[bool]:
    """Whether each of two reads was a hit."""
    return [client.is_hit(client.get()) for _ in range(2)]


def bypasses(client: ScriptedClient) -> dict[str, Any]:
    return {kind: dict(counts.bypasses) for kind, counts in client.cache.stats().tables[TABLE].items()}


def test_disabled_sends_every_read_and_stores_nothing() -> None:
    client = a_client(BatchGetItem=made(Responses={TABLE: [ITEM]}, UnprocessedKeys={}))
    with disabled():
        for _ in range(2):
            client.get()
            client.get(ProjectionExpression="note")
            client.get(ConsistentRead=True)
            client.query()
            client("Scan")
            client("BatchGetItem", RequestItems={TABLE: {"Keys": [KEY]}})
            client.put()
    counts = client.cache.stats().total
    assert (counts.hits, counts.misses, counts.fills, counts.entries) == (0, 0, 0, 0)
    assert bypasses(client) == {"item": {"disabled": 8}, "query": {"disabled": 2}, "scan": {"disabled": 2}}
    assert client.dynamodb.last_params("ReturnValues") is None, "daxlite asks for nothing"
    operations = ["GetItem", "GetItem", "GetItem", "Query", "Scan", "BatchGetItem", "PutItem"]
    assert client.dynamodb.take() == operations * 2
    assert hits(client) == [False, True]


def test_disabled_makes_no_call_of_its_own() -> None:
    client = a_client(schema=None)
    with disabled():
        client.get()
        client.put()
        client.query()
    assert client.dynamodb.take() == ["GetItem", "PutItem", "Query"]


@pytest.mark.parametrize(
    "write",
    [
        lambda client: client.put(),
        lambda client: client("DeleteItem", Key=KEY),
        lambda client: client("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": ITEM}}]}),
        lambda client: client("TransactWriteItems", TransactItems=[{"Delete": {"TableName": TABLE, "Key": KEY}}]),
        lambda client: client("ExecuteStatement", Statement="DELETE FROM T WHERE pk = ?"),
        lambda client: client("DeleteTable"),
    ],
)
def test_p2_writes_invalidate_while_caching_is_disabled(write: Callable[[ScriptedClient], Any]) -> None:
    names = ("DeleteItem", "BatchWriteItem", "TransactWriteItems", "ExecuteStatement", "DeleteTable")
    client = a_client(**{name: made() for name in names}, config={"settle_window": 0})
    other = ScriptedClient(cache=client.cache, dynamodb=client.dynamodb)
    client.get(), client.query()
    with disabled():
        write(other)
    client.dynamodb.take()
    client.get(), client.query()
    assert client.dynamodb.take() == ["GetItem", "Query"]


def test_p2_a_write_that_ends_after_caching_is_enabled_again() -> None:
    client, block = a_client(config={"settle_window": 0}), disabled()

    def put(params: Any) -> Any:
        block.__exit__()
        assert hits(client) == [False, True], "what was there before the write"
        return made()

    client.dynamodb.answers["PutItem"] = put
    block.__enter__()
    client.put()
    assert hits(client) == [False, True]


def test_p5_a_write_while_caching_is_disabled_is_told_and_leaves_nothing_at_the_tier() -> None:
    fleet = Fleet()
    one, other = fleet.member(), fleet.member()
    for member in (one, other):
        member.get()
    fleet.clock.advance(60)
    fleet.dynamodb.take()
    with disabled():
        one.put(1)
        assert one.get() == other.get() == "1"
    assert fleet.dynamodb.take() == ["PutItem", "GetItem", "GetItem"]
    fleet.clock.advance(60)
    assert [other.get(), one.get()] == ["1", "1"]
    assert fleet.dynamodb.take() == ["GetItem"], "the first one read what the other one found at the tier"


def test_what_was_cached_before_and_did_not_change_is_there_again() -> None:
    client = a_client()
    assert hits(client) == [False, True]
    with disabled():
        assert hits(client) == [False, False]
    assert hits(client) == [True, True]


def test_a_table_that_is_off_by_its_settings_stays_off() -> None:
    client = a_client(config={"tables": {TABLE: TableConfig(enabled=False)}})
    with disabled():
        client.get()
    with enabled():
        client.get()
    client.get()
    assert bypasses(client)["item"] == {"disabled": 1, "table_off": 2}


def test_the_block_that_was_entered_last_decides() -> None:
    client = a_client()
    client.get()
    seen = []
    for block in (disabled(), enabled(), disabled()):
        block.__enter__()
        seen.append(client.is_hit(client.get()))
    block.__exit__()
    seen.append(client.is_hit(client.get()))
    assert seen == [False, True, False, True]
    for _ in range(2):
        SWITCH.leave(next(iter(SWITCH._blocks)))  # the outer one first
        seen.append(client.is_hit(client.get()))
    assert seen[4:] == [True, True]


def test_a_cache_and_a_table_that_are_new_within_the_block() -> None:
    known = a_client()
    with disabled():
        new = [a_client(), ScriptedClient(cache=known.cache, dynamodb=known.dynamodb)]
        assert [hits(client) for client in new] == [[False, False]] * 2
    assert [hits(client) for client in new] == [[False, True]] * 2


def test_p4_a_table_that_is_made_while_caching_is_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread disables it when the new table has looked already, and cannot be found yet."""
    block, make = disabled(), Table.__init__

    def make_slowly(*arguments: Any) -> None:
        make(*arguments)
        block.__enter__()

    monkeypatch.setattr(Table, "__init__", make_slowly)
    client = a_client()
    try:
        assert hits(client) == [False, False]
    finally:
        block.__exit__()


def test_disabled_holds_for_all_threads_and_tasks() -> None:
    client = a_client()
    client.get()
    seen: list[bool] = []

    async def read() -> None:
        seen.append(client.is_hit(client.get()))

    with disabled():
        thread = threading.Thread(target=lambda: seen.extend(hits(client)))
        thread.start()
        thread.join()
        asyncio.run(read())
    assert seen == [False] * 3


# As a decorator


def test_functions_of_all_kinds_are_decorated() -> None:
    block = disabled()

    @block
    def function(number: int) -> tuple[int, bool]:
        return number, SWITCH.is_off

    @block
    def fixture(number: int) -> Any:
        yield number, SWITCH.is_off

    @block
    async def coroutine(number: int) -> tuple[int, bool]:
        await asyncio.sleep(0)
        return number, SWITCH.is_off

    assert (function(1), asyncio.run(coroutine(2)), next(fixture(3))) == ((1, True), (2, True), (3, True))
    assert (function.__name__, SWITCH.is_off) == ("function", False)
    with block, block:
        pass
    assert not SWITCH.is_off


async def _generator() -> Any:
    yield


@pytest.mark.parametrize(
    ("thing", "what"), [(Cache, "the class Cache"), (_generator, "an asynchronous generator"), (1, "1")]
)
def test_what_is_no_function_is_not_decorated(thing: Any, what: str) -> None:
    with pytest.raises(TypeError, match=rf"^enabled\(\) decorates functions, and this is {what}; write `with enabled"):
        enabled()(thing)


def test_a_decorator_without_its_parentheses_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"^disabled\(\) takes no arguments$"):
        disabled(lambda: None)  # type: ignore[call-arg]


# From outside


@pytest.mark.parametrize("text", ["1", "true", "YES", " on "])
def test_the_variable_disables_at_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = a_client()
    hits(client)
    monkeypatch.setenv("DAXLITE_DISABLED", text)
    assert hits(client) == [False, False]
    with enabled():
        assert hits(client) == [True, True]
    with mock.patch.dict(os.environ, {"DAXLITE_DISABLED": "0"}):
        assert hits(client) == [True, True]
    assert hits(client) == [False, False]
    monkeypatch.undo()
    assert hits(client) == [True, True]


@pytest.mark.parametrize("text", ["0", "False", "no", "off", ""])
def test_the_variable_may_say_that_nothing_is_disabled(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAXLITE_DISABLED", text)
    assert hits(a_client()) == [False, True]


def test_a_variable_that_is_not_understood_disables_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "daxlite"):
        monkeypatch.setenv("DAXLITE_DISABLED", "maybe")
    assert hits(a_client()) == [False, False]
    assert [record.getMessage() for record in caplog.records] == [
        "DAXLITE_DISABLED is 'maybe'; it must be 1, true, yes or on, or 0, false, no, off or empty. Nothing is cached"
    ]


def test_without_the_module_for_tests_the_variable_is_looked_at_when_a_client_is_wrapped(tmp_path: Any) -> None:
    code = """
        import os, sys, boto3, daxlite
        from daxlite.cache.switch import SWITCH
        seen = [SWITCH.is_off]
        for text in ("0", "1"):
            os.environ["DAXLITE_DISABLED"] = text
            seen.append(SWITCH.is_off)
            daxlite.wrap(boto3.Session().client("dynamodb", region_name="eu-west-1"))
            seen.append(SWITCH.is_off)
        os.environ["DAXLITE_DISABLED"] = "0"
        import daxlite.testing
        print(seen, SWITCH.is_off, "daxlite.aggregations" in sys.modules)
        """.replace("\n        ", "\n")
    with mock.patch.dict(os.environ, {"DAXLITE_DISABLED": "1"}):
        result = python(code, cwd=tmp_path)
    assert (result.stdout, result.stderr) == ("[True, True, False, False, True] False False\n", "")


# Aggregations


def test_aggregations_are_computed_while_caching_is_disabled() -> None:
    aggregations, numbers = AggregationCache(FakeRedis(), "shop"), iter(range(9))

    @aggregations.cached()
    def count() -> int:
        return next(numbers)

    assert [count(), count()] == [0, 0]
    with disabled():
        assert [count(), count(), count.peek()] == [1, 2, None]
        assert aggregations.get_or_compute("count", lambda: next(numbers)) == 3
    assert [count(), count.peek()] == [0, 0], "nothing that it depends on has changed"
    with disabled():
        assert count.refresh() == 4
    assert count.peek() is None, "the caller knew of something newer"
    assert count() == 5
    aggregations.close()


def test_aggregations_of_asyncio_are_computed_while_caching_is_disabled() -> None:
    server = FakeServer()

    async def counts() -> list[int]:
        redis = FakeAsyncRedis(server=server)
        aggregations, numbers = (
            AsyncAggregationCache(redis, "shop", sync_client=FakeRedis(server=server)),
            iter(range(9)),
        )

        @aggregations.cached()
        async def count() -> int:
            return next(numbers)

        seen = [await count(), await count()]
        with disabled():
            seen += [await count(), await count()]
        seen.append(await count())
        await aggregations.close()
        return seen

    assert asyncio.run(counts()) == [0, 0, 1, 2, 0]


# Clean caches


def test_clean_caches_begin_anew() -> None:
    ttl = made(TimeToLiveDescription={"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"})
    one, other = a_client(schema=None, DescribeTable=description("pk"), DescribeTimeToLive=ttl), a_client()
    for client in (one, other):
        hits(client)
        client.query()
    clean_caches()
    for client in (one, other):
        counts = client.cache.stats()
        assert (counts.total.entries, counts.total.hits, counts.total.misses, counts.in_flight) == (0, 0, 0, 0)
        assert hits(client) == [False, True]
        assert client.cache.stats().total.hits == 1
    known = one.dispatcher.context.table(TABLE)
    assert (known.key_names, known.ttl_attribute, known.schema is None) == ({"pk"}, "expires", False)
    known.may_ask_images = known.may_ask_keys = False  # as after a refusal
    clean_caches()
    assert (known.key_names, known.ttl_attribute, known.schema) == (None, None, None)
    assert known.may_ask_images
    assert known.may_ask_keys
    assert other.dispatcher.context.table(TABLE).schema == SCHEMA, "it is the settings'"


def test_what_is_read_while_caches_are_cleaned_is_not_stored() -> None:
    def get(params: Any) -> Any:
        clean_caches()
        return made(Item=ITEM)

    client = ScriptedClient(GetItem=[get, made(Item=ITEM)])
    client.get()
    assert client.cache.stats().total.entries == 0
    assert hits(client) == [False, True]


def test_cleaning_tells_no_redis_and_drops_what_aggregations_keep_here() -> None:
    server = FakeRedis()
    aggregations = AggregationCache(server, "shop")

    @aggregations.cached()
    def count() -> int:
        return 1

    count()
    before = {key: server.dump(key) for key in server.keys()}  # noqa: SIM118 - no dictionary
    clean_caches()
    assert {key: server.dump(key) for key in server.keys()} == before  # noqa: SIM118
    assert aggregations.stats().near_entries == 0
    assert aggregations.stats().total == type(aggregations.stats().total)()
    assert count.peek() == 1
    aggregations.close()


def test_cleaning_drops_the_results_of_one_process() -> None:
    aggregations, numbers = AggregationCache.local(), iter(range(9))

    def compute() -> int:
        number = next(numbers)
        if number == 1:
            clean_caches()
        return number

    def count() -> int:
        return aggregations.get_or_compute("count", compute)

    assert [count(), count()] == [0, 0]
    clean_caches()
    assert [count(), count(), count()] == [1, 2, 2], "what is being computed meanwhile is not kept"
    assert aggregations.stats().total.misses == 1
    aggregations.close()


def test_a_wrapped_client_is_switched() -> None:
    """By the same switch as every dispatcher."""
    raw = boto3.Session().client("dynamodb", **HERE)
    cache = Cache()
    client = daxlite.wrap(raw, cache)
    dynamodb = answer(raw, GetItem=made(Item=ITEM))
    with disabled():
        for _ in range(2):
            client.get_item(TableName=TABLE, Key=KEY)
    assert (dynamodb.take(), cache.stats().total.bypasses) == (["GetItem"] * 2, {"disabled": 2})
    raw.close()
