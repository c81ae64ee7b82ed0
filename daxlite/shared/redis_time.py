"""What time it is by Redis's clock, by which deadlines and ages go: the clocks of hosts need not agree."""

from collections.abc import Callable
from typing import Final, NamedTuple

LASTS: Final = 60.0
"""Seconds for which one look at Redis's clock is good."""
_DRIFT: Final = 0.5
"""Seconds by which this host's two clocks may disagree before the machine counts as frozen, or its clock as set."""


class _Look(NamedTuple):
    redis: float
    clock: float
    wall: float


class RedisTime:
    """Redis's clock as this process last saw it."""

    def __init__(self, clock: Callable[[], float], wall_clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._look: _Look | None = None

    def asked(self) -> tuple[float, float]:
        """The moment, by both clocks, before Redis is asked."""
        return self._clock(), self._wall_clock()

    def saw(self, redis: float, asked: tuple[float, float]) -> None:
        """Note what Redis replied. It was asked at that moment, so by now its clock shows more than that, rather than
        less: an age that follows from it is never too small."""
        self._look = _Look(redis, *asked)

    def now(self) -> float | None:
        """The latest that it may be by Redis's clock; None if that is not known well enough."""
        look = self._look
        if look is None:
            return None
        passed, by_wall = self._clock() - look.clock, self._wall_clock() - look.wall
        if passed > LASTS or abs(passed - by_wall) > _DRIFT:
            return None
        return look.redis + passed
