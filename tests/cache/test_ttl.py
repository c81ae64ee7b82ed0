"""How long an entry may be served, and which are never stored."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from daxlite import Cache, CacheConfig, TableConfig
from daxlite.cache.flights import MAX_WAIT
from daxlite.core.requests import ItemRead, PageRead
from daxlite.core.schema import item_key
from tests.cache_bench import ID, KEY, OLD, SCHEMA, CacheBench
from tests.scripted_client import ITEM, ScriptedClient, description, made, refused


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


def test_the_ttl_of_what_a_batch_looks_up() -> None:
    bench = CacheBench(item_ttl=10, jitter=0)
    bench.fill()
    key = item_key(KEY)
    bench.clock.now += 9.99
    assert bench.memory.lookup_items(bench.table, [key]) != [None]
    bench.clock.now += 0.01
    bench.clock.wall_is_ahead -= 5.0  # the wall clock was set back, so only the other one tells
    assert bench.memory.lookup_items(bench.table, [key]) == [None]
    assert bench.count().expirations == 1


def test_the_ttl_runs_from_when_the_read_began() -> None:
    """However long the read took, no answer is served that is older than the TTL."""
    bench = CacheBench(item_ttl=10, query_ttl=10, jitter=0)
    with bench.flight() as item, bench.memory.read_flight(bench.table, PageRead("query", None, b"q", {})) as page:
        bench.clock.now += 8
        item.fill(item.item(item_key(KEY), OLD))
        page.fill(page.page("query", b"q", {"Count": 0}))
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
        late.fill(late.item(item_key(KEY), OLD))
    assert bench.get() == "unknown"


# A machine that was frozen: AWS Lambda between two calls, a restored snapshot, a laptop's lid


def test_nothing_outlives_its_ttl_because_the_machine_was_frozen() -> None:
    bench = CacheBench(item_ttl=300, query_ttl=300, jitter=0)
    bench.fill()
    bench.fill(None, {"pk": {"S": "absent"}})
    bench.fill_page()
    bench.clock.wall_is_ahead = 299.0
    assert (bench.get(), bench.get({"pk": {"S": "absent"}}), bench.has_page()) == (OLD, None, True)
    assert bench.memory.lookup_items(bench.table, [item_key(KEY)]) != [None]
    bench.clock.wall_is_ahead = 8 * 3600.0
    assert bench.memory.lookup_items(bench.table, [item_key(KEY)]) == [None]
    assert (bench.get(), bench.get({"pk": {"S": "absent"}}), bench.has_page()) == ("unknown", "unknown", False)
    assert bench.cache.stats().total.expirations == 3


def test_a_read_that_was_under_way_while_the_machine_was_frozen_is_as_old_as_its_start() -> None:
    bench = CacheBench(item_ttl=300, jitter=0)
    with bench.flight() as flight:
        bench.clock.wall_is_ahead = 3600.0
        flight.fill(flight.item(item_key(KEY), OLD))
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


@pytest.mark.usefixtures("threads")
def test_a_reader_does_not_join_a_leader_that_was_frozen() -> None:
    """DynamoDB may have answered it just before the freeze, eight hours ago."""
    bench = CacheBench(item_ttl=300)
    key = bench.table.item(item_key(KEY))
    flights = [bench.memory.read_flight(bench.table, ItemRead(item_key(KEY)), key) for _ in range(3)]
    with flights[0] as leader, flights[1] as follower, flights[2] as late:
        leader.start_or_follow()
        bench.clock.wall_is_ahead = MAX_WAIT - 1
        assert follower.start_or_follow() is leader
        bench.clock.wall_is_ahead = 8 * 3600.0
        assert late.start_or_follow() is None


@pytest.mark.usefixtures("threads")
def test_a_leader_is_not_joined_for_longer_than_its_answer_could_be_kept() -> None:
    bench = CacheBench(item_ttl=2, negative_ttl=1)
    key = bench.table.item(item_key(KEY))
    flights = [bench.memory.read_flight(bench.table, ItemRead(item_key(KEY)), key) for _ in range(2)]
    with flights[0] as leader, flights[1] as late:
        leader.start_or_follow()
        bench.clock.now += 2
        assert late.start_or_follow() is None


def test_no_item_outlives_its_own_moment_because_of_a_freeze_while_it_is_stored() -> None:
    """The machine may stop between any two instructions: here between a look at the clock and the next."""
    bench = CacheBench(item_ttl=None, tables={"T": TableConfig(schema=SCHEMA, ttl_attribute="expires")})
    expires = bench.clock.wall() + 100
    store = bench.memory._state.store

    def frozen_before(*args: Any, **kwargs: Any) -> None:
        bench.clock.wall_is_ahead = 8 * 3600.0
        store(*args, **kwargs)

    bench.memory._state.store = frozen_before  # type: ignore[method-assign]
    bench.fill({**OLD, "expires": {"N": str(expires)}})
    assert bench.get() == "unknown"


def test_a_table_is_described_again_at_the_first_call_after_a_freeze() -> None:
    client = ScriptedClient(
        schema=None, DescribeTable=description("pk"), GetItem=made(Item=ITEM), PutItem=made(Attributes=ITEM)
    )
    calls: list[tuple[Callable[[], Any], str]] = [(client.get, "GetItem"), (client.put, "PutItem")]
    for number, (call, operation) in enumerate(calls):
        client.cache.clear()
        call()
        client.cache.clear()
        client.dynamodb.take()
        client.clock.wall_is_ahead += 8 * 3600.0
        call()
        assert client.dynamodb.take() == ["DescribeTable", operation], number


def test_a_description_that_failed_is_asked_for_again_though_the_machine_runs_for_moments_only() -> None:
    client = ScriptedClient(
        schema=None, DescribeTable=[refused("ThrottlingException"), description("pk")], GetItem=made(Item=ITEM)
    )
    client.get()
    client.dynamodb.take()
    client.clock.wall_is_ahead += 60.0
    client.get(Key={"pk": {"S": "b"}})
    assert client.dynamodb.take() == ["DescribeTable", "GetItem"]


def still() -> float:
    return 0.0


def test_two_machines_from_one_snapshot_draw_other_ttls() -> None:
    """Both have Python's generator in one state; their entries would expire together."""
    drawn = []
    for _ in range(2):
        random.seed(7)
        cache = Cache(CacheConfig(jitter=0.5, tables={"T": TableConfig(schema=SCHEMA)}), clock=still, wall_clock=still)
        table = cache._memory.table(ID)
        for letter in "abc":
            with cache._memory.read_flight(table, ItemRead(letter.encode())) as flight:
                flight.fill(flight.item(letter.encode(), OLD))
        drawn.append([entry.expires for entry in cache._memory._state.entries._by_key.values()])
    assert drawn[0] != drawn[1]
