"""The lock of a cache: no interruption leaves it taken, and no re-entry is forgotten."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from daxlite import Cache
from daxlite.cache.lock import Lock, Reentered
from tests.cache_bench import OLD, CacheBench
from tests.collector import held_off
from tests.interrupting import Limit, answers_elsewhere, interrupted, is_of_the_lock

CACHE: dict[str, Callable[[Cache], Any]] = {
    "stats": Cache.stats,
    "clear": Cache.clear,
    "invalidate": lambda cache: cache.invalidate("table"),
}


@pytest.mark.parametrize("name", CACHE)
def test_the_item_cache_can_be_used_after_an_interruption_at_any_moment_of_its_lock(name: str) -> None:
    cache, number = Cache(), 0
    while interrupted(lambda: CACHE[name](cache), is_of_the_lock, number) is not None:
        assert answers_elsewhere(cache.stats), f"moment {number} left it locked"
        assert cache.stats().faults == 0
        number += 1
    assert number > 2, "nothing was interrupted"


@pytest.mark.parametrize(
    "drop", [Cache.clear, lambda cache: cache._memory.invalidate_all()], ids=["clear", "invalidate_all"]
)
def test_everything_is_dropped_in_as_many_steps_as_there_are_tables(drop: Callable[[Cache], Any]) -> None:
    """And the entries go when the lock is free."""
    steps = []
    for entries in (10, 500):
        bench = CacheBench()
        for number in range(entries):
            bench.fill({**OLD, "pk": {"S": str(number)}}, {"pk": {"S": str(number)}})
            bench.fill_page(str(number))
        lock, counted = bench.memory._state._lock._mutex, [0, 0]

        def count(frame: FrameType, event: str, argument: Any, lock: Any = lock, counted: Any = counted) -> Any:
            frame.f_trace_opcodes = True
            counted[lock._is_owned()] += 1
            return count

        freed_within: list[bool] = []
        weakref.finalize(
            bench.memory._state.entries, lambda lock=lock, freed=freed_within: freed.append(lock._is_owned())
        )
        before = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for a frame that asks for them at settrace alone
        with held_off():
            sys.settrace(count)
            try:
                drop(bench.cache)
            finally:
                sys.settrace(before)
        assert freed_within == [False]
        assert counted[False] > entries, "each entry is let go one by one, so that other threads run"
        assert bench.cache.stats().total.entries == 0
        steps.append(counted[True])
    assert steps[0] == steps[1] > 0


def test_after_a_call_within_a_call_the_entries_go_when_the_lock_is_free() -> None:
    bench = CacheBench()
    bench.fill()
    lock, freed_within = bench.memory._state._lock._mutex, []
    weakref.finalize(bench.memory._state.entries, lambda: freed_within.append(lock._is_owned()))  # type: ignore[attr-defined]
    with bench.memory._state.locked():
        be_turned_away(bench.memory._state._lock)
    bench.cache.stats()
    assert freed_within == [False]


def be_turned_away(lock: Lock) -> None:
    with pytest.raises(Reentered):
        lock.locked()


def test_a_re_entry_is_not_forgotten_when_what_follows_from_it_is_interrupted() -> None:
    """A call that was turned away counts on it that everything is dropped."""
    number = 0
    while True:
        recovered: list[int] = []
        lock = Lock(suspend=lambda: None, recover=lambda recovered=recovered: recovered.append(1))  # type: ignore[misc]

        def enter_twice(lock: Lock = lock) -> None:
            with lock.locked():
                be_turned_away(lock)
            with lock.locked():
                pass

        if interrupted(enter_twice, is_of_the_lock, number) is None:
            assert recovered
            break
        was_turned_away = lock._recovered != lock._reentries or bool(recovered)
        with lock.locked():
            pass
        if was_turned_away:
            assert recovered
        number += 1
    assert number > 5


def test_p7_a_recovery_that_an_exception_ends_is_repeated() -> None:
    """What the inner call changed may still stand in the cache."""
    recovered: list[int] = []

    def recover() -> None:
        recovered.append(1)
        if len(recovered) == 1:
            raise Limit

    lock = Lock(suspend=lambda: None, recover=recover)
    with lock.locked():
        be_turned_away(lock)
    with pytest.raises(Limit):
        lock.locked()
    for _ in range(2):
        with lock.locked():
            pass
    assert len(recovered) == 2


def test_the_lock_can_be_taken_though_the_exception_is_kept() -> None:
    """With its traceback and all frames, as an error reporter does."""
    number = 0
    while True:
        lock = Lock(suspend=lambda: None, recover=lambda: None)

        def enter(lock: Lock = lock) -> None:
            with lock.locked():
                pass

        error = interrupted(enter, is_of_the_lock, number)
        if error is None:
            break
        free: list[bool] = []

        def take(lock: Lock = lock, free: list[bool] = free) -> None:
            free.append(lock._mutex.acquire(timeout=0.1))
            if free[0]:
                lock._mutex.release()

        assert answers_elsewhere(take)
        assert free == [True], f"moment {number} left it locked"
        number += 1
    assert number > 3


def test_a_re_entry_while_the_cache_recovers_is_recovered_from_as_well() -> None:
    """What it wrote may not have reached all replicas, and counts as changed from its end on."""
    recovered: list[int] = []

    def recover() -> None:
        recovered.append(1)
        if len(recovered) == 1:
            be_turned_away(lock)

    lock = Lock(suspend=lambda: None, recover=recover)
    with lock.locked():
        be_turned_away(lock)
    for _ in range(3):
        with lock.locked():
            pass
    assert len(recovered) == 2
