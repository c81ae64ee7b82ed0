"""Around the end of a TTL: early refresh, stale while it is computed anew, stale where that fails."""

from typing import Any

import pytest

from daxlite.aggregations import (
    AggregationOptions,
)
from tests.aggregations.scripted import Counted, World

SECONDS = 10.0
"""How long a computation takes: with `random` just above 1 - 1/e it is due when so much of its TTL is left."""
ONE = 0.63213


def slow(world: World, value: object = 1) -> Counted:
    return Counted(value, lambda: world.clock.advance(SECONDS))


def fail() -> None:
    raise LookupError("no luck")


@pytest.mark.parametrize("near_bytes", [0, 1_000_000])
@pytest.mark.parametrize(("beta", "early_by"), [(1.0, 10.0), (3.0, 30.0)])
def test_xfetch_a_result_is_due_the_earlier_the_longer_it_takes(
    world: World, near_bytes: int, beta: float, early_by: float
) -> None:
    process, function = world.process(near_bytes=near_bytes, random=lambda: ONE), slow(world)
    total = process.cache.cached(ttl=100, jitter=0.0, early_refresh=beta)(function)
    total()
    function.value = 2
    world.clock.advance(100 - SECONDS - early_by - 0.1)
    assert total() == 1
    assert process.run_background() == 0
    world.clock.advance(0.2)
    assert total() == 1, "the old one is had at once"
    assert function.calls == 1
    assert process.run_background() == 1
    assert total() == 2
    counts = process.counts
    assert (counts.early_refreshes, counts.computations, counts.stale_hits, counts.misses) == (1, 2, 0, 1)


def test_xfetch_is_off_at_zero(world: World) -> None:
    process, function = world.process(random=lambda: 0.999999), slow(world)
    total = process.cache.cached(ttl=100, jitter=0.0, early_refresh=0)(function)
    total()
    world.clock.advance(100 - SECONDS - 0.1)
    total()
    assert (process.run_background(), function.calls) == (0, 1)


def test_xfetch_only_one_refreshes_in_all_processes(world: World) -> None:
    processes = [world.process(random=lambda: ONE) for _ in range(3)]
    functions = [slow(world) for _ in processes]
    totals = [
        process.cache.cached(ttl=100, jitter=0.0)(function)
        for process, function in zip(processes, functions, strict=True)
    ]
    for total in totals:
        total()
    world.clock.advance(100 - SECONDS - 5)
    for _ in range(3):
        assert [total() for total in totals] == [1, 1, 1]
    assert sum(len(process.driver.background) for process in processes) == 1, "another process has the lock"
    assert sum(process.run_background() for process in processes) == 1
    assert sum(function.calls for function in functions) == 2


@pytest.mark.parametrize("near_bytes", [0, 1_000_000])
def test_stale_while_revalidate_from_the_end_of_the_ttl_to_the_end_of_the_window(world: World, near_bytes: int) -> None:
    process, function = world.process(near_bytes=near_bytes), Counted()
    total = process.cache.cached(ttl=100, jitter=0.0, early_refresh=0, stale_while_revalidate=50)(function)
    total()
    function.value = 2
    world.clock.advance(99.9)
    assert (total(), process.counts.stale_hits, len(process.driver.background)) == (1, 0, 0)
    world.clock.advance(0.1)
    assert (total(), process.counts.stale_hits, function.calls) == (1, 1, 1)
    assert (total(), process.counts.stale_hits) == (1, 2), "others get it too"
    assert process.run_background() == 1, "but one computes"
    assert (total(), process.counts.stale_hits, process.counts.misses) == (2, 2, 1)
    function.value = 3
    world.clock.advance(149.9)
    assert total() == 2
    process.driver.background.clear()
    process.cache._engine.refreshing.clear()
    world.clock.advance(10.1)
    assert (total(), process.counts.misses) == (3, 2), "past the window it is computed before it is served"


