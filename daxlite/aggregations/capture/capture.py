"""Captured dependencies: what a computation reads through wrapped clients is noted as it reads it.

    computation   |-- A's stamp -- reads A -- B's stamp -- reads B -- done: stamps as they were? no: not stored --|
    writer                              |-- PutItem in A -- A's stamp replaced --|

The stamp of a tag is always taken before the first read that depends on it. So a change that the read could have missed
replaces this stamp, whenever it comes, and the result is found to be stale.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from ...cache.cache import Cache
from ...cache.listeners import read_listener
from ...core.tags import Tag, scan_tag, table_tag
from ...shared.connection import Connection, Unavailable
from ...shared.keyspace import Keyspace
from ...shared.stamps import begun, seconds_since_change, take, taken
from ...shared.tags import shared_tag
from ..engine.stored_result import StoredResult

MAX_TAGS = 256
"""As many tags as are noted one by one for a result. What reads more depends on whole tables: each hit has to look at
every stamp, and a result of so many parts is rarely untouched for long."""

# As many tags as are remembered for a cache. Beyond, all are forgotten: what is not known is read anew.
MAX_KNOWN = 200_000


class KnownStamps:
    """Under which stamps the caches of this process are known to hold nothing old.

    A wrapped client's cache may not know of a change that another process made. When a computation meets a stamp that
    is not the known one, something may have changed since, so the cache is told to drop what depends on the tag, and
    the stamp becomes the known one: what the cache holds from then on was read after that. As long as Redis shows the
    same stamp, nothing has changed.
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Cache, dict[tuple[Tag, ...] | Tag, bytes]] = WeakKeyDictionary()

    def catch_up(
        self, cache: Cache, seen: Mapping[Tag, bytes], now: float, drop: Collection[Tag] | None = None
    ) -> None:
        """Make the cache true for tags whose stamps are these. `drop`: what to drop instead of the tags themselves."""
        known = self._known.setdefault(cache, {})
        place = {tag: (tag, *drop) if drop else tag for tag in seen}
        news = [tag for tag, stamp in seen.items() if known.get(place[tag]) != stamp]
        if not news:
            return
        ages = {tag: seconds_since_change(seen[tag], now) for tag in news}
        cache.invalidate_tags(ages if drop is None else dict.fromkeys(drop, min(ages.values())))
        if len(known) > MAX_KNOWN:
            known.clear()
        # Only now: a reader in another thread must not trust the cache before it is true.
        known.update({place[tag]: seen[tag] for tag in news})


