"""A table that remembers all of its past, so that a replica may show any moment of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulator.schema import Index, Key, Schema
from tests.simulator.values import Item


@dataclass
class Past:
    """The states of one item, and the ticks since which it had them."""

    ticks: list[int] = field(default_factory=list)
    items: list[Item | None] = field(default_factory=list)

    def at(self, tick: int) -> Item | None:
        place = bisect_right(self.ticks, tick)
        return self.items[place - 1] if place else None


@dataclass
class Change:
    """When, by the counter and by the clock, something in the table changed."""

    tick: int
    time: float


class Table:
    def __init__(self, schema: Schema, created: Change) -> None:
        self.schema = schema
        self.created = created.time
        self.changes = [created]
        self._partitions: dict[Key, dict[Key, Past]] = {}

    def store(self, key: Key, partition: Key, item: Item | None, change: Change) -> None:
        past = self._partitions.setdefault(partition, {}).setdefault(key, Past())
        past.ticks.append(change.tick)
        past.items.append(item)
        if self.changes[-1].tick != change.tick:
            self.changes.append(change)

    def at(self, tick: int) -> View:
        return View(self, tick)

    def past(self, partition: Key, key: Key) -> Past | None:
        return self._partitions.get(partition, {}).get(key)

    def pasts(self, partition: Key | None = None) -> Iterator[Past]:
        partitions = self._partitions.values() if partition is None else [self._partitions.get(partition, {})]
        for group in partitions:
            yield from group.values()


@dataclass(frozen=True)
class View:
    """A table as it was at a tick."""

    table: Table
    tick: int

    def item(self, key: Item) -> Item | None:
        schema = self.table.schema
        past = self.table.past(schema.keys.partition_of(key), schema.key_of(key))
        return None if past is None else past.at(self.tick)

    def items(self, partition: Key | None = None) -> Iterator[Item]:
        """The items of the table, or of one of its partitions, in no order."""
        for past in self.table.pasts(partition):
            item = past.at(self.tick)
            if item is not None:
                yield item

    def entries(self, index: Index | None, partition: Key | None = None) -> Iterator[tuple[Item, Item]]:
        """What the table, or one of its indexes, holds there: each entry, and the item that it is of."""
        if index is None:
            yield from ((item, item) for item in self.items(partition))
            return
        for item in self.items(None if index.is_global else partition):
            entry = index.entry(item)
            if entry is not None and partition in (None, index.keys.partition_of(entry)):
                yield entry, item
