"""lookup, fill and apply: what is stored, for how long, and what never is."""

import math
import threading
from collections.abc import Callable
from typing import Any

import pytest

from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.cache.codec import decode
from daxlite.cache.flight import Flight
from daxlite.cache.table import Table
from daxlite.core.changes import ABSENT, UNKNOWN, Change
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
        return "unknown" if found is None else decode(found[1]) if found[1] else None

    def fill_page(self, name: str = "q", owner: str = "ann", kind: Any = "query", index: str | None = "g") -> None:
        equalities = {"owner": {"S": owner}, "pk": {"S": owner}}
        with self.cache.flight(self.table, PageRead(kind, index, name.encode(), equalities)) as flight:
            flight.fill_page(kind, name.encode(), {"Count": 0})

    def has_page(self, name: str = "q", kind: Any = "query") -> bool:
        place = self.table.page(kind, name.encode())
        return self.cache.lookup(self.table.counters[kind], place) is not None

    def count(self, kind: Any = "item") -> Any:
        return self.cache.stats().tables["T"][kind]


def test_what_is_filled_is_found() -> None:
    room = Room()
    assert room.get() == "unknown"
    room.fill(OLD)
    assert room.get() == OLD
    room.fill(None)
    assert room.get() is None
    counts = room.count()
    assert (counts.hits, counts.misses, counts.fills, counts.entries) == (2, 1, 2, 1)
    assert counts.hit_ratio == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "happening",
    [
        lambda room: room.cache.apply(Change(ID, KEY)),
        lambda room: room.cache.apply(Change(ID)),
        lambda room: room.cache.clear(),
        lambda room: room.cache.invalidate("T"),
        lambda room: room.cache.invalidate("T", {"pk": "a"}),
        lambda room: room.cache.forget(room.table),
        lambda room: room.write(NEW),
        lambda room: room.cache.describe(room.table, TableSchema(KeySchema.of("pk", "sk"))),
        lambda room: room.cache.learn_key(room.table, {"id": {"S": ""}}),
    ],
    ids=["change", "table", "clear", "invalidate", "invalidate key", "forget", "write", "new keys", "other keys"],
)
@pytest.mark.parametrize("was_there", [False, True])
def test_a_read_that_overlaps_a_change_is_not_stored(happening: Callable[[Room], None], was_there: bool) -> None:
    room = Room()
    if was_there:
        room.fill(OLD)
        room.fill_page()
    with room.flight() as item, room.cache.flight(room.table, PageRead("query", "g", b"q", {})) as page:
        happening(room)
        item.fill_item(item_key(KEY), OLD)
        item.fill_projection(item_key(KEY), b"p", OLD)
        page.fill_page("query", b"q", {"Count": 0})
    assert room.get() in ("unknown", NEW)
    assert not room.has_page()
    assert room.cache.lookup(room.table.counters["item"], room.table.projected_item(item_key(KEY), b"p")) is None
    assert room.count().discarded_fills == 2
    assert room.count("query").discarded_fills == 1


def test_a_read_of_something_else_is_stored() -> None:
    room = Room()
    with room.flight() as flight:
        room.write(NEW, {"pk": {"S": "other"}})
        room.cache.invalidate("Other")
        room.cache.apply(Change(ID._replace(name="Other")))
        flight.fill_item(item_key(KEY), OLD)
    assert room.get() == OLD


def test_two_overlapping_writes_leave_no_entry() -> None:
    room = Room()
    with room.flight() as one, room.flight() as other:
        one.apply(Change(ID, KEY, new=NEW))
        assert room.get() == NEW
        other.apply(Change(ID, KEY, new=OLD))
        assert room.get() == "unknown"
    room.write(NEW)
    assert room.get() == NEW


def test_a_write_that_overlaps_a_clear_leaves_no_entry() -> None:
    room = Room()
    with room.flight() as flight:
        room.cache.clear()
        flight.apply(Change(ID, KEY, new=NEW))
    assert room.get() == "unknown"


def test_a_whole_item_does_not_outlive_a_change_seen_through_another_name_of_the_table() -> None:
    """Named by credentials whose account nobody told, it may be the same table."""
    room = Room()
    by_name = ID._replace(owner=("credentials", "AKIA"))
    room.fill()
    room.cache.apply(Change(by_name, KEY))
    assert room.get() == "unknown"
    room.fill()
    room.cache.apply(Change(ID._replace(owner=("account", "2")), KEY))
    assert room.get() == OLD


