"""What the lock of a cache guards: its entries, its change clock, its tables and its counts.

Every method of State but `fault` expects the lock to be held, and none of them does anything slow.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

from msgspec.structs import replace

from ..config import CacheConfig, TableSettings, differ_by_ttls
from ..core.changes import Change, bumped_tags, shows
from ..core.extents import EVERYTHING, Extent, hulls
from ..core.not_cacheable import NotCacheable
from ..core.schema import TableSchema
from ..core.tables import Place, TableId
from ..core.tags import Tag, item_tag, scan_tag, table_tag
from ..faults import Faults
from ..latch import Latch
from .causes import Cause, causes
from .clock import ChangeClock, Stamps
from .counters import Kind
from .echoes import Echoes
from .entries import Entries, Entry, EntryKey, size_of
from .lock import Lock
from .moment import Moment
from .regions import note_region
from .table import Table

# An account may have 2,500 tables in a region unless it asks for more. Names come from requests, and a program that
# tries names at random must not fill the memory. Calls on tables beyond this number go straight to DynamoDB.
MAX_TABLES: Final = 10_000

MIN_AGE: Final = 0.02
"""Seconds for which what a settling index answered is kept at least."""


class Leader(Protocol):
    """A read under way that followers wait for; `flights.ReadFlight` is one."""

    def release_followers(self) -> None: ...


def _always(what: object) -> bool:
    return True


class TooManyTables(NotCacheable):
    """A cache knows MAX_TABLES tables already."""


class State:
    """The state of one cache."""

    def __init__(
        self,
        config: CacheConfig,
        now: Callable[[], float],
        wall_clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._config = config
        """The settings that hold."""
        self.pending: deque[CacheConfig] = deque()
        """Those that are to hold as soon as the lock is free, one after the other."""
        self.configured: Callable[[CacheConfig], object] = _always
        """Is called, under the lock, with settings that come to hold."""
        self._since = -math.inf
        """`Table.since` of a table that is used for the first time."""
        self._max_entry_bytes = min(config.max_entry_bytes, config.max_bytes)
        self.now = now
        self.wall_clock = wall_clock
        self.heard_until = self.heard_wall_until = math.inf
        """Up to these moments of both clocks this process has heard what others change, so that entries may be served.
        A tier that is shared with other processes sets them."""
        self._random = random
        self.name_overhead = 0
        """What a tier keeps in this process for each entry, in bytes."""
        self.settle_window = config.settle_window
        self.index_settle_factor = config.index_settle_factor
        self.new_latch: Callable[[], Latch] = Latch
        """Makes what followers wait at; a test that runs threads in an order of its own brings its own."""
        self.tables: dict[TableId, Table] = {}
        self.changes = ChangeClock(config.settle_window)
        self._faults = Faults()
        self.causes = causes()
        """Why entries were found to be stale."""
        self.may_keep: Callable[[Table], bool] = _always
        """Whether this process hears of all changes of a table, so that it may keep what it reads. Where a
        tier is shared with other processes, that brings its own."""
        self.echoes = Echoes()
        """The excuses of writes, for a follower in this process."""
        self.others: Callable[[], Sequence[State]] = tuple
        """The other caches of this process; see `peers`."""
        self.begin()

    def begin(self) -> None:
        """Start with nothing cached and nothing in flight, as a new process does after a fork: threads of the parent,
        which may have held the lock or led a flight, do not exist any more.
        """
        # Held for a few dictionary operations at a time, never while DynamoDB is called or an answer is decoded.
        self._lock = Lock(suspend=self._suspend, recover=self.invalidate_all)
        self.locked: Callable[[], threading.RLock] = self._lock.locked
        """The lock, for a `with` statement. Raises Reentered where the calling thread holds it already."""
        self.to_read: Callable[[], threading.RLock] = self._lock.to_read
        """The same for a caller that only looks, which never raises."""
        for table in self.tables.values():
            table.begin()
        self.echoes.begin()
        self._start_anew()

    def _start_anew(self) -> None:
        """Start with nothing cached and nothing in flight. Flights of before leave no mark, and store nothing."""
        # Another thread, or an exception of a signal handler, may have left everything here half changed: only whole
        # objects are taken over. What was changed a moment ago is still settling.
        self._take_pending()
        self.changes = ChangeClock(self._config.settle_window, floor=self.changes.latest)
        self.entries = Entries(self._config.max_bytes, self._dropped)
        self.leaders: dict[EntryKey, Leader] = {}
        """The reads under way that others may join."""
        self.in_flight = 0
        self._at: dict[Place, list[Table]] = {}
        for table in self.tables.values():
            self._at.setdefault(table.place, []).append(table)
            table.own = self.changes.hold((table_tag(table.place),))
            for counters in table.counters.values():
                counters.entries = counters.bytes = 0

    def _suspend(self) -> None:
        self.entries.suspend()

    @property
    def faults(self) -> int:
        """How many faults of daxlite's own there were."""
        return self._faults.count

    def fault(self, error: Exception) -> None:
        """Count a fault of daxlite's own and log the first. Takes no lock."""
        self._faults.note(error)

    def moment(self) -> Moment:
        """The present moment. Takes no lock."""
        return Moment(self.now(), self.wall_clock())

    # Tables

    def table(self, id: TableId) -> Table:
        """What is known of a table. Raises TooManyTables for one too many."""
        if id not in self.tables:
            if len(self.tables) >= MAX_TABLES:
                raise TooManyTables("a table too many")
            note_region(id.place.region)
            own = self.changes.hold((table_tag(id.place),))
            table = Table(id, len(self.tables), _settings(self._config, id), own, self._since)
            if table.schema is not None:
                self.doubt_what_settles(table.place)
            # It is found last of all: what an exception of a signal handler leaves unfinished here, nothing can have
            # used.
            self._at.setdefault(table.place, []).append(table)
            self.tables[id] = table
            table.switch()  # which may have been changed since it looked, before it could be found
        return self.tables[id]

    def tables_at(self, place: Place) -> list[Table]:
        """The tables of this place that the cache knows, one for each identity."""
        return self._at.get(place, [])

    def doubt_what_settles(self, place: Place) -> None:
        """A schema becomes known. Changes that were made before could not name the partitions that it tells, so if one
        of them may not have reached all replicas, everything of the table counts as changed just now."""
        if self.changes.settles_for((scan_tag(place, None),), self.now()) > 0:
            self._bump((table_tag(place),))

    def forget(self, place: Place, *, is_own: bool = True) -> dict[Tag, Extent]:
        """Drop everything of a table, and what is known of its keys, by whatever identity: it may have been made
        anew."""
        bumped = self.apply(Change(place), is_own=is_own)
        for table in self.tables_at(place):
            table.forget()
        return bumped

    # Settings

    def wanted(self) -> CacheConfig:
        """The settings that hold once the lock is free. Takes no lock."""
        try:
            return self.pending[-1]
        except IndexError:
            return self._config

    def configure(self) -> list[Table]:
        """Let pending settings hold. Returns the tables that are not as they were, but for longer TTLs. Of these,
        nothing is served from here on that was cached before, and nothing stored that is being read or written."""
        emptied, others = [], []
        for table, keeps, schema in self._take_pending():
            if not keeps:
                emptied.append(table)
            if table.schema != schema:
                others.append(table)
        # Nothing changed, so nothing is settling; but what was read or written before has another tick.
        self.changes.bump([table_tag(table.place) for table in emptied], self.now(), math.inf)
        for each in others:
            self.doubt_what_settles(each.place)
        return emptied

    def _take_pending(self) -> list[tuple[Table, bool, TableSchema | None]]:
        """Let pending settings hold. Returns the tables whose settings changed, whether what is cached may stay, and
        the schema of before."""
        changed = []
        while self.pending:
            config, now = self.pending[0], self.now()
            for table in self.tables.values():
                settings, schema = _settings(config, table.id), table.schema
                if settings != table.given:
                    changed.append((table, table.configure(settings, now), schema))
            if not differ_by_ttls(config, self._config):
                self._since = now
            self.configured(config)
            self._config = config
            self.pending.popleft()  # last of all: what an exception of a signal handler leaves unfinished is done again
        return changed

    def drop_stale(self, keys: Iterable[EntryKey]) -> None:
        """Drop those of these entries that are stale, uncounted."""
        for key in keys:
            entry = self.entries.get(key)
            if entry is not None and entry.is_stale:
                self.entries.drop(key)

    # Entries

    def _dropped(self, entry: Entry) -> None:
        if len(entry.stamps) > 1:  # as in `store`
            self.changes.release(entry.stamps)

    def renew(self, entry: Entry) -> bool:
        """Whether an entry is true although its tags changed: no change touched what it covers. It then counts as read
        after those changes, so that the next hit need not look at them."""
        if self.entries.get(entry.key) is not entry or entry.is_stale:
            return False
        # Not the clock's own tick: the entry was compared with these stamps as they are now, under the lock.
        entry.tick = max([stamp.tick for stamp in entry.stamps])
        return self._lives(entry) and (self._hears() or not self._is_shared(entry))

    def _hears(self) -> bool:
        return self.now() < self.heard_until and self.wall_clock() < self.heard_wall_until

    def _is_shared(self, entry: Entry) -> bool:
        """Whether an entry is of a table that has part in a tier."""
        return any(table.number == entry.key[0] and table.settings.shared for table in self.tables.values())

    def _lives(self, entry: Entry) -> bool:
        return entry.expires > self.now() and entry.wall_expires > self.wall_clock()

    def drop_dead(self, entry: Entry) -> None:
        """Drop an entry that may not be served any more, unless another thread has done so."""
        if self.entries.get(entry.key) is not entry:
            return
        if entry.is_stale:
            entry.counters.invalidations += 1
            self._note_causes(entry)
        elif self._lives(entry):
            return  # it may be served again
        else:
            entry.counters.expirations += 1
        self.entries.drop(entry.key)

    def _note_causes(self, entry: Entry) -> None:
        now = self.now()
        for stamp in entry.stamps:
            if (change := stamp.change_since(entry.tick, entry.extent)) is not None:
                touched, record = change
                self.causes.append(Cause(hash(entry.key), entry.extent, stamp.tag, touched, record.moment, now))

    def store(
        self,
        table: Table,
        kind: Kind,
        key: EntryKey,
        data: bytes,
        *,
        ttl: float,
        since: Moment,
        left: float,
        tick: int,
        stamps: Stamps,
        extent: Extent = EVERYTHING,
    ) -> None:
        """Store an answer for `ttl` seconds from the moment `since`, but for no longer than `left` seconds from then.

        The caller holds the stamps; the entry holds them too from now on.
        """
        if ttl <= 0 or left <= 0:
            self.entries.discard(key)
            return
        size = size_of(key, data, stamps, extent) + self.name_overhead
        if size > self._max_entry_bytes:
            self.entries.discard(key)
            return
        lives = min(ttl * (1 - self._config.jitter * self._random()), left)
        expires, wall_expires = since.clock + lives, since.wall + lives
        counters = table.counters[kind]
        if len(stamps) > 1:  # the table holds its own stamp for good
            self.changes.hold_again(stamps)
        entry = Entry(data, key, expires, tick, stamps, counters, size, extent, wall_expires)
        self.entries.store(entry, self.changes.bytes)
        counters.fills += 1

    # Changes

    def apply(self, change: Change, *, is_own: bool = True) -> dict[Tag, Extent]:
        """Make every answer true again, by whatever identity it is known. Returns what the change bumped.

        Where no schema is known, the table's own tag is among the returned ones: other processes may know the schema
        and depend on partitions that cannot be named here. is_own: False for a change that another cache of this
        process made, which knows that better.
        """
        bumped, has_schema = self._tags_of(change)
        self._bump(bumped, extents=bumped)
        return bumped if has_schema or not is_own else {**bumped, table_tag(change.table): EVERYTHING}

    def hear(self, changes: Sequence[Change], *, is_ordered: bool, is_own: bool = True) -> dict[Tag, Extent]:
        """As `apply`, for changes that a feed tells of: an item that is stored as it is after the last one stays. Its
        projections go all the same, for they may have been read before, and so do pages. is_ordered: whether the
        changes come in the order in which they were made; else nothing stays."""
        last = {change.item: change for change in changes if change.item is not None}
        kept = [
            entry
            for item, change in (last.items() if is_ordered else ())
            for table in self.tables_at(change.table)
            if (entry := self.entries.get(table.item(item))) is not None
            and not entry.is_stale
            and self._lives(entry)
            and shows(entry.data, change.new)
        ]
        for entry in kept:
            self.entries.drop(entry.key)  # uncounted, for it comes back
        bumped = hulls([self.apply(change, is_own=is_own) for change in changes])
        for item, change in last.items():
            # A writer that ended since the record was looked at has left an excuse; one that ends later is overtaken.
            self.echoes.end(item_tag(change.table, item))
        for entry in kept:
            again = replace(entry, tick=self.changes.now, queue=None, previous=None, next=None)
            self.entries.store(again, self.changes.bytes)
        return bumped

    def tags_of(self, change: Change) -> dict[Tag, Extent]:
        """What `apply` would return for a change."""
        bumped, has_schema = self._tags_of(change)
        return bumped if has_schema else {**bumped, table_tag(change.table): EVERYTHING}

    def _tags_of(self, change: Change) -> tuple[dict[Tag, Extent], bool]:
        """What a change bumps by all schemas that are known, and whether there is one."""
        tables = self._at.get(change.table, ())
        # What was read without a schema depends on the table's scans, which every change bumps.
        schemas = [table.schema for table in tables if table.schema is not None]
        bumped = _bumped(change, schemas[0] if schemas else None)
        if len(schemas) > 1:
            bumped = hulls([bumped, *[_bumped(change, schema) for schema in schemas[1:]]])
        return bumped, bool(schemas)

    def uses(self, tag: Tag) -> bool:
        """Whether anything that is cached, or being read, may depend on a tag."""
        if tag in self.changes.stamps:
            return True
        value = tag.value
        return value is not None and any(self.entries.get(table.item(value)) for table in self.tables_at(tag.table))

    def invalidate_tags(self, changes: Iterable[tuple[Tag, Extent, float]]) -> None:
        """Make true again what depends on these tags: these extents of them changed elsewhere, so many seconds ago."""
        for tag, extent, age in changes:
            if tag.kind == "table":  # it may have been made anew, or have got other indexes
                for table in self.tables_at(tag.table):
                    table.doubt_description()
            # Each change of a table is one of its scans too, and of the pages read before its keys were known.
            extents = {scan_tag(tag.table, None): EVERYTHING, tag: extent}
            self._bump(extents, age, extents)

    def expect(self, tags: Mapping[Tag, Extent] | None) -> None:
        """Await a change of these extents, or of anything, for a settle window: the request of a write may still be on
        its way. Until then nothing is kept of what it may change."""
        if not self.settle_window:
            return
        if tags is None:
            self.changes.raise_floor(self.now() + self.settle_window)
        else:
            self._bump(tags, -self.settle_window, tags)

    def ages_for(self, held: Stamps, extent: Extent, moment: float) -> float:
        """Seconds for which an answer may be kept that a settling index gave at this moment: as long again as the last
        change that it covers was old then, but not beyond that change's settle window. So an answer that the index had
        not caught up with shows each change at most twice as late as the index itself does."""
        factor = self.index_settle_factor
        if not factor:
            return 0.0
        age = moment - self.changes.last_change(held, extent)
        return min(max(age * factor, MIN_AGE), self.settle_window - age)

    def ages_for_tags(self, tags: Mapping[Tag, Extent]) -> float:
        """The same for an answer that is given now, and depends on extents of several tags; infinity where none of them
        is settling."""
        now, least = self.now(), math.inf
        extents = {**tags, **{table_tag(tag.table): EVERYTHING for tag in tags}}
        for tag, extent in extents.items():
            stamp = self.changes.stamps.get(tag)
            held = () if stamp is None else (stamp,)
            if self.changes.is_settling(held, now, extent):
                least = min(least, self.ages_for(held, extent, now))
        return least

    def invalidate_all(self) -> object:
        """Drop everything, store nothing that is being read, and release all followers: anything may have changed, even
        tables that are not known yet, and just now. It also makes whole what an exception of a signal handler left half
        changed.

        Returns what was dropped, to be let go outside of the lock: freeing it takes time for each entry.
        """
        self.changes.raise_floor(self.now())
        return self.drop_all()

    def drop_all(self) -> object:
        """The same where nothing has changed just now."""
        leaders, dropped = [*self.leaders.values()], (self.entries, self.changes)
        self._start_anew()
        for leader in leaders:
            leader.release_followers()
        return dropped

    def start_over(self) -> object:
        """As `drop_all`, with what is known of tables, and with the counts."""
        dropped = self.drop_all()
        for table in self.tables.values():
            table.start_over()
        return dropped

    def _bump(self, tags: Collection[Tag], age: float = 0.0, extents: Mapping[Tag, Extent] | None = None) -> None:
        """Note a change of these tags, so many seconds ago; extents: what it touched of each, if that is known."""
        remembered = self.changes.bytes
        self.changes.bump(tags, self.now(), age, extents)
        if self.changes.bytes > remembered:
            self.entries.make_room(self.changes.bytes)
        # Projections and pages show by their stamps that they are stale. A whole item has no stamp and is dropped here.
        for tag in tags:
            if tag.kind == "item" and tag.value is not None:
                for table in self._at.get(tag.table, ()):
                    if self.entries.discard(table.item(tag.value)):
                        table.counters["item"].invalidations += 1


def _bumped(change: Change, schema: TableSchema | None) -> dict[Tag, Extent]:
    try:
        return bumped_tags(change, schema)
    except NotCacheable:
        return {table_tag(change.table): EVERYTHING}  # a key that is not one: the whole table covers it


def _settings(config: CacheConfig, id: TableId) -> TableSettings:
    settings = config.for_table(id.name)
    return settings.switched_off() if id.is_off else settings
