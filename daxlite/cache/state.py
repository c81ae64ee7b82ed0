"""What the lock of a cache guards: its entries, its change clock, its tables and its counts.

Every method of State but `changing` and `fault` expects the lock to be held, and none of them does anything slow.
"""

import logging
import math
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from ..config import CacheConfig
from ..core.changes import Change, bumped_tags
from ..core.not_cacheable import NotCacheable
from ..core.schema import TableSchema
from ..core.tables import TableId, may_be_same
from ..core.tags import Tag, scan_tag, table_tag
from .clock import ChangeClock, Stamps
from .entries import ENTRY_OVERHEAD, Entries, Entry, EntryKey
from .latch import Latch
from .listeners import has_change_listeners, notify_change_listeners
from .lock import Lock, Reentered
from .stats import Kind
from .table import Table

if TYPE_CHECKING:
    from .flights import Flight

_logger: Final = logging.getLogger("daxlite")

# An account may have 2,500 tables in a region unless it asks for more. Names come from requests, and a program that
# tries names at random must not fill the memory; what is beyond goes straight to DynamoDB.
MAX_TABLES: Final = 10_000


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
        self._largest = min(config.max_entry_bytes, config.max_bytes)
        self.now = now
        self.wall_clock = wall_clock
        self._random = random
        self.new_latch: Callable[[], Latch] = Latch
        """What readers wait on for one another; a test that runs threads in an order of its own brings its own."""
        self.tables: dict[TableId, Table] = {}
        self._strangers_changed_at = -math.inf
        self.changes = ChangeClock(config.settle_window)
        self.faults = 0
        self.begin()

    def begin(self) -> None:
        """Start with nothing cached and nobody under way, as a new process does after a fork: threads of the
        parent, which may have held the lock or been waited for, are not there any more.
        """
        # Held for a few dictionary operations at a time, never while DynamoDB is called or an answer is decoded.
        self.lock = Lock(after_reentry=self.clear)
        # Another thread may have been at work on everything here: only whole objects are taken over. What the parent
        # changed a moment ago is still settling.
        self.changes = ChangeClock(self._config.settle_window, floor=self.changes.latest)
        self.entries = Entries(self._config.max_bytes, self._dropped)
        self.untold: set[Tag] = set()
        """What changed since the lock was taken, for those who watch."""
        self.leaders: dict[EntryKey, Flight] = {}
        """The reads under way that others may join."""
        self.in_flight = 0
        self._places: dict[tuple[str, str], list[Table]] = {}
        self._reached: dict[TableId, list[Table]] = {}
        """The tables that a change of one reaches, as far as that was asked."""
        for table in self.tables.values():
            self._places.setdefault(table.id.place, []).append(table)
            table.begin(self.changes.hold((table_tag(table.id),)))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Holds the lock while something changes; those who watch changes are told once it is released, whatever
        happened meanwhile."""
        changed: set[Tag] = set()
        try:
            with self.lock.mutex, self.lock:
                try:
                    yield
                finally:
                    changed, self.untold = self.untold, changed
        finally:
            if changed:
                notify_change_listeners(changed, self.fault)

    def fault(self, error: Exception) -> None:
        """Count a fault of daxlite's own and log the first. Its message is left out: it may quote an item."""
        with suppress(Reentered), self.lock.mutex, self.lock:
            self.faults += 1
        if self.faults == 1:
            where = "".join(traceback.format_tb(error.__traceback__))
            message = "a fault in daxlite (%s), kept from the application; later ones are only counted\n%s"
            _logger.error(message, type(error).__name__, where)

    def _dropped(self, entry: Entry) -> None:
        if len(entry.stamps) > 1:  # as in `store`
            self.changes.release(entry.stamps)

    def table(self, id: TableId) -> Table:
        """What is known of a table. Raises NotCacheable for one too many."""
        if id not in self.tables:
            if len(self.tables) >= MAX_TABLES:
                raise NotCacheable("table")
            own = self.changes.hold((table_tag(id),))
            table = Table(id, len(self.tables), self._config.for_table(id.name), own)
            if self._may_have_changed(id):
                self.changes.bump([table_tag(id)], self.now())
            # It is found last of all: what a signal handler's exception leaves unfinished here, nobody can have used.
            self._reached.clear()
            self._places.setdefault(id.place, []).append(table)
            self.tables[id] = table
        return self.tables[id]

    def _may_have_changed(self, id: TableId) -> bool:
        """Whether a table that nobody has asked for yet may be settling: it may have been written by another name."""
        aliases = {table.id for table in self._places.get(id.place, ()) if may_be_same(table.id, id)}
        if aliases and any(isinstance(tag, Tag) and tag.table in aliases for tag in self.changes.settling):
            return True
        return self.now() - self._strangers_changed_at < self._config.settle_window

    def drop_dead(self, entry: Entry) -> None:
        """Drop an entry that may not be served any more, unless somebody else has done so."""
        if self.entries.get(entry.key) is not entry:
            return
        if entry.is_stale:
            entry.counters.invalidations += 1
        else:
            entry.counters.expirations += 1
        self.entries.drop(entry.key)

    def store(
        self,
        table: Table,
        kind: Kind,
        key: EntryKey,
        data: bytes,
        *,
        ttl: float,
        since: float,
        left: float,
        tick: int,
        stamps: Stamps,
    ) -> None:
        """Put an answer in its place, for `ttl` seconds from the moment `since`, but no longer than is `left` from now.

        The stamps must be held by somebody; the entry holds them too from now on.
        """
        if ttl <= 0 or left <= 0:
            self.entries.discard(key)
            return
        size = len(data) + len(key[1]) + (len(key[2]) if len(key) > 2 else 0) + ENTRY_OVERHEAD
        if size > self._largest:
            self.entries.discard(key)
            return
        expires = since + ttl * (1 - self._config.jitter * self._random())
        if left < math.inf:
            expires = min(expires, self.now() + left)
        counters = table.counters[kind]
        if len(stamps) > 1:  # that of the table alone is held for good
            self.changes.hold_again(stamps)
        self.entries.store(Entry(data, key, expires, tick, stamps, counters, size))
        counters.fills += 1

    def apply(self, change: Change) -> None:
        """Make every answer true again: in the table itself, and in those that only may be another one."""
        bumped: list[Tag] = []
        for table in self._reached_by(change.table):
            if table.id == change.table or self._is_in_use(table):
                bumped += _renamed(_bumped(change, table.schema), table)
            else:
                # By this other name of the table nobody has read anything yet, such as by the one that was left behind
                # when its account became known: there all counts as changed, which is less to do.
                bumped.append(table_tag(table.id))
        self._bump(bumped)
        if has_change_listeners():
            self._note_untold(change)

    def _is_in_use(self, table: Table) -> bool:
        """Whether anybody ever read by this name, or is at work on it: its description is being asked for, say."""
        own = table.own[0]
        return table.is_used or own.holders > 1 + (own.tag in self.changes.settling)

    def invalidate_tags(self, ages: Mapping[Tag, float]) -> None:
        """Make true again what depends on these tags: they changed elsewhere, so many seconds ago, and whoever watches
        knows it already."""
        for tag, age in ages.items():
            # Each change of a table is one of its scans too, and of the pages read before anybody knew its keys.
            changed = {tag, scan_tag(tag.table, None)}
            for table in self._reached_by(tag.table, age):
                self._bump(_renamed(changed, table), age)

    def note_change_of_stranger(self) -> None:
        """Something changed in a table that nobody has asked for yet; whoever does so next finds it settling."""
        self._strangers_changed_at = self.now()

    def clear(self) -> None:
        """Drop everything, let nothing in that is being read, and nobody wait for it. Nothing here can fail."""
        self.changes.bump([table_tag(table.id) for table in self.tables.values()], self.now())
        for leader in self.leaders.values():
            leader.release_followers()
        self.leaders.clear()
        self.entries.drop_all()

    def _reached_by(self, id: TableId, age: float = 0.0) -> list[Table]:
        """The tables that a change of this one changes, or may change."""
        if id not in self.tables and age < self._config.settle_window:
            self.note_change_of_stranger()
        reached = self._reached.get(id)
        if reached is None:
            reached = [table for table in self._places.get(id.place, ()) if may_be_same(table.id, id)]
            if id in self.tables:
                self._reached[id] = reached
        return reached

    def _bump(self, tags: Collection[Tag], age: float = 0.0) -> None:
        """Note a change of these tags, so many seconds ago."""
        self.changes.bump(tags, self.now(), age)
        # Projections and pages show by their stamps that they are stale; a whole item has none and is dropped here.
        for tag in tags:
            if tag.kind == "item" and tag.value is not None:
                table = self.tables.get(tag.table)
                if table is not None and self.entries.discard(table.item(tag.value)):
                    table.counters["item"].invalidations += 1

    def _note_untold(self, change: Change) -> None:
        """What those who watch are to be told: they know tables by their names, so the aliases of this one, which may
        not be described themselves, have nothing to add."""
        table = self.tables.get(change.table)
        schema = None if table is None else table.schema
        self.untold.update(_bumped(change, schema))
        if schema is None:  # others may know the keys, and depend on partitions that cannot be named here
            self.untold.add(table_tag(change.table))

    def forget(self, table: Table) -> None:
        """Drop everything of a table, and what is known of its keys: it may have been made anew."""
        self.apply(Change(table.id))
        table.forget()


def _renamed(tags: Iterable[Tag], table: Table) -> list[Tag]:
    """The tags by this name of the table."""
    return [tag if tag.table == table.id else replace(tag, table=table.id) for tag in tags]


def _bumped(change: Change, schema: TableSchema | None) -> list[Tag]:
    try:
        return bumped_tags(change, schema)
    except NotCacheable:
        return [table_tag(change.table)]  # whatever a key that is not one may mean, the whole table covers it