def test_what_changed_is_not_served_stale(world: World) -> None:
    process, function = world.process(), Counted()
    total = process.cache.cached(ttl=100, jitter=0.0, stale_while_revalidate=50, tags=["x"])(function)
    total()
    world.clock.advance(110)
    function.value = 2
    process.cache.invalidate_tags("x")
    assert total() == 2


def test_a_background_refresh_that_fails_leaves_the_old_result_and_no_lock(world: World) -> None:
    process, function = world.process(), Counted()
    total = process.cache.cached(ttl=100, jitter=0.0, early_refresh=0, stale_while_revalidate=50)(function)
    total()
    world.clock.advance(110)
    total()
    function.takes = fail
    assert process.run_background() == 1
    assert not world.server.keys(":lock")
    assert total() == 1
    function.takes, function.value = lambda: None, 2
    assert process.run_background() == 1, "the next caller begins another one"
    assert total() == 2


def test_a_refresh_begun_while_redis_is_down_costs_nothing_and_blocks_nothing(world: World) -> None:
    process, function = world.process(), Counted()
    total = process.cache.cached(ttl=100, jitter=0.0, early_refresh=0, stale_while_revalidate=50)(function)
    total()
    world.clock.advance(110)
    world.server.failing = lambda command: OSError("down") if command[0] == "SET" else None
    assert total() == 1
    assert not process.cache._engine.refreshing
    assert process.run_background() == 0


@pytest.mark.parametrize("has_changed", [False, True])
@pytest.mark.parametrize("near_bytes", [0, 1_000_000])
def test_stale_if_error_up_to_its_limit_and_never_older(world: World, has_changed: bool, near_bytes: int) -> None:
    process, function = world.process(near_bytes=near_bytes), Counted()
    total = process.cache.cached(ttl=100, jitter=0.0, early_refresh=0, stale_if_error=50, tags=["x"])(function)
    total()
    function.takes = fail
    if has_changed:
        process.cache.invalidate_tags("x")
        assert (total(), function.calls) == (1, 2), "rather an old result than none"
    world.clock.advance(149.9)
    assert total() == 1
    counts = process.counts
    assert counts.compute_errors == counts.stale_on_error == function.calls - 1
    assert counts.misses == function.calls, "each call counts once"
    world.clock.advance(0.1)
    with pytest.raises(LookupError, match="no luck"):
        total()
    assert not world.server.keys(":lock")


def test_stale_if_error_is_off_unless_asked_for(world: World) -> None:
    process, function = world.process(), Counted()
    total = process.cache.cached(tags=["x"])(function)
    total()
    function.takes = fail
    process.cache.invalidate_tags("x")
    with pytest.raises(LookupError):
        total()


def test_an_old_result_served_for_an_error_is_not_stored_anew(world: World) -> None:
    process, function = world.process(), Counted()
    total = process.cache.cached(ttl=100, jitter=0.0, stale_if_error=50, tags=["x"])(function)
    total()
    process.cache.invalidate_tags("x")
    function.takes = fail
    total()
    function.takes, function.value = lambda: None, 2
    assert total() == 2
    assert process.counts.stored == 2


def test_an_error_that_is_no_exception_is_not_hidden_by_an_old_result(world: World) -> None:
    process, function = world.process(), Counted()
    total = process.cache.cached(ttl=100, jitter=0.0, stale_if_error=50, tags=["x"])(function)
    total()
    process.cache.invalidate_tags("x")

    def interrupt() -> None:
        raise KeyboardInterrupt

    function.takes = interrupt
    with pytest.raises(KeyboardInterrupt):
        total()


def test_redis_keeps_a_result_for_as_long_as_it_may_be_served(world: World) -> None:
    graces: list[Any] = [{}, {"stale_while_revalidate": 50.0}, {"stale_if_error": 70.0}]
    for number, grace in enumerate(graces):
        process = world.process(namespace=f"n{number}")
        process.cache.cached(ttl=100, jitter=0.0, **grace)(Counted())()
        [key] = [key for key in world.server.keys(":value") if key.startswith(f"n{number}")]
        assert world.server.data[key][1] == world.clock() + 100 + AggregationOptions(**grace).grace


