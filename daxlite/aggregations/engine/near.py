"""The near cache: results that this process keeps in memory, as long as it hears of every change."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

from cachetools import LRUCache
from msgspec import Struct

from ...cache.clock import ChangeClock, Stamps, changed_since
from ...cache.lock import Lock, Reentered
from ...core.extents import Extent
from ...shared.messages import Message
from ...shared.tags import EVERY_TABLE, EVERYTHING
from ...shared.tier import Hears
from ..stored_result import StoredResult

CHANGES_KEPT_FOR: Final = 30.0
"""Seconds for which a change is remembered, whether or not a result here depends on it: a result that is being read or
computed meanwhile may turn out to. What takes longer is not kept here."""


class Moment(Struct, frozen=True):
    """When a read or a computation began, to tell what changed since."""

    tick: int
    at: float
    epoch: int


class NearEntry(Struct, eq=False):
    """A result in the near cache."""

    stored: StoredResult
    stamps: Stamps
    tick: int
    """It is true as of this tick."""
    epoch: int

    def is_true(self) -> bool:
        """Whether nothing that it covers has changed. It is then true as of the newest tick that it was compared
        with."""
        stamps, tick = self.stamps, self.tick
        if not changed_since(stamps, tick):
            return True
        if _is_met(stamps, tick, self.stored.extents):
            return False
        self.tick = max([stamp.tick for stamp in stamps])
        return True


class Near(Protocol):
    """The results that a request finds without taking a step. `NearCache` and `local.LocalResults` are such."""

    def now(self) -> Moment: ...

    def get(self, key: bytes, tags: tuple[bytes, ...]) -> StoredResult | None: ...

    def put(self, key: bytes, stored: StoredResult, since: Moment) -> None: ...

    def bump(self, changed: Mapping[bytes, Extent]) -> None: ...

    def clear(self) -> None: ...

    def size(self) -> tuple[int, int]: ...


class NearCache:
    """Results in memory, bounded in bytes; the least recently used go first.

    A change is heard, or made in this process. While the process does not hear, nothing is answered from here (P5).
    """

    def __init__(self, max_bytes: int, hearing: Hears, clock: Callable[[], float]) -> None:
        self._max_bytes = max_bytes
        self._hearing = hearing
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Start empty, as a new process does after a fork."""
        self.lock = Lock(suspend=self._suspend, recover=self._recover)
        self._changes = ChangeClock(CHANGES_KEPT_FOR)
        self._fill_anew()

    def _fill_anew(self) -> None:
        self._entries = NearEntries(self._max_bytes, self._changes)
        self._find: Callable[[bytes], NearEntry | None] = self._entries.get

    def now(self) -> Moment:
        """This moment. The caller is about to read something worth keeping, so the process listens from now on."""
        if self._max_bytes > 0:
            self._hearing.listen(EVERY_TABLE)
        return Moment(self._changes.now, self._clock(), self._hearing.epoch)

    def get(self, key: bytes, tags: tuple[bytes, ...]) -> StoredResult | None:
        """The result under a key, if it has these tags and nothing that it depends on is known to have changed."""
        if not self._entries or not self._hearing.hears(EVERY_TABLE):
            return None
        with suppress(Reentered), self.lock.locked():
            entry = self._find(key)
            if entry is None:
                return None
            is_true = entry.epoch == self._hearing.epoch and entry.is_true()
            if is_true and entry.stored.has_tags(tags):
                return entry.stored
            try:
                del self._entries[key]
            except BaseException:
                self.lock.doubt()
                raise
        return None

    def put(self, key: bytes, stored: StoredResult, since: Moment) -> None:
        """Keep a result that was true at a moment, if nothing changed since."""
        if self._max_bytes <= 0 or not self._hearing.hears(EVERY_TABLE) or since.epoch != self._hearing.epoch:
            return
        self._change(self._put, key, stored, since)

    def _put(self, key: bytes, stored: StoredResult, since: Moment) -> None:
        stamps = self._changes.hold(stored.tags)
        if self._is_changed(stamps, stored.extents, since):
            self._changes.release(stamps)
        else:
            self._entries.put(key, NearEntry(stored, stamps, since.tick, since.epoch))

    def _is_changed(self, stamps: Stamps, extents: tuple[Extent, ...], since: Moment) -> bool:
        return _is_met(stamps, since.tick, extents) or self._changes.may_have_missed(since.at, self._clock())

    def hear(self, message: Message) -> None:
        """Another process, or this one, told of a change."""
        self.bump(message.changed)

    def bump(self, changed: Mapping[bytes, Extent]) -> None:
        """Note that these extents of tags changed."""
        # Where a frame further out in this thread holds the lock, the next caller that takes it drops everything.
        self._change(self._bump, changed)

    def _bump(self, changed: Mapping[bytes, Extent]) -> None:
        self._changes.bump(changed, self._clock(), extents=changed)

    def clear(self) -> None:
        """Drop everything."""
        self._change(self._drop_all)

    def _change(self, change: Callable[..., object], *arguments: Any) -> None:
        """Make a change under the lock. What an exception of a signal handler leaves half changed, in cachetools or in
        the clock, is dropped before anything else is done with it."""
        with suppress(Reentered), self.lock.locked():
            try:
                change(*arguments)
            except BaseException:
                self.lock.doubt()
                raise

    def _suspend(self) -> None:
        self._find = _nothing

    def _recover(self) -> object:
        return self._drop_all()

    def _drop_all(self) -> object:
        """Begin with new entries and a new clock: the old ones may be half changed. What is being read or computed
        meanwhile is not kept, for everything changed just now. Returns what was dropped."""
        dropped = self._entries
        changes = ChangeClock(CHANGES_KEPT_FOR)
        changes.now = self._changes.now  # moments of before are still in use
        changes.bump([EVERYTHING], self._clock())
        self._changes = changes
        self._fill_anew()
        return dropped

    def size(self) -> tuple[int, int]:
        """The numbers of entries and of bytes."""
        return len(self._entries), int(self._entries.currsize)


def _is_met(stamps: Stamps, tick: int, extents: tuple[Extent, ...]) -> bool:
    """Whether a change after a tick touched one of these extents of the tags of these stamps."""
    pairs = zip(stamps, extents, strict=True)
    return any(stamp.tick > tick and stamp.change_since(tick, extent) is not None for stamp, extent in pairs)


def _nothing(key: bytes) -> None:
    return None


class NearEntries(LRUCache[bytes, NearEntry]):
    """The entries by key. An entry that leaves releases its stamps."""

    def __init__(self, max_bytes: int, changes: ChangeClock) -> None:
        super().__init__(max(max_bytes, 1), getsizeof=lambda entry: entry.stored.size)
        self._changes = changes

    def put(self, key: bytes, entry: NearEntry) -> None:
        """Keep an entry in place of the one that is there; one that is too large for the whole cache is not kept."""
        self.pop(key, None)
        if entry.stored.size > self.maxsize:
            self._changes.release(entry.stamps)
        else:
            self[key] = entry

    def __delitem__(self, key: bytes, *arguments: Any) -> None:
        entry = self[key]
        super().__delitem__(key, *arguments)
        self._changes.release(entry.stamps)
