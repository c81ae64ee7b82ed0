"""Flights: which reader follows which leader, when followers are woken, and what is stored."""

import contextlib
import threading
from typing import Any

import pytest

from daxlite.cache.flights import ReadFlight
from daxlite.core.changes import Change
from daxlite.core.requests import ItemRead, PageRead
from daxlite.core.schema import item_key
from daxlite.latch import Latch
from tests.cache_bench import KEY, NEW, OLD, PLACE, CacheBench

OTHER = {"pk": {"S": "other"}}


pytestmark = pytest.mark.usefixtures("threads")


def reading(bench: CacheBench, key: dict[str, Any] = KEY, part: bytes | None = None) -> ReadFlight:
    """A read of an item, or of a part of it, that others may join. Not started."""
    encoded = item_key(key)
    place = bench.table.item(encoded) if part is None else bench.table.projected_item(encoded, part)
    return bench.memory.read_flight(bench.table, ItemRead(encoded), place)


def paging(bench: CacheBench, index: str | None = "g", kind: Any = "query", owner: str = "ann") -> ReadFlight:
    read = PageRead(kind, index, b"q", {"owner": {"S": owner}, "pk": {"S": owner}})
    return bench.memory.read_flight(bench.table, read, bench.table.page(kind, b"q"))


# Leaders and followers


def test_the_second_reader_joins_the_first() -> None:
    bench = CacheBench()
    with reading(bench) as first, reading(bench) as second, reading(bench) as third:
        assert first.start_or_follow() is None
        assert second.start_or_follow() is first
        assert third.start_or_follow() is first
        assert bench.cache.stats().in_flight == 1, "a follower is not in flight itself"
    assert bench.cache.stats().in_flight == 0


def test_other_things_are_not_joined() -> None:
    bench = CacheBench()
    flights = [
        reading(bench),
        reading(bench, OTHER),
        reading(bench, part=b"p"),
        paging(bench),
        paging(bench, kind="scan"),
    ]
    assert [flight.start_or_follow() for flight in flights] == [None] * 5
    for flight in flights:
        flight.__exit__()


def test_a_flight_that_landed_is_not_joined() -> None:
    bench = CacheBench()
    with reading(bench) as first:
        first.start_or_follow()
    with reading(bench) as second:
        assert second.start_or_follow() is None


def test_calls_that_may_not_be_shared_have_no_followers_and_follow_no_leader() -> None:
    """A write, say: it has no place in the cache to be found at."""
    bench = CacheBench()
    with reading(bench) as reader:
        assert reader.start_or_follow() is None
        with bench.flight(), bench.flight() as another:
            another.__exit__()
            assert another.start_or_follow() is None


@pytest.mark.parametrize(
    "change",
    [
        lambda bench: bench.memory.apply(Change(PLACE, KEY)),
        lambda bench: bench.memory.apply(Change(PLACE)),
        lambda bench: bench.cache.clear(),
        lambda bench: bench.cache.invalidate("T"),
        lambda bench: bench.cache.invalidate("T", KEY),
        lambda bench: bench.memory.forget(bench.table),
        lambda bench: bench.write(NEW),
    ],
    ids=["item", "table", "clear", "invalidate", "invalidate key", "forget", "write"],
)
@pytest.mark.parametrize(
    "read", [reading, lambda bench: reading(bench, part=b"p"), paging], ids=["item", "part", "page"]
)
def test_a_reader_that_starts_after_a_change_does_not_join(change: Any, read: Any) -> None:
    bench = CacheBench()
    with read(bench) as early, read(bench) as before, read(bench) as after, read(bench) as last:
        early.start_or_follow()
        assert before.start_or_follow() is early
        change(bench)
        assert after.start_or_follow() is None
        assert last.start_or_follow() is after, "the later one is joined from here on"


def test_a_change_of_another_item_does_not_prevent_joining() -> None:
    bench = CacheBench()
    with reading(bench) as first, reading(bench) as second:
        first.start_or_follow()
        bench.write(NEW, OTHER)
        assert second.start_or_follow() is first


def test_an_early_flight_that_lands_late_leaves_the_later_one_to_be_joined() -> None:
    bench = CacheBench()
    with reading(bench) as later:
        with reading(bench) as early:
            early.start_or_follow()
            bench.write(NEW)
            assert later.start_or_follow() is None
        with reading(bench) as reader:
            assert reader.start_or_follow() is later
    with reading(bench) as reader:
        assert reader.start_or_follow() is None


@pytest.mark.parametrize("error", [None, ValueError("DynamoDB said no"), KeyboardInterrupt()], ids=repr)
def test_followers_are_woken_when_the_leader_returns_or_raises(error: BaseException | None) -> None:
    bench = CacheBench()
    woken: list[bytes | None] = []

    def follow() -> None:
        assert leader.latch is not None
        leader.latch.wait(10)
        woken.append(leader.answer)

    thread = threading.Thread(target=follow, daemon=True)
    leader = reading(bench)
    with contextlib.suppress(ValueError, KeyboardInterrupt), leader, reading(bench) as follower:
        leader.start_or_follow()
        assert follower.start_or_follow() is leader
        thread.start()
        if error is not None:
            raise error
        leader.fill(leader.item(item_key(KEY), None))
    thread.join(10)
    assert not thread.is_alive(), "the follower hangs"
    assert woken == [b"" if error is None else None], "an answer, though it is that there is nothing; or none"


def test_followers_are_released_at_once_when_everything_is_dropped() -> None:
    bench = CacheBench()
    with reading(bench) as leader, reading(bench) as follower:
        leader.start_or_follow()
        assert follower.start_or_follow() is leader
        assert leader.latch is not None
        assert not leader.latch.is_open
        bench.cache.clear()
        assert leader.latch.is_open
        assert leader.answer is None


