"""The cache in the memory of one process: `lookup` an answer, fill one in (see `flights`), `apply` a change."""

import os
import random
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from contextlib import suppress
from typing import Any, Final

from cachetools import LRUCache
from msgspec import UnsetType

from ..config import CacheConfig
from ..core.changes import Change
from ..core.requests import Read
from ..core.schema import TableSchema
from ..core.tables import Place, Scope, TableId
from ..core.tags import Tag, table_tag
from .clock import changed_since
from .entries import MAX_USES, EntryKey
from .flights import ReadFlight, WriteFlight
from .lock import Reentered
from .state import State
from .stats import KindCounters
from .table import Table
from .table_names import TableNames

# As many credentials are remembered, with the account that they turned out to be of. A program may make a client for
# each request; it does not have so many credentials at a time.
MAX_SCOPES: Final = 1024

_UNCOUNTED: Final = KindCounters()
"""Takes the counts of look-ups that are not to be counted."""


class MemoryCache:
    """The item cache and the query cache of one process. It does no I/O: what a method bumped is what it returns."""

    def __init__(
        self,
        config: CacheConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        if config is not None and not isinstance(config, CacheConfig):
            raise TypeError(f"config is {config!r}; it must be a daxlite.CacheConfig")
        self.config: Final = config if config is not None else CacheConfig()
        self._state = State(self.config, clock, wall_clock, random)
        self.now: Final = clock
        """The moment, as the cache's clock has it."""
        self._names: LRUCache[Scope, TableNames] = LRUCache(MAX_SCOPES)
        _caches.add(self)

    # Lookup

    def lookup(self, counters: KindCounters, key: EntryKey) -> bytes | None:
        """The encoded answer under a key, if it may be served. Counts a hit or a miss.

        A hit takes no lock. An entry never changes but for its uses, and it was there, and not dead, when this began: a
        change that makes it stale meanwhile overlaps this read, which may be answered as if it had come before.
        """
        state = self._state
        entry = state.entries.get(key)
        if entry is not None:
            # As `entry.is_stale`, without the calls, which would be a tenth of a hit.
            tick = entry.tick
            for stamp in entry.stamps:
                if stamp.tick > tick:
                    break
            else:
                # By both clocks: one stands still while the machine is frozen, the other may be set back.
                if entry.expires > state.now() and entry.wall_expires > state.wall_clock():
                    if entry.uses < MAX_USES:
                        entry.uses += 1
                    counters.hits += 1
                    return entry.data
            with state.locked():
                state.drop_dead(entry)
        counters.misses += 1
        return None

    def lookup_items(self, table: Table, keys: Iterable[bytes]) -> list[bytes | None]:
        """The encoded items of a table under their keys, as `lookup` finds them, with fewer calls for many keys."""
        state, number, counters = self._state, table.number, table.counters["item"]
        find, now, wall = state.entries.get, state.now(), state.wall_clock()
        found: list[bytes | None] = []
        for key in keys:
            entry = find((number, key))
            if (
                entry is not None
                and entry.expires > now
                and entry.wall_expires > wall
                and not changed_since(entry.stamps, entry.tick)
            ):
                if entry.uses < MAX_USES:
                    entry.uses += 1
                counters.hits += 1
                found.append(entry.data)
            else:
                found.append(self.lookup(counters, (number, key)))
        return found

    def lookup_first(self, counters: KindCounters, *keys: EntryKey) -> tuple[EntryKey, bytes] | None:
        """The first of several answers that may be served, with its key. Counts one hit or one miss."""
        for key in keys:
            data = self.lookup(_UNCOUNTED, key)
            if data is not None:
                counters.hits += 1
                return key, data
        counters.misses += 1
        return None

    # Fill

    def read_flight(self, table: Table, read: Read | None, key: EntryKey | None = None) -> ReadFlight:
        """A read about to be sent.

        read: None for a call that depends on the table as a whole, such as DescribeTable. key: where the answer will
        stand; readers of one key follow each other.
        """
        return ReadFlight(self._state, table, _read=read, _key=key)

    def write_flight(self, table: Table, key: bytes | None) -> WriteFlight:
        """A write of one item about to be sent. key: the item's canonical key, or None where it cannot be told."""
        return WriteFlight(self._state, table, _key=key)

    # Apply

    def apply(self, *changes: Change) -> list[Tag]:
        """Make every answer true again after changes, wherever they were made. Returns what they bumped."""
        with self._state.locked():
            return [tag for change in changes for tag in self._state.apply(change)]

    def invalidate_places(self, places: Collection[Place], key: Mapping[str, Any] | None) -> list[Tag]:
        """As `apply`, for a change of one item, or of anything, of a table at each of these places.

        key: the typed primary key, or None for the whole table. Raises ValueError for a key of other attributes than
        the table's.
        """
        state = self._state
        with state.locked():
            for table in [table for place in places for table in state.tables_at(place)]:
                if key is not None and table.key_names is not None and table.contradicts(key.keys()):
                    raise ValueError(f"the key of {table.id.name} has the attributes {sorted(table.key_names)}")
                if key is None:
                    table.forget()  # it may have been made anew, or got other indexes
            return [tag for place in places for tag in state.apply(Change(place, key))]

    def invalidate_tags(self, ages: Mapping[Tag, float]) -> None:
        """Make every answer true again that depends on these tags: they changed in another process.

        ages: for each tag, the seconds since it changed; infinity where that is long ago, or where it is not known that
        it changed at all.
        """
        with suppress(Reentered), self._state.locked():  # a call within a call drops everything anyway
            self._state.invalidate_tags(ages)

    def invalidate_all(self) -> list[Tag] | None:
        """Drop everything: anything at all may have changed. Returns None, as no list of tags could hold that."""
        with suppress(Reentered), self._state.locked():  # as above
            self._state.invalidate_all()
        return None

    def forget(self, *tables: Table) -> list[Tag]:
        """Drop everything of these tables, and what is known of their keys: they may have been made anew. Returns what
        that bumped."""
        with self._state.locked():
            return [tag for table in tables for tag in self._state.forget(table)]

    def settles_for(self, tags: Collection[Tag]) -> float:
        """The seconds for which a replica may not have heard of the last change of these tags; 0 if all have."""
        whole = {table_tag(tag.table) for tag in tags}
        with suppress(Reentered), self._state.locked():
            return self._state.changes.settles_for({*tags, *whole}, self._state.now())
        return self.config.settle_window  # within another change

    # Tables

    def table(self, id: TableId) -> Table:
        """What is known of a table."""
        known = self._state.tables.get(id)
        if known is not None:
            return known
        with self._state.locked():
            return self._state.table(id)

    def names(self, scope: Scope) -> TableNames:
        """The table names of a scope."""
        with self._state.locked():
            return self._names.setdefault(scope, TableNames(self.table, scope))

    def is_description_due(self, table: Table, index: str | None = None) -> bool:
        """Whether the caller, and no other, should call DescribeTable now: for the table, or for an index that is not
        known yet."""
        now = self._state.now()
        if table.is_described(now, index):
            return False
        with self._state.locked():
            return table.is_description_due(now, index)

    def describe(
        self, table: Table, schema: TableSchema, ttl_attribute: str | UnsetType | None, flight: ReadFlight
    ) -> list[Tag]:
        """Learn a table's schema and TTL attribute (UNSET if it could not be told) from the responses that this flight
        brought. Returns what that bumped."""
        state = self._state
        bumped: list[Tag] = []
        with state.locked():
            if flight.is_overtaken:
                return []  # the table changed, perhaps into another one, while it was described
            is_other = table.schema is not None and not schema.extends(table.schema)
            if is_other or table.contradicts(set(schema.key.names)):
                bumped = state.forget(table)
            if table.schema != schema:
                state.doubt_what_settles(table.place)
            table.describe(schema, ttl_attribute, state.now())
        return bumped

    def learn_key(self, table: Table, key: Set[str]) -> list[Tag]:
        """Learn, from a key that DynamoDB accepted, which attributes make a key of this table. Returns what that
        bumped."""
        if table.key_names == key:
            return []
        bumped: list[Tag] = []
        with self._state.locked():
            if table.contradicts(key):
                bumped = self._state.forget(table)
            if table.key_names is None:
                table.key_names = frozenset(key)
        return bumped

    # Counts

    def count(self, counters: KindCounters, bypass: str) -> None:
        """Count a read that goes straight to DynamoDB, and why."""
        with self._state.locked():
            counters.bypass(bypass)

    def count_joined(self, flight: ReadFlight) -> None:
        """Count a read that another one answered."""
        with self._state.locked():
            flight.counters.joined += 1

    def note_strength(self, flight: ReadFlight, is_consistent: bool) -> None:
        """Note whether a read was sent as a strongly consistent one, because what it reads was settling."""
        flight.is_consistent = is_consistent
        if is_consistent:
            with self._state.locked():
                flight.counters.consistent_misses += 1

    def fault(self, error: Exception) -> None:
        """Count a fault of daxlite's own and log the first."""
        self._state.fault(error)


_caches: Final[weakref.WeakSet[MemoryCache]] = weakref.WeakSet()


def _begin_in_child() -> None:
    for cache in list(_caches):
        cache._state.begin()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_in_child)
