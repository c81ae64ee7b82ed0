"""Several callers that take their steps in an order that a test chooses.

Each caller is a sequence of turns: between two steps of one, the others may take any of theirs. A computation may have
turns of its own, as a function that yields between what it reads; a writer is a function that yields too.
"""

from collections.abc import Callable, Generator
from typing import Any

from daxlite.aggregations.engine.get_or_compute import get_or_compute, near_hit
from daxlite.aggregations.engine.request import ComputeRequest
from daxlite.core.steps import Compute, Sleep, Spawn, Steps, Wait
from daxlite.drivers.progress import Progress
from daxlite.drivers.threads import Ended
from tests.aggregations.scripted import Process
from tests.calls.listening import listening

Turns = Generator[Any, Any, Any]


class Actor:
    """A caller, a writer or a background task that takes turns."""

    def __init__(self, turns: Turns, name: str) -> None:
        self.name = name
        self.turns = turns
        self.is_done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.can_go: Callable[[], bool] = lambda: True
        self.wakes_at: float | None = None

    def turn(self) -> None:
        self.wakes_at = None
        try:
            waits_for = next(self.turns)
        except StopIteration as finished:
            self.is_done, self.result = True, finished.value
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.is_done, self.error = True, error
        else:
            self.can_go, self.wakes_at = waits_for or ((lambda: True), None)

    def __repr__(self) -> str:
        return self.name


class Stage:
    """The actors of one world, which has one clock."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.actors: list[Actor] = []
        self.acting: Actor | None = None

    def enter(self, turns: Turns, name: str) -> Actor:
        actor = Actor(turns, name)
        self.actors.append(actor)
        return actor

    def asks(self, process: Process, request: ComputeRequest, name: str = "caller") -> Actor:
        """A caller of a function."""
        process.cache._engine.current_caller = lambda: self.acting
        return self.enter(self._asking(process, request), name)

    def able(self) -> list[Actor]:
        """The actors that can take a turn now; where all sleep, time passes until the first one wakes."""
        left = [actor for actor in self.actors if not actor.is_done]
        able = [actor for actor in left if self._can_go(actor)]
        if not able and (moments := [actor.wakes_at for actor in left if actor.wakes_at is not None]):
            self.clock.now = max(self.clock.now, min(moments))
            able = [actor for actor in left if self._can_go(actor)]
        assert able or not left, f"{left} wait for each other"
        return able

    def turn(self, actor: Actor) -> None:
        self.acting = actor
        actor.turn()
        self.acting = None

    def run(self, choose: Callable[[list[Actor]], Actor] = lambda able: able[0]) -> None:
        """Until all are done."""
        while able := self.able():
            self.turn(choose(able))

    def run_until(self, actor: Actor, holds: Callable[[], bool]) -> None:
        """One actor alone, until something is so."""
        while not holds():
            assert not actor.is_done, f"{actor} is done before"
            self.turn(actor)

    def _can_go(self, actor: Actor) -> bool:
        return actor.can_go() or (actor.wakes_at is not None and self.clock() >= actor.wakes_at)

    def _asking(self, process: Process, request: ComputeRequest) -> Turns:
        progress = Progress()
        try:
            hit = near_hit(process.cache._engine, request)
            if hit is not None:
                return hit[0]
            return (yield from self._taking(process, get_or_compute(process.cache._engine, request), progress))
        except BaseException as error:  # noqa: BLE001 - sorted out there
            process.cache._rescue(progress, error)
        return process.cache._compute_alone(request, progress)

    def _taking(self, process: Process, steps: Any, progress: Progress, ended: list[bool] | None = None) -> Turns:
        """As ThreadDriver.drive, with a turn for each step."""
        reply: Any = None
        error: BaseException | None = None
        try:
            while True:
                step = steps.send(reply) if error is None else steps.throw(error)
                reply = error = None
                # What waits does so before its turn; all other steps may be overtaken before they are taken.
                match step:
                    case Sleep(seconds):
                        yield (lambda: bool(ended)), self.clock() + seconds
                    case Wait(latch, seconds):
                        opened: list[bool] = []
                        latch.add_callback(lambda opened=opened: opened.append(True))  # type: ignore[misc]
                        yield (lambda opened=opened: bool(opened)), self.clock() + seconds
                    case _:
                        yield None
                try:
                    if ended:
                        raise Ended
                    reply = yield from self._take(process, step, progress)
                except BaseException as raised:  # noqa: BLE001 - thrown into the steps
                    error = raised
        except StopIteration as finished:
            return finished.value

    def _take(self, process: Process, step: Any, progress: Progress) -> Turns:
        match step:
            case Sleep() | Wait():
                return None
            case Compute(call, listener):
                try:
                    result = yield from self._computing(call, listener)
                except BaseException as error:
                    progress.failed(error)
                    raise
                progress.succeeded(result)
                return result
            case Spawn(steps, when_over):
                ended: list[bool] = []

                def to_the_end() -> Steps[Any]:
                    try:
                        return (yield from steps())
                    finally:
                        when_over()

                self.enter(self._in_background(process, to_the_end(), ended), "background")
                return lambda: ended.append(True)
        return process.driver._take(step, progress, None)

    def _computing(self, call: Callable[[], Any], listener: Any) -> Turns:
        with listening(listener):
            result = call()
        if not isinstance(result, Generator):
            return result
        while True:
            try:
                with listening(listener):
                    next(result)
            except StopIteration as finished:
                return finished.value
            yield None

    def _in_background(self, process: Process, steps: Any, ended: list[bool]) -> Turns:
        try:
            yield from self._taking(process, steps, Progress(), ended)
        except (Ended, Exception):  # noqa: BLE001 - no caller waits for it
            return
