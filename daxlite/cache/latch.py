"""What readers wait at for one another."""

import threading
from contextlib import suppress
from typing import Final

MAX_LOOK: Final = 0.5  # seconds


class Latch:
    """Closed until it is opened, once and for all; used like a threading.Event.

    To open it never blocks. An Event has a lock inside, which a thread that begins to wait holds for a moment; were a
    signal handler to interrupt it there, and to ask for the cache's lock, and were the Event set by somebody who has
    that lock, neither would ever go on.
    """

    __slots__ = ("_is_open", "_lock")

    def __init__(self) -> None:
        self._is_open = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Open it."""
        self._is_open = True
        with suppress(RuntimeError):  # it was open already
            self._lock.release()

    def wait(self, timeout: float) -> None:
        """Wait until it is open, or for so many seconds."""
        while not self._is_open and timeout > 0:
            # Whoever gets through lets the next one through. Now and then they look for themselves, in case that he was
            # interrupted between the two.
            if self._lock.acquire(timeout=min(timeout, MAX_LOOK)):
                self.set()
            timeout -= MAX_LOOK
