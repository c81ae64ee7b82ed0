"""lookup, fill and apply: what is found, what a change drops, and what is counted."""

import math
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from daxlite import CacheConfig, TableConfig
from daxlite.cache.entries import ENTRY_OVERHEAD
from daxlite.core.changes import ABSENT, Change
from daxlite.core.requests import PageRead
from daxlite.core.schema import item_key
from tests import invariants
from tests.cache_bench import ID, KEY, NEW, OLD, PLACE, CacheBench


def test_what_is_filled_is_found() -> None:
    bench = CacheBench()
    assert bench.get() == "unknown"
    bench.fill(OLD)
    assert bench.get() == OLD
    bench.fill(None)
    assert bench.get() is None
    counts = bench.count()
    assert (counts.hits, counts.misses, counts.fills, counts.entries) == (2, 1, 2, 1)
    assert counts.hit_ratio == pytest.approx(2 / 3)


def test_a_change_drops_exactly_what_depends_on_it() -> None:
    bench = CacheBench()
    for owner in ("ann", "bob", "cyd"):
        bench.fill_page(f"g {owner}", owner)
        bench.fill_page(f"t {owner}", owner, index=None)
    bench.fill_page("scan", kind="scan", index=None)
    bench.fill(OLD, {"pk": {"S": "other"}})
    bench.write({"pk": {"S": "ann"}, "owner": {"S": "bob"}}, {"pk": {"S": "ann"}}, old=ABSENT)
    assert {name: bench.has_page(name) for name in ("g ann", "g bob", "g cyd", "t ann", "t bob")} == {
        "g ann": True,
        "g bob": False,
        "g cyd": True,
        "t ann": False,
        "t bob": True,
    }
    assert not bench.has_page("scan", "scan")
    assert bench.get({"pk": {"S": "other"}}) == OLD


def test_query_invalidation_by_ttl_leaves_pages_alone() -> None:
    bench = CacheBench(query_invalidation="ttl")
    bench.fill()
    bench.fill_page()
    with bench.memory.read_flight(bench.table, PageRead("query", None, b"late", KEY)) as flight:
        bench.write(NEW)
        flight.fill(flight.page("query", b"late", {"Count": 0}))
    assert bench.has_page()
    assert bench.has_page("late")
    assert bench.get() == NEW
    bench.cache.invalidate("T")
    assert not bench.has_page()


def test_settings_of_a_table_are_its_own() -> None:
    tables = {"T": TableConfig(item_ttl=5, query_ttl=None), "U": TableConfig(enabled=False)}
    config = CacheConfig(item_ttl=60, query_ttl=30, negative_ttl=7, tables=tables)
    ours, others = config.for_table("T"), config.for_table("V")
    assert (ours.item_ttl, ours.query_ttl) == (5, math.inf)
    assert ours.negative_ttl == 7, "what is not given is as in the CacheConfig"
    assert (others.item_ttl, others.query_ttl, others.negative_ttl, others.enabled) == (60, 30, 7, True)
    assert not config.for_table("U").enabled
    assert CacheConfig(item_ttl=60).for_table("T").negative_ttl == 60
    assert CacheConfig(tables={"T": TableConfig(item_ttl=9)}).for_table("T").negative_ttl == 9


@pytest.mark.parametrize("key", [{"pk": "a"}, {"pk": {"S": "a"}}])
def test_invalidate_one_item(key: dict[str, Any]) -> None:
    bench = CacheBench()
    bench.fill()
    bench.fill(OLD, {"pk": {"S": "other"}})
    bench.fill_page()
    bench.cache.invalidate("T", key)
    assert bench.get() == "unknown"
    assert bench.get({"pk": {"S": "other"}}) == OLD
    assert not bench.has_page(), "the partition of the index is not known"
    assert bench.count().invalidations == 1


@pytest.mark.parametrize(
    ("table", "key", "error"),
    [
        (None, None, TypeError),
        (b"T", None, TypeError),
        ("T", "a", TypeError),
        ("T", [("pk", "a")], TypeError),
        ("T", {}, ValueError),
        ("T", {"pk": 1.5}, ValueError),
        ("T", {"pk": None}, ValueError),
        ("T", {"pk": {"SS": ["a"]}}, ValueError),
        ("T", {"pk": {"S": "a", "N": "1"}}, ValueError),
        ("T", {1: "a"}, ValueError),
    ],
)
def test_invalidate_what_is_none(table: Any, key: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="table" if error is TypeError and key is None else "key"):
        CacheBench().cache.invalidate(table, key)


def test_clear_drops_everything_and_keeps_the_counts() -> None:
    bench = CacheBench()
    bench.fill()
    bench.fill_page()
    bench.get()
    bench.cache.clear()
    total = bench.cache.stats().total
    assert (total.entries, total.bytes, total.hits, total.fills) == (0, 0, 1, 2)
    bench.fill()
    assert bench.get() == OLD


def test_stats_are_a_snapshot_per_table_and_kind() -> None:
    bench = CacheBench()
    other = bench.memory.table(replace(ID, region="us-east-1"))
    bench.fill()
    with bench.memory.read_flight(other, None) as flight:
        assert bench.cache.stats().in_flight == 1
        flight.fill(flight.item(item_key(KEY), OLD))
    before = bench.cache.stats()
    bench.memory.count(bench.table.counters["scan"], "reason")
    assert before.tables["T"]["item"].entries == 2, "tables of one name are added up"
    assert before.total.bypasses == {}
    assert bench.cache.stats().total.bypasses == {"reason": 1}


