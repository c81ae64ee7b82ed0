"""Listeners that record what is announced to them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from daxlite.calls.hearing import hearing, read_listeners
from daxlite.core.extents import Extent
from daxlite.core.steps import Steps, Told
from daxlite.core.tags import Tag


class Recorder:
    """The tags of each announcement, None for one of anything, and the result of `look` at that moment."""

    def __init__(self, look: Callable[[], Any] = lambda: None) -> None:
        self.announced: list[set[Tag] | None] = []
        self.seen: list[Any] = []
        self.look = look

    def record(self, tags: Collection[Tag] | None) -> None:
        self.announced.append(None if tags is None else set(tags))
        self.seen.append(self.look())

    def take(self) -> list[Any]:
        """The announcements since the last call of this method."""
        announced, self.announced = self.announced, []
        return announced


class ChangeRecorder(Recorder):
    """A change listener."""

    where = None

    def changed(self, tags: Collection[Tag] | None, told: Told | None) -> Steps[None]:
        yield from ()
        self.record(tags)


class ReadRecorder(Recorder):
    """A read listener."""

    lagging: Collection[Tag] = frozenset()
    """The tags of the last announcement that may lag."""

    def will_read(self, cache: Any, tags: Mapping[Tag, Extent] | None, lagging: Collection[Tag]) -> Steps[None]:
        yield from ()
        self.lagging = set(lagging)
        self.record(tags)


@contextmanager
def listening(listener: Any) -> Iterator[None]:
    """Announce the reads of this context to a listener."""
    here, token = get_ident(), read_listeners.set((listener,))
    hearing[here] = (listener,)
    try:
        yield
    finally:
        del hearing[here]
        read_listeners.reset(token)
