"""Threads that run one at a time, in an order that the test chooses.

    scheduler = Scheduler(simulator.clock)
    simulator.at = scheduler.at                       # park where a call is sent, and where it has been applied
    scheduler.spawn("reader", client.get_item, TableName="t", Key=key)
    scheduler.spawn("writer", client.put_item, TableName="t", Item=item)
    results = scheduler.run(chooser)                  # {"reader": {...}, "writer": {...}}

Each thread parks as it starts and at each named point. Whenever all are parked, the driver (the thread that called
`run`) asks `chooser` which of those that can go on goes on. The same choices give the same run: nothing depends on
time, and nothing sleeps.

**Waiting for each other.** Code under test may take locks for a moment, but a thread that parks must hold none, and
none may wait for another one behind the scheduler's back: the run would stand still, which is detected, after
``stuck_after`` real seconds, and reported with the stack of the thread. So code that waits must get its events from
the scheduler: let it take a factory of events, ``threading.Event`` by default, and pass it `Scheduler.event`. The
events have set(), clear(), is_set() and wait(timeout); waiting parks the thread until the event is set. A timeout
passes only when no thread can go on otherwise: then the clock is advanced to the earliest one.

**Deadlock.** If threads are left and all of them wait, without a timeout, `DeadlockError` says which and for what.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tests.simulator.replicas import Clock
from tests.simulator.tasks import Baton, SimulatedEvent, Task

Chooser = Callable[[Sequence[str]], int]
"""Given the names of the threads that can go on, in the order in which they were spawned: the place of the chosen."""


class DeadlockError(AssertionError):
    """Threads are left, and none of them can go on."""


class StuckError(AssertionError):
    """A thread neither parks nor ends: it runs forever, or it waits for something that the scheduler does not know."""


def in_turn(choices: Iterable[int] = ()) -> Chooser:
    """Chooses by a list of numbers, each modulo the number of threads; after its end always the first thread."""
    numbers = iter(choices)
    return lambda names: next(numbers, 0) % len(names)


def every_order() -> Iterator[Chooser]:
    """A chooser for each order that there is: ``for choose in every_order(): ... scheduler.run(choose)``."""
    path: list[list[int]] = []  # at each choice, what is chosen and out of how many

    def chooser() -> Chooser:
        steps = iter(range(1_000_000))

        def choose(names: Sequence[str]) -> int:
            step = next(steps)
            if step == len(path):
                path.append([0, len(names)])
            if path[step][1] != len(names):
                raise AssertionError("the same choices did not lead to the same run")
            return path[step][0]

        return choose

    while True:
        yield chooser()
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            return
        path[-1][0] += 1


class Scheduler:
    def __init__(
        self,
        clock: Clock | None = None,
        *,
        points: Iterable[str] = ("sent", "part", "applied"),
        max_steps: int = 10_000,
        stuck_after: float = 20.0,
    ) -> None:
        self.trace: list[tuple[str, str]] = []
        """What ran, in order: the name of a thread, and where it parked next (or "end")."""
        self.clock = clock or Clock()
        self._points = frozenset(points)
        self._max_steps = max_steps
        self._stuck_after = stuck_after
        self._tasks: list[Task] = []
        self._by_thread: dict[int, Task] = {}
        self._driver = Baton()
        self._stuck: Task | None = None

    def spawn(self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """A thread to run. It starts with `run`; or at once, parked, if it is spawned by a thread of this scheduler."""
        if any(task.name == name for task in self._tasks):
            raise ValueError(f"there is a thread {name!r} already")
        task = Task(name, lambda: function(*args, **kwargs), self._enter, self._driver)
        self._tasks.append(task)

    def at(self, point: str, call: Any = None) -> None:
        """Park the calling thread, if it is one of ours and this is one of the points to park at."""
        if point in self._points:
            self.park(point)

    def park(self, point: str) -> None:
        """Park the calling thread, if it is one of ours. Code under test may have points of its own."""
        task = self._by_thread.get(threading.get_ident())
        if task is not None:
            task.park(point)

    def event(self) -> SimulatedEvent:
        """An event on which threads park; a stand-in for ``threading.Event``."""
        return SimulatedEvent(self._waiting_task, self.clock)

    def in_driver(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that is carried out by the driver, whichever of our threads calls it.

        Hypothesis draws only where it runs the test: ``replicas.choose = scheduler.in_driver(lambda call, ticks: ...)``
        """

        def call(*args: Any) -> Any:
            task = self._by_thread.get(threading.get_ident())
            return function(*args) if task is None else task.ask(lambda: function(*args))

        return call

    def run(self, choose: Chooser | None = None) -> dict[str, Any]:
        """Run all threads to their end, and return what each returned.

        An exception that a thread does not handle is raised here, with a note that names the thread; several are
        raised as a group.
        """
        try:
            self._drive(choose or in_turn())
        finally:
            self._end()
        failed = [task for task in self._tasks if task.error is not None]
        for task in failed:
            assert task.error is not None
            task.error.add_note(f"in the thread {task.name!r}; what ran: {self._story()}")
        if len(failed) == 1:
            assert failed[0].error is not None
            raise failed[0].error
        if failed:
            errors = [task.error for task in failed if task.error is not None]
            raise BaseExceptionGroup(f"{len(failed)} threads failed", errors)
        return {task.name: task.result for task in self._tasks}

    def step(self, name: str) -> str:
        """Let one thread go on to its next point, for a test that orders all steps itself; returns the point. `end` it
        afterwards."""
        (task,) = [task for task in self._tasks if task.name == name]
        self._resume(task)
        self.trace.append((task.name, task.where))
        if task.error is not None:
            raise task.error
        return task.where

    def end(self) -> None:
        """Let every thread that `step` has left run out."""
        self._end()

    def _drive(self, choose: Chooser) -> None:
        steps = 0
        while left := [task for task in self._tasks if not task.done]:
            ready = [task for task in left if task.can_go_on] or self._expired(left)
            steps += 1
            if steps > self._max_steps:
                raise StuckError(f"not at an end after {self._max_steps} steps; what ran: {self._story()}")
            # A single thread is no choice: histories stay short.
            chosen = ready[0] if len(ready) == 1 else ready[choose([task.name for task in ready])]
            self._resume(chosen)
            self.trace.append((chosen.name, chosen.where))

    def _expired(self, left: list[Task]) -> list[Task]:
        """The threads whose timeout comes first, with the clock advanced to it."""
        deadlines = [task.deadline for task in left if task.deadline is not None]
        if not deadlines:
            waiting = ", ".join(f"{task.name!r} at {task.where!r}" for task in left)
            raise DeadlockError(f"all threads wait: {waiting}; what ran: {self._story()}")
        self.clock.advance(max(0.0, min(deadlines) - self.clock.now()))
        expired = [task for task in left if task.deadline == min(deadlines)]
        for task in expired:
            task.expire()
        return expired

    def _resume(self, task: Task) -> None:
        task.resume()
        while True:
            if not self._driver.take(self._stuck_after):
                self._stuck = task
                frame = sys._current_frames().get(task.ident or 0)
                stack = "".join(traceback.format_stack(frame)) if frame else "(it has no stack)"
                raise StuckError(
                    f"the thread {task.name!r} does not park; what ran: {self._story()}; it is at\n{stack}"
                )
            if task.question is None:
                return
            task.answer()

    def _end(self) -> None:
        """Let every thread that is left run out, by an exception at the point where it is parked."""
        for task in self._tasks:
            task.abort()
            # One that is stuck is left behind: it is a daemon, and has been reported.
            if task is not self._stuck:
                task.join(self._stuck_after)

    def _enter(self, task: Task) -> None:
        self._by_thread[threading.get_ident()] = task

    def _waiting_task(self) -> Task:
        task = self._by_thread.get(threading.get_ident())
        if task is None:
            raise RuntimeError("an event of the scheduler is waited for by a thread that is not one of its own")
        return task

    def _story(self) -> str:
        return " ".join(f"{name}:{where}" for name, where in self.trace)
