"""Processes beside that of the test, each with connections and caches of its own.

A test gives one of them a task: a function of a module, and its arguments. To start a process takes half a second, so
the tests share them; what a task left open is closed after each test.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# Not forked: what this process has open is no business of theirs.
_context = multiprocessing.get_context("spawn")

PATIENCE = 20.0
"""Seconds after which a process counts as hanging."""


class Place:
    """What a process keeps from one task of a test to the next; it is the first argument of each task."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.stack = ExitStack()


class Process:
    """One of them."""

    def __init__(self) -> None:
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.is_alive = True
        self.is_busy = False
        """Whether it was given a task whose result was not taken."""

    def do(self, task: Callable[Concatenate[Place, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What comes of a task."""
        self.begin(task, *args, **kwargs)
        result: R = self.end()
        return result

    def begin(self, task: Callable[Concatenate[Place, P], Any], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have it begin a task."""
        self._pipe.send((task, args, kwargs))
        self.is_busy = True

    def end(self) -> Any:
        """What comes of the task that was begun."""
        assert self._pipe.poll(PATIENCE), "a process hangs"
        result, trouble = self._pipe.recv()
        self.is_busy = False
        assert not trouble, trouble
        return result

    def is_done(self) -> bool:
        """Whether the task that was begun has ended."""
        return self._pipe.poll(0)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """It is gone when this returns, and could do nothing about it."""
        self.is_alive = False
        self._signal(signal.SIGKILL)
        self._process.join()
        self._process.close()
        self._pipe.close()

    def _signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)


class Processes:
    """The processes that tests share."""

    def __init__(self) -> None:
        self._all: list[Process] = []

    def take(self, number: int) -> list[Process]:
        """So many; the same ones within one test."""
        self._all = [process for process in self._all if process.is_alive]
        self._all += [Process() for _ in range(number - len(self._all))]
        return self._all[:number]

    def begin_anew(self) -> None:
        """Close what the tasks of a test left open. One that a failed test left with a task is replaced."""
        for process in [process for process in self._all if process.is_alive]:
            if process.is_busy:
                process.kill()
            else:
                process.do(_close)

    def end(self) -> None:
        for process in self._all:
            if process.is_alive:
                process.kill()


def _close(place: Place) -> None:
    place.stack.close()
    place.kept.clear()


def _work(pipe: Connection) -> None:
    place = Place()
    while True:
        try:
            task, args, kwargs = pipe.recv()
        except EOFError:  # the test run is over, or was killed
            return
        result, trouble = None, ""
        try:
            result = task(place, *args, **kwargs)
        except BaseException:  # noqa: BLE001 - shown by the test
            trouble = traceback.format_exc()
        pipe.send((result, trouble))
