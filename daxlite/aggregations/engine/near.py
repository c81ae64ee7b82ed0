"""The near cache: results that this process keeps for itself, as long as it hears of every change."""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from cachetools import LRUCache
from msgspec import Struct

from ...cache.clock import ChangeClock, Stamps, changed_since
from ...cache.lock import Lock, Reentered
from ...shared.bus import Bus
from ...shared.tags import EVERYTHING
from .stored_result import StoredResult

# For so long it is remembered what changed, whether or not a result here depends on it: a result that is being read or
# computed meanwhile may turn out to. What takes longer is not kept here.
MEMORY = 30.0  # seconds


class Moment(Struct, frozen=True):
    """When something began, for the request what changed since."""

    tick: int
    at: float
    epoch: int


class NearEntry(Struct, frozen=True):
    """A result kept here."""

    entry: StoredResult
    stamps: Stamps
    tick: int
    epoch: int


class NearCache:
    """The results that this process has at hand, least recently used out first, bounded in bytes.

    What changed is heard over the bus, or made here. While the bus is silent nothing is answered from here (P5).
    """

    def __init__(self, max_bytes: int, bus: Bus, clock: Callable[[], float]) -> None:
        self._max_bytes = max_bytes
        self._bus = bus
        self._clock = clock
        bus.heard = self.bump
        self.begin()

    def begin(self) -> None:
        """Start empty, as a new process does after a fork."""
        self.lock = Lock(after_reentry=self._drop_all)
        self._changes = ChangeClock(MEMORY)
        self._kept: _Entries = _Entries(self._max_bytes, self._changes)

    def now(self) -> Moment:
        """This moment. Whoever asks is about to have something to keep, so from now on it is listened."""
        if self._max_bytes > 0:
            self._bus.listen()
        return Moment(self._changes.now, self._clock(), self._bus.epoch)

    def get(self, key: bytes, tags: tuple[bytes, ...]) -> StoredResult | None:
        """The result, if it has these tags and nothing that it depends on changed, as far as anybody told."""
        if not self._kept or not self._bus.is_heard:
            return None
        with suppress(Reentered), self.lock.mutex, self.lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            is_true = kept.epoch == self._bus.epoch and not changed_since(kept.stamps, kept.tick)
            if is_true and kept.entry.tags[: len(tags)] == tags:
                return kept.entry
            del self._kept[key]
        return None

    def put(self, key: bytes, entry: StoredResult, since: Moment) -> None:
        """Keep a result that was true at a moment, if nothing changed since."""
        if self._max_bytes <= 0 or not self._bus.is_heard or since.epoch != self._bus.epoch:
            return
        with suppress(Reentered), self.lock.mutex, self.lock:
            stamps = self._changes.hold(entry.tags)
            if self._is_changed(stamps, since):
                self._changes.release(stamps)
            else:
                self._kept.put(key, NearEntry(entry, stamps, since.tick, since.epoch))

    def _is_changed(self, stamps: Stamps, since: Moment) -> bool:
        return changed_since(stamps, since.tick) or self._changes.may_have_missed(since.at, self._clock())

    def bump(self, tags: Collection[bytes]) -> None:
        """These tags changed."""
        # Whoever holds the lock, further out in this thread, will drop everything.
        with suppress(Reentered), self.lock.mutex, self.lock:
            self._changes.bump(tags, self._clock())

    def clear(self) -> None:
        """Forget everything."""
        with suppress(Reentered), self.lock.mutex, self.lock:
            self._drop_all()

    def _drop_all(self) -> None:
        self._changes.bump([EVERYTHING], self._clock())
        for key in list(self._kept):
            del self._kept[key]

    def size(self) -> tuple[int, int]:
        """Entries and bytes."""
        return len(self._kept), int(self._kept.currsize)


class _Entries(LRUCache[bytes, NearEntry]):
    """Gives back the stamps of whatever leaves."""

    def __init__(self, max_bytes: int, changes: ChangeClock) -> None:
        super().__init__(max(max_bytes, 1), getsizeof=lambda kept: kept.entry.size)
        self._changes = changes

    def put(self, key: bytes, kept: NearEntry) -> None:
        """Keep it instead of what was there; what is too large for the whole cache is not kept."""
        self.pop(key, None)
        if kept.entry.size > self.maxsize:
            self._changes.release(kept.stamps)
        else:
            self[key] = kept

    def __delitem__(self, key: bytes, *arguments: Any) -> None:
        kept = self[key]
        super().__delitem__(key, *arguments)
        self._changes.release(kept.stamps)
