"""What a change bumps, which is what `apply` returns; and changes that other processes made."""

import math
from typing import Any

import pytest
from msgspec.structs import replace

from daxlite import KeySchema, TableConfig, TableSchema
from daxlite.cache.state import MIN_AGE
from daxlite.core.changes import ABSENT, Change
from daxlite.core.extents import EVERYTHING, Extent
from daxlite.core.requests import ItemRead, PageRead
from daxlite.core.schema import item_key, partition_value
from daxlite.core.tags import Tag, index_tag, item_tag, partition_tag, scan_tag, table_tag
from tests.cache_bench import ID, ITEM, KEY, NEW, OLD, PLACE, SCHEMA, CacheBench

ITEM_TAG, SCAN, TABLE = item_tag(PLACE, item_key(KEY)), scan_tag(PLACE, None), table_tag(PLACE)
PARTITION = partition_tag(PLACE, None, partition_value([KEY["pk"]]))
OF_ANN = {partition_tag(PLACE, "g", partition_value([ITEM["owner"]])), scan_tag(PLACE, "g")}
WITH_SCHEMA = {ITEM_TAG, SCAN, PARTITION}
WITHOUT_SCHEMA = {ITEM_TAG, SCAN, TABLE}


def test_a_write_returns_what_it_bumped() -> None:
    bench = CacheBench()
    assert set(bench.write(NEW, old=OLD)) == WITH_SCHEMA | OF_ANN
    assert set(bench.write(NEW)) == WITH_SCHEMA | {index_tag(PLACE, "g"), scan_tag(PLACE, "g")}
    bumped = bench.memory.apply(Change(PLACE, KEY, ABSENT, ABSENT), Change(PLACE, {"pk": {"S": "b"}}, ABSENT, ABSENT))
    assert {item_tag(PLACE, item_key({"pk": {"S": "b"}})), *WITH_SCHEMA} < set(bumped)


def test_without_a_schema_the_table_is_bumped_but_its_entries_are_kept() -> None:
    bench = CacheBench(tables={})
    other = {"pk": {"S": "other"}}
    bench.fill(key=other)
    assert set(bench.write(NEW)) == WITHOUT_SCHEMA
    assert bench.get(other) == OLD, "this process depends on no partition that it cannot name"


@pytest.mark.parametrize("key", [KEY, None, {"pk": {"BOOL": True}}], ids=["key", "table", "no key"])
def test_a_change_of_a_table_that_is_not_known(key: Any) -> None:
    stranger = replace(PLACE, name="Stranger")
    item = {item_tag(stranger, item_key(KEY)), scan_tag(stranger, None)} if key == KEY else set()
    assert set(CacheBench().memory.apply(Change(stranger, key))) == {table_tag(stranger), *item}


def test_a_change_bumps_the_tags_of_the_schema_of_each_identity() -> None:
    """The table is known by two identities, of which one has not heard of an index."""
    bench = CacheBench()
    other = bench.memory.table(replace(ID, owner=("credentials", "AKIA")))
    other.schema = TableSchema(KeySchema.of("pk"), {"h": KeySchema.of("owner")})
    of_h = {partition_tag(PLACE, "h", partition_value([ITEM["owner"]])), scan_tag(PLACE, "h")}
    bumped = bench.memory.apply(Change(PLACE, KEY, old=OLD, new=NEW))
    assert set(bumped) == WITH_SCHEMA | OF_ANN | of_h
    assert len(bumped) == len(set(bumped)), "each once"


def test_p4_an_identity_that_was_never_described_makes_no_change_coarser() -> None:
    """A client that learns its account with the first description leaves the table's first identity behind."""
    bench = CacheBench()
    unknown = bench.memory.table(replace(ID, owner=("credentials", "AKIA")))
    assert set(bench.memory.apply(Change(PLACE, KEY, old=OLD, new=NEW))) == WITH_SCHEMA | OF_ANN
    page = PageRead("query", None, b"q", {"pk": KEY["pk"]})
    with bench.memory.read_flight(unknown, page) as flight:
        bench.write(NEW)
        assert flight.is_overtaken, "what is read by that identity hears of the change all the same"


