"""A circuit breaker: after failures in a row no command is sent for a while, then one at a time as a probe.

closed --(failures in a row)--> open --(pause)--> one probe --(succeeds)--> closed
                                  ^                   |
                                  '---(fails: twice the pause)---'
"""

from collections.abc import Callable
from typing import Final

from .troubles import Troubles

FAILURES_TO_OPEN: Final = 3
"""Failures in a row after which it opens."""
FIRST_PAUSE: Final = 1.0  # seconds
MAX_PAUSE: Final = 30.0  # seconds


class Breaker:
    """Decides whether a command is sent to a server. Threads may share it: a race between them costs one more probe.

    clock: returns the time in seconds; it should be monotonic.

    >>> breaker = Breaker(lambda: 0.0)
    >>> [breaker.failed() for _ in range(FAILURES_TO_OPEN)]
    [False, False, True]
    >>> breaker.is_open, breaker.allows()
    (True, False)
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.errors = 0
        """Commands that failed, for any reason."""
        self.skipped = 0
        """Commands that were not sent."""
        self.troubles = Troubles(clock)
        """What is wrong with the server."""
        self.close()

    def close(self) -> None:
        """Let commands through, as at the beginning."""
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._open_until: float | None = None
        self._is_probing = False

    @property
    def is_open(self) -> bool:
        """Whether no command is sent now. For statistics: it does not start a probe."""
        return self._open_until is not None and self._clock() < self._open_until

    def allows(self, is_urgent: bool = False) -> bool:
        """Whether this caller may send a command. After a pause one caller may, and the others wait for its outcome.
        is_urgent: it is sent in any case, and closes the breaker if it is answered."""
        if self._open_until is None:
            return True
        now = self._clock()
        if now < self._open_until:
            if is_urgent:
                self._open_until = max(self._open_until, now + FIRST_PAUSE)  # this is a probe; it needs no other one
                return True
            self.skipped += 1
            return False
        self._open_until = now + self._pause
        self._is_probing = True
        return True

    def succeeded(self) -> bool:
        """Note that a command was answered. Returns whether that closed it."""
        if not self._failures:
            return False
        was_open = self._open_until is not None
        self.close()
        return was_open

    def failed(self) -> bool:
        """Note that a command was not answered. Returns whether that opened it."""
        self._failures += 1
        if self._open_until is None:
            if self._failures >= FAILURES_TO_OPEN:
                self._open_until = self._clock() + self._pause
                return True
        elif self._is_probing:  # else this command was sent before the breaker opened
            self._is_probing = False
            self._pause = min(2 * self._pause, MAX_PAUSE)
            self._open_until = self._clock() + self._pause
        return False
