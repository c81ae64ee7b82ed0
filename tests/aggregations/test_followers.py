"""Callers of one process that ask for the same at the same time: one computes, and none gets a result that it could not
have got alone (P2)."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from daxlite.aggregations.engine.flights import ComputeFlight, ComputeFlights
from daxlite.aggregations.engine.request import ComputeRequest
from daxlite.latch import Latch
from tests.aggregations.scripted import (
    Counted,
    Process,
    World,
)
from tests.aggregations.stage import Stage


class Play:
    """A process, a function that reads a value in one turn and returns it in the next, and callers that ask for it."""

    def __init__(self, world: World, **options: Any) -> None:
        self.world = world
        self.process: Process = world.process()
        self.stage = Stage(world.clock)
        self.value, self.reads = 1, 0
        self.fails: BaseException | None = None
        self.changes_always = False
        self.function = self.process.cache.cached(name="f", tags=["x"], early_refresh=0, jitter=0.0, **options)(
            self.compute
        )

    def compute(self) -> Generator[None, None, int]:
        value = self.value
        self.reads += 1
        yield
        if self.fails is not None:
            raise self.fails
        if self.changes_always:
            self.change()
        yield
        return value

    def change(self) -> None:
        """The value changes, and its writer has its answer."""
        self.value += 1
        self.process.cache.invalidate_tags("x")

    def ask(self, name: str = "caller") -> Any:
        request: ComputeRequest = self.function._known.request((), {})
        return self.stage.asks(self.process, request, name)

    def lead(self) -> Any:
        """A caller that has read the value, and has not returned it yet."""
        leader = self.ask("leader")
        self.stage.run_until(leader, lambda: self.reads == 1)
        return leader


@pytest.fixture
def play(world: World) -> Play:
    return Play(world)


def test_a_caller_that_arrives_meanwhile_waits_and_gets_the_same(play: Play) -> None:
    leader, followers = play.lead(), [play.ask() for _ in range(5)]
    play.stage.run(lambda able: able[-1])
    assert [one.result for one in (leader, *followers)] == [1] * 6
    counts = play.process.counts
    assert (play.reads, counts.computations, counts.joined, counts.misses) == (1, 1, 5, 6)


def test_p2_a_caller_after_a_change_that_the_computation_missed_does_not_get_the_old_value(play: Play) -> None:
    leader = play.lead()
    play.change()
    follower = play.ask()
    play.stage.run(lambda able: able[-1])
    assert (leader.result, follower.result) == (1, 2)
    assert (play.reads, play.process.counts.discarded) == (2, 1)


@pytest.mark.parametrize("turns", range(12))
def test_p2_a_change_at_any_moment_of_the_flight(world: World, turns: int) -> None:
    """A caller after the change gets the new value, even where the flight has found nothing wrong yet."""
    play = Play(world)
    leader = play.lead()
    for _ in range(turns):
        if not leader.is_done:
            play.stage.turn(leader)
    play.change()
    follower = play.ask()
    play.stage.turn(follower)  # it joins the flight, if there still is one
    play.stage.run()
    assert follower.result == 2
    late = play.ask()
    play.stage.run()
    assert late.result == 2


def test_p2_a_change_of_another_process_that_was_heard(play: Play) -> None:
    other = play.world.process()
    leader = play.lead()
    play.value = 2
    other.cache.invalidate_tags("x")
    follower = play.ask()
    play.stage.run(lambda able: able[-1])
    assert (leader.result, follower.result) == (1, 2)


def test_under_constant_change_no_caller_waits_for_more_than_two_computations(play: Play) -> None:
    play.changes_always = True
    leader = play.lead()
    followers = [play.ask(f"follower {number}") for number in range(4)]
    came = play.value
    play.stage.run(lambda able: able[-1])
    assert leader.result == 1
    assert all(follower.result >= came for follower in followers)
    assert play.reads == 2, "the one that was under way, and one for all that arrived"
    assert play.process.counts.stored == 0


def test_a_computation_that_fails_raises_to_its_caller_alone(play: Play) -> None:
    leader = play.lead()
    followers = [play.ask() for _ in range(3)]
    for follower in followers:
        play.stage.turn(follower)
    play.fails = LookupError("the leader's")
    play.stage.run_until(leader, lambda: leader.is_done)
    assert isinstance(leader.error, LookupError)
    play.fails = None
    play.stage.run()
    assert [follower.result for follower in followers] == [1, 1, 1]
    assert not play.world.server.keys(":lock")


def test_followers_of_a_failure_do_not_wait_for_each_other(play: Play) -> None:
    leader = play.lead()
    followers = [play.ask() for _ in range(3)]
    for follower in followers:
        while follower in play.stage.able():
            play.stage.turn(follower)
    play.fails = LookupError("for each caller")
    play.stage.run_until(leader, lambda: leader.is_done)
    for number, follower in enumerate(followers, 2):
        while play.reads < number:
            assert follower in play.stage.able(), "it waits for the one before"
            play.stage.turn(follower)
    play.stage.run()
    assert all(isinstance(one.error, LookupError) for one in (leader, *followers))
    assert play.reads == 4


def test_a_caller_that_interrupts_its_own_flight_does_not_wait_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a signal handler may, between two steps of the caller's."""
    process, source = world.process(), Counted(1)
    function = process.cache.cached(name="f")(source)
    interrupting = []

    def as_it_locks(command: tuple[Any, ...]) -> None:
        if command[0] == "SET" and command[1].endswith(":lock"):
            world.server.failing = lambda command: None
            interrupting.append(function())

    def wait(latch: Latch, seconds: float) -> None:
        raise AssertionError("waits for itself")

    world.server.failing = as_it_locks  # type: ignore[assignment]
    monkeypatch.setattr(Latch, "wait", wait)
    assert function() == 1
    assert interrupting == [1]


