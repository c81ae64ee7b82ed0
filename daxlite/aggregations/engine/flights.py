"""Computations under way in this process, for others to wait for (single flight).

Who waits must not be given what was true only before he came: something may have changed in between, and he may know.
So everybody draws a number when he comes, the flight draws one when it looks whether its result is true, and a result
counts only for those whose number is lower.

    leader    |-- computes ------------- 5: stamps as they were? yes -- stored --|
    follower      |-- 4: joins, waits ------------------------------------------|- takes it
    writer                                      |-- another stamp -|
    follower                                                         |-- 6: joins, waits -|- asks anew
"""

import itertools
import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import NamedTuple

from .stored_result import StoredResult


class Outcome(NamedTuple):
    """What came of a flight, for those who waited."""

    entry: StoredResult
    true_at: int
    """A number drawn when it was still to be seen that it is true; or, if it is not stored, before it was computed."""
    is_clean: bool
    """Whether nothing that it depends on had changed until then."""


class ComputeFlight:
    """One computation, or look into Redis, that others wait for."""

    def __init__(self, owner: object) -> None:
        self.owner = owner
        """The thread or task that flies it, and so cannot wait for it."""
        self.is_abandoned = False
        """Whether its owner was cancelled or interrupted, which says nothing about the computation."""
        self.future: Future[Outcome | None] = Future()
        """Threads and tasks can wait for it alike."""

    @property
    def outcome(self) -> Outcome | None:
        """What came of it; None if nothing did, or has yet."""
        return self.future.result() if self.future.done() else None


class ComputeFlights:
    """The flights of one process, by key."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.begin()

    def begin(self) -> None:
        """Start with none, as a new process does after a fork."""
        self._lock = threading.RLock()  # a signal handler may come in between; then it leads a flight of its own
        self._by_key: dict[bytes, ComputeFlight] = {}

    def number(self) -> int:
        """A number that is higher than all before."""
        return next(self._numbers)

    def start_or_join(self, key: bytes, me: object) -> tuple[ComputeFlight, bool]:
        """The flight for a key, and whether the caller, a thread or a task, is the one who has to fly it."""
        with self._lock:
            flight = self._by_key.get(key)
            if flight is not None:
                return flight, False
            flight = self._by_key[key] = ComputeFlight(me)
            return flight, True

    def land(self, key: bytes, flight: ComputeFlight, outcome: Outcome | None = None) -> None:
        """End a flight; more than once does no harm."""
        with self._lock:
            if self._by_key.get(key) is flight:
                del self._by_key[key]
        with suppress(InvalidStateError):
            flight.future.set_result(outcome)

    def __len__(self) -> int:
        return len(self._by_key)
