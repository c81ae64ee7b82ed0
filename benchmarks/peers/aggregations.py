"""daxlite's aggregation cache."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from benchmarks.interleave import Call
from benchmarks.peers.revenue import DAY, EXPECTED, revenue
from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache


@contextlib.contextmanager
def hit(url: str, near_bytes: int) -> Iterator[Call]:
    """near_bytes: 0 for hits of what is in Redis."""
    config = AggregationConfig(near_bytes=near_bytes)
    with contextlib.closing(AggregationCache(url, f"benchmark{near_bytes}", config)) as cache:
        call = partial(cache.cached(ttl=3600)(revenue), DAY)
        assert call() == call() == EXPECTED
        yield call


@contextlib.contextmanager
def async_hit(url: str, run: Callable[[Awaitable[object]], object]) -> Iterator[Callable[[], Awaitable[object]]]:
    """run: runs a coroutine."""
    cache = AsyncAggregationCache(url, "benchmark-async", AggregationConfig(near_bytes=0))

    async def compute(day: str) -> dict[str, float]:
        return revenue(day)

    call = partial(cache.cached(ttl=3600)(compute), DAY)
    try:
        assert run(call()) == run(call()) == EXPECTED
        yield call
    finally:
        run(cache.close())
