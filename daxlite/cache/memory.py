"""The cache in the memory of one process: `lookup` an answer, fill one in (see `flights`), `apply` a change."""

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from contextlib import suppress
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from cachetools import LRUCache
from msgspec import UnsetType

from ..config import CacheConfig
from ..core.changes import Change
from ..core.checks import check_function, shown
from ..core.extents import EVERYTHING, Extent, hulls
from ..core.requests import Read
from ..core.schema import TableSchema
from ..core.steps import Tell
from ..core.tables import Place, Scope, TableId
from ..core.tags import Tag, table_tag
from ..core.uncopied import Uncopied
from . import peers
from .clock import changed_since
from .counters import Kind, KindCounters
from .echoes import Echoes
from .entries import MAX_USES, EntryKey
from .flights import ReadFlight, WriteFlight
from .lock import Reentered
from .moment import Moment
from .state import MAX_TABLES, State
from .table import Table
from .table_names import TableNames

if TYPE_CHECKING:
    from .stats import CacheCounts, CacheStats

# As many credentials are remembered, with the account that they turned out to be of. A program may make a client for
# each request; it does not have so many credentials at a time.
MAX_SCOPES: Final = 1024

SYSTEM_RANDOM: Final = SystemRandom().random
"""Numbers from 0 to 1, of the operating system. Two machines that start from one snapshot have Python's own generator
in one state, and their entries would expire together."""

SECONDS: Final = "that returns seconds"
NUMBERS: Final = "that returns numbers from 0 to 1"
"""What clocks and generators are, for messages."""

MAX_NAMES: Final = 2 * MAX_TABLES
"""So many names are known, in all scopes together: each table may have one and an ARN, and scopes of one account share
their tables, not their names."""

FREED_AT_ONCE: Final = 500
"""So many entries of a table that is switched off are freed under the cache's lock at a time."""

_UNCOUNTED: Final = KindCounters()
"""Takes the counts of look-ups that are not to be counted."""


