"""Who watches changes is told of each of them, once the cache is true again and before anybody can act on it."""

from __future__ import annotations

import gc
import math
import threading
import weakref
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from daxlite import Cache, CacheConfig, TableConfig
from daxlite.cache import listeners as listeners
from daxlite.cache.listeners import add_change_listener, remove_change_listener
from daxlite.core.changes import ABSENT, Change
from daxlite.core.requests import ItemRead
from daxlite.core.schema import item_key, partition_value
from daxlite.core.tables import TableId
from daxlite.core.tags import Tag, index_tag, item_tag, partition_tag, scan_tag, table_tag
from tests.cache.room import ID, ITEM, KEY, NEW, OLD, SCHEMA, Room

ITEM_TAG, SCAN, TABLE = item_tag(ID, item_key(KEY)), scan_tag(ID, None), table_tag(ID)
PARTITION = partition_tag(ID, None, partition_value([KEY["pk"]]))
OF_ANN = {partition_tag(ID, "g", partition_value([ITEM["owner"]])), scan_tag(ID, "g")}
WITH_SCHEMA = {ITEM_TAG, SCAN, PARTITION}
WITHOUT_SCHEMA = {ITEM_TAG, SCAN, TABLE}


class Ear:
    """Hears of every change, and looks around whenever it does."""

    def __init__(self, look: Callable[[], Any] = lambda: None) -> None:
        self.told: list[Any] = []
        self.seen: list[Any] = []
        self.look = look

    def changed(self, tags: Collection[Tag] | None) -> None:
        self.told.append(None if tags is None else set(tags))
        self.seen.append(self.look())

    def take(self) -> list[Any]:
        told, self.told = self.told, []
        return told


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    add_change_listener(made)
    yield made
    remove_change_listener(made)


def test_what_a_change_bumps_is_told_once(ear: Ear) -> None:
    room = Room()
    room.write(NEW, old=OLD)
    assert ear.take() == [WITH_SCHEMA | OF_ANN]
    room.write(NEW)
    assert ear.take() == [WITH_SCHEMA | {index_tag(ID, "g"), scan_tag(ID, "g")}]
    room.cache.apply(Change(ID, KEY, ABSENT, ABSENT), Change(ID, {"pk": {"S": "b"}}, ABSENT, ABSENT))
    [told] = ear.take()
    assert {item_tag(ID, item_key({"pk": {"S": "b"}})), *WITH_SCHEMA} < told


def test_without_a_schema_the_whole_table_is_told_but_not_dropped_here(ear: Ear) -> None:
    room = Room(tables={})
    other = {"pk": {"S": "other"}}
    room.fill(key=other)
    room.write(NEW)
    assert ear.take() == [WITHOUT_SCHEMA]
    assert room.get(other) == OLD, "this process depends on no partition that it cannot name"


@pytest.mark.parametrize("key", [KEY, None, {"pk": {"BOOL": True}}], ids=["key", "table", "no key"])
def test_a_change_of_a_stranger_is_told(ear: Ear, key: Any) -> None:
    stranger = replace(ID, name="Stranger")
    Room().cache.apply(Change(stranger, key))
    item = {item_tag(stranger, item_key(KEY)), scan_tag(stranger, None)} if key == KEY else set()
    assert ear.take() == [{table_tag(stranger), *item}]


def test_a_change_is_told_by_its_own_name_and_as_much_as_is_known_of_that(ear: Ear) -> None:
    """The table is known here by its account, and the change comes from somebody who knows it by credentials only."""
    room = Room()
    alias = replace(ID, owner=("credentials", "AKIA"))
    room.fill()
    room.cache.apply(Change(alias, KEY, old=OLD, new=NEW))
    assert room.get() == "unknown"
    assert ear.take() == [{replace(tag, table=alias) for tag in WITHOUT_SCHEMA}]


def test_p4_an_alias_that_nobody_described_makes_no_change_coarser(ear: Ear) -> None:
    """A client that learns its account with the first description leaves the table's first name behind."""
    room = Room()
    room.cache.table(replace(ID, owner=("credentials", "AKIA")))
    room.cache.apply(Change(ID, KEY, old=OLD, new=NEW))
    assert ear.take() == [WITH_SCHEMA | OF_ANN]


