"""Listeners hear of what a call is about to read, and of what has just changed.

    read   |-- AboutToRead: will_read(tags) -- lookup ---------- DynamoDB ------ fill --|
    write  |-- DynamoDB ----- apply: the caches are true -- Notify: changed(tags) --|

What a listener does is steps, so it may ask Redis; the driver takes them outside of the cache's lock. A fault of a
listener is counted and never reaches the application.
"""

import itertools
import weakref
from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol, runtime_checkable

from ..core.extents import Extent
from ..core.steps import Invalidated, Notify, Steps, Told
from ..core.tags import Tag


class ChangeListener(Protocol):
    """Hears of every change that a wrapped client of this process makes or learns of."""

    @property
    def where(self) -> object:
        """As `Told.where`: what this process tells there, the listener need not be told."""

    def changed(self, tags: Mapping[Tag, Extent] | None, told: Told | None) -> Steps[None]:
        """Something changed, and the caches of this process are true again already.

        tags: what the change bumped, and which extent of it; None where anything at all may have changed. Where this
        process does not know the table's keys, the table's own tag is among them, because other processes may know
        them. told: what of that the processes know already that share a tier. The steps are taken before the call that
        made the change returns to the application.
        """


@runtime_checkable
class Delivers(Protocol):
    """A listener that tells others of the changes that it hears of, and may owe them some."""

    def deliver(self) -> Steps[None]:
        """Tell the others what is owed now. Raises Unavailable where that fails; then it is tried later."""


class ReadListener(Protocol):
    """Hears of the reads of one computation."""

    def will_read(self, cache: Any, tags: Mapping[Tag, Extent] | None, lagging: Collection[Tag]) -> Steps[None]:
        """A wrapped client is about to read, from its cache or from DynamoDB, these extents of these tags.

        tags: None where it cannot be told what the answer depends on. lagging: those of the tags that are read
        eventually consistent even when they have just changed, so that a replica may answer that has not heard of it.
        """


# By a number that is never used twice. Single dictionary operations need no lock, which a signal handler, a finaliser
# or a child process might find taken.
_listeners: Final[dict[int, weakref.ref[ChangeListener]]] = {}
_numbers: Final = itertools.count()


def add_change_listener(listener: ChangeListener) -> None:
    """Notify the listener of every change from here on, for as long as something else refers to it."""
    if listener not in change_listeners():
        number = next(_numbers)
        _listeners[number] = weakref.ref(listener, lambda gone: _listeners.pop(number, None))


def remove_change_listener(listener: ChangeListener) -> None:
    """Notify the listener no more."""
    for number, ref in _listeners.copy().items():
        if ref() is listener:
            _listeners.pop(number, None)


def change_listeners() -> list[ChangeListener]:
    """All listeners to changes."""
    if not _listeners:
        return []
    return [listener for ref in _listeners.copy().values() if (listener := ref()) is not None]


def announce_elsewhere(cache: Invalidated, tags: Mapping[Tag, Extent], where: object) -> Steps[None]:
    """Notify the listeners of a change that all know who share the tier with this identity: those of other ones."""
    for listener in change_listeners():
        if listener.where != where:
            try:
                yield from listener.changed(tags, None)
            except Exception as error:  # noqa: BLE001 - a fault of the listener's: the others are told all the same
                cache.fault(error)


def has_change_listeners() -> bool:
    """Whether a change has to be announced at all."""
    return bool(_listeners)


def announce(
    cache: Invalidated, tags: Mapping[Tag, Extent] | None, *, is_told: bool = False, told: Told | None = None
) -> Steps[None]:
    """Notify the listeners, if there are any, of what a change bumped, and the processes that share a tier.

    tags: None for anything at all. is_told: whether these processes know already, or will. told: what they know.
    """
    if tags is not None and not tags:
        return
    tell = cache.tell
    if tell is not None and not is_told:
        told = yield from tell(tags)
    if _listeners:
        yield Notify(cache, tags, told)