class MemoryCache(Uncopied):
    """The item cache and the query cache of one process. It does no I/O: what a method bumped is what it returns."""

    def __init__(
        self,
        config: CacheConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        random: Callable[[], float] | None = None,
    ) -> None:
        if config is not None and not isinstance(config, CacheConfig):
            raise TypeError(f"config is {shown(config)}; it must be a daxlite.CacheConfig")
        check_function("clock", clock, SECONDS)
        check_function("wall_clock", wall_clock, SECONDS)
        if random is not None:
            check_function("random", random, NUMBERS)
        self._state = State(config or CacheConfig(), clock, wall_clock, random or SYSTEM_RANDOM)
        self._bulk: dict[object, str] = {}
        """The tables that callers write many items of now, one by one. Single operations, so it needs no lock."""
        self.tell: Tell | None = None
        """Tells the processes that share a tier of a change; None where there is no tier."""
        self.now: Final = clock
        """The moment, as the cache's clock has it."""
        self._names: LRUCache[Scope, TableNames] = LRUCache(MAX_SCOPES)
        self._all_names: WeakSet[TableNames] = WeakSet()  # also those that went from there, but not from their clients
        self._names_known = 0
        peers.PROCESS.join(self._state)

    @property
    def config(self) -> CacheConfig:
        """The settings. Those of tables hold until `configure` replaces them."""
        return self._state.wanted()

    def moment(self) -> Moment:
        """The moment by both clocks."""
        return self._state.moment()

    def configure(self, config: CacheConfig) -> None:
        """Let other settings of tables hold, at one moment for all of them. config: the present one with other tables.

        Where a signal handler calls it within a change of its own thread, everything is dropped, and they hold as soon
        as that change is over.
        """
        state = self._state
        emptied: list[Table] = []
        try:
            state.pending.append(config)
            with suppress(Reentered), state.locked():
                emptied = state.configure()
            self._free(emptied)
        except BaseException:  # of a signal handler's: they hold all the same, and everything goes
            self.invalidate_all(everywhere=False)
            raise

    def _free(self, tables: Collection[Table]) -> None:
        """Free the memory of what is stale of these tables: nobody may ask for it again."""
        numbers = {table.number for table in tables}
        keys = [key for key in self._state.entries if key[0] in numbers] if numbers else []
        for start in range(0, len(keys), FREED_AT_ONCE):
            with suppress(Reentered), self._state.locked():
                self._state.drop_stale(keys[start : start + FREED_AT_ONCE])

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
                if entry.expires > state.now() < state.heard_until and (
                    entry.wall_expires > state.wall_clock() < state.heard_wall_until
                ):
                    if entry.uses < MAX_USES:
                        entry.uses += 1
                    counters.hits += 1
                    return entry.data
            with state.locked():
                if state.renew(entry):
                    entry.uses = min(entry.uses + 1, MAX_USES)
                    counters.hits += 1
                    return entry.data
                state.drop_dead(entry)
        counters.misses += 1
        return None

    def lookup_items(self, table: Table, keys: Iterable[bytes]) -> list[bytes | None]:
        """The encoded items of a table under their keys, as `lookup` finds them, with fewer calls for many keys."""
        state, number, counters = self._state, table.number, table.counters["item"]
        find, now, wall = state.entries.get, state.now(), state.wall_clock()
        if now >= state.heard_until or wall >= state.heard_wall_until:
            return [self.lookup(counters, (number, key)) for key in keys]
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

    @property
    def is_alone(self) -> bool:
        """Whether this process has no other cache."""
        return not self._state.others()

    def apply(self, *changes: Change) -> dict[Tag, Extent]:
        """Make every answer of this process true again after changes, wherever they were made. Returns what they
        bumped."""

        def change(state: State, is_own: bool) -> dict[Tag, Extent]:
            return hulls([state.apply(each, is_own=is_own) for each in changes])

        return self._change(change)

    def hear(self, *changes: Change, is_ordered: bool = True) -> dict[Tag, Extent]:
        """As `apply`, for changes that a feed tells of: an item that is stored as it is after the last one stays.
        is_ordered: whether they come in the order in which they were made; else nothing stays."""
        return self._change(lambda state, is_own: state.hear(changes, is_ordered=is_ordered, is_own=is_own))

    @property
    def echoes(self) -> Echoes:
        """The excuses of this process's writes."""
        return self._state.echoes

    def tags_of(self, change: Change) -> dict[Tag, Extent]:
        """What `apply` would bump for a change."""
        with suppress(Reentered), self._state.locked():
            return self._state.tags_of(change)
        return {table_tag(change.table): EVERYTHING}

    def uses(self, tag: Tag) -> bool:
        """Whether anything that is cached, or being read, may depend on a tag. Takes no lock."""
        return self._state.uses(tag)

    def invalidate_places(self, places: Collection[Place], key: Mapping[str, Any] | None) -> dict[Tag, Extent]:
        """As `apply`, for a change of one item, or of anything, of a table at each of these places.

        key: the typed primary key, or None for the whole table. Raises ValueError for a key of other attributes than
        the table's.
        """

        def change(state: State, is_own: bool) -> dict[Tag, Extent]:
            tables = [table for place in places for table in state.tables_at(place)]
            others = [] if key is None else [table for table in tables if table.contradicts(key.keys())]
            if others and is_own:
                names = sorted(others[0].key_names or ())
                raise ValueError(f"the key of {others[0].id.name} has the attributes {names}")
            if key is None or others:  # they may have been made anew, or got other indexes
                return hulls([state.forget(place, is_own=is_own) for place in places])
            return hulls([state.apply(Change(place, key), is_own=is_own) for place in places])

        return self._change(change)

    def invalidate_tags(self, changes: Iterable[tuple[Tag, Extent, float]]) -> None:
        """Make every answer true again that depends on these tags: they changed in another process.

        changes: for each tag, what of it changed, and the seconds since; infinity where that is long ago, or where it
        is not known that it changed at all.
        """
        with suppress(Reentered), self._state.locked():  # a call within a call drops everything anyway
            self._state.invalidate_tags(changes)

    def expect(self, tags: Mapping[Tag, Extent] | None) -> None:
        """Await a change of these tags, or of anything, in all caches of this process: a write of unknown outcome may
        be applied later. Within the settle window nothing is kept of what it may change."""
        for state in (self._state, *self._state.others()):
            with suppress(Reentered), state.locked():  # a call within a call drops everything anyway
                state.expect(tags)

    def invalidate_all(self, *, everywhere: bool = True) -> dict[Tag, Extent] | None:
        """Drop everything: anything at all may have changed. Returns None, as no list of tags could hold that.

        everywhere: in all caches of this process; False where nothing changed, but this cache may be wrong.
        """
        states = [self._state, *(self._state.others() if everywhere else ())]
        try:
            peers.drop_all(states)
        except BaseException:  # of a signal handler's, in the middle of it
            peers.drop_all(states)
            raise
        return None

    def drop_all(self) -> None:
        """Drop everything of this cache, and store nothing that is being read: changes may have been missed, but none
        was made just now."""
        dropped = None
        with suppress(Reentered), self._state.locked():  # a call within a call drops everything anyway
            dropped = self._state.drop_all()
        del dropped  # outside of the lock, for it takes its time

    def forget(self, *tables: Table) -> dict[Tag, Extent]:
        """Drop everything of these tables, and what is known of their keys: they may have been made anew. Returns what
        that bumped."""

        def change(state: State, is_own: bool) -> dict[Tag, Extent]:
            return hulls([state.forget(table.place, is_own=is_own) for table in tables])

        return self._change(change)

    def _change(self, change: Callable[[State, bool], dict[Tag, Extent]]) -> dict[Tag, Extent]:
        """Make a change in this cache, then in the others of this process. change: is given the state of a cache, and
        whether that is this one's; what it bumps in this one decides whether the others are told."""
        own = self._state
        try:
            with own.locked():
                bumped = change(own, True)
            return peers.tell_others(own, bumped, lambda other: change(other, False))
        except (Reentered, ValueError):
            raise  # before anything was changed
        except BaseException:  # of a signal handler's: it may have struck before the others were told
            self.invalidate_all()
            raise

    def ages_for(self, tags: Mapping[Tag, Extent]) -> float:
        """The seconds for which an answer may be kept that a lagging replica gave, and that read these extents of these
        tags: infinity once all replicas have heard of the last change of them, by the rule of `State.ages_for`."""
        with suppress(Reentered), self._state.locked():
            return self._state.ages_for_tags(tags)
        return 0.0  # within another change

    def awaits(self, tags: Collection[Tag]) -> bool:
        """Whether a write that may change any of these tags may still be on its way; see `expect`."""
        state = self._state
        now = state.now()
        if state.changes.awaited_until <= now:
            return False
        with suppress(Reentered), state.locked():
            tags = {*tags, *{table_tag(tag.table) for tag in tags}}
            return state.changes.settles_for(tags, now) > state.settle_window
        return True  # within another change

    def begin_bulk(self, name: str) -> object:
        """From here on, writes of a table leave nothing in the cache. Returns what ends it."""
        one = object()
        self._bulk[one] = name
        return one

    def end_bulk(self, one: object) -> None:
        """End what `begin_bulk` began."""
        self._bulk.pop(one, None)

    def is_bulk(self, place: Place) -> bool:
        """Whether writes of a table leave nothing in the cache now."""
        return bool(self._bulk) and place.name in [*self._bulk.values()]

    # Tables

    def table(self, id: TableId) -> Table:
        """What is known of a table."""
        known = self._state.tables.get(id)
        if known is not None:
            return known
        with self._state.locked():
            return self._state.table(id)

    def table_names(self) -> set[str]:
        """The names of all tables that are known."""
        return {id.name for id in list(self._state.tables)}

    def names(self, scope: Scope) -> TableNames:
        """The table names of a scope."""
        with self._state.locked():
            try:
                names = self._names.setdefault(scope, TableNames(self.table, scope, self._remember))
            except BaseException:  # of a signal handler's, which may leave cachetools' books half written
                self._names = LRUCache(MAX_SCOPES)
                raise
            self._all_names.add(names)
            return names

    def _remember(self, names: TableNames, name: str, table: Table) -> None:
        """Let a name be found without a look at the scope; forget all names where there are too many."""
        with suppress(Reentered), self._state.locked():
            if self._names_known >= MAX_NAMES:  # by this count, which knows of no name that went with its scope
                self._names_known = sum([len(each.known) for each in self._all_names])
            if self._names_known >= MAX_NAMES:
                for each in self._all_names:
                    each.known = {}
                self._names_known = 0
            names.known[name] = table
            self._names_known += 1

    def is_described(self, table: Table) -> bool:
        """Whether the table needs no description now."""
        return table.is_described(self._state.moment(), None)

    def is_description_due(self, table: Table, index: str | None = None) -> bool:
        """Whether the caller, and no other, should call DescribeTable now: for the table, or for an index that is not
        known yet."""
        now = self._state.moment()
        if table.is_described(now, index):
            return False
        with self._state.locked():
            return table.is_description_due(now, index)

    def describe(
        self,
        table: Table,
        schema: TableSchema,
        ttl_attribute: str | UnsetType | None,
        flight: ReadFlight,
        *,
        made: tuple[str, ...] | None = None,
    ) -> dict[Tag, Extent]:
        """Learn a table's schema and TTL attribute (UNSET if it could not be told) from the responses that this flight
        brought, and what tells it from another table of its name, where that is known. Returns what that bumped."""

        def learn(state: State, is_own: bool) -> dict[Tag, Extent]:
            if not is_own:
                return state.forget(table.place, is_own=False)
            bumped: dict[Tag, Extent] = {}
            if flight.is_overtaken:
                return {}  # the table changed, perhaps into another one, while it was described
            is_other = table.schema is not None and not schema.extends(table.schema)
            is_other = is_other or (None not in (made, table.made) and made != table.made)
            if is_other or table.contradicts(set(schema.key.names)):
                bumped = state.forget(table.place)
            if table.schema != schema:
                state.doubt_what_settles(table.place)
            table.describe(schema, ttl_attribute, state.moment())
            table.made = made
            return bumped

        return self._change(learn)

    def learn_key(self, table: Table, key: Set[str]) -> dict[Tag, Extent]:
        """Learn, from a key that DynamoDB accepted, which attributes make a key of this table. Returns what that
        bumped."""
        if table.key_names == key:
            return {}

        def learn(state: State, is_own: bool) -> dict[Tag, Extent]:
            if not is_own:
                return state.forget(table.place, is_own=False)
            bumped = state.forget(table.place) if table.contradicts(key) else {}
            if table.key_names is None:
                table.key_names = frozenset(key)
            return bumped

        return self._change(learn)

    # Counts

    def stats(self) -> "CacheStats":
        """A snapshot of all counts. Takes no lock where a signal handler asks in the middle of a change."""
        from .stats import CacheStats, add, counts_of

        state = self._state
        with state.to_read():
            by_name: dict[str, dict[Kind, CacheCounts]] = {}
            for table in state.tables.values():
                kinds = by_name.setdefault(table.id.name, {})
                for kind, counters in table.counters.items():
                    counts = counts_of(counters)
                    kinds[kind] = add((kinds[kind], counts)) if kind in kinds else counts
            return CacheStats(by_name, state.faults, state.in_flight)

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


def _begin_in_child() -> None:
    for state in peers.PROCESS.states():
        state.begin()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_in_child)
