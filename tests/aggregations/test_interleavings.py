"""Callers of two processes and writers of what they compute, step by step in any order (P2, P3).

A caller that begins after a change has returned gets nothing older; and what is stored when all is over is the last
state.
"""

from collections.abc import Callable, Generator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from daxlite.drivers.progress import Progress
from daxlite.shared.tags import everything_of, named_tag
from tests.aggregations.local import LocalWorld
from tests.aggregations.scripted import Process, World
from tests.aggregations.stage import Actor, Stage
from tests.volume import amount


class Play:
    """Two processes that compute the same, from a value that changes."""

    def __init__(self, near_bytes: int, ttl: float, order: list[tuple[int, int]]) -> None:
        self.world = self.begin()
        self.stage = Stage(self.world.clock)
        self.processes = self.two(near_bytes)
        self.functions = [self.kept(process, ttl) for process in self.processes]
        self.value = self.returned = 0
        self.order = iter(order)
        self.turns_left = 0

    def begin(self) -> Any:
        return World()

    def two(self, near_bytes: int) -> list[Process]:
        return [self.world.process(near_bytes=near_bytes) for _ in range(2)]

    def hear(self) -> None:
        """What was changed is heard everywhere."""
        for each in self.processes:
            each.hearing.pump()

    def lose(self, process: int) -> None:
        """A process hears nothing more."""
        self.processes[process].hearing.lose()

    def last(self) -> Process:
        """Who looks at what is there when all is over."""
        return self.world.process()

    def kept(self, process: Process, ttl: float) -> Any:
        return process.cache.cached(
            name="f", ttl=ttl, tags=["x"], lock_ttl=2.0, max_wait=5.0, stale_while_revalidate=5.0
        )(self.compute)

    def compute(self) -> Generator[None, None, int]:
        yield
        value = self.value
        yield
        return value

    def caller(self, process: int) -> Generator[Any, Any, None]:
        """It begins with its first turn."""
        least = self.returned
        request = self.functions[process]._known.request((), {})
        self.processes[process].cache._engine.current_caller = lambda: self.stage.acting
        result = yield from self.stage._asking(self.processes[process], request)
        assert least <= result <= self.value, f"{result} is older than {least}"

    def writer(self, process: int) -> Generator[Any, Any, None]:
        """Changes the value, then invalidates it."""
        self.value += 1
        mine = self.value
        yield
        steps = self.processes[process].cache._outbox.invalidate(everything_of((named_tag("x"),)))
        yield from self.stage._taking(self.processes[process], steps, Progress())
        self.hear()
        self.returned = max(self.returned, mine)

    def choose(self, able: list[Actor]) -> Actor:
        """By the numbers: which actor, for how many turns, and what else happens before."""
        if self.turns_left and self.chosen in able:
            self.turns_left -= 1
            return self.chosen
        number, turns = next(self.order, (0, 0))
        self.chosen, self.turns_left = able[number % len(able)], turns
        keys = sorted(self.world.server.data)
        if number >= 95:
            self.world.clock.advance(2.5)
        elif number >= 90 and keys:
            self.world.server.evict(keys[number % len(keys)])
        elif number >= 88:
            self.lose(number % 2)
        return self.chosen

    def run(self) -> None:
        self.stage.run(self.choose)
        for actor in self.stage.actors:
            if actor.error is not None:
                raise actor.error

    def finish(self) -> None:
        for process in self.processes:
            assert len(process.cache._flights) == 0
            assert not process.cache._engine.refreshing
            assert process.cache.stats().faults == 0
        assert not self.world.server.keys(":lock") or self.world.clock() > 1002
        last = self.last()
        request = self.kept(last, 100)._known.request((), {})
        actor = self.stage.asks(last, request)
        self.stage.run(lambda able: able[0])
        assert actor.error is None
        assert actor.result == self.value, "an old value is stored as a fresh one"
        for process in self.processes:
            process.cache._close()
        last.cache._close()


roles = st.tuples(st.sampled_from(["caller", "caller", "caller", "writer"]), st.integers(0, 1))


class PlayInOneProcess(Play):
    """The same where both are one, and there is no server."""

    def begin(self) -> Any:
        return LocalWorld()

    def two(self, near_bytes: int) -> list[Process]:
        return [self.world.process()] * 2

    def hear(self) -> None: ...

    def lose(self, process: int) -> None: ...

    def last(self) -> Process:
        return self.processes[0]


@settings(max_examples=amount("orders of callers and writers"))
@given(
    st.sampled_from([Play, PlayInOneProcess]),
    st.lists(roles, min_size=2, max_size=5),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 12)), max_size=40),
    st.sampled_from([0, 1_000_000]),
    st.sampled_from([0.5, 100.0]),
    st.booleans(),
)
def test_p2_p3_any_order_of_steps(
    kind: type[Play],
    cast: list[tuple[str, int]],
    order: list[tuple[int, int]],
    near_bytes: int,
    ttl: float,
    is_warm: bool,
) -> None:
    play = kind(near_bytes, ttl, order)
    if is_warm:
        for process in (0, 1, 0):
            play.stage.enter(play.caller(process), "warm")
            play.stage.run(lambda able: able[0])
    for number, (role, process) in enumerate(cast):
        make: Callable[[int], Any] = play.caller if role == "caller" else play.writer
        play.stage.enter(make(process), f"{role} {number} of {process}")
    play.run()
    play.finish()
