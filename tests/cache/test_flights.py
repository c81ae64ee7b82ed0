"""Flights: who joins whom, who is woken, and what of it is stored."""

import contextlib
import threading
from typing import Any

import pytest

from daxlite.cache.flights import MAX_WAIT, Flight
from daxlite.core.changes import Change
from daxlite.core.requests import ItemRead, PageRead
from daxlite.core.schema import item_key
from tests.cache.room import ID, KEY, NEW, OLD, Room

OTHER = {"pk": {"S": "other"}}


def reading(room: Room, key: dict[str, Any] = KEY, part: bytes | None = None) -> Flight:
    """A read of an item, or of a part of it, that others may join. Not started."""
    encoded = item_key(key)
    place = room.table.item(encoded) if part is None else room.table.projected_item(encoded, part)
    return room.cache.flight(room.table, ItemRead(encoded), place)


def paging(room: Room, index: str | None = "g", kind: Any = "query", owner: str = "ann") -> Flight:
    read = PageRead(kind, index, b"q", {"owner": {"S": owner}, "pk": {"S": owner}})
    return room.cache.flight(room.table, read, room.table.page(kind, b"q"))


# Who joins whom


def test_the_second_reader_joins_the_first() -> None:
    room = Room()
    with reading(room) as first, reading(room) as second, reading(room) as third:
        assert first.start_or_join() is None
        assert second.start_or_join() is first
        assert third.start_or_join() is first
        assert room.cache.stats().in_flight == 1, "who joins is not under way"
    assert room.cache.stats().in_flight == 0


def test_other_things_are_not_joined() -> None:
    room = Room()
    flights = [reading(room), reading(room, OTHER), reading(room, part=b"p"), paging(room), paging(room, kind="scan")]
    assert [flight.start_or_join() for flight in flights] == [None] * 5
    for flight in flights:
        flight.__exit__()


def test_one_that_landed_is_not_joined() -> None:
    room = Room()
    with reading(room) as first:
        first.start_or_join()
    with reading(room) as second:
        assert second.start_or_join() is None


def test_calls_that_nobody_may_join_are_not_joined_and_join_nobody() -> None:
    """A write, say: it has no place in the cache to be found at."""
    room = Room()
    with reading(room) as reader:
        assert reader.start_or_join() is None
        with room.flight(), room.flight() as another:
            another.__exit__()
            assert another.start_or_join() is None


@pytest.mark.parametrize(
    "change",
    [
        lambda room: room.cache.apply(Change(ID, KEY)),
        lambda room: room.cache.apply(Change(ID)),
        lambda room: room.cache.clear(),
        lambda room: room.cache.invalidate("T"),
        lambda room: room.cache.invalidate("T", KEY),
        lambda room: room.cache.forget(room.table),
        lambda room: room.write(NEW),
    ],
    ids=["item", "table", "clear", "invalidate", "invalidate key", "forget", "write"],
)
@pytest.mark.parametrize("read", [reading, lambda room: reading(room, part=b"p"), paging], ids=["item", "part", "page"])
def test_a_reader_that_starts_after_a_change_does_not_join(change: Any, read: Any) -> None:
    room = Room()
    with read(room) as early, read(room) as before, read(room) as after, read(room) as last:
        early.start_or_join()
        assert before.start_or_join() is early
        change(room)
        assert after.start_or_join() is None
        assert last.start_or_join() is after, "the later one is joined from here on"


def test_a_change_of_something_else_is_no_reason_not_to_join() -> None:
    room = Room()
    with reading(room) as first, reading(room) as second:
        first.start_or_join()
        room.write(NEW, OTHER)
        assert second.start_or_join() is first


def test_an_early_flight_that_lands_late_leaves_the_later_one_to_be_joined() -> None:
    room = Room()
    with reading(room) as later:
        with reading(room) as early:
            early.start_or_join()
            room.write(NEW)
            assert later.start_or_join() is None
        with reading(room) as reader:
            assert reader.start_or_join() is later
    with reading(room) as reader:
        assert reader.start_or_join() is None


@pytest.mark.parametrize("error", [None, ValueError("DynamoDB said no"), KeyboardInterrupt()], ids=repr)
def test_followers_are_woken_whatever_becomes_of_the_leader(error: BaseException | None) -> None:
    room = Room()
    woken: list[bytes | None] = []

    def follow() -> None:
        leader.wait()
        woken.append(leader.answer)

    thread = threading.Thread(target=follow, daemon=True)
    leader = reading(room)
    with contextlib.suppress(ValueError, KeyboardInterrupt), leader, reading(room) as follower:
        leader.start_or_join()
        assert follower.start_or_join() is leader
        thread.start()
        if error is not None:
            raise error
        leader.fill_item(item_key(KEY), None)
    thread.join(10)
    assert not thread.is_alive(), "the follower hangs"
    assert woken == [b"" if error is None else None], "an answer, though it is that there is nothing; or none"


