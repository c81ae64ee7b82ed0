"""A cache that joins the tier: settings, counts, reports, bulk, and how it leaves."""

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import fakeredis
import pytest

import daxlite
from benchmarks.items import QUERY, TABLE, item, key, native_key, page_response
from benchmarks.servers import instant_client
from daxlite import Cache, CacheConfig, Shared, SharedStats, TableConfig
from daxlite.core.tables import Place
from daxlite.shared import tier as tier_module
from daxlite.shared.counts import TierCounts
from daxlite.shared.tags import NAMESPACE
from tests.shared.test_hearing_servers import wait_until

ACCOUNT = "123456789012"


class Process:
    """One of several that share a server: a client whose calls are counted, and its cache."""

    def __init__(self, server: Any, config: CacheConfig | None = None, **settings: Any) -> None:
        self.calls: list[str] = []
        self.item: dict[str, Any] | None = item()
        settings = {"namespace": "shop", "account": ACCOUNT, "budget": 5, **settings}
        self.cache = Cache(config, shared=Shared(server, **settings))
        self.client = daxlite.wrap(
            instant_client(GetItem=self._get, Query=self._query, PutItem=self._put, DeleteItem=self._put), self.cache
        )

    def _get(self, params: dict[str, Any]) -> dict[str, Any]:
        self.calls.append("GetItem")
        return {} if self.item is None else {"Item": self.item}

    def _query(self, params: dict[str, Any]) -> dict[str, Any]:
        self.calls.append("Query")
        return page_response(3)

    def _put(self, params: dict[str, Any]) -> dict[str, Any]:
        self.calls.append("write")
        return {}

    def get(self, number: int = 0) -> Any:
        return self.client.get_item(TableName=TABLE, Key=key(number=number)).get("Item")

    def put(self, number: int = 0) -> None:
        self.client.put_item(TableName=TABLE, Item=item(number=number))

    @property
    def stats(self) -> SharedStats:
        shared = self.cache.stats().shared
        assert shared is not None
        return shared


@pytest.fixture
def server() -> fakeredis.FakeRedis:
    return fakeredis.FakeRedis(server=fakeredis.FakeServer())


def power(server: fakeredis.FakeRedis, *, is_on: bool) -> None:
    server.connection_pool.connection_kwargs["server"].connected = is_on


def values(server: fakeredis.FakeRedis) -> int:
    return sum(not name.endswith(b":state") for name in server.scan_iter("shop:daxlite:*"))