def test_forgetting_a_table_and_learning_other_keys_bump_the_table() -> None:
    cache = CacheBench().cache
    assert cache._memory.forget(cache._memory.table(ID)) == {TABLE: EVERYTHING}
    assert cache._memory.learn_key(cache._memory.table(ID), {"pk"}) == {}
    assert cache._memory.learn_key(cache._memory.table(ID), {"another"}) == {TABLE: EVERYTHING}


def test_a_description_of_another_table_bumps_the_table() -> None:
    bench = CacheBench(tables={})
    for schema, expected in ((SCHEMA, {}), (SCHEMA, {}), (type(SCHEMA)(SCHEMA.key), {TABLE: EVERYTHING})):
        with bench.memory.read_flight(bench.table, None) as flight:
            assert bench.memory.describe(bench.table, schema, None, flight) == expected


@pytest.mark.parametrize("told_by", ["description", "settings"])
def test_p2_a_change_before_the_schema_was_known_settles_all_partitions_of_the_schema(told_by: str) -> None:
    tables = {"T": TableConfig(schema=SCHEMA)} if told_by == "settings" else {}
    bench = CacheBench(settle_window=5, tables={"S": TableConfig(schema=SCHEMA)} if told_by == "settings" else tables)
    place = replace(PLACE, name="S" if told_by == "settings" else "T")
    bench.memory.apply(Change(place, KEY))
    table = bench.memory.table(replace(ID, name=place.name))
    if told_by == "description":
        with bench.memory.read_flight(table, None) as flight:
            bench.memory.describe(table, SCHEMA, None, flight)
    page = PageRead("query", "g", b"q", {"owner": {"S": "ann"}})
    with bench.memory.read_flight(table, page) as flight:
        assert flight.is_settling
    bench.clock.now += 6
    with bench.memory.read_flight(table, page) as flight:
        assert not flight.is_settling


def test_p2_after_a_change_of_anything_at_all_everything_settles() -> None:
    bench = CacheBench(settle_window=5)
    bench.fill()
    bench.clock.now += 10
    assert bench.memory.invalidate_all() is None
    assert bench.get() == "unknown"
    stranger = bench.memory.table(replace(ID, name="Stranger"))
    with bench.memory.read_flight(stranger, ItemRead(b"")) as flight:
        assert flight.is_settling, "a table that was not asked for yet may have changed as well"
    bench.clock.now += 6
    with bench.memory.read_flight(stranger, ItemRead(b"")) as flight:
        assert not flight.is_settling


# What changed elsewhere


@pytest.mark.parametrize(
    ("tag", "item", "page", "scan"),
    [
        (ITEM_TAG, False, True, False),
        (partition_tag(PLACE, "g", partition_value([ITEM["owner"]])), True, False, False),
        (partition_tag(PLACE, "g", partition_value([{"S": "bob"}])), True, True, False),
        (index_tag(PLACE, "g"), True, False, False),
        (SCAN, True, True, False),
        (TABLE, False, False, False),
        (table_tag(replace(PLACE, region="eu-west-2")), True, True, True),
        (table_tag(replace(PLACE, name="Stranger")), True, True, True),
    ],
)
def test_a_tag_invalidates_what_depends_on_it_and_nothing_else(tag: Tag, item: bool, page: bool, scan: bool) -> None:
    """Every change of a table is also a change of its scans."""
    bench = CacheBench()
    bench.fill(NEW)
    bench.fill_page()
    bench.fill_page("s", kind="scan", index=None)
    bench.memory.invalidate_tags([(tag, EVERYTHING, math.inf)])
    assert (bench.get() != "unknown", bench.has_page(), bench.has_page("s", "scan")) == (item, page, scan)


def test_a_page_that_was_read_before_the_keys_were_known_is_outdated_by_its_partition() -> None:
    bench = CacheBench(tables={})
    bench.fill_page()
    with bench.memory.read_flight(bench.table, None) as flight:
        bench.memory.describe(bench.table, SCHEMA, None, flight)
    assert bench.has_page()
    bench.memory.invalidate_tags([(partition_tag(PLACE, "g", partition_value([ITEM["owner"]])), EVERYTHING, math.inf)])
    assert not bench.has_page()