@pytest.mark.parametrize(("ttl", "lives", "dies"), [(10, 9.99, 10), (0.5, 0.4, 0.5), (None, 10**9, math.inf)])
def test_ttl(ttl: float | None, lives: float, dies: float) -> None:
    room = Room(item_ttl=ttl, query_ttl=ttl, jitter=0)
    room.fill()
    room.fill(None, {"pk": {"S": "absent"}})
    room.fill_page()
    start = room.clock.now
    room.clock.now = start + lives
    assert (room.get(), room.get({"pk": {"S": "absent"}}), room.has_page()) == (OLD, None, True)
    if dies < math.inf:
        room.clock.now = start + dies
        assert (room.get(), room.get({"pk": {"S": "absent"}}), room.has_page()) == ("unknown", "unknown", False)
        assert room.cache.stats().total.expirations == 3
        assert room.cache.stats().total.entries == 0


def test_the_ttl_runs_from_when_the_read_began() -> None:
    """Whatever the read took, an answer is never served that was true only before the TTL."""
    room = Room(item_ttl=10, query_ttl=10, jitter=0)
    with room.flight() as item, room.cache.flight(room.table, PageRead("query", None, b"q", {})) as page:
        room.clock.now += 8
        item.fill_item(item_key(KEY), OLD)
        page.fill_page("query", b"q", {"Count": 0})
    room.clock.now += 3
    assert room.get() == "unknown"
    assert not room.has_page()


def test_jitter_only_shortens() -> None:
    room = Room(lambda: 0.5, item_ttl=100, jitter=0.2)
    room.fill()
    room.clock.now += 89.9
    assert room.get() == OLD
    room.clock.now += 0.2
    assert room.get() == "unknown"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"item_ttl": 0}, ("unknown", "unknown", True)),
        ({"query_ttl": 0}, (OLD, None, False)),
        ({"negative_ttl": 0}, (OLD, "unknown", True)),
        ({"item_ttl": 0, "negative_ttl": 5}, ("unknown", None, True)),
    ],
)
def test_a_ttl_of_zero_stores_nothing_of_the_kind(settings: dict[str, Any], expected: tuple[Any, ...]) -> None:
    room = Room(**settings)
    room.fill()
    room.fill(None, {"pk": {"S": "absent"}})
    room.fill_page()
    assert (room.get(), room.get({"pk": {"S": "absent"}}), room.has_page()) == expected


def test_an_entry_that_must_not_be_stored_takes_the_old_one_along() -> None:
    """With item_ttl=0 and negative_ttl, an item that came into being elsewhere replaces the memory of its absence."""
    room = Room(item_ttl=0, negative_ttl=5)
    with room.flight() as late:
        room.fill(None)
        late.fill_item(item_key(KEY), OLD)
    assert room.get() == "unknown"


def test_what_is_larger_than_any_entry_may_be_is_not_stored() -> None:
    room = Room(max_entry_bytes=1000)
    room.fill(OLD)
    room.fill({**OLD, "big": {"S": "x" * 1000}})
    assert room.get() == "unknown", "the old state must not stay in the place of the new"
    room.fill(OLD)
    room.write({**OLD, "big": {"S": "x" * 1000}})
    assert room.get() == "unknown"
    tiny = Room(max_bytes=10)
    tiny.fill(OLD)
    assert tiny.get() == "unknown"


def test_the_least_recently_used_go_first() -> None:
    room = Room(max_bytes=6000)
    keys = [{"pk": {"S": f"{number:03}"}} for number in range(40)]
    room.fill(OLD, keys[0])
    for key in keys[1:]:
        room.fill(OLD, key)
        assert room.get(keys[0]) == OLD, "it was just used"
        assert room.cache.stats().total.bytes <= 6000
    assert room.get(keys[1]) == "unknown"
    assert room.get(keys[-1]) == OLD
    counts = room.count()
    assert counts.evictions == len(keys) - counts.entries > 0


def test_what_was_stale_when_it_was_pushed_out_is_no_eviction() -> None:
    room = Room(max_bytes=3000)
    room.fill_page()
    room.cache.apply(Change(ID, KEY))
    for number in range(10):
        room.fill(OLD, {"pk": {"S": str(number)}})
    assert (room.count("query").invalidations, room.count("query").evictions) == (1, 0)


def test_a_change_drops_exactly_what_depends_on_it() -> None:
    room = Room()
    for owner in ("ann", "bob", "cyd"):
        room.fill_page(f"g {owner}", owner)
        room.fill_page(f"t {owner}", owner, index=None)
    room.fill_page("scan", kind="scan", index=None)
    room.fill(OLD, {"pk": {"S": "other"}})
    room.write({"pk": {"S": "ann"}, "owner": {"S": "bob"}}, {"pk": {"S": "ann"}}, old=ABSENT)
    assert {name: room.has_page(name) for name in ("g ann", "g bob", "g cyd", "t ann", "t bob")} == {
        "g ann": True,
        "g bob": False,
        "g cyd": True,
        "t ann": False,
        "t bob": True,
    }
    assert not room.has_page("scan", "scan")
    assert room.get({"pk": {"S": "other"}}) == OLD


