"""What is counted."""

import threading

import pytest

from daxlite.aggregations import (
    AggregationCounts,
)
from daxlite.aggregations.stats import FunctionCounters, add
from tests.aggregations.scripted import Counted, World


@pytest.mark.parametrize(
    ("counts", "ratio"),
    [
        ({}, 0.0),
        ({"misses": 5}, 0.0),
        ({"near_hits": 1, "shared_hits": 1, "stale_hits": 1, "misses": 1}, 0.75),
        ({"misses": 1, "joined": 1, "awaited": 5}, 0.0),
    ],
)
def test_the_hit_ratio(counts: dict[str, int], ratio: float) -> None:
    assert AggregationCounts(**counts).hit_ratio == ratio


def test_counts_add_up() -> None:
    one, other = AggregationCounts(misses=1, compute_seconds=0.5), AggregationCounts(misses=2, near_hits=3)
    assert add([one, other]) == AggregationCounts(misses=3, near_hits=3, compute_seconds=0.5)
    assert add([]) == AggregationCounts()


def test_threads_may_count_together() -> None:
    counters = FunctionCounters()

    def count() -> None:
        for _ in range(2000):
            counters.add("misses")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.snapshot().misses == 8000


def test_each_function_by_its_name_and_the_time_it_took(world: World) -> None:
    process = world.process()
    slow = process.cache.cached(name="slow")(Counted(1, lambda: world.clock.advance(3)))
    quick = process.cache.cached(name="quick")(Counted())
    process.hearing.listen()
    process.hearing.pump()
    for call in (slow, quick, slow, quick):
        call()
    stats = process.cache.stats()
    assert set(stats.functions) == {"slow", "quick"}
    assert stats.functions["slow"].compute_seconds == pytest.approx(3)
    assert stats.total.computations == 2
    assert stats.total.near_hits == 2
    assert stats.near_entries == 2
    assert stats.near_bytes > 0
    assert stats.is_listening
    assert stats.is_available
    assert (stats.redis_errors, stats.skipped, stats.pending_invalidations, stats.faults) == (0, 0, 0, 0)
    before = process.counts
    slow()
    assert before.near_hits == 2, "a snapshot stays as it is"


@pytest.mark.faults_expected
def test_a_fault_of_the_bus_is_counted(world: World) -> None:
    cache = world.process().cache
    cache._home.hearing.on_fault(AttributeError())
    assert cache.stats().faults == 1
