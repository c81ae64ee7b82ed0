"""Moments and deadlines by two clocks, so that no time is lost while the machine stands still.

See "Expiry, frozen machines and forks" in docs/consistency.md.
"""

import math
from typing import Final, NamedTuple


class Moment(NamedTuple):
    """One moment by two clocks.

    >>> deadline = Moment(clock=100.0, wall=1_800_000_000.0).after(60.0)
    >>> deadline.is_over(Moment(130.0, 1_800_000_030.0)), deadline.is_over(Moment(101.0, 1_800_028_800.0))
    (False, True)
    """

    clock: float
    """By the cache's clock, which never goes back, but stands still while the machine is frozen."""
    wall: float
    """By the wall clock, which may be set."""

    def after(self, seconds: float) -> "Moment":
        """The moment so many seconds later."""
        return Moment(self.clock + seconds, self.wall + seconds)

    def is_over(self, now: "Moment") -> bool:
        """Whether this deadline has passed by either clock."""
        return now.clock >= self.clock or now.wall >= self.wall


LONG_AGO: Final = Moment(-math.inf, -math.inf)
NEVER: Final = Moment(math.inf, math.inf)