def at_once(work: Callable[[], None]) -> None:
    """Have eight threads do something, in turns of ten microseconds. Raises what one of them raises."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            for each in [pool.submit(work) for _ in range(8)]:
                each.result()
    finally:
        sys.setswitchinterval(interval)


# Settings


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"server": 5}, "server is 5; it must be a URL"),
        ({"server": "http://localhost"}, "must begin with redis://"),
        ({"namespace": "a b"}, "namespace is 'a b'"),
        ({"local": 1}, "local is 1; it must be True or False"),
        ({"proxy": "yes"}, "proxy is 'yes'; it must be True, False or None"),
        ({"write_through": "some"}, "write_through is 'some'; it must be"),
        ({"budget": 0}, "budget is 0; it must be a number of seconds from 0.001"),
        ({"account": "shop"}, "account is 'shop'; it must be the 12 digits of an AWS account"),
        ({"account": "12345678901"}, "account is '12345678901'; it must be the 12 digits"),
        ({"account": "١٢٣٤٥٦٧٨٩٠١٢"}, "it must be the 12 digits"),
        ({"encryption_keys": [b"short"]}, "encryption_keys"),
        ({"compress_above": -1}, "compress_above is -1"),
        ({"report": 5}, "report is 5; it must be a function"),
        ({"report_every": 0}, "report_every is 0; it must be a number of seconds"),
    ],
)
def test_settings_that_are_not_allowed(settings: dict[str, Any], says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        Shared(**{"server": fakeredis.FakeRedis(), **settings})


def test_what_a_cache_cannot_join_with(server: fakeredis.FakeRedis) -> None:
    shared = Shared(server)
    with pytest.raises(ValueError, match='query_invalidation is "ttl"; with shared it must be "exact"'):
        Cache(CacheConfig(query_invalidation="ttl"), shared=shared)
    with pytest.raises(TypeError, match=r"shared is a FakeRedis; it must be a daxlite\.Shared"):
        Cache(shared=server)  # type: ignore[arg-type]


def test_a_cache_alone_has_no_counts_and_nothing_to_leave() -> None:
    cache = Cache()
    assert cache.stats().shared is None
    cache.close()


# Counts


def test_times_are_those_of_the_last_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = TierCounts()
    assert counts.quantiles() == (0.0, 0.0)
    for milliseconds in range(1, 101):
        monkeypatch.setattr(time, "perf_counter", lambda: 0.001 * milliseconds)  # noqa: B023
        counts.timed(0.0)
    assert counts.quantiles() == (pytest.approx(0.051), pytest.approx(0.1))
    counts.begin()
    assert counts.quantiles() == (0.0, 0.0)


def test_what_one_process_read_is_a_hit_of_the_other(server: fakeredis.FakeRedis) -> None:
    one, other = Process(server), Process(server)
    assert one.get() == other.get() == item()
    assert (one.calls, other.calls) == (["GetItem"], [])
    assert (one.stats.hits, one.stats.misses, one.stats.fills) == (0, 1, 1)
    assert (other.stats.hits, other.stats.misses, other.stats.fills) == (1, 0, 0)
    assert other.stats.hit_ratio == 1
    assert one.stats.bytes_written == other.stats.bytes_read > 0
    assert other.stats.seconds_p99 >= other.stats.seconds_p50 > 0
    other.put()
    assert (other.stats.writes, other.stats.untold_writes) == (1, 0)
    assert other.stats.fills == 1, "the written item"


def test_fakeredis_serves_more_than_one_cache(server: fakeredis.FakeRedis) -> None:
    """It keeps a script that it could not run, and names it a fault of the next one who asks for it."""
    one, other = Process(server), Process(server)
    for each in (one, other, one):
        each.put()
        each.get(1)
        each.cache.invalidate(TABLE, native_key())
    assert one.stats.errors == other.stats.errors == 0
    assert one.stats.untold_writes == other.stats.untold_writes == 0


def test_an_answer_that_is_not_kept_is_counted_with_the_reason(server: fakeredis.FakeRedis) -> None:
    one, other = Process(server), Process(server)
    write = iter([other.put])
    get = one._get

    def overtaken(params: dict[str, Any]) -> dict[str, Any]:
        for put in write:
            put()
        return get(params)

    one.client = daxlite.wrap(instant_client(GetItem=overtaken), one.cache)
    one.get()
    assert one.stats.refused_fills == {"changed": 1}
    assert one.stats.fills == 0


def test_a_server_that_fails_is_counted(server: fakeredis.FakeRedis) -> None:
    one = Process(server)
    power(server, is_on=False)
    assert one.get() == item()
    one.put()
    assert one.stats.errors > 0
    assert one.stats.untold_writes == 1
    assert one.stats.pending > 0
    assert one.stats.hits == one.stats.fills == 0


def test_counts_are_reported_now_and_then(server: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("daxlite.shared.tier.perf_counter", lambda: now[0])
    reported: list[SharedStats] = []
    one = Process(server, report=reported.append, report_every=10)
    one.get(0)
    assert len(reported) == 1
    one.get(1)
    assert len(reported) == 1
    now[0] += 10
    one.get(2)
    assert len(reported) == 2
    assert reported[1].misses > reported[0].misses


@pytest.mark.faults_expected
def test_a_report_that_fails_fails_no_call(server: fakeredis.FakeRedis, caplog: pytest.LogCaptureFixture) -> None:
    def report(stats: SharedStats) -> None:
        raise ZeroDivisionError("of the application's")

    one = Process(server, report=report)
    assert one.get() == item()
    assert one.cache.stats().faults == 1
    assert one.stats.fills == 1


# Bulk


def test_in_bulk_nothing_is_kept_and_everything_is_dropped(server: fakeredis.FakeRedis) -> None:
    one, other = Process(server), Process(server)
    one.get()
    other.client.query(**QUERY)
    before = values(server)
    with one.cache.bulk(TABLE):
        one.put(0)
        one.put(1)
        assert values(server) == before, "no new value"
        one.item = other.item = {**item(), "changed": {"S": "yes"}}
        assert one.get() == other.get() == one.item, "what was kept of it is stale"
    for number in (0, 1):
        one.put(number)
    assert values(server) > before


def test_bulk_is_entered_by_each_on_its_own(server: fakeredis.FakeRedis) -> None:
    one = Process(server)
    with one.cache.bulk(TABLE):
        with one.cache.bulk(TABLE):
            pass
        one.put(0)
        assert values(server) == 0
    with one.cache.bulk("Another"):
        one.put(1)
    assert values(server) == 1
    with pytest.raises(ZeroDivisionError), one.cache.bulk(TABLE):
        raise ZeroDivisionError
    one.put(2)
    assert values(server) == 2, "it has ended"


def test_threads_enter_and_leave_bulk_at_once() -> None:
    cache, table = Cache(), Place("eu-west-1", TABLE)

    def write() -> None:
        for _ in range(5_000):
            with cache.bulk(TABLE):
                assert cache._memory.is_bulk(table)

    at_once(write)
    assert not cache._memory.is_bulk(table)


def test_without_a_tier_bulk_keeps_nothing_either() -> None:
    cache = Cache()
    client = daxlite.wrap(instant_client(), cache)
    with cache.bulk(TABLE):
        client.put_item(TableName=TABLE, Item=item())
    assert cache.stats().total.entries == 0


# Tables, and ways to share


def test_a_table_that_stays_out(server: fakeredis.FakeRedis) -> None:
    config = CacheConfig(tables={TABLE: TableConfig(shared=False)})
    one, other = Process(server, config), Process(server, config)
    one.get()
    other.get()
    assert (one.calls, other.calls) == (["GetItem"], ["GetItem"])
    one.get()
    assert one.calls == ["GetItem"], "it is kept in the process"
    assert values(server) == 0


def test_a_process_that_only_tells(server: fakeredis.FakeRedis) -> None:
    reader, teller = Process(server), Process(server, reads=False)
    reader.get()
    assert teller.get() == item()
    assert teller.calls == ["GetItem"]
    assert values(server) == 1
    teller.put()
    reader.item = {**item(), "changed": {"S": "yes"}}
    assert reader.get() == reader.item


@pytest.mark.parametrize(("write_through", "kept"), [("always", 1), ("cached", 0), ("never", 0)])
def test_which_written_items_are_kept(server: fakeredis.FakeRedis, write_through: str, kept: int) -> None:
    one = Process(server, write_through=write_through)
    one.put()
    assert values(server) == kept


def test_cached_items_alone_are_kept(server: fakeredis.FakeRedis) -> None:
    one, other = Process(server, write_through="cached"), Process(server)
    one.get(0)
    one.put(0)
    one.put(1)
    assert values(server) == 1
    assert (other.get(0), other.calls) == (item(number=0), [])


def test_threads_that_write_at_once_never_fail(server: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier_module, "MAX_OWN", 100)
    tier = Process(server).cache._tier
    assert tier is not None

    def write() -> None:
        for _ in range(20_000):
            tier.new_operation()

    at_once(write)


@pytest.mark.parametrize("is_heard", [True, False], ids=["heard", "unheard"])
def test_a_transaction_costs_three_round_trips_however_many_items_it_writes(
    server: fakeredis.FakeRedis, *, is_heard: bool
) -> None:
    """Begin, the generations where the process does not know them, finish."""
    one = Process(server, proxy=not is_heard)
    one.put()
    if is_heard:
        wait_until("it hears", lambda: one.stats.is_hearing)
        one.put()
    threads: Any = one.cache._joined._connections.threads
    asked: list[int] = []
    run = threads.run

    def counted(commands: Any, *options: Any) -> Any:
        asked.append(len(commands))
        return run(commands, *options)

    threads.run = counted
    writes = [{"Put": {"TableName": TABLE, "Item": item(number=number)}} for number in range(100)]
    one.client.transact_write_items(TransactItems=writes)
    assert len(asked) <= 3, asked
    assert one.stats.fills == 100 + 1 + is_heard


# The end


@pytest.fixture
def no_threads() -> Callable[[], None]:
    before = set(threading.enumerate())

    def check() -> None:
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
            assert not thread.is_alive(), thread.name

    return check


def test_a_cache_with_a_tier_goes_with_its_last_reference(
    server: fakeredis.FakeRedis, no_threads: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the suite remembers the caches that a test makes, to look at them
    gc.collect()
    gc.disable()
    try:
        cache = Cache(shared=Shared(server, account=ACCOUNT, budget=5))
        assert cache._tier is not None
        cache._tier.hearing.listen(NAMESPACE)
        wait_until("it hears", partial(cache._tier.hearing.hears, NAMESPACE))
        cache.invalidate(TABLE, native_key())
        gone = [weakref.ref(each) for each in (cache, cache._memory, cache._joined, cache._tier)]
        del cache
        # Its own message may just be on its way through the thread that listens.
        wait_until("they are gone", lambda: [ref() for ref in gone] == [None] * 4)
        no_threads()
    finally:
        gc.enable()


def test_closing_ends_the_threads_and_may_be_done_twice(
    server: fakeredis.FakeRedis, no_threads: Callable[[], None]
) -> None:
    one = Process(server)
    one.get()
    one.cache.close()
    no_threads()
    one.cache.close()
    assert not one.stats.is_hearing
    assert one.get() == item(), "it goes on, without what needs the others to be heard"


def test_closing_delivers_what_is_pending(server: fakeredis.FakeRedis) -> None:
    one = Process(server)
    power(server, is_on=False)
    one.put()
    assert one.stats.pending > 0
    power(server, is_on=True)
    one.cache.close()
    assert one.stats.pending == 0
