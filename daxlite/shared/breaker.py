"""A circuit breaker: a server that does not answer is left alone for a while, and asked again by one caller at a time.

closed --(failures in a row)--> open --(pause)--> one probe --(answers)--> closed
                                  ^                   |
                                  '---(fails; twice the pause)---'
"""

from collections.abc import Callable
from typing import Final

FAILURES: Final = 3
"""Failures in a row after which it opens."""
FIRST_PAUSE: Final = 1.0
MAX_PAUSE: Final = 30.0


class Breaker:
    """Whether to ask a server at all. Threads may share it: what a race between them costs is a probe too many."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.errors = 0
        """Commands that failed, for whatever reason."""
        self.skipped = 0
        """Commands that were not sent."""
        self.close()

    def close(self) -> None:
        """Begin, or begin again, with trust."""
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._open_until: float | None = None
        self._is_probing = False

    @property
    def is_open(self) -> bool:
        """Whether the server is being left alone now. For statistics; asks for no probe."""
        return self._open_until is not None and self._clock() < self._open_until

    def allows(self) -> bool:
        """Whether this caller may ask. After a pause one may, and the others wait for what comes of it."""
        if self._open_until is None:
            return True
        now = self._clock()
        if now < self._open_until:
            self.skipped += 1
            return False
        self._open_until = now + self._pause
        self._is_probing = True
        return True

    def succeeded(self) -> None:
        if self._failures:
            self.close()

    def failed(self) -> None:
        self._failures += 1
        if self._open_until is None:
            if self._failures >= FAILURES:
                self._open_until = self._clock() + self._pause
        elif self._is_probing:  # else it was under way already when it opened, and says nothing new
            self._is_probing = False
            self._pause = min(2 * self._pause, MAX_PAUSE)
            self._open_until = self._clock() + self._pause
