"""Leases: for how long a process may count on having heard everything."""

import math
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

LEASE: Final = 2.0
"""Seconds for which a server's answer is good, counted from its request."""


class Lease(Struct, frozen=True):
    """Holds up to a moment of both clocks. A machine that is frozen and thawed, as Lambda does it, finds its monotonic
    clock where it was; and a wall clock may be set, back or forth.

    >>> lease = Lease(12.0, 1000.0, 1002.0)
    >>> [lease.holds(11.9, 1001.9), lease.holds(12.0, 1001.9), lease.holds(11.9, 4600.0), lease.holds(11.9, 999.0)]
    [True, False, False, False]
    """

    until: float = -math.inf
    """By the monotonic clock."""
    wall_since: float = math.inf
    wall_until: float = -math.inf
    """By the wall clock."""

    def holds(self, now: float, wall: float) -> bool:
        """Whether it holds at this moment of both clocks."""
        return now < self.until and self.wall_since <= wall < self.wall_until

    def longer(self, seconds: float) -> "Lease":
        """The same, with so many seconds added."""
        return Lease(self.until + seconds, self.wall_since, self.wall_until + seconds)


NO_LEASE: Final = Lease()


def common(asked: Iterable[tuple[float, float]]) -> Lease:
    """The lease of answers that were asked for at these moments, by both clocks: all of them are good."""
    moments = list(asked)
    first, wall_first = (min(each) for each in zip(*moments, strict=True))
    return Lease(first + LEASE, max(wall for _, wall in moments), wall_first + LEASE)
