"""A call between its start and its end, and what it leaves in the cache."""

from collections.abc import Mapping
from typing import Any, Final

from ..core.changes import ABSENT, Change
from ..core.requests import ItemRead, Read
from ..core.schema import item_key
from ..core.tags import Tag, table_tag
from ..core.values import Item
from .clock import Stamps, changed_since
from .codec import encode
from .entries import EntryKey
from .state import State
from .stats import Kind
from .table import Table

ABSENT_ITEM: Final = b""
"""The stored form of "there is no such item"; no encoded answer is empty."""


class Flight:
    """A call between its start and its end.

    What it read is stored, and what it wrote is put in place of the old, only if nothing that it depends on
    changed since it started: a read that overlapped a change, or a write that overlapped another one, leaves no
    entry (promise P3).

        writer A |--- sent ----------- applied second ------------ reply: changed since A began, drop ---|
        writer B      |--- sent --- applied first --- reply: store B ---|
    """

    __slots__ = ("_held", "_read", "_state", "_tick", "table")

    def __init__(self, state: State, table: Table, read: Read | None) -> None:
        self.table = table
        self._state = state
        self._read = read
        self._held: Stamps = ()
        self._tick = 0

    def __enter__(self) -> "Flight":
        state = self._state
        with state.lock:
            # Under the lock, for the schema must not change between the choice of tags and the watch on them.
            self._held = state.changes.hold((table_tag(self.table.id), *self._tags()))
            self._tick = state.changes.now
            state.in_flight += 1
        return self

    def __exit__(self, *exception: object) -> None:
        state = self._state
        with state.lock:
            state.changes.release(self._held)
            state.in_flight -= 1

    def _tags(self) -> tuple[Tag, ...]:
        if self._read is None or not (self.table.settings.exact or isinstance(self._read, ItemRead)):
            return ()
        return self._read.tags(self.table.id, self.table.schema)

    def fill_item(self, key: bytes, item: Item | None) -> None:
        """Store a whole item, or that there is none."""
        # A whole item is found and dropped by its key alone, so it depends on no stamp but its table's.
        self._fill("item", self.table.item(key), _stored(item), self._ttl(item), self.table.own)

    def fill_projection(self, key: bytes, projection: bytes, item: Item | None) -> None:
        """Store a part of an item; that there is no such item holds for all of its parts."""
        if item is None:
            self.fill_item(key, None)
        else:
            self._fill("item", self.table.projected_item(key, projection), encode(item), self._ttl(item), self._held)

    def fill_page(self, kind: Kind, signature: bytes, page: Mapping[str, Any]) -> None:
        """Store a page of a Query or a Scan."""
        self._fill(kind, self.table.page(kind, signature), encode(page), self.table.settings.query_ttl, self._held)

    def _fill(self, kind: Kind, key: EntryKey, data: bytes, ttl: float, stamps: Stamps) -> None:
        state = self._state
        with state.lock:
            if changed_since(self._held, self._tick):
                self.table.counters[kind].discarded_fills += 1
            else:
                state.store(self.table, kind, key, data, ttl=ttl, tick=self._tick, stamps=stamps)

    def apply(self, change: Change) -> None:
        """Make every answer true again after this write, and leave the new state in the item cache if it is known."""
        state, table = self._state, self.table
        item = None if change.new is ABSENT else change.new
        data = _stored(item) if item is None or isinstance(item, dict) else None
        with state.lock:
            overlapped = changed_since(self._held, self._tick)
            state.apply(change)
            if change.key is None or data is None:
                return
            if overlapped:
                # Which of the two writes DynamoDB applied last, nobody told.
                table.counters["item"].discarded_fills += 1
                return
            key = table.item(item_key(change.key))
            tick = state.changes.now
            state.store(table, "item", key, data, ttl=self._ttl(item), tick=tick, stamps=table.own)

    def _ttl(self, item: object) -> float:
        return self.table.settings.negative_ttl if item is None else self.table.settings.item_ttl


def _stored(item: Item | None) -> bytes:
    return ABSENT_ITEM if item is None else encode(item)
