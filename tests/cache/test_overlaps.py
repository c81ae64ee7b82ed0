"""What overlaps a change is not stored, and two writes that overlap leave no entry (promise P3)."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from daxlite import KeySchema, TableSchema
from daxlite.core.changes import Change
from daxlite.core.requests import PageRead
from daxlite.core.schema import item_key
from tests.cache_bench import ID, KEY, NEW, OLD, PLACE, CacheBench


def describe_with_other_keys(bench: CacheBench) -> None:
    with bench.memory.read_flight(bench.table, None) as flight:
        bench.memory.describe(bench.table, TableSchema(KeySchema.of("pk", "sk")), None, flight)


@pytest.mark.parametrize(
    "happening",
    [
        lambda bench: bench.memory.apply(Change(PLACE, KEY)),
        lambda bench: bench.memory.apply(Change(PLACE)),
        lambda bench: bench.cache.clear(),
        lambda bench: bench.cache.invalidate("T"),
        lambda bench: bench.cache.invalidate("T", {"pk": "a"}),
        lambda bench: bench.memory.forget(bench.table),
        lambda bench: bench.write(NEW),
        describe_with_other_keys,
        lambda bench: bench.memory.learn_key(bench.table, {"id"}),
    ],
    ids=["change", "table", "clear", "invalidate", "invalidate key", "forget", "write", "new keys", "other keys"],
)
@pytest.mark.parametrize("was_there", [False, True])
def test_a_read_that_overlaps_a_change_is_not_stored(happening: Callable[[CacheBench], None], was_there: bool) -> None:
    bench = CacheBench()
    if was_there:
        bench.fill(OLD)
        bench.fill_page()
    with bench.flight() as item, bench.memory.read_flight(bench.table, PageRead("query", "g", b"q", {})) as page:
        happening(bench)
        item.fill(item.item(item_key(KEY), OLD))
        item.fill(item.projection(item_key(KEY), b"p", OLD))
        page.fill(page.page("query", b"q", {"Count": 0}))
    assert bench.get() in ("unknown", NEW)
    assert not bench.has_page()
    assert bench.memory.lookup(bench.table.counters["item"], bench.table.projected_item(item_key(KEY), b"p")) is None
    assert bench.count().discarded_fills == 2
    assert bench.count("query").discarded_fills == 1


def test_a_read_of_something_else_is_stored() -> None:
    bench = CacheBench()
    with bench.flight() as flight:
        bench.write(NEW, {"pk": {"S": "other"}})
        bench.cache.invalidate("Other")
        bench.memory.apply(Change(replace(PLACE, name="Other")))
        flight.fill(flight.item(item_key(KEY), OLD))
    assert bench.get() == OLD


def test_two_overlapping_writes_leave_no_entry() -> None:
    bench = CacheBench()
    with bench.writing() as one, bench.writing() as other:
        one.apply(Change(PLACE, KEY, new=NEW))
        assert bench.get() == NEW
        other.apply(Change(PLACE, KEY, new=OLD))
        assert bench.get() == "unknown"
    bench.write(NEW)
    assert bench.get() == NEW


def test_a_write_that_overlaps_a_clear_leaves_no_entry() -> None:
    bench = CacheBench()
    with bench.writing() as flight:
        bench.cache.clear()
        flight.apply(Change(PLACE, KEY, new=NEW))
    assert bench.get() == "unknown"


def test_a_whole_item_does_not_outlive_a_change_seen_by_another_identity_of_the_table() -> None:
    """Tables of one name and region are invalidated together, by whichever credentials they are known."""
    bench = CacheBench()
    other = bench.memory.table(replace(ID, owner=("credentials", "AKIA")))
    bench.fill()
    with bench.memory.write_flight(other, item_key(KEY)) as flight:
        flight.apply(Change(other.place, KEY))
    assert bench.get() == "unknown"
    bench.fill()
    bench.memory.apply(Change(replace(PLACE, region="eu-west-2"), KEY))
    assert bench.get() == OLD, "a table of another region is another table"
