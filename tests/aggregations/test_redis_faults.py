"""Redis down, slow, refusing or broken at any moment: the answer is right, and nothing raises (P7)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from tests.aggregations.scripted import Counted, Process, World
from tests.aggregations.stage import Stage
from tests.aggregations.test_followers import Play

OUTAGES = [
    redis.ConnectionError("down"),
    redis.TimeoutError("slow"),
    redis.exceptions.ReadOnlyError("a replica"),
    redis.exceptions.OutOfMemoryError("full"),
    redis.exceptions.ResponseError("WRONGTYPE"),
    redis.exceptions.BusyLoadingError("loading"),
    redis.exceptions.ClusterDownError("no quorum"),
    OSError("no route"),
]


def cold(process: Process, function: Counted) -> Any:
    return process.cache.cached(tags=["x"])(function)


def shared(process: Process, function: Counted) -> Any:
    total = cold(process, function)
    total()
    process.cache._near.clear()
    return total


def changed(process: Process, function: Counted) -> Any:
    total = cold(process, function)
    total()
    function.value += 1
    process.cache.invalidate_tags("x")
    return total


def expired(process: Process, function: Counted) -> Any:
    total = process.cache.cached(ttl=10, jitter=0.0, stale_while_revalidate=5)(function)
    total()
    process.clock.advance(20)
    return total


def just_expired(process: Process, function: Counted) -> Any:
    total = process.cache.cached(ttl=10, jitter=0.0, stale_while_revalidate=50)(function)
    total()
    process.clock.advance(20)
    return total


SITUATIONS = pytest.mark.parametrize("situation", [cold, shared, changed, expired, just_expired])
CALLS: dict[str, Callable[[Any], Any]] = {"call": lambda total: total(), "refresh": lambda total: total.refresh()}
any_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


class Trouble:
    """The command of a number fails, counted from now; with `lasting`, all after it too."""

    def __init__(self, world: World, number: int, error: BaseException, *, lasting: bool = False) -> None:
        self.seen = self.failed = 0
        self.number, self.error, self.lasting = number, error, lasting
        world.server.failing = self

    def __call__(self, command: tuple[Any, ...]) -> BaseException | None:
        if command[0] == "PING":  # of the thread that listens
            return None
        self.seen += 1
        if self.seen == self.number or (self.lasting and self.seen > self.number):
            self.failed += 1
            return self.error
        return None


def troubles(
    situation: Callable[[Process, Counted], Any], make: Callable[[World, int], Trouble], **config: Any
) -> Iterator[tuple[World, Process, Counted, Any, Trouble]]:
    """The same situation again and again, with trouble at the first command, at the second, and so on to the last."""
    number, failed = 0, 1
    while failed:
        number += 1
        world = World()
        process, function = world.process(**config), Counted()
        total = situation(process, function)
        trouble = make(world, number)
        yield world, process, function, total, trouble
        failed = trouble.failed
    assert number > 1, "there is no command that could fail"


def check_nothing_stays(world: World, process: Process) -> None:
    """No flight, and no lock but until its end."""
    process.run_background()
    assert len(process.cache._flights) == 0
    assert not process.cache._engine.refreshing
    assert all(world.server.data[key][1] <= world.clock() + 10 for key in world.server.keys(":lock"))


@any_call
@SITUATIONS
@pytest.mark.parametrize("lasting", [False, True], ids=["for once", "from then on"])
def test_p7_redis_fails_at_any_command(
    situation: Callable[[Process, Counted], Any], call: Callable[[Any], Any], lasting: bool
) -> None:
    def make(world: World, number: int) -> Trouble:
        return Trouble(world, number, OUTAGES[number % len(OUTAGES)], lasting=lasting)

    for world, process, function, total, _ in troubles(situation, make):
        before = function.calls
        assert call(total) == function.value
        assert function.calls <= before + 1
        world.server.failing = lambda command: None
        check_nothing_stays(world, process)
        world.clock.advance(60)
        assert total() == function.value


@pytest.mark.faults_expected
@any_call
@SITUATIONS
def test_p7_a_fault_of_ours_at_any_command(
    situation: Callable[[Process, Counted], Any], call: Callable[[Any], Any]
) -> None:
    """It ends in the function's own answer, and where that was there already it is not computed again."""

    def make(world: World, number: int) -> Trouble:
        return Trouble(world, number, RuntimeError("ours"))

    for world, process, function, total, trouble in troubles(situation, make):
        before = function.calls
        assert call(total) == function.value
        assert function.calls <= before + 1
        assert process.cache.stats().faults == trouble.failed
        world.server.failing = lambda command: None
        check_nothing_stays(world, process)
        world.clock.advance(60)
        assert total() == function.value


