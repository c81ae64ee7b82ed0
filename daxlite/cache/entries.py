"""Entries in memory, bounded in bytes. Entries used once are evicted first, entries used again stay.

S3-FIFO ("FIFO queues are all you need for cache eviction", SOSP 2023): a new entry waits in a small queue, and moves on
to the main queue only if it was used there, so a scan that runs through the cache leaves it as it was. The key of an
entry that was evicted from the small queue is remembered for a while, in the ghost queue; if the entry comes back, it
goes straight to the main queue. A hit only counts itself, in the entry. It moves nothing, so it takes no lock.

    new --> small queue, a tenth --used?--> main queue --used?--> its end again, one use less
                    | no                        | no
                    v                           v
            ghost queue: its key            forgotten

The key of a used entry that a change drops goes to the ghost queue too: its successor is likely to be as popular.
"""

import math
import weakref
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from msgspec import Struct

from ..core.encoding import room_of
from ..core.extents import EVERYTHING, Extent
from .clock import Stamps, changed_since
from .counters import KindCounters

EntryKey: TypeAlias = tuple[int, bytes] | tuple[int, bytes, bytes] | tuple[int, str, bytes]
"""(table, item key), (table, item key, projection) or (table, "query" or "scan", signature)."""

# What Python keeps for an entry beside its encoded answer and key: the Entry, the key's tuple, a slot in a dictionary,
# and its share of the ghost queue. Measured: 552 bytes while nothing is evicted
# (`python -m benchmarks.memory`), and up to 703 in a cache that was filled twice over.
ENTRY_OVERHEAD: Final = 720
EXTENT_OVERHEAD: Final = 390
"""The longest extent of a page."""
HOLD_OVERHEAD: Final = 80
"""The tuple of an entry that holds stamps of its own. The stamps count in the change clock, once for all entries."""
MAX_USES: Final = 3
"""Uses beyond this number are not counted, so that an entry that was popular once can be evicted."""
SMALL_PART: Final = 10
"""The small queue is one part in so many."""
MAX_SPARED: Final = 1000
"""So many entries are spared to make room for one; then the next one is evicted, used or not. Where every entry is used
all the time, a fill would otherwise hold the cache's lock while each entry passes by three times."""


class Entry(Struct, eq=False, gc=False):
    """One stored answer.

    Python's garbage collector does not track it, because visiting a million of them stopped the program for a third of
    a second. So no reference but those of its queue and its neighbours, which `unlink` cuts, may lead back to it.
    """

    data: bytes
    """The answer, encoded; empty for an item that is known not to exist."""
    key: EntryKey
    expires: float
    """The end of its TTL by the cache's clock."""
    tick: int
    stamps: Stamps
    counters: KindCounters
    size: int
    extent: Extent = EVERYTHING
    """What a page covers of its partition."""
    wall_expires: float = math.inf
    """The end of its TTL by the wall clock, which goes on while the machine is frozen."""
    uses: int = 0
    """Hits since it came to its queue. Counted without a lock: one that is lost does no harm."""
    # The queue in which it stands, and its neighbours there: any entry can leave at any time.
    queue: "Queue | None" = None
    previous: "Entry | None" = None
    next: "Entry | None" = None

    def __repr__(self) -> str:
        return f"<entry: {self.size} bytes>"  # without its neighbours, and what is not for logs

    @property
    def is_stale(self) -> bool:
        """Whether something that the answer depends on changed since it was read."""
        return changed_since(self.stamps, self.tick, self.extent)


def size_of(key: EntryKey, data: bytes, stamps: Stamps, extent: Extent = EVERYTHING) -> int:
    """The bytes of an entry. Its answer takes no more than its length; its key was not copied."""
    size = ENTRY_OVERHEAD + len(data) + room_of(key[-1])
    if len(key) > 2 and isinstance(key[1], bytes):
        size += room_of(key[1])
    if extent is not EVERYTHING:
        size += EXTENT_OVERHEAD
    return size if len(stamps) < 2 else size + HOLD_OVERHEAD


class Queue:
    """First in, first out, except that an entry can leave from the middle."""

    __slots__ = ("bytes", "first", "last")

    def __init__(self) -> None:
        self.bytes = 0
        self.first: Entry | None = None
        self.last: Entry | None = None

    def append(self, entry: Entry) -> None:
        entry.queue, entry.previous, entry.next = self, self.last, None
        if self.last is None:
            self.first = entry
        else:
            self.last.next = entry
        self.last = entry
        self.bytes += entry.size

    def remove(self, entry: Entry) -> None:
        if entry.previous is None:
            self.first = entry.next
        else:
            entry.previous.next = entry.next
        if entry.next is None:
            self.last = entry.previous
        else:
            entry.next.previous = entry.previous
        entry.queue = entry.previous = entry.next = None
        self.bytes -= entry.size


def unlink(by_key: dict[EntryKey, Entry], *queues: Queue) -> None:
    """Cut the references between entries that are not needed any more, so that their memory is freed: one by one, for a
    dictionary frees all of its entries without letting another thread run."""
    for queue in queues:
        entry, queue.first, queue.last, queue.bytes = queue.first, None, None, 0
        while entry is not None:
            following, entry.queue, entry.previous, entry.next = entry.next, None, None, None
            entry = following
    while by_key:
        by_key.popitem()


