"""Computations under way in this process, for other callers to wait for (single flight).

A follower never receives a result older than its own call: something may have changed just before it, and the caller
may know. So each caller draws a number when it arrives, the flight draws one when it checks whether its result is true,
and a result is good only for callers with a lower number.

    leader    |-- computes ------------- 5: still true? yes -- stored --|
    follower      |-- 4: joins, waits ------------------------------------------|- takes it
    writer                                      |-- a change -----|
    follower                                                         |-- 6: joins, waits -|- asks anew
"""

import itertools
import threading
from typing import NamedTuple

from ...latch import Latch
from ...place import has_stopped
from ..stored_result import StoredResult


class Outcome(NamedTuple):
    """What came of a flight, for its followers."""

    stored: StoredResult
    true_at: int
    """A number drawn before the result was seen to be true; or, if it is not stored, before it was computed."""
    is_current: bool
    """Whether nothing that it depends on had changed until then."""


class ComputeFlight:
    """One computation, or look into Redis, that other callers wait for."""

    def __init__(self, leader: object) -> None:
        self.leader = leader
        """The thread or task that computes, and so cannot wait for the flight."""
        self.is_abandoned = False
        """Whether the leader was cancelled or interrupted, which says nothing about the computation."""
        self.latch = Latch()
        """Opens when the flight has landed."""
        self.outcome: Outcome | None = None
        """What came of it; None if nothing did, or has yet. Set before the latch opens."""


class ComputeFlights:
    """The flights of one process, by key."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.begin()

    def begin(self) -> None:
        """Start with none, as a new process does after a fork."""
        self._lock = threading.RLock()  # a signal handler may come in between; then it leads a flight of its own
        self._by_key: dict[bytes, ComputeFlight] = {}

    def next_number(self) -> int:
        """A number that is higher than all before."""
        return next(self._numbers)

    def start_or_join(self, key: bytes, own: ComputeFlight) -> ComputeFlight:
        """The flight for a key: the caller's own, which it leads then and lands, or another caller's."""
        with self._lock:
            known = self._by_key.get(key)
            if known is None or has_stopped(known.leader):
                known = self._by_key[key] = own
            return known

    def land(self, key: bytes, flight: ComputeFlight, outcome: Outcome | None = None) -> None:
        """End a flight, if it has started; more than once does no harm, and the first outcome counts."""
        with self._lock:
            if self._by_key.get(key) is flight:
                del self._by_key[key]
        if flight.outcome is None:
            flight.outcome = outcome
        flight.latch.open()

    def __len__(self) -> int:
        return len(self._by_key)
