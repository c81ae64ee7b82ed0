"""The near cache: bounded in bytes, and true as long as it hears of every change."""

from typing import Any

import pytest

from daxlite.aggregations import AggregationCache
from daxlite.aggregations.engine.near import CHANGES_KEPT_FOR, NearCache
from daxlite.aggregations.stored_result import StoredResult
from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.shared.tags import EVERYTHING
from tests.aggregation_fixtures import check
from tests.aggregations.scripted import (
    Clock,
    Counted,
    Process,
    World,
    scripted_hearing,
)


def entry(payload: bytes = b"x", *tags: bytes) -> StoredResult:
    template = StoredResult.__struct_fields__
    values: dict[str, Any] = dict.fromkeys(template, 0.0)
    values |= {"payload": payload, "tags": tags or (EVERYTHING,), "tokens": (b"s",) * max(len(tags), 1)}
    values["extents"] = (EVERY_EXTENT,) * max(len(tags), 1)
    return StoredResult(**values)


@pytest.fixture
def process(world: World) -> Process:
    made = world.process(near_bytes=20_000)
    made.hearing.listen()
    made.hearing.pump()
    return made


@pytest.fixture
def near(process: Process) -> NearCache:
    return process.cache._near


def put(near: NearCache, key: bytes, kept: StoredResult) -> None:
    near.put(key, kept, near.now())


def test_what_is_put_is_there_until_a_tag_of_it_changes(near: NearCache) -> None:
    one, other = entry(b"1", b"a", b"b"), entry(b"2", b"b", b"c")
    put(near, b"one", one)
    put(near, b"other", other)
    near.bump({b"unknown": EVERY_EXTENT})
    assert (near.get(b"one", ()), near.get(b"other", ())) == (one, other)
    near.bump({b"a": EVERY_EXTENT})
    assert (near.get(b"one", ()), near.get(b"other", ())) == (None, other)
    near.bump({b"b": EVERY_EXTENT})
    assert near.get(b"other", ()) is None
    assert near.size() == (0, 0)


def test_p3_what_changed_since_it_was_true_is_not_kept(near: NearCache) -> None:
    since = near.now()
    near.bump({b"a": EVERY_EXTENT})
    near.put(b"one", entry(b"1", b"a"), since)
    assert near.get(b"one", ()) is None
    near.put(b"one", entry(b"1", b"a"), near.now())
    assert near.get(b"one", ()) is not None


def test_p3_what_began_before_the_changes_that_are_remembered_is_not_kept(world: World, near: NearCache) -> None:
    since = near.now()
    near.bump({b"a": EVERY_EXTENT})
    world.clock.advance(CHANGES_KEPT_FOR)
    near.bump({b"another": EVERY_EXTENT})
    near.put(b"one", entry(b"1", b"a"), since)
    assert near.get(b"one", ()) is None


def test_p5_clones_of_one_process_hear_each_other(world: World) -> None:
    """Two machines that are restored from one snapshot of memory know the same of themselves."""
    one, other = world.process(), world.process()
    for process in (one, other):
        process.hearing.listen()
        process.hearing.pump()
    vars(other.hearing).update(
        {name: value for name, value in vars(one.hearing).items() if isinstance(value, bytes | str)}
    )
    source = Counted(1)
    in_one, in_other = (process.cache.cached(tags=["x"])(source) for process in (one, other))
    in_one(), in_other(), in_other()
    assert other.counts.near_hits == 1
    source.value = 2
    one.cache.invalidate_tags("x")
    assert in_other() == 2


def test_p5_a_machine_that_was_frozen_believes_nothing_until_it_hears_anew(world: World) -> None:
    """Its monotonic clock stood still, and the server gave its connection up meanwhile: a change was not heard."""
    wall = Clock()
    process, other = world.process(), world.process()
    process.hearing._wall_clock = wall
    process.hearing.listen()
    process.hearing.pump()
    source = Counted(1)
    total = process.cache.cached(tags=["x"])(source)
    total(), total()
    assert process.counts.near_hits == 1
    process.hearing.is_deaf = True
    source.value = 2
    other.cache.invalidate_tags("x")
    wall.advance(3600)
    assert total() == 2
    assert process.counts.near_hits == 1
    process.hearing.is_deaf = False
    process.hearing.lose()
    process.hearing.listen()
    process.hearing.pump()
    assert [total(), total()] == [2, 2]
    assert process.counts.near_hits == 2, "it hears again"


