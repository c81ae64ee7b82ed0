"""Stamps: a result is as good as the stamps of what it depends on, and nothing that changed is ever taken for fresh."""

from collections.abc import Callable

import pytest

from daxlite.aggregations.engine.get_or_compute import get_or_compute
from daxlite.drivers.progress import Progress
from daxlite.shared.scripts import CHANGE_SHOWS_FOR
from tests.aggregations.scripted import (
    Counted,
    Process,
    World,
    elsewhere,
)

NEAR = pytest.mark.parametrize("near_bytes", [0, 1_000_000])


def states(world: World) -> list[str]:
    return world.server.keys(":state")


@NEAR
def test_an_invalidation_is_seen_here_and_in_other_processes(world: World, near_bytes: int) -> None:
    processes = [world.process(near_bytes=near_bytes) for _ in range(2)]
    source = Counted(1)
    totals = [process.cache.cached(tags=["x"])(source) for process in processes]
    for _ in range(3):
        assert [total() for total in totals] == [1, 1]
    source.value = 2
    processes[0].cache.invalidate_tags("x")
    assert [total() for total in totals] == [2, 2]
    assert source.calls == 2


@NEAR
@pytest.mark.parametrize("how", ["tag", "one", "function", "everything", "not it"])
def test_what_is_invalidated_and_what_is_not(world: World, near_bytes: int, how: str) -> None:
    cache = world.process(near_bytes=near_bytes).cache
    calls: list[tuple[str, int]] = []

    def kept(name: str) -> object:
        @cache.cached(name=name, tags=[name])
        def function(number: int) -> int:
            calls.append((name, number))
            return number

        return function

    functions = {name: kept(name) for name in "ab"}
    every = [(name, number) for name in "ab" for number in (1, 2)]

    def call_all() -> set[tuple[str, int]]:
        calls.clear()
        for name, number in every:
            assert functions[name](number) == number  # type: ignore[operator]
        return set(calls)

    assert call_all() == set(every)
    assert call_all() == set()
    invalidate: dict[str, tuple[Callable[[], None], set[tuple[str, int]]]] = {
        "tag": (lambda: cache.invalidate_tags("a", "unknown"), {("a", 1), ("a", 2)}),
        "one": (lambda: functions["a"].invalidate(2), {("a", 2)}),  # type: ignore[attr-defined]
        "function": (lambda: functions["b"].clear(), {("b", 1), ("b", 2)}),  # type: ignore[attr-defined]
        "everything": (cache.clear, set(every)),
        "not it": (lambda: cache.invalidate_tags("c"), set()),
    }
    act, expected = invalidate[how]
    act()
    assert call_all() == expected
    assert call_all() == set()


def test_an_invalidation_is_one_command_for_each_tag_however_many_results_depend_on_it(world: World) -> None:
    process = world.process()
    for number in range(50):
        process.cache.get_or_compute(number, lambda: 1, tags=["x"])
    world.server.take()
    process.cache.invalidate_tags("x")
    assert world.server.take() == ["EVAL"]
    process.cache.clear()
    assert world.server.take() == ["EVAL"]
    process.cache.invalidate_tags("nothing depends on it")
    world.clock.advance(CHANGE_SHOWS_FOR)
    assert len(states(world)) == 52, "of the results themselves, and two on which they depended; else none is left"


@NEAR
def test_p3_a_change_during_the_computation_it_is_returned_but_not_stored(world: World, near_bytes: int) -> None:
    process = world.process(near_bytes=near_bytes)
    function = Counted(1, lambda: process.cache.invalidate_tags("x"))
    total = process.cache.cached(tags=["x"])(function)
    assert total() == 1
    assert (process.counts.stored, process.counts.discarded) == (0, 1)
    assert not world.server.keys(":value")
    function.takes, function.value = lambda: None, 2
    assert [total(), total(), total()] == [2, 2, 2]
    assert function.calls == 2


def test_p3_a_change_made_by_another_process_during_the_computation(world: World) -> None:
    one, other = world.process(), world.process()
    function = Counted(1, lambda: other.cache.invalidate_tags("x"))
    total = one.cache.cached(tags=["x"])(function)
    assert total() == 1
    assert one.counts.discarded == 1
    function.takes, function.value = lambda: None, 2
    assert total() == 2


def test_p3_a_change_and_a_new_stamp_during_the_computation(world: World) -> None:
    """The stamp is there again, but it is another one."""
    one, other = world.process(), world.process()

    def change() -> None:
        other.cache.invalidate_tags("x")
        with elsewhere():
            other.cache.get_or_compute("another", lambda: 1, tags=["x"])

    total = one.cache.cached(tags=["x"])(Counted(1, change))
    assert total() == 1
    assert (one.counts.stored, one.counts.discarded) == (0, 1)


@pytest.mark.parametrize("lose", [World.__init__, "one"], ids=["all", "one"])
def test_p3_stamps_that_were_lost_during_the_computation(world: World, lose: object) -> None:
    process = world.process()
    if lose == "one":
        total = process.cache.cached(tags=["x"])(Counted(1, lambda: world.server.evict(states(world)[-1])))
    else:
        total = process.cache.cached(tags=["x"])(Counted(1, world.server.flush))
    assert total() == 1
    assert (process.counts.stored, process.counts.discarded) == (0, 1)