@pytest.mark.faults_expected
@any_call
@SITUATIONS
@pytest.mark.parametrize("error", [LookupError("the application's"), KeyboardInterrupt()], ids=repr)
def test_p7_the_applications_error_is_its_own_no_matter_what_else_fails(
    situation: Callable[[Process, Counted], Any], call: Callable[[Any], Any], error: BaseException
) -> None:
    def fail() -> None:
        raise error

    for ours in (RuntimeError("ours"), redis.ConnectionError("down")):
        for world, process, function, total, _ in troubles(
            situation, lambda world, number, ours=ours: Trouble(world, number, ours)
        ):
            before, function.takes = function.calls, fail
            if situation in (shared, just_expired) and call is CALLS["call"]:
                function.takes = lambda: None  # there is a result
                call(total)
            else:
                with pytest.raises(type(error)):
                    call(total)
            assert function.calls <= before + 1, "it is not called twice"
            world.server.failing = lambda command: None
            check_nothing_stays(world, process)


@pytest.mark.parametrize("error", OUTAGES, ids=repr)
def test_p7_redis_is_not_there_at_all(world: World, error: BaseException) -> None:
    process, function = world.process(), Counted()
    total = process.cache.cached(tags=["x"])(function)
    with world.server.down(error):
        for value in (1, 2, 3):
            function.value = value
            assert total() == value
            assert total.refresh() == value
            assert total.peek() is None
            total.invalidate()
            total.clear()
            process.cache.invalidate_tags("x")
            process.cache.invalidate("k")
            process.cache.clear()
            assert process.cache.get_or_compute("k", lambda value=value: value) == value
    stats = process.cache.stats()
    assert stats.redis_errors > 0
    assert stats.pending_invalidations > 0
    assert stats.total.stored == 0
    process.cache._outbox.close()


def test_p7_an_outage_costs_each_call_no_more_than_one_attempt(world: World) -> None:
    """A server that hangs costs a timeout each time that it is asked."""
    process, asked = world.process(), 0

    def hang(command: tuple[Any, ...]) -> BaseException:
        nonlocal asked
        asked += command[0] != "PING"  # of the thread that listens
        return redis.TimeoutError("slow")

    world.server.failing = hang
    total = process.cache.cached()(Counted())
    total()
    assert asked == 1
    for _ in range(20):
        total()
    assert asked == 3, "then the breaker is open"
    assert process.cache.stats().skipped >= 18
    assert not process.cache.stats().is_available
    world.server.failing = lambda command: None
    world.clock.advance(31)
    total()
    assert process.cache.stats().is_available
    assert process.counts.stored == 1


def test_without_redis_callers_at_one_time_compute_once(world: World) -> None:
    process, function = world.process(), Counted()
    total = process.cache.cached()(function)
    stage = Stage(world.clock)
    with world.server.down():
        callers = [stage.asks(process, total._known.request((), {})) for _ in range(4)]
        for caller in callers:
            stage.turn(caller)
        turn = iter(range(1000))
        stage.run(lambda able: able[next(turn) % len(able)])
    assert [caller.result for caller in callers] == [1] * 4
    assert process.counts.computations <= 2