class Entries:
    """The entries of a cache. Not thread-safe but for `get`: the cache's lock guards them."""

    def __init__(self, max_bytes: int, when_dropped: Callable[[Entry], None]) -> None:
        self.maxsize = max_bytes
        self._when_dropped = when_dropped
        self._by_key: dict[EntryKey, Entry] = {}
        self.get: Callable[[EntryKey], Entry | None] = self._by_key.get
        """The entry under a key, or None."""
        self._small = Queue()
        self._main = Queue()
        self._gone = GhostQueue()
        weakref.finalize(self, unlink, self._by_key, self._small, self._main).atexit = False

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[EntryKey]:
        return iter(list(self._by_key))  # at once, for others change them

    def __contains__(self, key: EntryKey) -> bool:
        return key in self._by_key

    @property
    def currsize(self) -> int:
        """The bytes of all entries."""
        return self._small.bytes + self._main.bytes

    def store(self, entry: Entry, beside: int = 0) -> None:
        """Store an entry under its key. The entry that it replaces is dropped, and others are evicted to make room: for
        it, and for so many bytes beside the entries."""
        key = entry.key
        replaced = self._by_key.get(key)
        queue = self._small
        if replaced is not None:
            # Read anew, it is as popular as it was.
            entry.uses, queue = replaced.uses, replaced.queue or queue
            self._remove(replaced)
        elif self._gone.recall(hash(key)):
            queue = self._main
        if self._small.bytes + self._main.bytes + entry.size + beside > self.maxsize:
            self.make_room(entry.size + beside)
        self._by_key[key] = entry
        queue.append(entry)
        entry.counters.entries += 1
        entry.counters.bytes += entry.size

    def drop(self, key: EntryKey) -> None:
        """Remove an entry. The caller counts the reason."""
        entry = self._by_key[key]
        self._remove(entry)
        if entry.uses:
            # Popular, but stale: its successor goes straight to the main queue.
            self._gone.note(hash(key))
        self._gone.shrink(len(self._by_key))

    def discard(self, key: EntryKey) -> bool:
        """Remove an entry if there is one; returns whether there was."""
        if key not in self._by_key:
            return False
        self.drop(key)
        return True

    def suspend(self) -> None:
        """Find nothing any more. One assignment, for it may interrupt any change of the entries."""
        self.get = _nothing

    def make_room(self, size: int) -> None:
        """Evict entries until so many more bytes fit."""
        spare = MAX_SPARED
        while self.currsize + size > self.maxsize:
            entry = self._next()
            if entry is None:
                return
            if entry.uses and spare and not entry.is_stale:
                spare -= 1
                self._spare(entry)
            else:
                self._evict(entry)

    def _next(self) -> Entry | None:
        """The entry that is next to be evicted or spared."""
        first = self._small.first
        if first is not None and (self._small.bytes * SMALL_PART >= self.maxsize or self._main.first is None):
            return first
        return self._main.first

    def _spare(self, entry: Entry) -> None:
        """Move an entry to the end of the main queue: from the small queue as if it were new, else with one use
        less."""
        if entry.queue is self._main:
            entry.uses -= 1
            self._main.remove(entry)
        else:
            entry.uses = 0
            self._small.remove(entry)
        self._main.append(entry)

    def _evict(self, entry: Entry) -> None:
        if entry.is_stale:  # a change had made it useless before
            entry.counters.invalidations += 1
        else:
            entry.counters.evictions += 1
        is_new = entry.queue is self._small
        self._remove(entry)
        if is_new:
            self._gone.note(hash(entry.key))
        self._gone.shrink(len(self._by_key))

    def _remove(self, entry: Entry) -> None:
        if entry.queue is not None:
            entry.queue.remove(entry)
        del self._by_key[entry.key]
        entry.counters.entries -= 1
        entry.counters.bytes -= entry.size
        self._when_dropped(entry)


def _nothing(key: EntryKey) -> None:
    return None


class GhostQueue:
    """The keys that were evicted or dropped lately, by their hashes alone, in two generations. Two keys of one hash do
    no harm: the entry of one of them stays longer than it should."""

    __slots__ = ("_now", "_old")

    def __init__(self) -> None:
        self._now: set[int] = set()
        self._old: set[int] = set()

    def __len__(self) -> int:
        return len(self._now) + len(self._old)

    def note(self, key: int) -> None:
        self._now.add(key)

    def recall(self, key: int) -> bool:
        """Whether a key was evicted or dropped lately. It is forgotten by this."""
        for generation in (self._now, self._old):
            if key in generation:
                generation.remove(key)
                return True
        return False

    def shrink(self, most: int) -> None:
        """Keep so many keys at most: the older generation is dropped when the younger one has half of that number."""
        while len(self._now) * 2 > most or len(self) > most:
            if not self._now and not self._old:
                return
            self._old, self._now = self._now, set()
