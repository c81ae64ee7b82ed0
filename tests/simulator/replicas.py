"""Which past an eventually consistent read sees, by a clock that stands still unless it is advanced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.simulator.history import Call
from tests.simulator.table import Table


class Clock:
    """Seconds that pass only when a test says so. ``clock.now`` can stand in for ``time.monotonic``."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("time does not go back")
        self._now += seconds


Chooser = Callable[[Call, Sequence[int]], int]
"""Picks, for one read, one of the moments that a replica may show: ticks, oldest first, the last one the present."""


def oldest(call: Call, ticks: Sequence[int]) -> int:
    return ticks[0]


def newest(call: Call, ticks: Sequence[int]) -> int:
    return ticks[-1]


@dataclass
class Replicas:
    """How far behind replicas may be, and how far behind they are.

    A replica shows the whole table as it was at one moment: DynamoDB promises no more than that it catches up.
    """

    base_lag: float = 0.0
    """Seconds within which a change reaches every replica of the table, which serve its local indexes too."""
    index_lag: float = 0.0
    """Seconds within which a change reaches the global indexes."""
    choose: Chooser = oldest

    def moment(self, table: Table, call: Call, *, of_global_index: bool, now: float) -> int:
        """The tick as of which this read sees the table."""
        lag = self.index_lag if of_global_index else self.base_lag
        changes = table.changes
        # A state that is older than the lag has arrived everywhere. A table that exists, exists everywhere.
        first = len(changes) - 1
        while first > 0 and changes[first].time > now - lag:
            first -= 1
        visible = [change.tick for change in changes[first:]]
        if len(visible) == 1:
            return visible[0]
        chosen = self.choose(call, visible)
        if chosen not in visible:
            raise ValueError(f"the chooser chose {chosen}, which is not one of {visible}")
        return chosen
