"""A call between its start and its landing, and what it leaves in the cache."""

import threading
from collections.abc import Collection, Mapping
from typing import Any, Final

from ..core.changes import ABSENT, Change
from ..core.requests import ItemRead, Read
from ..core.schema import item_key
from ..core.tags import Tag, table_tag
from ..core.ttl import seconds_left
from ..core.values import Item
from .clock import Stamps, changed_since
from .codec import encode
from .entries import EntryKey
from .state import State
from .stats import Counters, Kind
from .table import Table

ABSENT_ITEM: Final = b""
"""The stored form of "there is no such item"; no encoded answer is empty."""

LONGEST_WAIT: Final = 30.0
"""Seconds after which a reader stops waiting for another one and asks for itself."""


class Flight:
    """A call between its start and its landing.

    What it read is stored, and what it wrote is put in place of the old, only if nothing that it depends on changed
    since it started: a read that overlapped a change, or a write that overlapped another one, leaves no entry (P3).

        writer A |--- sent ----------- applied second ------------ reply: changed since A began, drop ---|
        writer B      |--- sent --- applied first --- reply: store B ---|

    A reader that finds another one under way for the same answer joins it instead of asking twice (single flight),
    unless something changed since that one started: its answer would be older than what the reader may have seen.

        leader   |--- sent --------------------- reply ---|
        follower      |- joins, waits -----------------|- the same answer
        writer                  |- put -|
        reader                             |- does not join: the leader may have read before the put
    """

    __slots__ = (
        "_began",
        "_changes",
        "_held",
        "_key",
        "_landing",
        "_read",
        "_started",
        "_state",
        "_tick",
        "answer",
        "is_consistent",
        "is_settling",
        "table",
    )

    def __init__(self, state: State, table: Table, read: Read | None, key: EntryKey | None) -> None:
        self.table = table
        self.answer: bytes | None = None
        """What came of it, encoded, for those who joined; None if nothing did."""
        self.is_settling = False
        """Whether a replica that answers it may not have heard of a change that was made before it started."""
        self.is_consistent = False
        """Whether it was sent as a strongly consistent read."""
        self._state = state
        self._read = read
        self._key = key
        self._changes = state.changes
        self._held: Stamps = ()
        self._tick = 0
        self._began = 0.0
        self._started = False
        self._landing: threading.Event | None = None

    @property
    def counters(self) -> Counters:
        """Where the read is counted."""
        return self.table.counters[
            "item" if self._read is None or isinstance(self._read, ItemRead) else self._read.kind
        ]

    # Start, wait, land

    def start(self) -> None:
        """Watch from here on what the answer depends on."""
        with self._state.lock.mutex, self._state.lock:
            self._start()

    def start_or_join(self) -> "Flight | None":
        """Start, unless another flight will bring the same answer: then returns that one, to wait for."""
        state = self._state
        with state.lock.mutex, state.lock:
            leader = None if self._key is None else state.leaders.get(self._key)
            if leader is None or changed_since(leader._held, leader._tick):
                self._start()
                return None
            if leader._landing is None:
                leader._landing = state.new_event()
            return leader

    def wait(self) -> None:
        """Wait until it has landed, though not forever."""
        if self._landing is not None:
            self._landing.wait(LONGEST_WAIT)

    def give_up(self) -> None:
        """Let those who wait go: what it brings, if anything, is not for them."""
        if self._landing is not None:
            self._landing.set()

    def _start(self) -> None:
        state = self._state
        self._changes = state.changes
        # Under the lock, for the schema must not change between the choice of tags and the watch on them.
        self._held = state.changes.hold((table_tag(self.table.id), *self._tags()))
        self._tick = state.changes.now
        self._began = state.now()
        self.is_settling = state.changes.is_settling(self._held, self._began)
        self._started = True
        state.in_flight += 1
        if self._key is not None:
            state.leaders[self._key] = self

    def _tags(self) -> tuple[Tag, ...]:
        if self._read is None or not (self.table.settings.exact or isinstance(self._read, ItemRead)):
            return ()
        return self._read.tags(self.table.id, self.table.schema)

    def __enter__(self) -> "Flight":
        # One with a key may join another instead: it starts, or not, by start_or_join.
        if self._key is None:
            self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._started:
            return
        state = self._state
        with state.lock.mutex, state.lock:
            if self._key is not None and state.leaders.get(self._key) is self:
                del state.leaders[self._key]
            if self._changes is state.changes:  # else the process forked meanwhile, and began anew
                state.changes.release(self._held)
                state.in_flight -= 1
        self.give_up()

    @property
    def is_overtaken(self) -> bool:
        """Whether something that it depends on changed since it started. To be asked under the cache's lock."""
        return changed_since(self._held, self._tick) or self._changes is not self._state.changes

    # What a read leaves

    def fill_item(self, key: bytes, item: Item | None) -> None:
        """Store a whole item, or that there is none."""
        # A whole item is found and dropped by its key alone, so it depends on no stamp but its table's.
        self._fill("item", self.table.item(key), _stored(item), self._ttl(item), _listed(item), self.table.own)

    def fill_projection(self, key: bytes, projection: bytes, item: Item | None) -> None:
        """Store a part of an item; that there is no such item holds for all of its parts."""
        if item is None:
            self.fill_item(key, None)
        else:
            place = self.table.projected_item(key, projection)
            self._fill("item", place, encode(item), self._ttl(item), [item], self._held)

    def fill_page(self, kind: Kind, signature: bytes, page: Mapping[str, Any]) -> None:
        """Store a page of a Query or a Scan."""
        place, items = self.table.page(kind, signature), page.get("Items", ())
        self._fill(kind, place, encode(page), self.table.settings.query_ttl, items, self._held)

    def _fill(
        self, kind: Kind, key: EntryKey, data: bytes, ttl: float, items: Collection[Item], stamps: Stamps
    ) -> None:
        state = self._state
        self.answer = data
        left = seconds_left(items, self.table.ttl_attribute, state.wall_clock())
        with state.lock.mutex, state.lock:
            is_doubtful = self.is_settling and not self.is_consistent
            if is_doubtful or self.is_overtaken:
                self.table.counters[kind].discarded_fills += 1
            else:
                # The time that the read took counts: what it saw may be as old as its start.
                since, tick = self._began, self._tick
                state.store(self.table, kind, key, data, ttl=ttl, since=since, left=left, tick=tick, stamps=stamps)

    # What a write leaves

    def apply(self, change: Change) -> None:
        """Make every answer true again after this write, and leave the new state in the item cache if it is known."""
        state, table = self._state, self.table
        item = None if change.new is ABSENT else change.new
        data = _stored(item) if item is None or isinstance(item, dict) else None
        left = seconds_left(_listed(item), table.ttl_attribute, state.wall_clock())
        with state.changing():
            overlapped = self.is_overtaken
            state.apply(change)
            if change.key is None or data is None:
                return
            if overlapped:
                # Which of the two writes DynamoDB applied last, nobody told.
                table.counters["item"].discarded_fills += 1
                return
            key = table.item(item_key(change.key))
            tick, ttl = state.changes.now, self._ttl(item)
            state.store(table, "item", key, data, ttl=ttl, since=self._began, left=left, tick=tick, stamps=table.own)

    def _ttl(self, item: object) -> float:
        return self.table.settings.negative_ttl if item is None else self.table.settings.item_ttl


def _listed(item: object) -> list[Item]:
    return [item] if isinstance(item, dict) else []


def _stored(item: Item | None) -> bytes:
    return ABSENT_ITEM if item is None else encode(item)
