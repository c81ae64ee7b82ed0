"""What overlaps a change is not stored, and two writes that overlap leave no entry (promise P3)."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from daxlite import KeySchema, TableSchema
from daxlite.core.changes import Change
from daxlite.core.requests import PageRead
from daxlite.core.schema import item_key
from tests.cache.room import ID, KEY, NEW, OLD, Room


def describe_with_other_keys(room: Room) -> None:
    with room.cache.flight(room.table, None) as flight:
        room.cache.describe(room.table, TableSchema(KeySchema.of("pk", "sk")), None, flight)


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
        describe_with_other_keys,
        lambda room: room.cache.learn_key(room.table, {"id"}),
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
        room.cache.apply(Change(replace(ID, name="Other")))
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
    by_name = replace(ID, owner=("credentials", "AKIA"))
    room.fill()
    room.cache.apply(Change(by_name, KEY))
    assert room.get() == "unknown"
    room.fill()
    room.cache.apply(Change(replace(ID, owner=("account", "2")), KEY))
    assert room.get() == OLD
