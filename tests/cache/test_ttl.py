"""How long an entry may be served, and which are never stored."""

import math
from typing import Any

import pytest

from daxlite.core.requests import PageRead
from daxlite.core.schema import item_key
from tests.cache.room import KEY, OLD, Room


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
