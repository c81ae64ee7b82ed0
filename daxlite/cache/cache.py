"""The cache: `lookup` an answer, `fill` one in, `apply` a change."""

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
from ..core.native import typed_key
from ..core.not_cacheable import NotCacheable
from ..core.requests import Read
from ..core.schema import TableSchema, item_key
from ..core.tables import Scope, TableId, table_name
from ..core.tags import Tag, table_tag
from .clock import changed_since
from .entries import MAX_USES, EntryKey
from .flights import Flight
from .listeners import notify_change_listeners
from .lock import Reentered
from .state import State
from .stats import CacheCounts, CacheStats, Kind, KindCounters, add
from .table import Table
from .table_names import TableNames

# The credentials that are remembered, with the account that they turned out to be of. A program may make a client for
# each request; it has not so many credentials at a time.
MAX_SCOPES: Final = 1024

_NOBODY: Final = KindCounters()
"""CacheCounts what is not to be counted."""


class Cache:
    """An item cache and a query cache, to be shared by any number of wrapped clients, resources and threads.

    Clients that share a cache share what their credentials may read of an account's tables.

    >>> import daxlite
    >>> cache = daxlite.Cache(daxlite.CacheConfig(item_ttl=60))
    >>> cache.stats().total.entries
    0
    """

    def __init__(
        self,
        config: CacheConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random.random,
    ) -> None:
        """Make an empty cache.

        config: the settings; CacheConfig() unless given.
        clock: seconds, never going back. wall_clock: seconds since the epoch, for the items' own TTL attribute.
        random: numbers from 0 to 1, for the jitter of TTLs. Tests pass their own.
        """
        if config is not None and not isinstance(config, CacheConfig):
            raise TypeError(f"config is {config!r}; it must be a daxlite.CacheConfig")
        self.config: Final = config if config is not None else CacheConfig()
        self._state = State(self.config, clock, wall_clock, random)
        self.now: Final = clock
        """The moment, as the cache's clock has it."""
        self._names: LRUCache[Scope, TableNames] = LRUCache(MAX_SCOPES)
        _caches.add(self)

    # For the application

    def stats(self) -> CacheStats:
        """A snapshot of all counts. Tables of one name, in different accounts or regions, are added up."""
        state = self._state
        with state.lock.mutex, state.lock:
            by_name: dict[str, dict[Kind, CacheCounts]] = {}
            for table in state.tables.values():
                kinds = by_name.setdefault(table.id.name, {})
                for kind, counters in table.counters.items():
                    counts = counters.snapshot()
                    kinds[kind] = add((kinds[kind], counts)) if kind in kinds else counts
            return CacheStats(tables=by_name, faults=state.faults, in_flight=state.in_flight)

    def clear(self) -> None:
        """Drop everything. What is being read meanwhile is not stored either. Nothing changed, so nobody is told."""
        # Whoever holds the lock, further out in this thread, will do it.
        with suppress(Reentered), self._state.lock.mutex, self._state.lock:
            self._state.clear()

    def invalidate(self, table: str, key: Mapping[str, Any] | None = None) -> None:
        """Drop what depends on one item, or on anything of a table: somebody is known to have changed it.

        table: its name or ARN. key: the item's primary key, typed or native; None for the whole table.
        Raises TypeError or ValueError for what is not a table's name or not a key of the table.

        >>> cache = Cache()
        >>> cache.invalidate("Orders", {"pk": "o#1"})
        """
        if not isinstance(table, str):
            raise TypeError(f"table is {table!r}; it must be a table's name")
        if key is not None:
            if not isinstance(key, Mapping):
                raise TypeError(f"key is {key!r}; it must be a primary key, such as {{'pk': 'o#1'}}, or None")
            try:
                key = typed_key(key)
                item_key(key)
            except NotCacheable:
                raise ValueError("key must hold attributes that are strings, numbers or binary") from None
        try:
            self._invalidate(table_name(table), key)
        except Reentered:  # whoever holds the lock, further out in this thread, will drop everything
            self.invalidate_all()

    def apply(self, *changes: Change) -> None:
        """Make every answer true again after changes, wherever they were made."""
        with self._state.changing():
            for change in changes:
                self._state.apply(change)

    def _invalidate(self, name: str, key: Mapping[str, Any] | None) -> None:
        state = self._state
        with state.changing():
            known = [table for table in state.tables.values() if table.id.name == name]
            if not known:
                state.apply(Change(TableId("", "", "", name)))  # wherever it is
            for one in known:
                if key is not None and one.key_names is not None and one.contradicts(key.keys()):
                    raise ValueError(f"the key of {one.id.name} has the attributes {sorted(one.key_names)}")
                state.apply(Change(one.id, key))
                if key is None:
                    one.forget()  # it may have been made anew, or got other indexes

    # For the edges

    def invalidate_tags(self, ages: Mapping[Tag, float]) -> None:
        """Make every answer true again that depends on these tags: somebody else may have changed what they stand for.

        ages: for each tag, the seconds since it changed; infinity where that is long ago, or nobody knows of a change.
        Those who watch changes are not told: it is they who tell.
        """
        with suppress(Reentered), self._state.lock.mutex, self._state.lock:  # as in `clear`
            self._state.invalidate_tags(ages)

    def settles_for(self, tags: Collection[Tag]) -> float:
        """The seconds for which a replica may not have heard of the last change of these tags; 0 if all have."""
        whole = {table_tag(tag.table) for tag in tags}
        with suppress(Reentered), self._state.lock.mutex, self._state.lock:
            return self._state.changes.settles_for({*tags, *whole}, self._state.now())
        return self.config.settle_window  # within somebody's change

    def invalidate_all(self) -> None:
        """Anything at all may have changed: drop everything, and say so to those who watch changes."""
        # As in `clear`; who watches is told in any case.
        with suppress(Reentered), self._state.lock.mutex, self._state.lock:
            self._state.clear()
            self._state.note_change_of_stranger()
        notify_change_listeners(None, self.fault)

    def table(self, id: TableId) -> Table:
        """What is known of a table."""
        known = self._state.tables.get(id)
        if known is not None:
            return known
        with self._state.lock.mutex, self._state.lock:
            return self._state.table(id)

    def names(self, scope: Scope) -> TableNames:
        """The table names of a scope."""
        with self._state.lock.mutex, self._state.lock:
            return self._names.setdefault(scope, TableNames(self.table, scope))

    def lookup(self, counters: KindCounters, key: EntryKey) -> bytes | None:
        """The encoded answer under a key, if it may be served. CacheCounts a hit or a miss.

        Takes no lock where it hits. An entry never changes but for its uses, and it was there, and not dead, when this
        began: a change that spoils it meanwhile overlaps this read, which may be answered as if it had come before.
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
                if entry.expires > state.now():
                    if entry.uses < MAX_USES:
                        entry.uses += 1
                    counters.hits += 1
                    return entry.data
            with state.lock.mutex, state.lock:
                state.drop_dead(entry)
        counters.misses += 1
        return None

    def lookup_items(self, table: Table, keys: Iterable[bytes]) -> list[bytes | None]:
        """The encoded items of a table under their keys, as `lookup` finds them: what holds for all of them is asked
        once, and no call that can be spared is made."""
        find, now, number = self._state.entries.get, self._state.now(), table.number
        counters = table.counters["item"]
        found: list[bytes | None] = []
        for key in keys:
            entry = find((number, key))
            if entry is not None and entry.expires > now and not changed_since(entry.stamps, entry.tick):
                if entry.uses < MAX_USES:
                    entry.uses += 1
                counters.hits += 1
                found.append(entry.data)
            else:
                found.append(self.lookup(counters, (number, key)))
        return found

    def lookup_first(self, counters: KindCounters, *keys: EntryKey) -> tuple[EntryKey, bytes] | None:
        """The first of several answers that may be served, with its key. CacheCounts one hit or one miss."""
        for key in keys:
            data = self.lookup(_NOBODY, key)
            if data is not None:
                counters.hits += 1
                return key, data
        counters.misses += 1
        return None

    def flight(self, table: Table, read: Read | None, key: EntryKey | None = None) -> Flight:
        """A call about to be sent: a read, or the write of what the read would read; None if that is not known.

        key: where the answer will stand; readers of the same key join each other. Its `fill_...` methods are the
        verb fill.
        """
        return Flight(self._state, table, read, key)

    def count(self, counters: KindCounters, bypass: str) -> None:
        """Count a read that goes straight to DynamoDB, and why."""
        with self._state.lock.mutex, self._state.lock:
            counters.bypass(bypass)

    def count_joined(self, flight: Flight) -> None:
        """Count a read that another one answered."""
        with self._state.lock.mutex, self._state.lock:
            flight.counters.joined += 1

    def note_strength(self, flight: Flight, is_consistent: bool) -> None:
        """Note whether a read was sent as a strongly consistent one, because what it reads was settling."""
        flight.is_consistent = is_consistent
        if is_consistent:
            with self._state.lock.mutex, self._state.lock:
                flight.counters.consistent_misses += 1

    def is_description_due(self, table: Table, index: str | None = None) -> bool:
        """Whether the caller, and nobody else, should call DescribeTable now: for the table, or for an index not
        yet known."""
        now = self._state.now()
        if table.is_described(now, index):
            return False
        with self._state.lock.mutex, self._state.lock:
            return table.is_description_due(now, index)

    def describe(
        self, table: Table, schema: TableSchema, ttl_attribute: str | UnsetType | None, flight: Flight
    ) -> None:
        """Learn a table's schema and TTL attribute (UNSET if nobody could tell it) from what this flight was told."""
        state = self._state
        with state.changing():
            if flight.is_overtaken:
                return  # the table changed, perhaps into another one, while it was described
            is_other = table.schema is not None and not schema.extends(table.schema)
            if is_other or table.contradicts(set(schema.key.names)):
                state.forget(table)
            table.describe(schema, ttl_attribute, state.now())

    def learn_key(self, table: Table, key: Set[str]) -> None:
        """Learn, from a key that DynamoDB accepted, which attributes make a key of this table."""
        if table.key_names == key:
            return
        with self._state.changing():
            if table.contradicts(key):
                self._state.forget(table)
            if table.key_names is None:
                table.key_names = frozenset(key)

    def forget(self, *tables: Table) -> None:
        """Drop everything of these tables, and what is known of their keys: they may have been made anew."""
        with self._state.changing():
            for table in tables:
                self._state.forget(table)

    def fault(self, error: Exception) -> None:
        """Count a fault of daxlite's own and log the first."""
        self._state.fault(error)


_caches: Final[weakref.WeakSet[Cache]] = weakref.WeakSet()


def _begin_in_child() -> None:
    for cache in list(_caches):
        cache._state.begin()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_in_child)
