"""Consumed capacity, in the units of the price list: 4 KB read, half price if it may be stale, or 1 KB written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.simulator.errors import invalid
from tests.simulator.schema import Index, Schema
from tests.simulator.values import Item, item_size

READ_BYTES = 4096
WRITE_BYTES = 1024


def read_units(size: int, *, consistent: bool, transaction: bool = False) -> float:
    """A read of nothing costs as much as the smallest one."""
    blocks = max(1, -(-size // READ_BYTES))
    return blocks * (2.0 if transaction else 1.0 if consistent else 0.5)


def write_units(old: Item | None, new: Item | None) -> float:
    size = max((item_size(item) for item in (old, new) if item is not None), default=0)
    return float(max(1, -(-size // WRITE_BYTES)))


def index_write_units(index: Index, old: Item | None, new: Item | None) -> float:
    """An entry that moves is deleted at one place and written at another."""
    before, after = (None if item is None else index.entry(item) for item in (old, new))
    if before == after:
        return 0.0
    if before is None or after is None:
        return write_units(before, after)
    if any(before[name] != after[name] for name in index.keys.attributes):
        return write_units(before, None) + write_units(None, after)
    return write_units(before, after)


def check_wanted(request: Mapping[str, Any]) -> None:
    if request.get("ReturnConsumedCapacity", "NONE") not in ("NONE", "TOTAL", "INDEXES"):
        raise invalid("Value at 'returnConsumedCapacity' failed to satisfy enum value set: [INDEXES, TOTAL, NONE]")


class Meter:
    """What one call consumes, by table and index."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        check_wanted(request)
        self._wanted = request.get("ReturnConsumedCapacity", "NONE")
        self._tables: dict[str, float] = {}
        self._indexes: dict[str, dict[Index, float]] = {}

    def read(self, schema: Schema, units: float, index: Index | None = None) -> None:
        self._tables.setdefault(schema.name, 0.0)
        if index is None:
            self._tables[schema.name] += units
        else:
            indexes = self._indexes.setdefault(schema.name, {})
            indexes[index] = indexes.get(index, 0.0) + units

    def write(self, schema: Schema, old: Item | None, new: Item | None, factor: float = 1.0) -> None:
        self.read(schema, factor * write_units(old, new))
        for index in schema.indexes.values():
            units = index_write_units(index, old, new)
            if units:
                self.read(schema, factor * units, index)

    def report(self) -> list[dict[str, Any]]:
        """The member ConsumedCapacity, as the operations on several items have it."""
        return [] if self._wanted == "NONE" else [self._of(table) for table in self._tables]

    def member(self) -> dict[str, Any]:
        """The same for the operations on one item."""
        report = self.report()
        return {"ConsumedCapacity": report[0]} if report else {}

    def members(self) -> dict[str, Any]:
        report = self.report()
        return {"ConsumedCapacity": report} if report else {}

    def _of(self, table: str) -> dict[str, Any]:
        indexes = self._indexes.get(table, {})
        report: dict[str, Any] = {
            "TableName": table,
            "CapacityUnits": self._tables[table] + sum(indexes.values()),
        }
        if self._wanted == "INDEXES":
            report["Table"] = {"CapacityUnits": self._tables[table]}
            for is_global, member in ((False, "LocalSecondaryIndexes"), (True, "GlobalSecondaryIndexes")):
                units = {
                    index.name: {"CapacityUnits": n} for index, n in indexes.items() if index.is_global == is_global
                }
                if units:
                    report[member] = units
        return report