@pytest.mark.parametrize(
    ("invalidate", "expected"),
    [
        (lambda cache: cache.invalidate("T", {"pk": "a"}), WITH_SCHEMA | {index_tag(ID, "g"), scan_tag(ID, "g")}),
        (lambda cache: cache.invalidate("T"), {TABLE}),
        (lambda cache: cache.forget(cache.table(ID)), {TABLE}),
        (lambda cache: cache.learn_key(cache.table(ID), {"another"}), {TABLE}),
        (lambda cache: cache.learn_key(cache.table(ID), {"pk"}), None),
        (lambda cache: cache.clear(), None),
        (lambda cache: cache.invalidate_tags({TABLE: 0.0, SCAN: 0.0}), None),
        (lambda cache: cache.invalidate("U", {"pk": "a"}), {table_tag(TableId("", "", "", "U"))}),
        (lambda cache: cache.invalidate("arn:aws:dynamodb:a:1:table/U"), {table_tag(TableId("", "", "", "U"))}),
    ],
)
def test_invalidations_are_told_and_mere_dropping_is_not(
    ear: Ear, invalidate: Callable[[Cache], None], expected: set[Tag] | None
) -> None:
    invalidate(Room().cache)
    assert ear.take() == ([] if expected is None else [expected])


def test_a_description_of_another_table_is_told(ear: Ear) -> None:
    room = Room(tables={})
    for schema, expected in ((SCHEMA, []), (SCHEMA, []), (type(SCHEMA)(SCHEMA.key), [{TABLE}])):
        with room.cache.flight(room.table, None) as flight:
            room.cache.describe(room.table, schema, None, flight)
        assert ear.take() == expected


def test_losing_track_drops_everything_and_tells_that_anything_changed(ear: Ear) -> None:
    room = Room(settle_window=5)
    room.fill()
    room.clock.now += 10
    room.cache.invalidate_all()
    assert ear.take() == [None]
    assert room.get() == "unknown"
    stranger = room.cache.table(replace(ID, name="Stranger"))
    with room.cache.flight(stranger, ItemRead(b"")) as flight:
        assert flight.is_settling, "a table that nobody has asked for yet may have changed as well"


def test_told_when_the_cache_is_true_and_its_lock_is_free(ear: Ear) -> None:
    room = Room()
    room.fill()
    ear.look = lambda: (room.get(), room.cache.stats().total.entries)
    room.cache.apply(Change(ID, KEY))
    assert ear.seen == [("unknown", 0)]
    free = threading.Event()

    def from_elsewhere() -> None:
        thread = threading.Thread(target=lambda: (room.cache.stats(), free.set()))
        thread.start()
        thread.join(5)

    ear.look = from_elsewhere
    room.write(NEW)
    assert free.is_set()


