"""One computation at a time, and no process waits for a dead one for ever."""

from collections.abc import Callable
from typing import Any

import pytest

from daxlite.aggregations.engine.get_or_compute import FIRST_PAUSE, MAX_PAUSE, get_or_compute
from daxlite.core.steps import Compute, Sleep
from daxlite.drivers.progress import Progress
from daxlite.shared.failures import Unavailable
from tests.aggregations.scripted import (
    Counted,
    Process,
    World,
    elsewhere,
)

LOCK_TTL = 10.0
MUCH_LATER = 10_000.0


def kept(process: Process, function: Callable[[], Any], **options: Any) -> Any:
    return process.cache.cached(**{"name": "f", "lock_ttl": LOCK_TTL, **options})(function)


def locked(world: World) -> str:
    [lock] = world.server.keys(":lock")
    return lock


def test_a_caller_that_finds_it_locked_waits_and_gets_the_result_of_the_other(world: World) -> None:
    one, other = world.process(), world.process()
    function = Counted("one's")

    def come() -> None:
        """The other process comes while this one computes, and sees it done when it looks again."""
        began = world.clock()
        with elsewhere():
            for steps in [get_or_compute(other.cache._engine, kept(other, Counted("never"))._known.request((), {}))]:
                asking.append(steps)
                step = next(steps)
                while not isinstance(step, Sleep):
                    step = steps.send(other.driver._take(step, Progress(), None))
        assert world.clock() == began
        assert step.seconds <= 1.5 * FIRST_PAUSE

    asking: list[Any] = []
    function.takes = come
    assert kept(one, function)() == "one's"
    [steps] = asking
    assert other.driver.drive(steps) == "one's"
    assert (other.counts.awaited, other.counts.computations) == (1, 0)


def test_a_dead_holder_delays_the_others_until_its_lock_ends(world: World) -> None:
    one, other = world.process(), world.process()

    def die() -> None:
        world.server.failing = lambda command: ConnectionError("dead")
        raise SystemExit

    with pytest.raises(SystemExit):
        kept(one, Counted(1, die))()
    one.driver.background.clear()  # it is not renewed
    world.server.failing = lambda command: None
    assert locked(world)
    began = world.clock()
    function = Counted(2)
    assert kept(other, function)() == 2
    waited = world.clock() - began
    assert LOCK_TTL - 0.1 <= waited <= LOCK_TTL + 1.5 * MAX_PAUSE
    assert other.counts.wait_seconds == pytest.approx(waited)
    assert not world.server.keys(":lock")


def test_no_caller_waits_longer_than_max_wait(world: World) -> None:
    one, other = world.process(), world.process()
    results = []

    def slow() -> str:
        began = world.clock()
        other.driver.asleep = one_renews
        with elsewhere():
            results.append(kept(other, Counted("own"), max_wait=3.0)())
        assert 3.0 <= world.clock() - began <= 3.0 + 1.5 * MAX_PAUSE
        return "slow"

    def one_renews() -> None:
        assert world.clock() < MUCH_LATER, "it waits for ever"
        key = locked(world)
        world.server.data[key] = world.server.data[key][0], world.clock() + LOCK_TTL

    assert kept(one, slow)() == "slow"
    assert results == ["own"]
    assert not world.server.keys(":lock")


def test_a_caller_without_the_lock_does_not_release_it(world: World) -> None:
    one, other = world.process(), world.process()

    def slow() -> int:
        with elsewhere():
            assert kept(other, Counted(2), max_wait=0.0)() == 2
        assert locked(world), "still the first one's"
        return 1

    assert kept(one, slow)() == 1


def test_a_holder_whose_lock_ended_does_not_delete_the_next_one(world: World) -> None:
    one = world.process()
    foreign = b"another process's"

    def slow() -> int:
        key = locked(world)
        world.clock.advance(LOCK_TTL)
        assert not world.server.keys(":lock")
        assert world.server.execute(("SET", key, foreign, "NX", "PX", 5000))
        return 1

    assert kept(one, slow)() == 1
    assert world.server.data[locked(world)][0] == foreign


def test_no_two_locks_have_one_token(world: World) -> None:
    tokens = set()
    for number in range(20):
        process = world.process(near_bytes=0)
        process.cache.get_or_compute(number, lambda: tokens.add(world.server.data[locked(world)][0]))
    assert len(tokens) == 20
    assert all(len(token) >= 12 for token in tokens)


def renewals(process: Process) -> list[Any]:
    return [steps() for steps in process.driver.background]


def test_a_holder_renews_its_lock_as_long_as_it_computes(world: World) -> None:
    process = world.process()

    def slow() -> int:
        [steps] = renewals(process)
        step = next(steps)
        for _ in range(10):
            assert step.seconds <= LOCK_TTL / 2
            world.clock.advance(step.seconds)
            step = steps.send(process.cache._home.connections.threads.run(steps.send(None).commands))
            assert world.server.data[locked(world)][1] == world.clock() + LOCK_TTL
        return 1

    assert kept(process, slow)() == 1
    assert not process.driver.background, "it stops as soon as it is done"


