"""The lock of a cache: like any other, but nobody can wait for himself.

A signal handler, or a finaliser that the garbage collector runs, may use the wrapped client while its own thread is
inside the lock. With a plain lock it would wait forever; with one that can be taken again it would see, and change,
what is half changed. Here it is told to go around the cache, and whoever holds the lock drops everything on leaving it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..core.unrecognised import Unrecognised


class Reentered(Unrecognised):
    """The calling thread holds the lock already."""


class Lock:
    """A mutual exclusion that raises Reentered where it would wait for itself."""

    def __init__(self, after_reentry: Callable[[], None]) -> None:
        # Taken and given back by a `with` and nothing else, which Python does as a whole: an exception of a signal
        # handler's could leave a method of our own between taking the lock and saying so, and nobody would get in.
        self._lock = threading.RLock()
        self._is_inside = False
        self._was_reentered = False
        self._after_reentry = after_reentry

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within, nobody else is."""
        with self._lock:
            if self._is_inside:
                self._was_reentered = True
                raise Reentered("a call within a call")
            try:
                self._is_inside = True
                yield
            finally:
                try:
                    while self._was_reentered:
                        self._was_reentered = False
                        self._after_reentry()
                finally:
                    self._is_inside = False
