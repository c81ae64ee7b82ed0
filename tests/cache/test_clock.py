"""The change clock: a holder of a tag sees each change of it, and the tag settles for a while after one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.cache.clock import MAX_SETTLING, ChangeClock, changed_since
from daxlite.core.tags import Tag, item_tag, scan_tag
from tests.cache_bench import PLACE

A, B, C, D = (item_tag(PLACE, letter) for letter in (b"a", b"b", b"c", b"d"))
WINDOW = 5.0


def test_a_holder_of_a_tag_sees_its_changes_and_no_others() -> None:
    clock = ChangeClock()
    held, started = clock.hold([A, B]), clock.now
    assert not changed_since(held, started)
    clock.bump([C], 0.0)
    assert not changed_since(held, started)
    tick = clock.bump([B, C], 0.0)
    assert changed_since(held, started)
    assert not changed_since(held, tick), "what started after the change has seen it"
    assert not changed_since((), started)


def test_each_change_takes_the_next_tick_even_if_no_call_watches() -> None:
    clock = ChangeClock()
    assert [clock.bump([A], 0.0), clock.bump([], 0.0), clock.bump([A, B], 0.0)] == [1, 2, 3]
    assert clock.now == 3


def test_a_change_of_an_unwatched_tag_does_not_count_for_later_watchers() -> None:
    clock = ChangeClock()
    clock.bump([A], 0.0)
    held = clock.hold([A])
    assert not changed_since(held, clock.now)


def test_all_holders_of_a_tag_hold_one_stamp_and_the_last_to_go_forgets_it() -> None:
    clock = ChangeClock()
    one, other = clock.hold([A]), clock.hold([A, B])
    assert one[0] is other[0]
    assert clock.stamps.keys() == {A, B}
    clock.release(one)
    clock.bump([A], 0.0)
    assert changed_since(other, 0), "the other one still watches"
    clock.hold_again(other)
    clock.release(other)
    assert clock.stamps.keys() == {A, B}
    clock.release(other)
    assert clock.stamps == {}


def test_a_change_of_an_unwatched_tag_leaves_nothing_behind() -> None:
    clock = ChangeClock()
    for number in range(100):
        clock.bump([item_tag(PLACE, b"%d" % number)], 0.0)
    assert clock.stamps == {}
    assert not clock.settling


# Settling


@pytest.mark.parametrize("is_watched", [False, True])
def test_a_tag_settles_from_its_change_until_the_window_is_over(is_watched: bool) -> None:
    clock = ChangeClock(WINDOW)
    if is_watched:
        clock.hold([A])
    assert not clock.is_settling(clock.hold([A]), 100.0), "it has not changed yet"
    clock.bump([A], 100.0)
    held, other = clock.hold([B, A]), clock.hold([B])
    assert clock.is_settling(held, 100.0)
    assert clock.is_settling(held, 104.99)
    assert not clock.is_settling(held, 105.0)
    assert not clock.is_settling(other, 100.0)
    assert not clock.is_settling((), 100.0)


def test_the_window_begins_anew_with_each_change() -> None:
    clock = ChangeClock(WINDOW)
    clock.bump([A], 100.0)
    clock.bump([A], 103.0)
    clock.bump([B], 106.0)  # tags that have settled are forgotten
    assert clock.is_settling(clock.hold([A]), 107.9)
    assert not clock.is_settling(clock.hold([A]), 108.0)


def test_without_a_window_nothing_settles() -> None:
    clock = ChangeClock(0.0)
    held = clock.hold([A])
    clock.bump([A], 100.0)
    assert not clock.is_settling(held, 100.0)
    assert not clock.settling


def test_what_has_settled_is_forgotten_with_the_next_change() -> None:
    clock = ChangeClock(WINDOW)
    for number in range(10):
        clock.bump([item_tag(PLACE, b"%d" % number)], 100.0 + number)
    assert len(clock.settling) == len(clock.stamps) == 5
    clock.bump([A], 200.0)
    assert clock.settling.keys() == clock.stamps.keys() == {A}


def test_a_tag_that_changed_again_stays_longer_than_one_that_did_not() -> None:
    clock = ChangeClock(WINDOW)
    clock.bump([A], 100.0)
    clock.bump([B], 101.0)
    clock.bump([A], 104.0)
    clock.bump([], 106.0)
    assert clock.settling.keys() == {A}, "B has settled; A, which changed before it and after it, has not"
    assert clock.is_settling(clock.hold([A]), 108.0)


def test_settling_and_holding_are_independent() -> None:
    clock = ChangeClock(WINDOW)
    held = clock.hold([A])
    clock.bump([A], 100.0)
    clock.release(held)
    held = clock.hold([A])
    assert clock.is_settling(held, 104.0), "only the list held it for a while"
    clock.bump([], 105.0)
    assert clock.stamps.keys() == {A}, "the list released it, but a call holds it"
    clock.release(held)
    assert clock.stamps == {}


# The bound, and the floor


def test_beyond_the_bound_the_floor_rises_and_everything_counts_as_settling() -> None:
    clock = ChangeClock(WINDOW, most_settling=2)
    never_changed = clock.hold([D])
    clock.bump([A], 100.0)
    clock.bump([B], 101.0)
    assert not clock.is_settling(never_changed, 101.0), "two fit"
    clock.bump([C], 102.0)
    assert clock.settling.keys() == {B, C}
    assert A not in clock.stamps
    assert clock.is_settling(never_changed, 104.99), "it could be the forgotten one"
    assert clock.is_settling(clock.hold([A]), 104.99)
    assert not clock.is_settling(never_changed, 105.0), "the floor, which stands where A changed, has settled"
    assert not clock.is_settling(clock.hold([A]), 105.0)
    assert clock.is_settling(clock.hold([B]), 105.0)


def test_the_floor_never_falls() -> None:
    clock = ChangeClock(WINDOW, most_settling=1)
    for number, tag in enumerate((A, B, A, B, C)):
        clock.bump([tag], 100.0 + number)
    assert clock.is_settling(clock.hold([D]), 107.99)
    assert not clock.is_settling(clock.hold([D]), 108.0)


def test_a_tag_that_was_pushed_out_and_is_still_held_knows_its_change() -> None:
    clock = ChangeClock(WINDOW, most_settling=1)
    held, started = clock.hold([A]), clock.now
    clock.bump([A], 100.0)
    clock.bump([B], 100.0)
    assert changed_since(held, started)
    assert clock.stamps.keys() == {A, B}


def test_the_bound_holds_for_one_change_of_many_tags() -> None:
    clock = ChangeClock(WINDOW, most_settling=10)
    clock.bump([item_tag(PLACE, b"%d" % number) for number in range(1000)], 100.0)
    assert len(clock.settling) == len(clock.stamps) == 10
    assert clock.is_settling(clock.hold([A]), 104.0)
    assert 1_000 <= MAX_SETTLING <= 1_000_000


TAGS = [A, B, C, D, scan_tag(PLACE, None)]
STEPS = st.lists(st.tuples(st.floats(0, 3), st.sets(st.sampled_from(TAGS), max_size=3)), max_size=25)


@given(STEPS, st.floats(0, 8), st.integers(1, 6))
def test_no_change_within_the_window_is_ever_missed(
    steps: list[tuple[float, set[Tag]]], wait: float, most: int
) -> None:
    """Against the simplest of models: when each tag last changed. Too much may count as settling, never too little."""
    clock, last, moment = ChangeClock(WINDOW, most), dict[Tag, float](), 0.0
    pushed_out = False
    for seconds, tags in steps:
        moment += seconds
        clock.bump(tags, moment)
        last |= dict.fromkeys(tags, moment)
        pushed_out |= sum(changed > moment - WINDOW for changed in last.values()) > most
        assert len(clock.settling) <= most
        assert clock.stamps.keys() == clock.settling.keys()
    moment += wait
    for tag in TAGS:
        must: Any = last.get(tag, -100.0) > moment - WINDOW
        held = clock.hold([tag])
        settles = clock.is_settling(held, moment)
        clock.release(held)
        assert settles or not must
        assert pushed_out or settles == must, "without the floor it is exact"
