"""Captured dependencies: what a computation reads through wrapped clients is noted as it reads it.

    computation   |-- A's stamp -- reads A -- B's stamp -- reads B -- done: stamps as they were? no: not stored --|
    writer                              |-- PutItem in A -- A's stamp replaced --|

The stamp of a tag is always taken before the first read that depends on it. So a change that the read could have missed
replaces this stamp, whenever it comes, and the result is found to be stale.
"""

import math
from collections.abc import Callable, Collection, Mapping
from operator import attrgetter
from typing import Final
from weakref import WeakKeyDictionary

from ...cache.memory import MemoryCache
from ...calls.hearing import hear_no_more, listeners_here
from ...core.steps import Run, Server, Steps
from ...core.tags import Tag, scan_tag, table_tag
from ...shared.errors import CorruptValue
from ...shared.failures import Unavailable
from ...shared.keyspace import Keyspace
from ...shared.stamps import MAX_COMPUTATION, new_stamp, seconds_since_change, take, taken
from ...shared.tags import shared_tag
from ..stored_result import StoredResult

MAX_TAGS: Final = 256
"""So many tags are noted one by one for a result. A result of more reads depends on whole tables: each hit has to look
at every stamp, and a result of so many parts is rarely unchanged for long."""

MAX_KNOWN: Final = 200_000
"""So many stamps are known for a cache. Beyond, all are forgotten: what is not known is read anew."""

_keys: Final = attrgetter("keys")