def test_p5_what_began_before_it_listened_anew_is_not_kept(process: Process, near: NearCache) -> None:
    since = near.now()
    process.hearing.lose()
    process.hearing.listen()
    process.hearing.pump()
    near.put(b"one", entry(), since)
    assert near.size() == (0, 0)
    near.put(b"one", entry(), near.now())
    assert near.get(b"one", ()) is not None


def test_p5_what_was_kept_before_it_listened_anew_is_not_given(process: Process, near: NearCache) -> None:
    put(near, b"one", entry())
    process.hearing.lose()
    assert near.get(b"one", ()) is None
    process.hearing.listen()
    assert near.get(b"one", ()) is None


def test_the_least_recently_used_goes_first_and_the_bytes_are_bounded(near: NearCache, process: Process) -> None:
    size = entry(b"x" * 1000, b"t").size
    most = 20_000 // size
    for number in range(most):
        put(near, b"%d" % number, entry(b"x" * 1000, b"t"))
    near.get(b"0", ())
    put(near, b"another", entry(b"x" * 1000, b"t"))
    assert near.get(b"0", ()) is not None
    assert near.get(b"1", ()) is None
    assert near.size() == (most, most * size)
    check(process.cache)


def test_what_is_larger_than_the_whole_is_not_kept_and_leaves_nothing(near: NearCache, process: Process) -> None:
    put(near, b"one", entry(b"1", b"a"))
    put(near, b"one", entry(b"x" * 20_000, b"b"))
    assert near.get(b"one", ()) is None, "nor is what was there before, which is older"
    assert near.size() == (0, 0)
    assert not near._changes.stamps
    check(process.cache)


def test_an_entry_counts_more_than_its_bytes() -> None:
    assert entry(b"x" * 100, b"a", b"b").size - entry(b"x" * 100, b"a").size >= 16 + 12
    assert entry(b"").size > 500


def test_a_result_put_again_takes_the_place_of_the_first(near: NearCache, process: Process) -> None:
    put(near, b"one", entry(b"1", b"a"))
    put(near, b"one", entry(b"2", b"b"))
    assert near.size()[0] == 1
    near.bump({b"a": EVERY_EXTENT})
    assert near.get(b"one", ()) is not None
    check(process.cache)


def test_no_stamp_is_kept_that_nothing_needs(world: World, near: NearCache) -> None:
    for number in range(20):
        put(near, b"%d" % number, entry(b"x" * 500, b"a%d" % number))
    near.bump({b"a1": EVERY_EXTENT, b"never seen": EVERY_EXTENT})
    near.clear()
    world.clock.advance(CHANGES_KEPT_FOR)
    near.bump({})
    assert not near._changes.stamps
    assert near.size() == (0, 0)


def test_within_its_own_lock_it_gives_nothing_and_drops_everything_after(near: NearCache) -> None:
    """As a signal handler would find it."""
    put(near, b"one", entry())
    since = near.now()
    with near.lock.locked():
        assert near.get(b"one", ()) is None
        near.put(b"two", entry(), since)
        near.bump({b"a": EVERY_EXTENT})
        near.clear()
    assert near.get(b"one", ()) is None
    assert near.size() == (0, 0)


def test_p2_what_a_handler_changed_within_the_lock_is_not_kept_afterwards(near: NearCache) -> None:
    since = near.now()
    with near.lock.locked():
        near.bump({b"a": EVERY_EXTENT})
    near.put(b"one", entry(b"1", EVERYTHING, b"a"), since)
    assert near.get(b"one", ()) is None


def test_a_child_process_begins_empty(process: Process, near: NearCache) -> None:
    put(near, b"one", entry())
    process.cache._begin()
    assert near.size() == (0, 0)
    assert near.get(b"one", ()) is None


def test_p1_two_caches_of_one_namespace_in_one_process_hear_each_other_at_once(world: World) -> None:
    """One for threads and one for asyncio, say: a process is to see its own changes, however long its message takes."""
    one = world.process()
    source = Counted(0)
    client = one.cache._home.connections.threads.clients.client
    other = AggregationCache(client, "shop", clock=world.clock, wall_clock=world.clock, random=lambda: 0.0)
    hearing = scripted_hearing(other)
    hearing.listen()
    function = other.cached(name="f", tags=["x"], early_refresh=0)(source)
    function()
    for value in range(1, 4):
        function()
        before = other.stats().total.near_hits
        function()
        assert other.stats().total.near_hits == before + 1
        hearing.is_deaf = True  # what is published is still on its way
        source.value = value
        one.cache.invalidate_tags("x")
        assert function() == value
        hearing.is_deaf = False