@pytest.mark.parametrize("number", range(4))
def test_a_stamp_that_was_evicted_later_counts_as_changed(world: World, number: int) -> None:
    one, other = world.process(), world.process()
    function = Counted()
    totals = [process.cache.cached(tags=["x"])(function) for process in (one, other)]
    totals[0]()
    world.server.evict(sorted(states(world))[number])
    function.value = 2
    assert totals[1]() == 2
    assert other.counts.invalidations == 2, "seen at the look, and again once it had the lock"
    assert len(states(world)) == 4


def test_a_result_that_was_evicted_is_computed_again(world: World) -> None:
    process, function = world.process(near_bytes=0), Counted()
    total = process.cache.cached()(function)
    total()
    for key in world.server.keys(":value"):
        world.server.evict(key)
    assert (total(), function.calls) == (1, 2)


def test_a_server_that_was_flushed_fills_again(world: World) -> None:
    one, other = world.process(), world.process()
    function = Counted()
    totals = [process.cache.cached(tags=["x"])(function) for process in (one, other)]
    for total in totals:
        total()
    world.server.flush()
    function.value = 2
    one.cache.invalidate_tags("x")
    assert [total() for total in totals] == [2, 2]
    assert function.calls == 2


def test_a_stamp_that_changes_between_two_hits_is_looked_up_anew(world: World) -> None:
    """What it depends on is remembered for the sake of one round trip; it may depend on something else by now."""
    one, other = world.process(near_bytes=0), world.process(near_bytes=0)
    tags = ["x"]

    def kept(process: Process) -> Callable[[], int]:
        return process.cache.cached(name="f", depends_on=lambda: tags)(Counted())

    first, second = kept(one), kept(other)
    first()
    second()
    tags[:] = ["y"]
    one.cache.invalidate_tags("x")
    first()
    one.cache.invalidate_tags("y")
    assert other.counts.computations == 0
    assert second() == 1
    assert other.counts.computations == 1


def test_p5_a_process_that_cannot_hear_the_others_asks_redis(world: World) -> None:
    one, other = world.process(), world.process()
    source = Counted(1)
    totals = [process.cache.cached(tags=["x"])(source) for process in (one, other)]
    for _ in range(3):
        assert [total() for total in totals] == [1, 1]
    other.hearing.is_deaf = True
    source.value = 2
    one.cache.invalidate_tags("x")
    assert other.cache.stats().is_listening
    assert totals[1]() == 1, "for a moment it is believed that nothing happened"
    world.clock.advance(2.0)
    assert totals[1]() == 2
    assert not other.cache.stats().is_listening
    assert (source.calls, other.cache.stats().near_entries) == (2, 1)


def test_p5_what_was_kept_before_the_connection_broke_is_not_believed_after(world: World) -> None:
    one, other = world.process(), world.process()
    source = Counted(1)
    totals = [process.cache.cached(tags=["x"])(source) for process in (one, other)]
    for _ in range(3):
        assert [total() for total in totals] == [1, 1]
    other.hearing.lose()
    source.value = 2
    one.cache.invalidate_tags("x")
    other.hearing.listen()
    assert totals[1]() == 2


@pytest.mark.parametrize("near_bytes", [0, 2**20])
def test_a_result_without_the_tag_that_is_asked_for_is_no_hit(world: World, near_bytes: int) -> None:
    """The release before did not know the tag: what it stored would not hear of it."""
    process, source = world.process(near_bytes=near_bytes), Counted("old")
    process.hearing.listen()
    for _ in range(3):
        assert process.cache.get_or_compute("k", source, tags=["one"]) == "old"
    assert process.counts.computations == 1
    assert bool(process.counts.near_hits) == bool(near_bytes)
    assert process.cache.get_or_compute("k", source, tags=["one", "two"]) == "old"
    assert process.counts.computations == 2
    process.cache.get_or_compute("k", source, tags=["two"])
    source.value = "new"
    process.cache.invalidate_tags("two")
    assert process.cache.get_or_compute("k", source, tags=["two"]) == "new"


def test_another_release_with_another_tag(world: World) -> None:
    before, after, source = world.process(), world.process(), Counted("old")
    before.cache.cached(name="f")(source)()
    function = after.cache.cached(name="f", tags=["rates"])(source)
    function()
    source.value = "new"
    before.cache.invalidate_tags("rates")
    assert function() == "new"
    by_hand = after.cache.cached(name="f", tags=["rates"], depends_on=["more"])(source)
    by_hand()
    source.value = "newer"
    before.cache.invalidate_tags("more")
    assert by_hand() == "newer"


def test_p5_what_changed_after_a_result_was_looked_up_is_not_kept_near(world: World) -> None:
    one, other = world.process(), world.process()
    source = Counted(1)
    one.cache.cached(name="f", tags=["x"])(source)()
    total = other.cache.cached(name="f", tags=["x"])(source)
    other.hearing.listen()
    assert other.cache.stats().is_listening
    steps = get_or_compute(other.cache._engine, total._known.request((), {}))
    found = other.driver._take(next(steps), Progress(), None)
    source.value = 2
    one.cache.invalidate_tags("x")
    other.hearing.pump()
    with pytest.raises(StopIteration) as finished:
        steps.send(found)
    assert finished.value.value == 1, "it was true when it was looked up"
    assert total() == 2