def test_a_list_that_was_changed_after_the_call_is_not_computed_under_its_old_key(world: World) -> None:
    process = world.process()

    @process.cache.cached(name="f", ttl=1, stale_while_revalidate=60, jitter=0)
    def total(prices: list[int]) -> int:
        return sum(prices)

    basket = [1, 2]
    total(basket)
    world.clock.advance(2)
    assert total(basket) == 3, "served stale, the next one is for the background"
    basket.append(1000)
    assert process.run_background() == 1
    assert not world.server.keys(":lock"), "no caller is to wait for what is not computed"
    assert total([1, 2]) == 3
    assert process.counts.computations == 1
    assert process.run_background() == 1
    assert process.counts.computations == 2, "the call with the list as it was is served"


def test_a_list_that_is_changed_during_the_computation_in_the_background_is_not_kept(world: World) -> None:
    process = world.process()
    basket = [1, 2]
    changes = iter([False, True])

    @process.cache.cached(name="f", ttl=1, stale_while_revalidate=60, jitter=0)
    def total(prices: list[int]) -> int:
        if next(changes, False):
            basket.append(1000)  # as the caller's own thread does, which has gone on
        return sum(prices)

    total(basket)
    world.clock.advance(2)
    total(basket)
    assert process.run_background()
    assert (process.counts.computations, process.counts.stored) == (2, 1)
    assert total([1, 2]) == 3
    assert process.run_background()
    assert process.counts.stored == 2


def test_a_thread_that_cannot_be_started_leaves_nothing_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the end of a program, or where there are too many."""
    process = world.process()
    source = Counted(1)
    function = process.cache.cached(name="f", ttl=10, stale_while_revalidate=600, jitter=0.0, early_refresh=0)(source)
    function()
    world.clock.advance(20)
    spawn = process.driver._spawn

    def refuse(*arguments: Any) -> Any:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(process.driver, "_spawn", refuse)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process.cache._faults, "note", lambda error: None)
        assert function() == 1
    assert not process.cache._engine.refreshing
    monkeypatch.setattr(process.driver, "_spawn", spawn)


def test_each_of_the_two_ways_to_serve_an_old_result_has_its_own_end(world: World) -> None:
    """Redis keeps a result for the longer of them."""
    process, function = world.process(), Counted()
    common: Any = {"ttl": 100, "jitter": 0.0, "early_refresh": 0, "tags": ["x"]}
    revalidated = process.cache.cached(name="a", stale_while_revalidate=10, stale_if_error=50, **common)(function)
    on_error = process.cache.cached(name="b", stale_while_revalidate=50, stale_if_error=10, **common)(function)
    assert (revalidated(), on_error()) == (1, 1)
    function.value = 2
    world.clock.advance(120)
    assert revalidated() == 2
    process.cache.invalidate_tags("x")
    function.takes = fail
    with pytest.raises(LookupError):
        on_error()


def test_no_more_is_computed_in_the_background_than_is_allowed(world: World) -> None:
    """300 results past their TTL would start as many computations at once; now they take their turns."""
    process = world.process(max_background=2)
    functions = [Counted(1, name=f"f{number}") for number in range(5)]
    cached = [
        process.cache.cached(name=f"f{number}", ttl=100, jitter=0.0, early_refresh=0, stale_while_revalidate=50)(each)
        for number, each in enumerate(functions)
    ]
    for function in cached:
        function()
    world.clock.advance(101)
    computed = []
    for _ in range(4):
        assert [function() for function in cached] == [1] * 5
        computed.append(process.run_background())
    assert computed == [2, 2, 1, 0]
    assert [function.calls for function in functions] == [2] * 5
    for wrong in (0, True, 1.5):
        with pytest.raises(ValueError, match="max_background"):
            world.process(max_background=wrong)