class KnownStamps:
    """Under which stamps the caches of this process are known to hold nothing old.

    A wrapped client's cache may not know of a change that another process made. When a computation meets a stamp that
    is not the known one, something may have changed since, so the cache is told to drop what depends on the tag, and
    the stamp becomes the known one: what the cache holds from then on was read after that. As long as Redis shows the
    same stamp, nothing has changed.
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[MemoryCache, dict[tuple[Tag, ...] | Tag, bytes]] = WeakKeyDictionary()

    def catch_up(
        self, cache: MemoryCache, seen: Mapping[Tag, bytes], now: float, drop: Collection[Tag] | None = None
    ) -> None:
        """Make the cache true for tags whose stamps are these. drop: what to drop instead of the tags themselves."""
        known = self._known.setdefault(cache, {})
        key_of = {tag: (tag, *drop) if drop else tag for tag in seen}
        unknown = [tag for tag, stamp in seen.items() if known.get(key_of[tag]) != stamp]
        if not unknown:
            return
        ages = {tag: seconds_since_change(seen[tag], now) for tag in unknown}
        cache.invalidate_tags(ages if drop is None else dict.fromkeys(drop, min(ages.values())))
        if len(known) > MAX_KNOWN:
            known.clear()
        # Only now: a reader in another thread must not trust the cache before it is true.
        known.update({key_of[tag]: seen[tag] for tag in unknown})


class Capture:
    """The tags that one computation depends on, each with the stamp that it had before it was read.

    As a ReadListener it hears of what the computation reads.
    """

    def __init__(
        self,
        keyspace: Keyspace,
        server: Server,
        known_stamps: KnownStamps,
        wall_clock: Callable[[], float],
        keys: frozenset[bytes] = frozenset(),
        *,
        ttl: float = math.inf,
        is_recording: bool = True,
        stamps_last: float = MAX_COMPUTATION,
    ) -> None:
        """stamps_last: seconds for which stamps last once they are taken. is_recording: whether what is read becomes a
        dependency. Otherwise reads are only watched, so that no cache of this process answers with something old."""
        self._wall_clock = wall_clock
        self._ttl = ttl
        self._is_recording = is_recording
        self.keys = keys
        """The results that wait for this computation: its own, and those that are computed from it."""
        self.keyspace = keyspace
        self.stamps_last = stamps_last
        self._server = server
        self._known_stamps = known_stamps
        self._taken: dict[bytes, bytes] = {}
        """Stamps that were taken, of tags that it may turn out to depend on."""
        self.stamp_of: dict[bytes, bytes] = {}
        """The stamps of what it depends on."""
        self.is_open = True
        self.is_complete = True
        """Whether all that the computation depends on is known, with stamps that may be current."""
        self._has_redis = True
        self.settled_at = 0.0
        """The moment until which what was read may be older than the last change of it, by a replica's lag."""
        self.oldest = math.inf
        """When the oldest of the results was computed from which this one is."""
        self.expires_by = math.inf
        """When the result must expire, for the sake of these."""

    # dict.setdefault and dict.update are atomic, and the first stamp is the safe one: no lock is needed, and so a
    # signal handler that reads cannot wait for itself.

    def add_stamps(self, stamps: Mapping[bytes, bytes]) -> None:
        """Add stamps that were taken before anything was read."""
        for tag, stamp in stamps.items():
            self._taken.setdefault(tag, stamp)

    @property
    def taken(self) -> tuple[bytes, ...]:
        """The tags whose stamps have been taken so far."""
        return tuple(self._taken)

    def depend(self, tags: Collection[bytes]) -> None:
        """Depend on tags whose stamps have been added."""
        for tag in tags:
            self.stamp_of.setdefault(tag, self._taken[tag])

    def depend_on_result(self, stored: StoredResult) -> None:
        """Depend on all that another result depends on, under the stamps with which that one was true."""
        self.settled_at = max(self.settled_at, stored.settled_at)
        self.oldest = min(self.oldest, stored.computed_at)
        # The ages of both do not add up to more than the longer of their TTLs.
        self.expires_by = min(self.expires_by, max(stored.computed_at + self._ttl, stored.expires_at))
        self.depend_on_stamps(stored.stamp_of)

    def depend_on_stamps(self, stamps: Mapping[bytes, bytes]) -> None:
        """Depend on what another computation has read, under its stamps."""
        if not self._is_recording:
            return
        for tag, stamp in stamps.items():
            if self.stamp_of.setdefault(tag, self._taken.setdefault(tag, stamp)) != stamp:
                self.is_complete = False  # it changed between the two reads
                return

    @property
    def has_redis(self) -> bool:
        """Whether Redis has answered so far."""
        return self._has_redis

    def lose_redis(self) -> None:
        """Redis failed: it is not asked again, and what is read from here on cannot be watched."""
        self._has_redis = False
        self.is_complete = False

    def mark_incomplete(self) -> None:
        """It depends on something that cannot be told, or watched: the result is not to be stored."""
        if self._is_recording:
            self.is_complete = False

    def close(self) -> None:
        """The computation is over; what its threads still read has no part in the result."""
        self.is_open = False
        hear_no_more(self)

    def will_read(self, cache: MemoryCache, tags: Collection[Tag] | None, lagging: Collection[Tag]) -> Steps[None]:
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
        if not (yield from self._take([tag for tag in shared.values() if tag not in self._taken])):
            cache.invalidate_tags(dict.fromkeys(drop or tags, math.inf))  # it may be behind
            return
        seen = {tag: self._taken[digest] for tag, digest in shared.items()}
        self._known_stamps.catch_up(cache, seen, self._wall_clock(), drop)
        if self._is_recording:
            self.depend(shared.values())
        if settles_for := cache.settles_for(lagging):
            self.settled_at = max(self.settled_at, self._wall_clock() + settles_for)

    def _take(self, tags: Collection[bytes]) -> Steps[bool]:
        """Take stamps. Returns whether that worked; if not, this capture does not ask Redis again."""
        if not tags:
            return True
        if not self._has_redis:
            return False
        keys = [self.keyspace.stamp(tag) for tag in tags]
        new = [new_stamp() for _ in keys]
        try:
            replies = yield Run(self._server, tuple(take(keys, new, self.stamps_last)))
            self.add_stamps(dict(zip(tags, taken(replies, new), strict=True)))
        except (Unavailable, CorruptValue):
            self.lose_redis()
            return False
        return True


def open_captures() -> tuple[Capture, ...]:
    """The captures of the computation that calls; none outside of any. There is one, unless it cannot be told which."""
    found = listeners_here()
    return tuple([each for each in found if isinstance(each, Capture) and each.is_open]) if found else ()


def keys_under_way() -> frozenset[bytes]:
    """The results that wait for the caller: it must not wait for any of them."""
    return frozenset().union(*map(_keys, open_captures()))
