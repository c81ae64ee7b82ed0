"""A cache with one table and a clock of its own, for the tests of this directory."""

from collections.abc import Callable
from typing import Any

from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.cache.codec import decode
from daxlite.cache.flights import Flight
from daxlite.cache.table import Table
from daxlite.core.changes import UNKNOWN, Change
from daxlite.core.requests import ItemRead, PageRead
from daxlite.core.schema import item_key
from daxlite.core.tables import TableId
from tests.calls.scripted import Clock

ID = TableId("https://here", "eu-west-1", ("account", "1"), "T")
SCHEMA = TableSchema(KeySchema.of("pk"), {"g": KeySchema.of("owner")})
KEY = {"pk": {"S": "a"}}
ITEM = {**KEY, "owner": {"S": "ann"}}
OLD, NEW = {**ITEM, "v": {"N": "1"}}, {**ITEM, "v": {"N": "2"}}


class Room:
    """A cache with one table and a clock of its own."""

    def __init__(self, random: Callable[[], float] = lambda: 0.0, **settings: Any) -> None:
        self.clock = Clock()
        settings.setdefault("tables", {"T": TableConfig(schema=SCHEMA)})
        settings.setdefault("settle_window", 0)  # it has tests of its own
        self.cache = Cache(CacheConfig(**settings), clock=self.clock, random=random)
        self.table: Table = self.cache.table(ID)

    def flight(self, key: dict[str, Any] = KEY) -> Flight:
        return self.cache.flight(self.table, ItemRead(item_key(key)))

    def fill(self, item: Any = OLD, key: dict[str, Any] = KEY) -> None:
        with self.flight(key) as flight:
            flight.fill_item(item_key(key), item)

    def write(self, new: Any, key: dict[str, Any] = KEY, old: Any = UNKNOWN) -> None:
        with self.flight(key) as flight:
            flight.apply(Change(ID, key, old, new))

    def get(self, key: dict[str, Any] = KEY) -> Any:
        """The item, None for one that is known not to exist, or "unknown"."""
        found = self.cache.lookup(self.table.counters["item"], self.table.item(item_key(key)))
        return "unknown" if found is None else decode(found) if found else None

    def fill_page(self, name: str = "q", owner: str = "ann", kind: Any = "query", index: str | None = "g") -> None:
        equalities = {"owner": {"S": owner}, "pk": {"S": owner}}
        with self.cache.flight(self.table, PageRead(kind, index, name.encode(), equalities)) as flight:
            flight.fill_page(kind, name.encode(), {"Count": 0})

    def has_page(self, name: str = "q", kind: Any = "query") -> bool:
        place = self.table.page(kind, name.encode())
        return self.cache.lookup(self.table.counters[kind], place) is not None

    def count(self, kind: Any = "item") -> Any:
        return self.cache.stats().tables["T"][kind]
