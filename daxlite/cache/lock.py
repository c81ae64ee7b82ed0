"""The lock of a cache: a mutual exclusion in which no thread can wait for itself.

A signal handler, or a finaliser that the garbage collector runs, may use the wrapped client while its own thread is
inside the lock. A plain lock would let it wait forever; a reentrant one would let it see, and change, what is half
changed. Here the inner call is told to go around the cache. What it may have changed is unknown to the cache, so from
that moment the cache answers nothing, and the next caller that takes the lock drops everything first.

    thread   |-- locked ------ signal handler ------------------ leaves --|
    handler                    |-- put_item: Reentered, suspend --|
    others                     |- every lookup is a miss ------------------|-- locked: drop everything --|
"""

import threading
from collections.abc import Callable

from ..core.not_cacheable import NotCacheable


class Reentered(NotCacheable):
    """The calling thread holds the lock already."""


class Lock:
    """A mutual exclusion that raises Reentered where a thread would wait for itself.

    >>> lock = Lock(suspend=lambda: print("answers nothing"), recover=lambda: print("drops everything"))
    >>> with lock.locked():
    ...     try:
    ...         lock.locked()
    ...     except Reentered:
    ...         print("went around")
    answers nothing
    went around
    >>> with lock.locked():
    ...     pass
    drops everything
    """

    def __init__(self, suspend: Callable[[], object], recover: Callable[[], object]) -> None:
        """suspend: lets the cache answer nothing; called inside the lock, at any moment of a change, so it must be one
        assignment. recover: drops everything, and lets the cache answer again; called as the lock's holder. What it
        returns is let go outside of the lock."""
        self._mutex = threading.RLock()
        self._suspend = suspend
        self._recover = recover
        self._reentries = 0
        self._recovered = 0
        """The re-entries from which the cache has recovered."""

    def locked(self) -> threading.RLock:
        """The lock, for a `with` statement. Raises Reentered where the calling thread holds it already.

        What is returned is Python's own lock, which a `with` takes and releases in one instruction each. A method of
        ours in its place could be left by an exception of a signal handler between taking the lock and returning, and
        no thread would ever enter again.
        """
        if self._mutex._is_owned():  # type: ignore[attr-defined]  # as threading.Condition asks it
            self._reentries += 1
            self._suspend()
            raise Reentered("a call within a call")
        if self._recovered != self._reentries:
            dropped = None
            with self._mutex:
                reentries = self._reentries
                if self._recovered != reentries:
                    # Noted last of all, and up to the number from before: an exception of a signal handler in between,
                    # and a re-entry in between, leave it to the next caller.
                    dropped = self._recover()
                    self._recovered = reentries
            del dropped  # outside of the lock, for it takes its time
        return self._mutex

    def doubt(self) -> None:
        """What the lock guards may be half changed, by a holder that an exception ended: until the next caller that
        takes the lock has dropped everything, nothing is answered."""
        self._reentries += 1
        self._suspend()

    def to_read(self) -> threading.RLock:
        """The lock for a caller that only looks, for a `with` statement. A signal handler gets it within a change of
        its own thread, too, and may see a part of that change."""
        return self._mutex if self._mutex._is_owned() else self.locked()  # type: ignore[attr-defined]
