"""The lock of a cache: like any other, but nobody can wait for himself.

A signal handler, or a finaliser that the garbage collector runs, may use the wrapped client while its own thread is
inside the lock. With a plain lock it would wait forever; with one that can be taken again it would see, and change,
what is half changed. Here it is told to go around the cache, and whoever holds the lock drops everything on leaving it.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from ..core.not_cacheable import NotCacheable


class Reentered(NotCacheable):
    """The calling thread holds the lock already."""


class Lock:
    """A mutual exclusion that raises Reentered where it would wait for itself.

        with lock.mutex, lock:
            ...

    The mutex is Python's own, which a `with` takes and gives back as a whole. A method of ours in its place could be
    left by an exception of a signal handler's between taking it and saying so, and nobody would ever get in again.
    """

    def __init__(self, after_reentry: Callable[[], None]) -> None:
        self._mutex = threading.RLock()
        self._was_reentered = False
        self._after_reentry = after_reentry

    @property
    def mutex(self) -> AbstractContextManager[bool]:
        """To be held. Raises Reentered where the calling thread holds it already."""
        if self._mutex._is_owned():  # type: ignore[attr-defined]  # as threading.Condition asks it
            self._was_reentered = True
            raise Reentered("a call within a call")
        return self._mutex

    def __enter__(self) -> None:
        """Nothing is to be done here; at the end there may be."""

    def __exit__(self, *exception: object) -> None:
        while self._was_reentered:
            self._was_reentered = False
            try:
                self._after_reentry()
            except BaseException:  # by a signal handler's: it is left to the next one
                self._was_reentered = True
                raise
