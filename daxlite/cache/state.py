"""What the lock of a cache guards: its entries, its change clock, its tables and its counts.

Every method of State expects the lock to be held, and none of them does anything slow.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..config import CacheConfig
from ..core.changes import Change, bumped_tags
from ..core.schema import item_key
from ..core.tables import TableId, may_be_same
from ..core.tags import table_tag
from ..core.unrecognised import Unrecognised
from .clock import ChangeClock, Stamps, changed_since
from .entries import Entries, Entry, EntryKey
from .lock import Lock
from .stats import Kind
from .table import Table

if TYPE_CHECKING:
    from .flight import Flight

# An account may have 2,500 tables in a region unless it asks for more. Names come from requests, and a program that
# tries names at random must not fill the memory; what is beyond goes straight to DynamoDB.
MOST_TABLES: Final = 10_000


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
        self.now = now
        self.wall_clock = wall_clock
        self._random = random
        self.new_event: Callable[[], threading.Event] = threading.Event
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
        self.leaders: dict[EntryKey, Flight] = {}
        """The reads under way that others may join."""
        self.in_flight = 0
        self._places: dict[tuple[str, str], list[Table]] = {}
        for table in self.tables.values():
            self._places.setdefault(table.id.place, []).append(table)
            table.begin(self.changes.hold((table_tag(table.id),)))

    def _dropped(self, entry: Entry) -> None:
        self.changes.release(entry.stamps)

    def table(self, id: TableId) -> Table:
        """What is known of a table. Raises Unrecognised for one too many."""
        if id not in self.tables:
            if len(self.tables) >= MOST_TABLES:
                raise Unrecognised("table")
            own = self.changes.hold((table_tag(id),))
            table = Table(id, len(self.tables), self._config.for_table(id.name), own)
            self.tables[id] = table
            if self._may_have_changed(id):
                self.changes.bump([table_tag(id)], self.now())
            self._places.setdefault(id.place, []).append(table)
        return self.tables[id]

    def _may_have_changed(self, id: TableId) -> bool:
        """Whether a table that nobody has asked for yet may be settling: it may have been written by another name."""
        aliases = {table.id for table in self._places.get(id.place, ()) if may_be_same(table.id, id)}
        if aliases and any(tag.table in aliases for tag in self.changes.settling):
            return True
        return self.now() - self._strangers_changed_at < self._config.settle_window

    def live(self, key: EntryKey) -> Entry | None:
        """The entry, if it may be served; one that may not be is dropped."""
        try:
            entry = self.entries[key]
        except KeyError:
            return None
        if changed_since(entry.stamps, entry.tick):
            entry.counters.invalidations += 1
        elif entry.expires <= self.now():
            entry.counters.expirations += 1
        else:
            return entry
        self.entries.drop(key)
        return None

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
        expires = min(since + ttl * (1 - self._config.jitter * self._random()), self.now() + left)
        counters = table.counters[kind]
        entry = Entry(data, key=key, expires=expires, tick=tick, stamps=stamps, counters=counters)
        if entry.size > min(self._config.max_entry_bytes, self._config.max_bytes):
            self.entries.discard(key)
            return
        self.changes.hold_again(stamps)
        self.entries.store(key, entry)
        counters.fills += 1

    def apply(self, change: Change) -> None:
        """Make every answer true again: in the table itself, and in those that only may be another one."""
        if change.table not in self.tables:
            self.note_change_of_stranger()
        for table in self._places.get(change.table.place, ()):
            if may_be_same(table.id, change.table):
                self._apply(table, change)

    def note_change_of_stranger(self) -> None:
        """Something changed in a table that nobody has asked for yet; whoever does so next finds it settling."""
        self._strangers_changed_at = self.now()

    def clear(self) -> None:
        """Drop everything, let nothing in that is being read, and nobody wait for it. Nothing here can fail."""
        self.changes.bump([table_tag(table.id) for table in self.tables.values()], self.now())
        for leader in self.leaders.values():
            leader.give_up()
        self.leaders.clear()
        self.entries.drop_all()

    def _apply(self, table: Table, change: Change) -> None:
        try:
            tags = bumped_tags(replace(change, table=table.id), table.schema)
        except Unrecognised:
            change = Change(table.id)  # whatever a key that is not one may mean, the whole table covers it
            tags = bumped_tags(change, None)
        self.changes.bump(tags, self.now())
        # Projections and pages show by their stamps that they are stale; a whole item has none and is dropped here.
        if change.key is not None and self.entries.discard(table.item(item_key(change.key))):
            table.counters["item"].invalidations += 1

    def forget(self, table: Table) -> None:
        """Drop everything of a table, and what is known of its keys: it may have been made anew."""
        self.apply(Change(table.id))
        table.forget()