def test_two_threads_that_find_the_same_dead_entry_drop_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = CacheBench()
    bench.fill_page()
    bench.memory.apply(Change(PLACE, KEY))
    both = threading.Barrier(2)
    state = bench.memory._state
    locked = state.locked

    def both_take() -> Any:
        both.wait(10)  # both have found it dead
        return locked()

    found: list[bool] = []
    with monkeypatch.context() as patched:
        patched.setattr(state, "locked", both_take)
        run([lambda: found.append(bench.has_page())] * 2)
    assert found == [False, False]
    counts = bench.count("query")
    assert (counts.misses, counts.invalidations, counts.expirations, counts.entries) == (2, 1, 0, 0)


def test_a_reader_that_finds_a_dead_entry_too_late_leaves_its_successor_alone() -> None:
    bench = CacheBench(item_ttl=5)
    bench.fill(OLD)
    dead = bench.memory._state.entries.get(bench.table.item(item_key(KEY)))
    assert dead is not None
    bench.clock.now += 6
    bench.fill(NEW)
    with bench.memory._state.locked():
        bench.memory._state.drop_dead(dead)
    assert bench.get() == NEW
    assert bench.count().expirations == 0


def test_what_is_replaced_while_it_is_looked_up_may_be_answered_but_not_twice() -> None:
    """A hit looks at the entry that it found, though it may have gone meanwhile: it had not when the hit began."""
    bench = CacheBench()
    bench.fill(OLD)
    state, now = bench.memory._state, bench.memory._state.now
    written: list[bool] = []

    def now_and_a_write() -> float:
        if not written:
            written.append(True)
            bench.write(NEW)
        return now()

    state.now = now_and_a_write
    assert bench.get() == OLD, "the write began after the read, and ended before it"
    assert bench.get() == NEW
    assert bench.count().entries == 1


def run(works: list[Callable[[], Any]]) -> None:
    """Each in a thread of its own, all at once. Raises what one of them raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(work) for work in works]:
            future.result(60)


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads that take turns as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hurried")
def test_threads_that_hit_store_and_invalidate_at_once_leave_every_entry_in_its_place() -> None:
    bench = CacheBench(max_bytes=20 * (ENTRY_OVERHEAD + 60))
    keys = [{"pk": {"S": str(number)}} for number in range(40)]
    looked_up = [0] * 8

    def work(me: int) -> None:
        rng = random.Random(me)
        for _ in range(1000):
            number = min(rng.randrange(40), rng.randrange(40))
            key = keys[number]
            what = rng.random()
            if what < 0.6:
                looked_up[me] += 1
                found = bench.get(key)
                assert found == "unknown" or found["pk"] == key["pk"]
                if found == "unknown":
                    bench.fill({**key, "v": {"S": "x" * rng.choice([0, 10, 300])}}, key)
            elif what < 0.75:
                bench.write({**key, "v": {"S": "y"}}, key)
            elif what < 0.95:
                if not bench.has_page(str(number)):
                    bench.fill_page(str(number), owner=str(number), index=None)
            elif what < 0.999:
                bench.memory.apply(Change(PLACE, key))
            else:
                bench.cache.clear()

    run([partial(work, me) for me in range(8)])
    invariants.check(bench.memory)
    counts = bench.count()
    assert counts.hits + counts.misses == sum(looked_up)
    gone = counts.fills - counts.entries
    assert counts.evictions + counts.invalidations <= gone
    assert counts.evictions > 0
    assert counts.hits > 0


def test_many_threads_leave_a_sound_cache_and_see_only_what_was_written() -> None:
    bench = CacheBench(max_bytes=12_000)
    keys = [{"pk": {"S": str(number)}} for number in range(12)]
    versions = dict.fromkeys(range(12), 0)
    locks = [threading.Lock() for _ in keys]
    wrong: list[Any] = []

    def work(seed: int) -> None:
        for turn in range(400):
            number = (seed * 7 + turn * (seed + 1)) % len(keys)
            key = keys[number]
            floor = versions[number]
            found = bench.get(key)
            if found not in ("unknown", None) and int(found["v"]["N"]) < floor:
                wrong.append((floor, found))
            if turn % 5 == 0:
                with bench.writing(key) as flight:
                    with locks[number]:  # DynamoDB applies one write after the other
                        new = versions_applied[number] = versions_applied[number] + 1
                    flight.apply(Change(PLACE, key, new={**key, "v": {"N": str(new)}}))
                versions[number] = max(versions[number], new)
            elif found == "unknown":
                with bench.flight(key) as flight:
                    flight.fill(flight.item(item_key(key), {**key, "v": {"N": str(versions_applied[number])}}))
            if turn % 97 == 0:
                bench.cache.clear()

    versions_applied = dict.fromkeys(range(12), 0)
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    for number, key in enumerate(keys):
        found = bench.get(key)
        assert found == "unknown" or int(found["v"]["N"]) == versions_applied[number]