def test_told_what_was_applied_before_it_failed(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    monkeypatch.setattr(type(room.cache._state), "store", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        room.write(NEW, old=OLD)
    assert ear.take() == [WITH_SCHEMA | OF_ANN]


@pytest.mark.faults_expected
def test_p7_a_watcher_that_fails_is_a_fault_and_the_others_are_told() -> None:
    def fail() -> None:
        raise RuntimeError("a listener of few manners")

    room, ears = Room(), [Ear(), Ear(fail), Ear()]
    for ear in ears:
        add_change_listener(ear)
    room.write(NEW)
    room.cache.invalidate_all()
    assert [len(ear.told) for ear in ears] == [2, 2, 2]
    assert room.cache.stats().faults == 2


def test_watched_once_however_often_asked_and_no_more_after_goodbye() -> None:
    room, ear = Room(), Ear()
    add_change_listener(ear)
    add_change_listener(ear)
    room.write(NEW)
    assert len(ear.take()) == 1
    remove_change_listener(ear)
    remove_change_listener(ear)
    room.write(NEW)
    assert ear.take() == []


def test_nobody_is_kept_alive() -> None:
    room, ear = Room(), Ear()
    add_change_listener(ear)
    dead = weakref.ref(ear)
    assert listeners.has_change_listeners()
    room.write(NEW)
    del ear
    gc.collect()
    assert dead() is None
    assert not listeners.has_change_listeners()
    last = Ear()
    add_change_listener(last)
    remove_change_listener(last)
    assert not listeners._listeners, "what is dead is swept up"


def test_nothing_is_gathered_while_nobody_watches() -> None:
    room = Room()
    with room.cache._state.changing():
        room.cache._state.apply(Change(ID, KEY))
        assert not room.cache._state.untold


# What changed elsewhere


@pytest.mark.parametrize(
    ("tag", "item", "page", "scan"),
    [
        (ITEM_TAG, False, True, False),
        (partition_tag(ID, "g", partition_value([ITEM["owner"]])), True, False, False),
        (partition_tag(ID, "g", partition_value([{"S": "bob"}])), True, True, False),
        (index_tag(ID, "g"), True, False, False),
        (SCAN, True, True, False),
        (TABLE, False, False, False),
        (table_tag(replace(ID, owner=("credentials", "AKIA"))), False, False, False),
        (table_tag(replace(ID, owner=("account", "2"))), True, True, True),
        (table_tag(replace(ID, name="Stranger")), True, True, True),
    ],
)
def test_what_is_outdated_and_no_more(tag: Tag, item: bool, page: bool, scan: bool) -> None:
    """Each change of a table is one of its scans too, whatever else it is."""
    room = Room()
    room.fill(NEW)
    room.fill_page()
    room.fill_page("s", kind="scan", index=None)
    room.cache.invalidate_tags({tag: math.inf})
    assert (room.get() != "unknown", room.has_page(), room.has_page("s", "scan")) == (item, page, scan)


def test_a_page_that_was_read_before_the_keys_were_known_is_outdated_by_its_partition() -> None:
    room = Room(tables={})
    room.fill_page()
    with room.cache.flight(room.table, None) as flight:
        room.cache.describe(room.table, SCHEMA, None, flight)
    assert room.has_page()
    room.cache.invalidate_tags({partition_tag(ID, "g", partition_value([ITEM["owner"]])): math.inf})
    assert not room.has_page()


def test_p3_a_read_that_overlapped_is_not_stored_and_the_next_one_is_strong() -> None:
    room = Room(settle_window=5)
    with room.flight() as flight:
        room.cache.invalidate_tags({ITEM_TAG: 0.0})
        flight.fill_item(item_key(KEY), OLD)
    assert room.get() == "unknown"
    with room.flight() as flight:
        assert flight.is_settling


def test_how_long_something_settles() -> None:
    room = Room(settle_window=5)
    tags = OF_ANN
    assert room.cache.settles_for(tags) == room.cache.settles_for([]) == 0
    room.cache.invalidate_tags(dict.fromkeys(tags, 0.0))
    room.clock.now += 2
    assert room.cache.settles_for(tags) == pytest.approx(3)
    assert room.cache.settles_for([index_tag(ID, "g")]) == 0
    room.cache.invalidate("T")
    assert room.cache.settles_for([index_tag(ID, "g")]) == 5, "the whole table settles"
    assert Room().cache.settles_for(tags) == 0


@pytest.mark.parametrize(("age", "left"), [(0.0, 5), (2.0, 3), (5.0, 0), (60.0, 0), (math.inf, 0)])
def test_a_change_elsewhere_settles_from_the_moment_at_which_it_was_made(age: float, left: float) -> None:
    room = Room(settle_window=5)
    room.fill()
    room.cache.invalidate_tags({ITEM_TAG: age})
    assert room.get() == "unknown", "dropped, however long ago it was"
    assert room.cache.settles_for([ITEM_TAG]) == pytest.approx(left)
    with room.flight() as flight:
        assert flight.is_settling == (left > 0)
    stranger = replace(ID, name="Stranger")
    room.cache.invalidate_tags({table_tag(stranger): age})
    assert (room.cache.settles_for([table_tag(room.cache.table(stranger).id)]) > 0) == (left > 0)


def test_an_older_change_that_is_heard_of_later_does_not_end_the_settling_of_a_newer_one() -> None:
    room = Room(settle_window=5)
    room.cache.invalidate_tags({ITEM_TAG: 1.0})
    room.cache.invalidate_tags({ITEM_TAG: 4.0})
    assert room.cache.settles_for([ITEM_TAG]) == pytest.approx(4)


def test_within_the_lock_of_its_own_thread_nothing_is_raised(ear: Ear) -> None:
    """As a signal handler would find it. Whoever holds the lock drops everything on leaving it."""
    room = Room(settle_window=5)
    room.fill()
    with room.cache._state.lock.mutex, room.cache._state.lock:
        room.cache.invalidate_tags({ITEM_TAG: 0.0})
        room.cache.invalidate("T")
        assert room.cache.settles_for([ITEM_TAG]) == 5
        assert ear.take() == [None], "who watches is told at once"
    assert room.get() == "unknown"


def test_two_caches_and_one_ear(ear: Ear) -> None:
    caches = [Cache(CacheConfig(tables={"T": TableConfig(schema=SCHEMA)})) for _ in range(2)]
    for cache in caches:
        cache.table(ID)
        cache.apply(Change(ID, KEY, OLD, NEW))
    assert ear.take() == [WITH_SCHEMA | OF_ANN] * 2
