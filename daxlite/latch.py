"""The latch: threads and tasks wait at it for the leader of a flight, or until they are to end."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

POLL: Final = 0.5
"""Seconds after which a waiting thread looks for itself whether the latch is open."""


class Latch:
    """Closed until it is opened, once and for all. Threads wait at it, tasks of asyncio add a callback.

    Opening it never blocks. A threading.Event or a Future has a lock inside, which a thread that begins to wait holds
    for a moment. If a signal handler interrupts that thread there and asks for the cache's lock, while the thread that
    has the cache's lock opens the latch, neither would ever go on.

    >>> latch = Latch()
    >>> latch.add_callback(lambda: print("open"))
    >>> latch.open()
    open
    """

    __slots__ = ("_callbacks", "_is_open", "_lock")

    def __init__(self) -> None:
        self._is_open = False
        self._callbacks: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._lock.acquire()

    @property
    def is_open(self) -> bool:
        """Whether it was opened."""
        return self._is_open

    def open(self) -> None:
        """Let everything through that waits, now and later."""
        self._is_open = True
        with suppress(RuntimeError):  # it was open already
            self._lock.release()
        self._call_back()

    def wait(self, timeout: float) -> None:
        """Wait until it is open, or for so many seconds."""
        while not self._is_open and timeout > 0:
            # A thread that gets through lets the next one through. It may be interrupted between the two, so the others
            # look for themselves now and then.
            if self._lock.acquire(timeout=min(timeout, POLL)):
                self.open()
            timeout -= POLL

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call this once it is open; at once if it is open already. The callback must not block and must not raise."""
        self._callbacks.append(callback)
        if self._is_open:
            self._call_back()

    def remove_callback(self, callback: Callable[[], object]) -> None:
        """Do not call this any more, as one that has waited long enough. It may be called at this very moment."""
        with suppress(ValueError):  # it has been called
            self._callbacks.remove(callback)

    def _call_back(self) -> None:
        while self._callbacks:
            try:
                callback = self._callbacks.pop()
            except IndexError:  # another thread was faster
                return
            callback()