def test_query_invalidation_by_ttl_leaves_pages_alone() -> None:
    room = Room(query_invalidation="ttl")
    room.fill()
    room.fill_page()
    with room.cache.flight(room.table, PageRead("query", None, b"late", KEY)) as flight:
        room.write(NEW)
        flight.fill_page("query", b"late", {"Count": 0})
    assert room.has_page()
    assert room.has_page("late")
    assert room.get() == NEW
    room.cache.invalidate("T")
    assert not room.has_page()


def test_settings_of_a_table_are_its_own() -> None:
    tables = {"T": TableConfig(item_ttl=5, query_ttl=None), "U": TableConfig(enabled=False)}
    config = CacheConfig(item_ttl=60, query_ttl=30, negative_ttl=7, tables=tables)
    ours, others = config.for_table("T"), config.for_table("V")
    assert (ours.item_ttl, ours.query_ttl) == (5, math.inf)
    assert ours.negative_ttl == 7, "what is not given is as in the CacheConfig"
    assert (others.item_ttl, others.query_ttl, others.negative_ttl, others.enabled) == (60, 30, 7, True)
    assert not config.for_table("U").enabled
    assert CacheConfig(item_ttl=60).for_table("T").negative_ttl == 60
    assert CacheConfig(tables={"T": TableConfig(item_ttl=9)}).for_table("T").negative_ttl == 9


@pytest.mark.parametrize("key", [{"pk": "a"}, {"pk": {"S": "a"}}])
def test_invalidate_one_item(key: dict[str, Any]) -> None:
    room = Room()
    room.fill()
    room.fill(OLD, {"pk": {"S": "other"}})
    room.fill_page()
    room.cache.invalidate("T", key)
    assert room.get() == "unknown"
    assert room.get({"pk": {"S": "other"}}) == OLD
    assert not room.has_page(), "nobody told in which partition of the index the item is"
    assert room.count().invalidations == 1


@pytest.mark.parametrize(
    ("table", "key", "error"),
    [
        (None, None, TypeError),
        (b"T", None, TypeError),
        ("T", "a", TypeError),
        ("T", [("pk", "a")], TypeError),
        ("T", {}, ValueError),
        ("T", {"pk": 1.5}, ValueError),
        ("T", {"pk": None}, ValueError),
        ("T", {"pk": {"SS": ["a"]}}, ValueError),
        ("T", {"pk": {"S": "a", "N": "1"}}, ValueError),
        ("T", {1: "a"}, ValueError),
    ],
)
def test_invalidate_what_is_none(table: Any, key: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="table" if error is TypeError and key is None else "key"):
        Room().cache.invalidate(table, key)


def test_clear_drops_everything_and_keeps_the_counts() -> None:
    room = Room()
    room.fill()
    room.fill_page()
    room.get()
    room.cache.clear()
    total = room.cache.stats().total
    assert (total.entries, total.bytes, total.hits, total.fills) == (0, 0, 1, 2)
    room.fill()
    assert room.get() == OLD


def test_stats_are_a_snapshot_per_table_and_kind() -> None:
    room = Room()
    other = room.cache.table(ID._replace(region="us-east-1"))
    room.fill()
    with room.cache.flight(other, None) as flight:
        flight.fill_item(item_key(KEY), OLD)
        assert room.cache.stats().in_flight == 1
    before = room.cache.stats()
    room.cache.count(room.table.counters["scan"], "reason")
    assert before.tables["T"]["item"].entries == 2, "tables of one name are added up"
    assert before.total.bypasses == {}
    assert room.cache.stats().total.bypasses == {"reason": 1}


def test_many_threads_leave_a_sound_cache_and_see_only_what_was_written() -> None:
    room = Room(max_bytes=12_000)
    keys = [{"pk": {"S": str(number)}} for number in range(12)]
    versions = dict.fromkeys(range(12), 0)
    locks = [threading.Lock() for _ in keys]
    wrong: list[Any] = []

    def work(seed: int) -> None:
        for turn in range(400):
            number = (seed * 7 + turn * (seed + 1)) % len(keys)
            key = keys[number]
            floor = versions[number]
            found = room.get(key)
            if found not in ("unknown", None) and int(found["v"]["N"]) < floor:
                wrong.append((floor, found))
            if turn % 5 == 0:
                with room.flight(key) as flight:
                    with locks[number]:  # DynamoDB applies one write after the other
                        new = versions_applied[number] = versions_applied[number] + 1
                    flight.apply(Change(ID, key, new={**key, "v": {"N": str(new)}}))
                versions[number] = max(versions[number], new)
            elif found == "unknown":
                with room.flight(key) as flight:
                    flight.fill_item(item_key(key), {**key, "v": {"N": str(versions_applied[number])}})
            if turn % 97 == 0:
                room.cache.clear()

    versions_applied = dict.fromkeys(range(12), 0)
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    for number, key in enumerate(keys):
        found = room.get(key)
        assert found == "unknown" or int(found["v"]["N"]) == versions_applied[number]
