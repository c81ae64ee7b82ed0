"""GhostQueue is bounded in bytes: what is too large, and what goes to make room."""

from daxlite.core.changes import Change
from tests.cache.room import ID, KEY, OLD, Room


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


def test_what_is_used_stays_while_others_pass_through() -> None:
    room = Room(max_bytes=6000)
    keys = [{"pk": {"S": f"{number:03}"}} for number in range(40)]
    room.fill(OLD, keys[0])
    for key in keys[1:]:
        room.fill(OLD, key)
        assert room.get(keys[0]) == OLD, "it is used all the time"
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
