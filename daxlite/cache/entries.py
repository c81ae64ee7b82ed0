"""Entries in memory, bounded in bytes. What is asked for once goes first, what is asked for again stays.

S3-FIFO ("FIFO queues are all you need for cache eviction", SOSP 2023): what is new waits in a small queue, and only
what was used while it was there moves on to the main one; so a scan that runs through the cache leaves it as it was.
What fell out of the small queue is remembered for a while by its key alone, and goes straight to the main queue when it
comes back. A hit only counts itself, in the entry: nothing is moved, so it needs no lock.

    new --> small queue, a tenth --used?--> main queue --used?--> its end again, one use less
                    | no                        | no
                    v                           v
            remembered by its key           forgotten

What a change drops while it was in use is remembered too: what takes its place is likely to be as popular.
"""

import weakref
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from msgspec import Struct

from .clock import Stamps, changed_since
from .stats import KindCounters

EntryKey: TypeAlias = tuple[int, bytes] | tuple[int, bytes, bytes] | tuple[int, str, bytes]
"""(table, item key), (table, item key, projection) or (table, "query" or "scan", signature)."""

# What Python keeps for an entry beside its encoded answer and key: the Entry, the key's tuple, a slot in a dictionary,
# and what is remembered of one that went. Measured: 552 bytes while nothing has to go
# (`python -m benchmarks.memory`), and up to 703 in a cache that was filled twice over.
ENTRY_OVERHEAD: Final = 720
MAX_USES: Final = 3
"""Uses beyond are not counted: what was popular once must be able to leave."""
SMALL_PART: Final = 10
"""The small queue is one part in so many."""
MAX_SPARED: Final = 1000
"""So many are spared to make room for one; then what is next goes, used or not. Where everything is used all the time
somebody would hold the cache's lock while each entry passes by three times."""


class Entry(Struct, eq=False, gc=False):
    """One stored answer.

    Python's garbage collector does not see it: looking at each of a million of them stopped the program for a third
    of a second. So nothing but its queue and its neighbours, which `unlink` parts, may lead back to it.
    """

    data: bytes
    """The answer, encoded; empty for an item that is known not to exist."""
    key: EntryKey
    expires: float
    tick: int
    stamps: Stamps
    counters: KindCounters
    size: int
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
        return changed_since(self.stamps, self.tick)


class Queue:
    """First in, first out, but for those that leave from the middle."""

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


def unlink(*queues: Queue) -> None:
    """Part the entries of queues that nobody needs any more, so that they go."""
    for queue in queues:
        entry, queue.first, queue.last, queue.bytes = queue.first, None, None, 0
        while entry is not None:
            following, entry.queue, entry.previous, entry.next = entry.next, None, None, None
            entry = following


class Entries:
    """The entries of a cache. Not thread-safe but for `get`: the cache's lock guards them."""

    def __init__(self, max_bytes: int, when_dropped: Callable[[Entry], None]) -> None:
        self.maxsize = max_bytes
        self._when_dropped = when_dropped
        self._by_key: dict[EntryKey, Entry] = {}
        self.get: Final = self._by_key.get
        """The entry under a key, or None."""
        self._small = Queue()
        self._main = Queue()
        self._gone = GhostQueue()
        weakref.finalize(self, unlink, self._small, self._main).atexit = False

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[EntryKey]:
        return iter(self._by_key)

    def __contains__(self, key: EntryKey) -> bool:
        return key in self._by_key

    @property
    def currsize(self) -> int:
        """The bytes of all entries."""
        return self._small.bytes + self._main.bytes

    def store(self, entry: Entry) -> None:
        """Put an entry in its place; what stood there is dropped, and whatever must go to make room."""
        key = entry.key
        replaced = self._by_key.get(key)
        queue = self._small
        if replaced is not None:
            # Read anew, it is as popular as it was.
            entry.uses, queue = replaced.uses, replaced.queue or queue
            self._remove(replaced)
        elif self._gone.recall(hash(key)):
            queue = self._main
        if self._small.bytes + self._main.bytes + entry.size > self.maxsize:
            self._make_room(entry.size)
        self._by_key[key] = entry
        queue.append(entry)
        entry.counters.entries += 1
        entry.counters.bytes += entry.size

    def drop(self, key: EntryKey) -> None:
        """Take an entry out. The caller knows, and counts, why."""
        entry = self._by_key[key]
        self._remove(entry)
        if entry.uses:
            # Popular, but wrong: its successor, which may come in a moment, need not prove itself again.
            self._gone.note(hash(key))
        self._gone.shrink(len(self._by_key))

    def discard(self, key: EntryKey) -> bool:
        """Take an entry out if it is there; returns whether it was."""
        if key not in self._by_key:
            return False
        self.drop(key)
        return True

    def drop_all(self) -> None:
        for entry in list(self._by_key.values()):
            self._remove(entry)
        # An exception in the middle of a change, of which clearing everything is the cure, may have left them wrong.
        unlink(self._small, self._main)
        self._gone = GhostQueue()

    def _make_room(self, size: int) -> None:
        """Let go what must go for so many bytes more."""
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
        """Whose turn it is to go, or to be spared."""
        first = self._small.first
        if first is not None and (self._small.bytes * SMALL_PART >= self.maxsize or self._main.first is None):
            return first
        return self._main.first

    def _spare(self, entry: Entry) -> None:
        """To the end of the main queue: from the small one as if it were new, else with one use less."""
        if entry.queue is self._main:
            entry.uses -= 1
            self._main.remove(entry)
        else:
            entry.uses = 0
            self._small.remove(entry)
        self._main.append(entry)

    def _evict(self, entry: Entry) -> None:
        if entry.is_stale:  # it was gone already, only nobody had looked
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


class GhostQueue:
    """Which keys went lately, by their hashes alone, in two generations. Two keys of one hash do no harm: one of them
    stays longer than it should."""

    __slots__ = ("_now", "_old")

    def __init__(self) -> None:
        self._now: set[int] = set()
        self._old: set[int] = set()

    def __len__(self) -> int:
        return len(self._now) + len(self._old)

    def note(self, key: int) -> None:
        self._now.add(key)

    def recall(self, key: int) -> bool:
        """Whether a key went lately. It is forgotten."""
        for generation in (self._now, self._old):
            if key in generation:
                generation.remove(key)
                return True
        return False

    def shrink(self, most: int) -> None:
        """Keep so many keys at most: the older generation goes when the younger one is half of that, or too large."""
        while len(self._now) * 2 > most or len(self) > most:
            if not self._now and not self._old:
                return
            self._old, self._now = self._now, set()