def test_a_wait_ends_by_itself() -> None:
    waited: list[float | None] = []

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            return False

    room = Room()
    room.cache._state.new_latch = Event
    with reading(room) as leader, reading(room) as follower:
        leader.start_or_join()
        follower.start_or_join()
        leader.wait()
        follower.start()  # by itself, as nothing came
        assert room.cache.stats().in_flight == 2
        with reading(room) as third:
            assert third.start_or_join() is follower
    assert waited == [MAX_WAIT]


def test_a_flight_that_nobody_joined_makes_no_event() -> None:
    room = Room()
    made: list[threading.Event] = []

    def new_event() -> threading.Event:
        made.append(threading.Event())
        return made[-1]

    room.cache._state.new_latch = new_event
    room.fill()
    with reading(room) as alone:
        alone.start_or_join()
        alone.wait()
        assert made == []
        for _ in range(3):
            reading(room).start_or_join()
        assert len(made) == 1, "one for all who join"


def test_the_answer_is_there_for_followers_even_if_it_is_not_stored() -> None:
    """They asked before the change, so an answer from before it is one that they could have got."""
    room = Room()
    with reading(room) as leader, reading(room) as follower:
        leader.start_or_join()
        follower.start_or_join()
        room.cache.apply(Change(ID, KEY))
        leader.fill_item(item_key(KEY), OLD)
        assert leader.answer
    assert room.get() == "unknown"
    assert room.count().discarded_fills == 1


# Settling, and time


@pytest.mark.parametrize("is_consistent", [False, True])
def test_what_settled_when_the_read_started_is_stored_only_if_it_was_read_strongly(is_consistent: bool) -> None:
    room = Room(settle_window=5)
    room.cache.apply(Change(ID, KEY))
    room.clock.now += 4.9
    with reading(room) as item, paging(room, index=None, owner="a") as page, reading(room, OTHER) as other:
        for flight in (item, page, other):
            flight.start_or_join()
        assert [flight.is_settling for flight in (item, page, other)] == [True, True, False]
        room.clock.now += 60  # the window is over when the answer comes, but a replica gave it before
        for flight in (item, page):
            room.cache.note_strength(flight, is_consistent)
        item.fill_item(item_key(KEY), NEW)
        page.fill_page("query", b"q", {"Count": 1})
        other.fill_item(item_key(OTHER), OLD)
    assert room.get() == (NEW if is_consistent else "unknown")
    assert room.has_page() is is_consistent
    assert room.get(OTHER) == OLD
    discarded = 0 if is_consistent else 1
    assert [room.count(kind).discarded_fills for kind in ("item", "query")] == [discarded, discarded]
    assert [room.count(kind).consistent_misses for kind in ("item", "query")] == [1 - discarded] * 2


def test_a_strong_read_is_not_stored_if_something_changed_meanwhile() -> None:
    room = Room(settle_window=5)
    room.cache.apply(Change(ID, KEY))
    with reading(room) as flight:
        flight.start_or_join()
        room.cache.note_strength(flight, True)
        room.cache.apply(Change(ID, KEY))
        flight.fill_item(item_key(KEY), OLD)
    assert room.get() == "unknown"


def test_what_was_written_is_stored_though_it_settles() -> None:
    room = Room(settle_window=5)
    room.write(OLD)
    room.write(NEW)
    assert room.get() == NEW


def test_the_time_that_a_call_took_counts_against_its_ttl() -> None:
    room = Room(item_ttl=10, query_ttl=10, jitter=0)
    reads = item, part, page = reading(room), reading(room, part=b"p"), paging(room, None)
    with item, part, page, room.flight(OTHER) as write:
        for flight in reads:
            flight.start_or_join()
        room.clock.now += 9
        item.fill_item(item_key(KEY), OLD)
        part.fill_projection(item_key(KEY), b"p", {"v": OLD["v"]})
        page.fill_page("query", b"q", {"Count": 0})
        write.apply(Change(ID, OTHER, new={**OTHER}))
    room.clock.now += 0.99
    assert (room.get(), room.get(OTHER), room.has_page()) == (OLD, OTHER, True)
    room.clock.now += 0.01
    assert (room.get(), room.get(OTHER), room.has_page()) == ("unknown", "unknown", False)
    place = room.table.projected_item(item_key(KEY), b"p")
    assert room.cache.lookup(room.table.counters["item"], place) is None
