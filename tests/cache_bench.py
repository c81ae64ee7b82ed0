"""`CacheBench`: a cache with one table, without a client.

Use it to test lookup, fill and apply by themselves. Where the plan of an operation matters, use `ScriptedClient`.
"""

from collections.abc import Callable
from typing import Any

from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.cache.flights import ReadFlight, WriteFlight
from daxlite.cache.table import Table
from daxlite.core.changes import UNKNOWN, Change
from daxlite.core.encoding import decode
from daxlite.core.requests import ItemRead, PageRead
from daxlite.core.schema import item_key
from daxlite.core.tables import AWS, TableId
from daxlite.core.tags import Tag
from tests.scripted_client import Clock

ID = TableId(AWS, "eu-west-1", ("account", "1"), "T")
PLACE = ID.place
SCHEMA = TableSchema(KeySchema.of("pk"), {"g": KeySchema.of("owner")})
KEY = {"pk": {"S": "a"}}
ITEM = {**KEY, "owner": {"S": "ann"}}
OLD, NEW = {**ITEM, "v": {"N": "1"}}, {**ITEM, "v": {"N": "2"}}


class CacheBench:
    """A cache with one table, and a clock that the test sets."""

    def __init__(self, random: Callable[[], float] = lambda: 0.0, **settings: Any) -> None:
        self.clock = Clock()
        settings.setdefault("tables", {"T": TableConfig(schema=SCHEMA)})
        settings.setdefault("settle_window", 0)  # tests/calls/test_settle.py tests it
        self.cache = Cache(CacheConfig(**settings), clock=self.clock, wall_clock=self.clock.wall, random=random)
        self.memory = self.cache._memory
        self.table: Table = self.memory.table(ID)

    def flight(self, key: dict[str, Any] = KEY) -> ReadFlight:
        return self.memory.read_flight(self.table, ItemRead(item_key(key)))

    def writing(self, key: dict[str, Any] = KEY) -> WriteFlight:
        return self.memory.write_flight(self.table, item_key(key))

    def fill(self, item: Any = OLD, key: dict[str, Any] = KEY) -> None:
        with self.flight(key) as flight:
            flight.fill(flight.item(item_key(key), item))

    def write(self, new: Any, key: dict[str, Any] = KEY, old: Any = UNKNOWN) -> list[Tag]:
        """Write an item. Returns the tags that the write bumped."""
        with self.writing(key) as flight:
            return flight.apply(Change(PLACE, key, old, new))

    def get(self, key: dict[str, Any] = KEY) -> Any:
        """The cached item, None if it is known not to exist, or "unknown"."""
        found = self.memory.lookup(self.table.counters["item"], self.table.item(item_key(key)))
        return "unknown" if found is None else decode(found) if found else None

    def fill_page(self, name: str = "q", owner: str = "ann", kind: Any = "query", index: str | None = "g") -> None:
        equalities = {"owner": {"S": owner}, "pk": {"S": owner}}
        with self.memory.read_flight(self.table, PageRead(kind, index, name.encode(), equalities)) as flight:
            flight.fill(flight.page(kind, name.encode(), {"Count": 0}))

    def has_page(self, name: str = "q", kind: Any = "query") -> bool:
        place = self.table.page(kind, name.encode())
        return self.memory.lookup(self.table.counters[kind], place) is not None

    def count(self, kind: Any = "item") -> Any:
        return self.cache.stats().tables["T"][kind]