@pytest.mark.parametrize("error", OUTAGES, ids=repr)
def test_on_error_raise_raises_what_redis_py_does(world: World, error: Exception) -> None:
    process, function = world.process(on_error="raise"), Counted()
    total = process.cache.cached(tags=["x"])(function)
    calls: list[Callable[[], Any]] = [
        total,
        total.refresh,
        total.peek,
        total.invalidate,
        process.cache.clear,
        lambda: process.cache.invalidate_tags("x"),
        lambda: process.cache.get_or_compute("k", lambda: 1),
    ]
    for call in calls:
        with world.server.down(error), pytest.raises(type(error)):
            call()
        world.clock.advance(100)
    assert len(process.cache._outbox) > 0, "and is not forgotten"
    process.cache._outbox.close()
    world.clock.advance(100)
    assert total() == 1


def test_on_error_raise_raises_too_where_the_breaker_does_not_even_ask(world: World) -> None:
    process = world.process(on_error="raise")
    total = process.cache.cached()(Counted())
    with world.server.down():
        for _ in range(10):
            with pytest.raises(redis.ConnectionError):
                total()
    assert process.cache.stats().skipped > 0
    with pytest.raises(redis.ConnectionError, match="left alone"):
        total()


@SITUATIONS
def test_on_error_raise_at_any_command_leaves_nothing_behind(situation: Callable[[Process, Counted], Any]) -> None:
    def make(world: World, number: int) -> Trouble:
        return Trouble(world, number, redis.ConnectionError("down"))

    for world, process, function, total, trouble in troubles(situation, make, on_error="raise"):
        if situation is just_expired:
            function.value = 1
        try:
            assert total() == function.value
        except redis.ConnectionError:
            assert trouble.failed
        world.server.failing = lambda command: None
        check_nothing_stays(world, process)


def test_p7_a_change_that_redis_was_not_told_of_is_sent_before_redis_is_believed_again(world: World) -> None:
    one, other = world.process(), world.process()
    source = Counted(1)
    totals = [process.cache.cached(tags=["x"])(source) for process in (one, other)]
    for total in totals:
        total()
    with world.server.down():
        source.value = 2
        one.cache.invalidate_tags("x")
        assert one.cache.stats().pending_invalidations == 1
    world.clock.advance(100)
    assert totals[0]() == 2
    assert one.cache.stats().pending_invalidations == 0
    assert totals[1]() == 2


@pytest.mark.parametrize("reply", [None, [], [b"1"], "text", 5])
@pytest.mark.faults_expected
def test_p7_a_server_that_answers_nonsense(world: World, reply: Any) -> None:
    process, function = world.process(), Counted()
    total = process.cache.cached()(function)
    world.server.execute = lambda command: reply  # type: ignore[method-assign]
    assert total() == 1
    assert total.peek() is None
    total.invalidate()
    process.cache._outbox.close()


@pytest.mark.parametrize("later", range(0, 10, 3))
@pytest.mark.parametrize("turns", range(10))
def test_p7_a_change_that_redis_refused_during_a_computation_is_not_missed_here(
    world: World, turns: int, later: int
) -> None:
    """The stamps are replaced only some time after the change: what looks true to Redis in between is not to be kept
    here, where the stamps are not looked at again."""
    play = Play(world)
    play.process.hearing.listen()
    leader = play.lead()

    def go_on(steps: int) -> None:
        for _ in range(steps):
            if not leader.is_done:
                play.stage.turn(leader)

    go_on(turns)
    play.value += 1
    with world.server.down(redis.exceptions.ReadOnlyError()):
        play.process.cache.invalidate_tags("x")
    assert play.process.cache.stats().pending_invalidations
    go_on(later)
    play.process.cache._outbox.try_again()
    play.stage.run()
    assert not play.process.cache.stats().pending_invalidations
    for _ in range(3):
        asked = play.ask()
        play.stage.run()
        assert asked.result == 2