def test_a_leader_that_starts_again_after_everything_was_dropped_is_waited_for_anew() -> None:
    """While it describes the table, say: the followers of before were released, and those of now are not yet."""
    bench = CacheBench()
    with reading(bench) as leader, reading(bench) as before, reading(bench) as after:
        leader.start_or_follow()
        assert before.start_or_follow() is leader
        bench.cache.clear()
        leader.catch_up(bench.table, bench.table.item(item_key(KEY)))
        assert after.start_or_follow() is leader
        assert leader.latch is not None
        assert not leader.latch.is_open
        leader.fill(leader.item(item_key(KEY), OLD))
        assert leader.latch.is_open
    assert bench.get() == OLD


def test_a_follower_that_waited_in_vain_reads_by_itself_and_is_followed_in_its_turn() -> None:
    bench = CacheBench()
    with reading(bench) as leader, reading(bench) as follower:
        leader.start_or_follow()
        assert follower.start_or_follow() is leader
        follower.start()
        assert bench.cache.stats().in_flight == 2
        with reading(bench) as third:
            assert third.start_or_follow() is follower


def test_a_flight_without_followers_makes_no_latch() -> None:
    bench = CacheBench()
    made: list[Latch] = []

    def new_latch() -> Latch:
        made.append(Latch())
        return made[-1]

    bench.memory._state.new_latch = new_latch
    bench.fill()
    with reading(bench) as alone:
        alone.start_or_follow()
        assert made == []
        for _ in range(3):
            reading(bench).start_or_follow()
        assert len(made) == 1, "one latch for all followers"


def test_the_answer_is_there_for_followers_even_if_it_is_not_stored() -> None:
    """They asked before the change, so an answer from before it is one that they could have got."""
    bench = CacheBench()
    with reading(bench) as leader, reading(bench) as follower:
        leader.start_or_follow()
        follower.start_or_follow()
        bench.memory.apply(Change(PLACE, KEY))
        leader.fill(leader.item(item_key(KEY), OLD))
        assert leader.answer
    assert bench.get() == "unknown"
    assert bench.count().discarded_fills == 1


# Settling, and time


@pytest.mark.parametrize("is_consistent", [False, True])
def test_what_settled_when_the_read_started_is_stored_only_if_it_was_read_strongly(is_consistent: bool) -> None:
    bench = CacheBench(settle_window=5)
    bench.memory.apply(Change(PLACE, KEY))
    bench.clock.now += 4.9
    with reading(bench) as item, paging(bench, index=None, owner="a") as page, reading(bench, OTHER) as other:
        for flight in (item, page, other):
            flight.start_or_follow()
        assert [flight.is_settling for flight in (item, page, other)] == [True, True, False]
        bench.clock.now += 60  # the window is over when the answer comes, but a replica gave it before
        for flight in (item, page):
            bench.memory.note_strength(flight, is_consistent)
        item.fill(item.item(item_key(KEY), NEW))
        page.fill(page.page("query", b"q", {"Count": 1}))
        other.fill(other.item(item_key(OTHER), OLD))
    assert bench.get() == (NEW if is_consistent else "unknown")
    assert bench.has_page() is is_consistent
    assert bench.get(OTHER) == OLD
    discarded = 0 if is_consistent else 1
    assert [bench.count(kind).discarded_fills for kind in ("item", "query")] == [discarded, discarded]
    assert [bench.count(kind).consistent_misses for kind in ("item", "query")] == [1 - discarded] * 2


def test_a_strong_read_is_not_stored_if_something_changed_meanwhile() -> None:
    bench = CacheBench(settle_window=5)
    bench.memory.apply(Change(PLACE, KEY))
    with reading(bench) as flight:
        flight.start_or_follow()
        bench.memory.note_strength(flight, True)
        bench.memory.apply(Change(PLACE, KEY))
        flight.fill(flight.item(item_key(KEY), OLD))
    assert bench.get() == "unknown"


def test_p3_an_entry_has_the_tick_at_which_its_read_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second line of defence: an answer from before a change is not served, even if it came to be stored."""
    bench = CacheBench()
    monkeypatch.setattr(ReadFlight, "is_overtaken", False)
    with paging(bench) as page:
        page.start_or_follow()
        bench.write(NEW)
        page.fill(page.page("query", b"q", {"Count": 0}))
    assert bench.count("query").fills == 1
    assert not bench.has_page()


def test_what_was_written_is_stored_though_it_settles() -> None:
    bench = CacheBench(settle_window=5)
    bench.write(OLD)
    bench.write(NEW)
    assert bench.get() == NEW


def test_the_time_that_a_call_took_counts_against_its_ttl() -> None:
    bench = CacheBench(item_ttl=10, query_ttl=10, jitter=0)
    reads = item, part, page = reading(bench), reading(bench, part=b"p"), paging(bench, None)
    with item, part, page, bench.memory.write_flight(bench.table, item_key(OTHER)) as write:
        for flight in reads:
            flight.start_or_follow()
        bench.clock.now += 9
        item.fill(item.item(item_key(KEY), OLD))
        part.fill(part.projection(item_key(KEY), b"p", {"v": OLD["v"]}))
        page.fill(page.page("query", b"q", {"Count": 0}))
        write.apply(Change(PLACE, OTHER, new={**OTHER}))
    bench.clock.now += 0.99
    assert (bench.get(), bench.get(OTHER), bench.has_page()) == (OLD, OTHER, True)
    bench.clock.now += 0.01
    assert (bench.get(), bench.get(OTHER), bench.has_page()) == ("unknown", "unknown", False)
    place = bench.table.projected_item(item_key(KEY), b"p")
    assert bench.memory.lookup(bench.table.counters["item"], place) is None
