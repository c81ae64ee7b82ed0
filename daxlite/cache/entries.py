"""Entries in memory, bounded in bytes, least recently used out first."""

from collections.abc import Callable
from typing import Final, TypeAlias

from cachetools import LRUCache

from .clock import Stamps, changed_since
from .stats import Counters

EntryKey: TypeAlias = tuple[int, bytes] | tuple[int, bytes, bytes] | tuple[int, str, bytes]
"""(table, item key), (table, item key, projection) or (table, "query" or "scan", signature)."""

# What Python keeps for an entry beside its encoded answer and key: the Entry, the key's tuple, and a slot in each
# of the three dictionaries of cachetools.LRUCache. `python -m benchmarks.memory` measures it.
ENTRY_OVERHEAD: Final = 640


class Entry:
    """One stored answer."""

    __slots__ = ("counters", "data", "expires", "size", "stamps", "tick")

    def __init__(
        self, data: bytes, *, key: EntryKey, expires: float, tick: int, stamps: Stamps, counters: Counters
    ) -> None:
        self.data = data
        """The answer, encoded; empty for an item that is known not to exist."""
        self.expires = expires
        self.tick = tick
        self.stamps = stamps
        self.counters = counters
        self.size = len(data) + sum(len(part) for part in key[1:]) + ENTRY_OVERHEAD

    @property
    def is_stale(self) -> bool:
        """Whether something that the answer depends on changed since it was read."""
        return changed_since(self.stamps, self.tick)


class Entries(LRUCache[EntryKey, Entry]):
    """The entries of a cache. Not thread-safe: the cache's lock guards them."""

    def __init__(self, max_bytes: int, when_dropped: Callable[[Entry], None]) -> None:
        super().__init__(max_bytes, getsizeof=_size)
        self._when_dropped = when_dropped

    def store(self, key: EntryKey, entry: Entry) -> None:
        """Put an entry in its place; what stood there is dropped, and whatever must go to make room."""
        self.discard(key)
        self[key] = entry
        entry.counters.entries += 1
        entry.counters.bytes += entry.size

    def drop(self, key: EntryKey) -> None:
        """Take an entry out. The caller knows, and counts, why."""
        self._forget(self.pop(key))

    def discard(self, key: EntryKey) -> bool:
        """Take an entry out if it is there; returns whether it was."""
        if key not in self:
            return False
        self.drop(key)
        return True

    def drop_all(self) -> None:
        for key in list(self):
            self.drop(key)

    def popitem(self) -> tuple[EntryKey, Entry]:
        """Evict the least recently used entry; LRUCache calls this to make room."""
        key, entry = super().popitem()
        if entry.is_stale:  # it was gone already, only nobody had looked
            entry.counters.invalidations += 1
        else:
            entry.counters.evictions += 1
        self._forget(entry)
        return key, entry

    def _forget(self, entry: Entry) -> None:
        entry.counters.entries -= 1
        entry.counters.bytes -= entry.size
        self._when_dropped(entry)


def _size(entry: Entry) -> int:
    return entry.size
