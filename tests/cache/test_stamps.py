"""P4: a stamp forgets no change that a page covers, and remembers the last few exactly."""

import math

from hypothesis import given
from hypothesis import strategies as st

from daxlite.cache.clock import MAX_LOG, RECORD_OVERHEAD, ChangeClock, Record, Stamp
from daxlite.core.extents import EVERYTHING, Extent


def extent(low: int, high: int) -> Extent:
    return Extent(b"N%d" % min(low, high), b"N%d" % max(low, high))


places = st.integers(0, 9)
extents = st.builds(extent, places, places)
changes = st.lists(st.one_of(extents, extents, extents, st.just(EVERYTHING)), max_size=25)


def changed(history: list[Extent]) -> Stamp:
    stamp = Stamp("tag")
    for tick, touched in enumerate(history, 1):
        stamp.note(Record(tick, float(tick)), touched)
    return stamp


@given(changes, extents, st.integers(0, 25))
def test_p4_no_change_of_an_extent_is_forgotten(history: list[Extent], covered: Extent, tick: int) -> None:
    later = [number for number, touched in enumerate(history, 1) if number > tick and touched.meets(covered)]
    found = changed(history).change_since(tick, covered)
    if later:
        assert found is not None
        assert found[1].tick >= later[-1]
        assert found[0].meets(covered)
    every = [number for number, touched in enumerate(history, 1) if touched.meets(covered)]
    assert changed(history).last_change(covered) >= (every[-1] if every else -math.inf)


@given(changes, extents, st.integers(0, 25))
def test_p4_the_last_changes_are_remembered_exactly(history: list[Extent], covered: Extent, tick: int) -> None:
    """As many as the log takes."""
    if len(set(history[tick:])) > MAX_LOG:
        return
    later = [number for number, touched in enumerate(history, 1) if number > tick and touched.meets(covered)]
    found = changed(history).change_since(tick, covered)
    assert (None if found is None else found[1].tick) == (later[-1] if later else None)


def test_p4_beyond_the_log_the_hull_of_what_changed_counts() -> None:
    stamp = changed([extent(1, 1), extent(9, 9), *(extent(number, number) for number in range(2, 2 + MAX_LOG))])
    assert stamp.rest == (extent(1, 9), Record(2, 2.0))
    assert stamp.change_since(0, extent(0, 0)) is None
    assert stamp.change_since(1, extent(1, 1)) == (extent(1, 9), Record(2, 2.0)), "coarser than it was, and right"
    assert stamp.change_since(2, extent(1, 1)) is None


def test_a_change_that_came_late_counts_as_late_as_those_before_it() -> None:
    stamp = Stamp("tag")
    stamp.note(Record(1, 10.0), extent(1, 1))
    stamp.note(Record(2, 5.0), extent(1, 1))
    assert stamp.last_change(extent(1, 1)) == 10.0
    stamp.note(Record(3, 7.0), EVERYTHING)
    assert stamp.last_change(extent(1, 1)) == 10.0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.one_of(extents, st.just(EVERYTHING))), max_size=40))
def test_the_bytes_of_the_logs_are_counted(history: list[tuple[str, Extent]]) -> None:
    changes = ChangeClock(settle_window=3.0)
    held = changes.hold(["a", "b"])
    for moment, (tag, touched) in enumerate(history):
        changes.bump([tag], float(moment), extents={tag: touched})
        kept = {stamp.tag for stamp in changes.settling.values()}
        sizes = [stamp.size for stamp in changes.stamps.values() if stamp.tag not in kept]
        assert changes.bytes == sum(sizes)
        assert changes._settling_bytes == sum(stamp.size for stamp in changes.settling.values())
        for stamp in changes.stamps.values():
            assert stamp.size >= RECORD_OVERHEAD * len(stamp.log)
    changes.bump([], 100.0)
    changes.release(held)
    assert changes.bytes == changes._settling_bytes == 0
