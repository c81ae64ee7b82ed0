"""How long an entry may be served, and which are never stored."""

import math
from typing import Any

import pytest

from daxlite.core.requests import PageRead
from daxlite.core.schema import item_key
from tests.cache_bench import KEY, OLD, CacheBench


@pytest.mark.parametrize(("ttl", "lives", "dies"), [(10, 9.99, 10), (0.5, 0.4, 0.5), (None, 10**9, math.inf)])
def test_ttl(ttl: float | None, lives: float, dies: float) -> None:
    bench = CacheBench(item_ttl=ttl, query_ttl=ttl, jitter=0)
    bench.fill()
    bench.fill(None, {"pk": {"S": "absent"}})
    bench.fill_page()
    start = bench.clock.now
    bench.clock.now = start + lives
    assert (bench.get(), bench.get({"pk": {"S": "absent"}}), bench.has_page()) == (OLD, None, True)
    if dies < math.inf:
        bench.clock.now = start + dies
        assert (bench.get(), bench.get({"pk": {"S": "absent"}}), bench.has_page()) == ("unknown", "unknown", False)
        assert bench.cache.stats().total.expirations == 3
        assert bench.cache.stats().total.entries == 0


def test_the_ttl_runs_from_when_the_read_began() -> None:
    """However long the read took, no answer is served that is older than the TTL."""
    bench = CacheBench(item_ttl=10, query_ttl=10, jitter=0)
    with bench.flight() as item, bench.cache.read_flight(bench.table, PageRead("query", None, b"q", {})) as page:
        bench.clock.now += 8
        item.fill_item(item_key(KEY), OLD)
        page.fill_page("query", b"q", {"Count": 0})
    bench.clock.now += 3
    assert bench.get() == "unknown"
    assert not bench.has_page()


def test_jitter_only_shortens() -> None:
    bench = CacheBench(lambda: 0.5, item_ttl=100, jitter=0.2)
    bench.fill()
    bench.clock.now += 89.9
    assert bench.get() == OLD
    bench.clock.now += 0.2
    assert bench.get() == "unknown"


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
    bench = CacheBench(**settings)
    bench.fill()
    bench.fill(None, {"pk": {"S": "absent"}})
    bench.fill_page()
    assert (bench.get(), bench.get({"pk": {"S": "absent"}}), bench.has_page()) == expected


def test_an_entry_that_must_not_be_stored_takes_the_old_one_along() -> None:
    """With item_ttl=0 and negative_ttl, an item that came into being elsewhere replaces the memory of its absence."""
    bench = CacheBench(item_ttl=0, negative_ttl=5)
    with bench.flight() as late:
        bench.fill(None)
        late.fill_item(item_key(KEY), OLD)
    assert bench.get() == "unknown"


# A machine that was frozen: AWS Lambda between two calls, a restored snapshot, a laptop's lid


def test_nothing_outlives_its_ttl_because_the_machine_was_frozen() -> None:
    bench = CacheBench(item_ttl=300, query_ttl=300, jitter=0)
    bench.fill()
    bench.fill(None, {"pk": {"S": "absent"}})
    bench.fill_page()
    bench.clock.wall_is_ahead = 299.0
    assert (bench.get(), bench.get({"pk": {"S": "absent"}}), bench.has_page()) == (OLD, None, True)
    assert bench.cache.lookup_items(bench.table, [item_key(KEY)]) != [None]
    bench.clock.wall_is_ahead = 8 * 3600.0
    assert bench.cache.lookup_items(bench.table, [item_key(KEY)]) == [None]
    assert (bench.get(), bench.get({"pk": {"S": "absent"}}), bench.has_page()) == ("unknown", "unknown", False)
    assert bench.cache.stats().total.expirations == 3


def test_a_read_that_was_under_way_while_the_machine_was_frozen_is_as_old_as_its_start() -> None:
    bench = CacheBench(item_ttl=300, jitter=0)
    with bench.flight() as flight:
        bench.clock.wall_is_ahead = 3600.0
        flight.fill_item(item_key(KEY), OLD)
    assert bench.get() == "unknown"


@pytest.mark.parametrize("step", [-3600.0, -10.0])
def test_a_wall_clock_that_is_set_back_prolongs_nothing(step: float) -> None:
    bench = CacheBench(item_ttl=300, jitter=0)
    bench.fill()
    bench.clock.wall_is_ahead = step
    bench.clock.now += 299.0
    assert bench.get() == OLD
    bench.clock.now += 1.0
    assert bench.get() == "unknown"


def test_a_ttl_without_limit_outlasts_every_freeze() -> None:
    bench = CacheBench(item_ttl=None, jitter=0)
    bench.fill()
    bench.clock.wall_is_ahead = 10.0**9
    assert bench.get() == OLD