def test_p3_a_read_that_overlapped_is_not_stored_and_the_next_one_is_strong() -> None:
    bench = CacheBench(settle_window=5)
    with bench.flight() as flight:
        bench.memory.invalidate_tags([(ITEM_TAG, EVERYTHING, 0.0)])
        flight.fill(flight.item(item_key(KEY), OLD))
    assert bench.get() == "unknown"
    with bench.flight() as flight:
        assert flight.is_settling


def ages_for(bench: CacheBench, *tags: Tag) -> float:
    return bench.memory.ages_for(dict.fromkeys(tags, EVERYTHING))


def test_how_long_what_a_lagging_replica_answered_is_kept() -> None:
    bench = CacheBench(settle_window=5)
    assert ages_for(bench, *OF_ANN) == ages_for(bench) == math.inf
    bench.memory.invalidate_tags([(tag, EVERYTHING, 0.0) for tag in OF_ANN])
    assert ages_for(bench, *OF_ANN) == MIN_AGE
    bench.clock.now += 2
    assert ages_for(bench, *OF_ANN) == pytest.approx(2)
    bench.clock.now += 2.9
    assert ages_for(bench, *OF_ANN) == pytest.approx(0.1), "not beyond the window"
    assert ages_for(bench, index_tag(PLACE, "g")) == math.inf
    bench.cache.invalidate("T")
    assert ages_for(bench, index_tag(PLACE, "g")) == MIN_AGE, "the whole table settles"
    assert ages_for(CacheBench(), *OF_ANN) == math.inf
    never = CacheBench(settle_window=5, index_settle_factor=0)
    never.cache.invalidate("T")
    assert ages_for(never, *OF_ANN) == 0


def test_what_a_lagging_replica_answered_is_kept_by_what_it_covers() -> None:
    bench = CacheBench(settle_window=5)
    partition = partition_tag(PLACE, "g", partition_value([ITEM["owner"]]))
    for age, key in ((3.0, b"Sb"), (1.0, b"Sd")):
        bench.memory.invalidate_tags([(partition, Extent(key, key), age)])
    covers = {b"Sa": math.inf, b"Sb": 2, b"Sc": math.inf, b"Sd": 1}
    kept = {key: bench.memory.ages_for({partition: Extent(key, key)}) for key in covers}
    assert kept == {key: pytest.approx(seconds) for key, seconds in covers.items()}
    assert ages_for(bench, partition) == pytest.approx(1)


@pytest.mark.parametrize(
    ("age", "left"), [(0.0, MIN_AGE), (2.0, 2), (5.0, math.inf), (60.0, math.inf), (math.inf, math.inf)]
)
def test_a_change_elsewhere_settles_from_the_moment_at_which_it_was_made(age: float, left: float) -> None:
    bench = CacheBench(settle_window=5)
    bench.fill()
    bench.memory.invalidate_tags([(ITEM_TAG, EVERYTHING, age)])
    assert bench.get() == "unknown", "dropped, however long ago it was"
    assert ages_for(bench, ITEM_TAG) == pytest.approx(left)
    with bench.flight() as flight:
        assert flight.is_settling == (left < math.inf)
    stranger = replace(ID, name="Stranger")
    bench.memory.invalidate_tags([(table_tag(stranger.place), EVERYTHING, age)])
    assert ages_for(bench, table_tag(bench.memory.table(stranger).place)) == pytest.approx(left)


def test_an_older_change_that_is_heard_of_later_does_not_end_the_settling_of_a_newer_one() -> None:
    bench = CacheBench(settle_window=5)
    bench.memory.invalidate_tags([(ITEM_TAG, EVERYTHING, 1.0)])
    bench.memory.invalidate_tags([(ITEM_TAG, EVERYTHING, 4.0)])
    assert ages_for(bench, ITEM_TAG) == pytest.approx(1)


def test_within_the_lock_of_its_own_thread_nothing_is_raised() -> None:
    """As a signal handler would find it."""
    bench = CacheBench(settle_window=5)
    bench.fill()
    with bench.memory._state.locked():
        bench.memory.invalidate_tags([(ITEM_TAG, EVERYTHING, 0.0)])
        bench.cache.invalidate("T")
        assert ages_for(bench, ITEM_TAG) == 0
    assert bench.get() == "unknown"