def test_a_follower_waits_no_longer_than_max_wait(world: World) -> None:
    play = Play(world, max_wait=3.0)
    play.lead()
    follower = play.ask()
    play.stage.turn(follower)
    while follower.can_go():
        play.stage.turn(follower)
    world.clock.advance(3.0)
    assert follower in play.stage.able()
    play.stage.run_until(follower, lambda: follower.is_done)
    assert (follower.result, play.reads) == (1, 2)
    play.stage.run()


def test_no_caller_waits_for_the_look_of_another_one_into_redis(play: Play) -> None:
    """What another caller saw there was true when it looked, which may have been before this one arrived."""
    play.ask()
    play.stage.run()
    play.process.cache._near.clear()
    callers = [play.ask() for _ in range(3)]
    for caller in callers:
        play.stage.turn(caller)
    play.stage.run()
    assert [caller.result for caller in callers] == [1, 1, 1]
    assert play.reads == 1
    assert (play.process.counts.shared_hits, play.process.counts.joined) == (3, 0)


def test_p2_a_stale_result_that_changed_meanwhile_is_not_handed_on(world: World) -> None:
    play = Play(world, ttl=10, stale_while_revalidate=100)
    play.ask()
    play.stage.run()
    world.clock.advance(20)
    leader = play.ask("leader")
    play.stage.turn(leader)
    follower = play.ask("follower")
    play.stage.turn(follower)
    play.change()
    late = play.ask("late")
    play.stage.run()
    assert late.result == 2


def test_two_processes_one_computation(world: World) -> None:
    play, other = Play(world), Play(world)
    play.stage = other.stage = Stage(world.clock)
    callers = [one.ask() for one in (play, other) for _ in range(3)]
    turn = iter(range(10_000))
    play.stage.run(lambda able: able[next(turn) % len(able)])
    assert [caller.result for caller in callers] == [1] * 6
    assert play.reads + other.reads == 1
    assert play.process.counts.awaited + other.process.counts.awaited == 1


def test_an_interrupted_leader_leaves_nothing_behind(play: Play) -> None:
    leader, follower = play.lead(), play.ask()
    play.stage.turn(follower)
    play.fails = KeyboardInterrupt()
    play.stage.run_until(leader, lambda: leader.is_done)
    assert isinstance(leader.error, KeyboardInterrupt)
    play.fails = None
    play.stage.run()
    assert follower.result == 1
    assert not play.world.server.keys(":lock")


def test_a_computation_of_an_event_loop_that_has_stopped_is_not_waited_for() -> None:
    async def main() -> object:
        return asyncio.current_task()

    flights, left, own = ComputeFlights(), ComputeFlight(asyncio.run(main())), ComputeFlight(1)
    assert flights.start_or_join(b"total", left) is left
    assert flights.start_or_join(b"total", own) is own
    flights.land(b"total", left)
    assert flights.start_or_join(b"total", ComputeFlight(2)) is own
