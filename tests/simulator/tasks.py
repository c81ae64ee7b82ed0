"""A thread that the scheduler lets run step by step, and the events by which such threads wait for each other.

A task and the driver hand each other the turn by batons: exactly one of all threads runs at any time. So
nothing here needs a lock.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from tests.simulator.replicas import Clock


class Aborted(BaseException):
    """Raised in a parked thread that is not to go on. Not an Exception: code under test is not to handle it."""


class Baton:
    """A binary semaphore: ``threading.Semaphore`` costs several times as much to hand over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def give(self) -> None:
        with contextlib.suppress(RuntimeError):  # given already, and not taken yet
            self._lock.release()

    def take(self, timeout: float = -1) -> bool:
        return self._lock.acquire(timeout=timeout)


class Task:
    def __init__(self, name: str, function: Callable[[], Any], enter: Callable[[Task], None], driver: Baton) -> None:
        self.name = name
        self.where = "start"
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.deadline: float | None = None
        """When, by the clock, its waiting times out."""
        self.question: Callable[[], Any] | None = None
        """What the driver is to find out for it."""
        self._function = function
        self._enter = enter
        self._driver = driver
        self._turn = Baton()
        self._waits_for: SimulatedEvent | None = None
        self._aborted = False
        self._reply: Any = None
        self._question_failed: BaseException | None = None
        self._thread: threading.Thread | None = None

    # What the driver calls.

    @property
    def can_go_on(self) -> bool:
        return self._waits_for is None or self._waits_for.is_set()

    @property
    def ident(self) -> int | None:
        return None if self._thread is None else self._thread.ident

    def resume(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()
        else:
            self._turn.give()

    def expire(self) -> None:
        self._waits_for = None

    def answer(self) -> None:
        """Find out what the task asks, and let it go on with that."""
        question, self.question = self.question, None
        assert question is not None
        try:
            self._reply = question()
        except BaseException as error:
            self._question_failed = error
            raise
        finally:
            # If finding out failed, the driver ends the run, and this task with it.
            if self._question_failed is None:
                self._turn.give()

    def abort(self) -> None:
        if self._thread is not None and not self.done:
            self._aborted = True
            self._turn.give()

    def join(self, timeout: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout)

    # What its own thread calls.

    def park(self, where: str) -> None:
        if self._aborted:
            # It is on its way out, and runs what must run there.
            raise Aborted
        self.where = where
        self._hand_over()

    def wait_for(self, event: SimulatedEvent, deadline: float | None) -> None:
        self._waits_for, self.deadline = event, deadline
        try:
            self.park("wait")
        finally:
            self._waits_for = self.deadline = None

    def ask(self, question: Callable[[], Any]) -> Any:
        if self._aborted:
            raise Aborted
        self.question = question
        self._hand_over()
        return self._reply

    def _hand_over(self) -> None:
        self._driver.give()
        self._turn.take()
        if self._aborted:
            raise Aborted

    def _run(self) -> None:
        self._enter(self)
        try:
            self.result = self._function()
        except Aborted:
            pass
        except BaseException as error:  # noqa: BLE001 - the driver raises it
            self.error = error
        finally:
            self.where = "end"
            self.done = True
            self._driver.give()


class SimulatedEvent:
    """What ``threading.Event`` and daxlite's Latch are to threads that run freely."""

    def __init__(self, current: Callable[[], Task], clock: Clock) -> None:
        self._current = current
        self._clock = clock
        self._set = False

    def is_set(self) -> bool:
        return self._set

    @property
    def is_open(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True

    open = set

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        if not self._set:
            self._current().wait_for(self, None if timeout is None else self._clock.now() + timeout)
        return self._set
