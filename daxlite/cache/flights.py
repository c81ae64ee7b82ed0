"""A call between its start and its landing, and what it leaves in the cache."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from ..core.changes import ABSENT, Change
from ..core.requests import ItemRead, Read
from ..core.tags import Tag
from ..core.ttl import seconds_left
from ..core.values import Item
from .clock import ChangeClock, Stamps, changed_since
from .codec import encode
from .entries import EntryKey
from .latch import Latch
from .state import State
from .stats import Kind, KindCounters
from .table import Table

ABSENT_ITEM: Final = b""
"""The stored form of "there is no such item"; no encoded answer is empty."""

MAX_WAIT: Final = 30.0
"""Seconds after which a reader stops waiting for another one and asks for itself."""


class Flight(Struct, eq=False):
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

    _state: State
    table: Table
    _read: Read | None
    _key: EntryKey | None
    answer: bytes | None = None
    """What came of it, encoded, for those who joined; None if nothing did."""
    is_settling: bool = False
    """Whether a replica that answers it may not have heard of a change that was made before it started."""
    is_consistent: bool = False
    """Whether it was sent as a strongly consistent read."""
    _changes: ChangeClock | None = None
    _held: Stamps = ()
    _tick: int = 0
    _began: float = 0.0
    _started: bool = False
    _landing: Latch | None = None

    def __repr__(self) -> str:
        return f"<flight: {self.table.id.name}>"  # without what it brings, which is not for logs

    @property
    def counters(self) -> KindCounters:
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
                leader._landing = state.new_latch()
            return leader

    def wait(self) -> None:
        """Wait until it has landed, though not forever."""
        if self._landing is not None:
            self._landing.wait(MAX_WAIT)

    def release_followers(self) -> None:
        """Let those who wait go: what it brings, if anything, is not for them."""
        if self._landing is not None:
            self._landing.set()

    def _start(self) -> None:
        state = self._state
        self._changes = changes = state.changes
        read, table = self._read, self.table
        # Under the lock, for the schema must not change between the choice of tags and the watch on them.
        tags: tuple[Tag, ...] = ()
        if read is not None:
            table.is_used = True
            if table.settings.exact or isinstance(read, ItemRead):
                tags = read.tags(table.id, table.schema)
        self._held = changes.hold(tags, beside=table.own)
        self._tick = changes.now
        self._began = state.now()
        self.is_settling = changes.is_settling(self._held, self._began)
        self._started = True
        state.in_flight += 1
        if self._key is not None:
            state.leaders[self._key] = self

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
            self._land()

    def _land(self) -> None:
        """Watch no more. What it is to leave in the cache is there already."""
        if not self._started:
            return
        state = self._state
        self._started = False
        if self._key is not None and state.leaders.get(self._key) is self:
            del state.leaders[self._key]
        if self._changes is state.changes:  # else the process forked meanwhile, and began anew
            state.changes.release(self._held)
            state.in_flight -= 1
        self.release_followers()

    @property
    def is_overtaken(self) -> bool:
        """Whether something that it depends on changed since it started, or may have: nobody watches once it has
        landed. To be asked under the cache's lock."""
        if not self._started or self._changes is not self._state.changes:
            return True
        return changed_since(self._held, self._tick)

    # What a read leaves

    def fill_item(self, key: bytes, item: Item | None) -> None:
        """Store a whole item, or that there is none."""
        data, ttl, left = self._stored(item)
        # A whole item is found and dropped by its key alone, so it depends on no stamp but its table's.
        self._fill("item", (self.table.number, key), data, ttl, left, self.table.own)

    def fill_projection(self, key: bytes, projection: bytes, item: Item | None) -> None:
        """Store a part of an item; that there is no such item holds for all of its parts."""
        if item is None:
            self.fill_item(key, None)
        else:
            data, ttl, left = self._stored(item)
            self._fill("item", self.table.projected_item(key, projection), data, ttl, left, self._held)

    def fill_page(self, kind: Kind, signature: bytes, page: Mapping[str, Any]) -> None:
        """Store a page of a Query or a Scan."""
        place, left = self.table.page(kind, signature), self._left(page.get("Items", ()))
        self._fill(kind, place, encode(page), self.table.settings.query_ttl, left, self._held)

    def _fill(self, kind: Kind, key: EntryKey, data: bytes, ttl: float, left: float, stamps: Stamps) -> None:
        """Store the answer, and land: whoever takes the lock once less gets home sooner."""
        state = self._state
        self.answer = data
        with state.lock.mutex, state.lock:
            is_doubtful = self.is_settling and not self.is_consistent
            if is_doubtful or self.is_overtaken:
                self.table.counters[kind].discarded_fills += 1
            else:
                # The time that the read took counts: what it saw may be as old as its start.
                since, tick = self._began, self._tick
                state.store(self.table, kind, key, data, ttl=ttl, since=since, left=left, tick=tick, stamps=stamps)
            self._land()

    # What a write leaves

    def apply(self, change: Change) -> None:
        """Make every answer true again after this write, and leave the new state in the item cache if it is known."""
        state, table = self._state, self.table
        new = None if change.new is ABSENT else change.new
        stored = self._stored(new) if new is None or isinstance(new, dict) else None
        with state.changing():
            is_overtaken = self.is_overtaken
            state.apply(change)
            if stored is not None and isinstance(self._read, ItemRead):
                if is_overtaken:
                    # Which of the two writes DynamoDB applied last, nobody told.
                    table.counters["item"].discarded_fills += 1
                else:
                    data, ttl, left = stored
                    key, since, tick = table.item(self._read.key), self._began, state.changes.now
                    state.store(table, "item", key, data, ttl=ttl, since=since, left=left, tick=tick, stamps=table.own)
            self._land()

    def _stored(self, item: Item | None) -> tuple[bytes, float, float]:
        """An item, or that there is none, as it is stored; for how long; and the seconds until DynamoDB may delete
        it."""
        settings = self.table.settings
        if item is None:
            return ABSENT_ITEM, settings.negative_ttl, math.inf
        return encode(item), settings.item_ttl, self._left((item,))

    def _left(self, items: Iterable[Item]) -> float:
        """Seconds until DynamoDB may delete one of these items."""
        attribute = self.table.ttl_attribute
        return math.inf if attribute is None else seconds_left(items, attribute, self._state.wall_clock())
