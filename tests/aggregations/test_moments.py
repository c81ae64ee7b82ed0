"""A change at any moment of a call, which the process hears of at once: what was seen before it is not kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.aggregations.scripted import Counted, Process, World, elsewhere
from tests.aggregations.stage import Stage

MOST_COMMANDS = 30
"""More than one call sends."""


def function_of(process: Process, source: Counted) -> Callable[[], Any]:
    made: Callable[[], Any] = process.cache.cached(name="f", tags=["x"], early_refresh=0)(source)
    return made


@pytest.mark.parametrize("number", range(MOST_COMMANDS))
@pytest.mark.parametrize("is_stored", [False, True])
def test_p3_what_changed_as_redis_replied_is_not_kept_near(world: World, is_stored: bool, number: int) -> None:
    """The message of the change overtakes the reply."""
    process, other, source = world.process(), world.process(), Counted(1)
    if is_stored:
        function_of(other, source)()
    process.hearing.listen()
    process.hearing.pump()
    left, plain = number, world.server.execute

    def execute(command: tuple[Any, ...]) -> Any:
        nonlocal left
        reply = plain(command)
        if command[0] != "PING":
            left -= 1
            if left == -1:
                source.value = 2
                with elsewhere():
                    other.cache.invalidate_tags("x")
                process.hearing.pump()
        return reply

    world.server.execute = execute  # type: ignore[method-assign]
    function = function_of(process, source)
    function()
    has_changed = left < 0
    assert function() == (2 if has_changed else 1)
    assert has_changed or number > (0 if is_stored else 10), "nothing changed"


@pytest.mark.parametrize("turns_of_the_follower", range(1, 5))
@pytest.mark.parametrize("turns", range(14))
def test_p2_a_caller_that_joins_after_a_change_of_another_process_does_not_get_the_old_value(
    world: World, turns: int, turns_of_the_follower: int
) -> None:
    """Without a near cache no process hears of changes, so a flight counts for callers before its last look. The flight
    may have compared its states already."""
    process, other, stage = world.process(near_bytes=0), world.process(near_bytes=0), Stage(world.clock)
    source = ["old"]

    def compute() -> Generator[None, None, str]:
        value = source[0]
        yield
        return value

    function: Any = process.cache.cached(name="f", tags=["x"], early_refresh=0, jitter=0.0)(compute)
    leader = stage.asks(process, function._known.request((), {}), "leader")
    stage.run_until(leader, lambda: process.counts.computations == 1)
    for _ in range(turns):
        if not leader.is_done:
            stage.turn(leader)
    source[0] = "new"
    other.cache.invalidate_tags("x")
    follower = stage.asks(process, function._known.request((), {}), "follower")
    for _ in range(turns_of_the_follower):
        if follower in stage.able():
            stage.turn(follower)
    stage.run()
    assert follower.result == "new"