def test_a_holder_renews_its_states_as_long_as_it_computes(world: World) -> None:
    process, seen = world.process(), []

    def slow() -> int:
        [steps] = renewals(process)
        step = next(steps)
        for _ in range(1000):
            world.clock.advance(step.seconds)
            step = steps.send(process.cache._home.connections.threads.run(steps.send(None).commands))
            seen.append(len(world.server.keys(":state")))
        return 1

    total = kept(process, slow, ttl=86400)
    assert total() == 1
    assert min(seen) == max(seen) > 0
    assert total() == 1
    assert process.counts.computations == 1, "however long it took, the result was kept"


def test_a_computation_without_the_lock_has_states_that_last(world: World) -> None:
    one, other = world.process(), world.process()
    slow = Counted(2, lambda: world.clock.advance(1000))

    def refreshing() -> None:
        with elsewhere():
            assert kept(other, slow, ttl=86400).refresh() == 2

    assert kept(one, Counted(1, refreshing))() == 1
    assert other.counts.stored == 1, "the other process had the lock"


def test_states_live_about_as_long_as_the_results_that_depend_on_them(world: World) -> None:
    """300 results of two seconds left stamps for an hour."""
    process = world.process()
    total = process.cache.cached(ttl=2)(lambda number: number)
    for number in range(300):
        total(number)
    assert world.server.keys(":state")
    world.clock.advance(2 + 10 + 60)
    assert not world.server.keys(":state")


def test_a_holder_that_lost_its_lock_does_not_renew_the_next_one(world: World) -> None:
    process = world.process()

    def slow() -> int:
        [steps] = renewals(process)
        world.clock.advance(next(steps).seconds)
        key = locked(world)
        world.server.data[key] = b"another", world.clock() + 1
        reply = process.cache._home.connections.threads.run(steps.send(None).commands)
        with pytest.raises(StopIteration):
            steps.send(reply)
        assert world.server.data[key][1] == world.clock() + 1
        world.server.evict(key)
        return 1

    assert kept(process, slow)() == 1


def test_a_renewal_that_fails_is_tried_again(world: World) -> None:
    process = world.process()

    def slow() -> int:
        [steps] = renewals(process)
        sleep = next(steps)
        steps.send(None)
        assert steps.throw(Unavailable()).seconds == sleep.seconds
        return 1

    assert kept(process, slow)() == 1


def test_another_process_that_computed_between_the_look_and_the_lock(world: World) -> None:
    one, other = world.process(), world.process()
    function = Counted("one's")

    def as_it_locks(command: tuple[Any, ...]) -> None:
        if command[0] == "SET" and command[1].endswith(":lock"):
            world.server.failing = lambda command: None
            assert kept(other, Counted("other's"))() == "other's"

    world.server.failing = as_it_locks  # type: ignore[assignment]
    assert kept(one, function)() == "other's"
    assert function.calls == 0
    assert one.counts.awaited == 1
    assert not world.server.keys(":lock")


def test_a_refresh_computes_though_another_process_does(world: World) -> None:
    one, other = world.process(), world.process()
    refreshed = []

    def slow() -> int:
        before = world.server.data[locked(world)]
        with elsewhere():
            refreshed.append(other.cache.cached(name="f")(Counted(2)).refresh())
        assert world.server.data[locked(world)] == before
        return 1

    assert kept(one, slow)() == 1
    assert refreshed == [2]


def test_steps_that_no_driver_takes_to_the_end_can_be_closed(world: World) -> None:
    """As a driver does that is interrupted between two steps. The lock ends by itself."""
    process = world.process()
    total = kept(process, Counted(1))
    steps = get_or_compute(process.cache._engine, total._known.request((), {}))
    step = next(steps)
    while not isinstance(step, Compute):
        step = steps.send(process.driver._take(step, Progress(), None))
    steps.close()
    assert world.server.keys(":lock")
    assert len(process.cache._flights) == 0
    process.driver.background.clear()
    world.clock.advance(20)
    assert total() == 1


def test_no_caller_waits_twice_for_a_result_that_cannot_be_stored(world: World) -> None:
    one, other = world.process(), world.process()
    source = Counted(object())
    same = Counted(object())
    function, elsewhere_too = one.cache.cached(name="f")(source), other.cache.cached(name="f")(same)
    elsewhere_too()

    def come() -> None:
        source.takes = lambda: None
        with elsewhere():
            assert elsewhere_too() is same.value
        assert world.clock() == began

    source.takes = come
    began = world.clock()
    assert function() is source.value
    assert same.calls == 2
    source.value = same.value = 5
    assert function() == 5
    assert one.counts.stored == 1, "it is stored once it can be"
    assert not one.cache._engine.unstorable_keys
    assert function() == 5
    assert one.counts.computations == 2
