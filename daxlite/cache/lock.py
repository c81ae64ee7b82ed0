"""The lock of a cache: like any other, but nobody can wait for himself.

A signal handler, or a finaliser that the garbage collector runs, may use the wrapped client while its own thread is
inside the lock. With a plain lock it would wait forever; with one that can be taken again it would see, and change,
what is half changed. Here it is told to go around the cache, and whoever holds the lock drops everything on leaving it.
"""

import threading
from collections.abc import Callable

from ..core.unrecognised import Unrecognised


class Reentered(Unrecognised):
    """The calling thread holds the lock already."""


class Lock:
    """A mutual exclusion that raises Reentered where it would wait for itself."""

    __slots__ = ("_after_reentry", "_lock", "_owner", "_was_reentered")

    def __init__(self, after_reentry: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._was_reentered = False
        self._after_reentry = after_reentry

    def __enter__(self) -> None:
        me = threading.get_ident()
        if self._owner == me:
            self._was_reentered = True
            raise Reentered("a call within a call")
        self._lock.acquire()
        self._owner = me

    def __exit__(self, *exception: object) -> None:
        try:
            if self._was_reentered:
                self._was_reentered = False
                self._after_reentry()
        finally:
            self._owner = None
            self._lock.release()
