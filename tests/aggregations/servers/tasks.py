"""What the processes of these tests do: they ask for results, compute slowly, fail, and write."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis

from daxlite.aggregations import AggregationCache, AggregationConfig, AggregationStats, AsyncAggregationCache

from .processes import PATIENCE, Place

WITHOUT_NEAR = AggregationConfig(near_bytes=0, timeout=5)
"""Each call asks Redis; and a busy machine is not taken for a server that is down."""
WITH_NEAR = AggregationConfig(timeout=5)


class Tally:
    """Numbers on a server, under the namespace of the test."""

    def __init__(self, client: redis.Redis, namespace: str) -> None:
        self._client = client
        self._prefix = f"{namespace}:tally:"

    def add(self, name: str) -> int:
        """Add one to a number."""
        with self._client.pipeline() as pipeline:
            pipeline.incr(self._prefix + name)
            pipeline.expire(self._prefix + name, 600)
            number, _ = pipeline.execute()
        return int(number)

    def read(self, name: str) -> int:
        """A number; 0 before the first `add`."""
        return int(self._client.get(self._prefix + name) or 0)

    def wait_for(self, name: str) -> None:
        """Wait until a process adds to it."""
        deadline = time.monotonic() + PATIENCE
        while not self.read(name):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no process added to {name}")
            time.sleep(0.01)


def use(place: Place, url: str, namespace: str, config: AggregationConfig = WITHOUT_NEAR) -> None:
    """Make an aggregation cache for the tasks that follow, and connect."""
    client = place.stack.enter_context(redis.Redis.from_url(url, socket_timeout=5))
    client.ping()
    place.kept["tally"] = Tally(client, namespace)
    place.kept["cache"] = cache = AggregationCache(url, namespace, config)
    place.stack.callback(cache.close)
    cache.get_or_compute("a first one", time.time)


def stats(place: Place) -> AggregationStats:
    """What the cache of this process counted."""
    cache: AggregationCache = place.kept["cache"]
    return cache.stats()


# Many callers at the same time


def ask_in_threads(place: Place, number: int, seconds: float) -> list[int]:
    """So many threads ask for one result, which takes so long to compute."""
    cache: AggregationCache = place.kept["cache"]
    tally: Tally = place.kept["tally"]
    together = threading.Barrier(number)

    def compute() -> int:
        found = tally.add("computations")
        time.sleep(seconds)
        return found

    def ask(_: int) -> int:
        together.wait(PATIENCE)
        return cache.get_or_compute("the one", compute, ttl=60)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(ask, range(number)))


def ask_in_tasks(place: Place, url: str, namespace: str, number: int, seconds: float) -> list[int]:
    """The same with tasks of asyncio."""
    tally: Tally = place.kept["tally"]

    async def compute() -> int:
        found = tally.add("computations")
        await asyncio.sleep(seconds)
        return found

    async def main() -> list[int]:
        cache = AsyncAggregationCache(url, namespace, WITHOUT_NEAR)
        try:
            return await asyncio.gather(*[cache.get_or_compute("the one", compute, ttl=60) for _ in range(number)])
        finally:
            place.kept["async stats"] = cache.stats()
            await cache.close()

    return asyncio.run(main())


# One caller


def ask(place: Place, /, wait_for: str | None = None, **options: Any) -> str:
    """Ask for one result. Its computation waits until a process adds to the tally of that name."""
    tally: Tally = place.kept["tally"]

    def compute() -> str:
        truth = tally.read("truth")
        number = tally.add("computations")  # last: a process that sees it knows that all of this has happened
        if wait_for is not None:
            tally.wait_for(wait_for)
        return f"computation {number} of truth {truth}"

    cache: AggregationCache = place.kept["cache"]
    return cache.get_or_compute("the one", compute, tags=["truth"], ttl=60, **options)


def ask_and_fail(place: Place, /, **options: Any) -> str:
    """Ask for one result whose computation fails. What the caller sees."""
    tally: Tally = place.kept["tally"]

    def compute() -> str:
        raise ArithmeticError(f"failure {tally.add('failures')}")

    cache: AggregationCache = place.kept["cache"]
    try:
        return cache.get_or_compute("the one", compute, ttl=60, **options)
    except ArithmeticError as error:
        return str(error)


def invalidate_tags(place: Place, *names: str) -> None:
    cache: AggregationCache = place.kept["cache"]
    cache.invalidate_tags(*names)
