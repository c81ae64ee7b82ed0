"""Logical time, and every state that every item ever had.

A tick is a number of the one counter that everything takes its place in time from: each state of an item, and each
point that a call goes through. An oracle notes ``history.now`` before and after something, and asks for the states in
between.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from tests.simulator.schema import Key
from tests.simulator.values import Item


@dataclass(frozen=True)
class State:
    """An item as it was from a tick on. None: there was no such item."""

    since: int
    item: Item | None


@dataclass
class Call:
    """One call as the server sees it, and the ticks of the points that it went through."""

    number: int
    operation: str
    request: dict[str, Any]
    thread: str
    sent: int = 0
    applied: int = 0
    """When its state was read or changed. 0: never."""
    parts: list[int] = field(default_factory=list)
    """Of a batch of writes: when each of its parts but the last one had been written."""
    replied: int = 0
    response: dict[str, Any] | None = None
    error: Exception | None = None
    """What the caller was told instead of a response."""


@dataclass
class History:
    calls: list[Call] = field(default_factory=list)
    _now: int = 0
    _states: dict[tuple[str, Key], list[State]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def now(self) -> int:
        return self._now

    def tick(self) -> int:
        with self._lock:
            self._now += 1
            return self._now

    def record(self, table: str, key: Key, tick: int, item: Item | None) -> None:
        self._states.setdefault((table, key), [State(0, None)]).append(State(tick, item))

    def states(self, table: str, key: Key, since: int = 0, until: int | None = None) -> list[State]:
        """The states of an item that existed at some moment from `since` to `until`, oldest first."""
        known = self._states.get((table, key), [State(0, None)])
        first = bisect_right(known, since, key=lambda state: state.since) - 1
        last = len(known) if until is None else bisect_right(known, until, key=lambda state: state.since)
        return known[first:last]

    def keys(self, table: str) -> list[Key]:
        """Every key that an item of this table ever had."""
        return [key for name, key in self._states if name == table]
