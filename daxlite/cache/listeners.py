"""Who else wants to know: of what a call is about to read, and of what has just changed.

    read   |-- will_read(tags) -- lookup --------- DynamoDB ----- fill --|
    write  |-- DynamoDB ------- apply: the caches are true -- changed(tags) --|

Both are told outside of the cache's lock, and nothing that a listener does wrong reaches the application.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Collection
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

from ..core.tags import Tag

if TYPE_CHECKING:
    from .cache import Cache


class ChangeListener(Protocol):
    """Is told of every change that any cache of this process learns of."""

    def changed(self, tags: Collection[Tag] | None) -> None:
        """Something changed, and the caches of this process are true again already.

        tags: what the change bumped; None where anything at all may have changed. Where the keys of the table are not
        known to this process, the table's own tag is among them, for others may know them. Told before the call that
        made the change returns to the application. Must not raise.
        """


class ReadListener(Protocol):
    """Is told of the reads of one context."""

    def will_read(self, cache: Cache, tags: Collection[Tag] | None, lagging: Collection[Tag]) -> None:
        """A call through a wrapped client is about to read, from the cache or from DynamoDB, what depends on these
        tags; None where nobody can tell what that is. May do I/O. Must not raise.

        lagging: those of the tags that are read eventually consistent even when they have just changed, so that a
        replica may answer that has not heard of it.
        """


read_listener: Final[ContextVar[ReadListener | None]] = ContextVar("daxlite_read_watcher", default=None)
"""Who watches the reads of this context."""

# By a number that is never used twice. Single dictionary operations need no lock, which a signal handler, a finaliser
# or a child process might find taken.
_listeners: Final[dict[int, weakref.ref[ChangeListener]]] = {}
_numbers: Final = itertools.count()


def add_change_listener(listener: ChangeListener) -> None:
    """Tell the listener of every change from here on, as long as somebody else keeps it."""
    if not any(ref() is listener for ref in _listeners.copy().values()):
        number = next(_numbers)
        _listeners[number] = weakref.ref(listener, lambda gone: _listeners.pop(number, None))


def remove_change_listener(listener: ChangeListener) -> None:
    """Tell the listener no more."""
    for number, ref in _listeners.copy().items():
        if ref() is listener:
            _listeners.pop(number, None)


def has_change_listeners() -> bool:
    """Whether there is anybody to tell of a change."""
    return bool(_listeners)


def notify_change_listeners(tags: Collection[Tag] | None, fault: Callable[[Exception], None]) -> None:
    """Tell all listeners, whatever one of them makes of it."""
    for ref in _listeners.copy().values():
        listener = ref()
        if listener is not None:
            try:
                listener.changed(tags)
            except Exception as error:  # noqa: BLE001 - the others are to be told, and the application goes on
                fault(error)