class Capture:
    """The tags that one computation depends on, each with the stamp that it had before it was read."""

    def __init__(
        self,
        keyspace: Keyspace,
        connection: Connection,
        known_stamps: KnownStamps,
        wall_clock: Callable[[], float],
        keys: frozenset[bytes] = frozenset(),
        *,
        ttl: float = math.inf,
        notes: bool = True,
    ) -> None:
        self._wall_clock = wall_clock
        self._ttl = ttl
        self._notes = notes
        """False: reads are only watched, so that no cache of this process gives something old."""
        self.keys = keys
        """The results that wait for this computation: its own, and those that are computed from it."""
        self.keyspace = keyspace
        self._connection = connection
        self._knowledge = known_stamps
        self._taken: dict[bytes, bytes] = {}
        """Stamps at hand, of tags that it may turn out to depend on."""
        self.stamp_of: dict[bytes, bytes] = {}
        """The stamps of what it depends on."""
        self.is_open = True
        self.is_complete = True
        """Whether it is known what the computation depends on, all of it, and by stamps that may be current."""
        self._asks = True
        self.settled_at = 0.0
        """The moment until which what was read may be older than the last change of it, by a replica's lag."""
        self.oldest = math.inf
        """When the oldest of the results was computed from which this one is."""
        self.ends_at = math.inf
        """When the result must end, for the sake of these."""

    # dict.setdefault and dict.update are atomic, and whoever comes first is the safe one: no lock is needed, and so a
    # signal handler that reads cannot wait for itself.

    def bring(self, stamps: Mapping[bytes, bytes]) -> None:
        """Stamps that were taken already, before anything was read."""
        for tag, stamp in stamps.items():
            self._taken.setdefault(tag, stamp)

    def depend(self, tags: Collection[bytes]) -> None:
        """Depend on tags whose stamps are at hand."""
        for tag in tags:
            self.stamp_of.setdefault(tag, self._taken[tag])

    def adopt(self, entry: StoredResult) -> None:
        """Depend on all that another result depends on, under the stamps with which that one was true."""
        self.settled_at = max(self.settled_at, entry.settled_at)
        self.oldest = min(self.oldest, entry.computed_at)
        # The ages of both do not add up to more than the longer of their TTLs.
        self.ends_at = min(self.ends_at, max(entry.computed_at + self._ttl, entry.expires_at))
        self.adopt_stamps(entry.stamp_of)

    def adopt_stamps(self, stamps: Mapping[bytes, bytes]) -> None:
        """Depend on what another computation has read, under its stamps."""
        if not self._notes:
            return
        for tag, stamp in stamps.items():
            if self.stamp_of.setdefault(tag, self._taken.setdefault(tag, stamp)) != stamp:
                self.is_complete = False  # it changed between the two readings of it
                return

    @property
    def is_asking(self) -> bool:
        """Whether Redis has answered so far."""
        return self._asks

    def stop_asking(self) -> None:
        """Redis fails: what is read from here on cannot be watched."""
        self._asks = False
        self.is_complete = False

    def mark_incomplete(self) -> None:
        """It depends on something that cannot be told, or watched: not to be stored."""
        if self._notes:
            self.is_complete = False

    def close(self) -> None:
        """The computation is over; what its threads still read has no part in the result."""
        self.is_open = False

    def will_read(self, cache: Cache, tags: Collection[Tag] | None, lagging: Collection[Tag]) -> None:
        """As ReadListener.will_read: take the stamps of these tags, and see that the cache is not behind them."""
        if not self.is_open:
            return
        if tags is None:
            self.mark_incomplete()
            return
        drop: Collection[Tag] | None = None
        if len(self.stamp_of) >= MAX_TAGS:
            whole = dict.fromkeys(tag.table for tag in tags)
            drop = [table_tag(table) for table in whole]
            tags = [tag for table in whole for tag in (table_tag(table), scan_tag(table, None))]
        shared = {tag: shared_tag(tag) for tag in tags}
        if not self._take([tag for tag in shared.values() if tag not in self._taken]):
            cache.invalidate_tags(dict.fromkeys(drop or tags, math.inf))  # whether it is behind, nobody can tell
            return
        seen = {tag: self._taken[digest] for tag, digest in shared.items()}
        self._knowledge.catch_up(cache, seen, self._wall_clock(), drop)
        if self._notes:
            self.depend(shared.values())
        if settles_for := cache.settles_for(lagging):
            self.settled_at = max(self.settled_at, self._wall_clock() + settles_for)

    def _take(self, tags: Collection[bytes]) -> bool:
        """Take stamps. Returns whether they are at hand; if not, this capture does not ask Redis again."""
        if not tags:
            return True
        if not self._asks:
            return False
        keys = [self.keyspace.stamp(tag) for tag in tags]
        fresh = [begun() for _ in keys]
        try:
            self.bring(dict(zip(tags, taken(self._connection.run(take(keys, fresh)), fresh), strict=True)))
        except (Unavailable, ValueError):
            self.stop_asking()
            return False
        return True


@contextmanager
def capturing(capture: Capture | None) -> Iterator[None]:
    """Note what is read within, in this thread or task and in those that it starts."""
    token = read_listener.set(capture)
    try:
        yield
    finally:
        read_listener.reset(token)


def open_capture() -> Capture | None:
    """The capture of the computation that calls."""
    listener = read_listener.get()
    return listener if isinstance(listener, Capture) and listener.is_open else None
