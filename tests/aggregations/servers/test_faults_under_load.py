"""P7: no matter what becomes of the server under load, every answer is right and none raises.

What was invalidated while the server could not be told is honoured once it can.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import redis

from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache
from daxlite.shared.breaker import FAILURES_TO_OPEN, FIRST_PAUSE
from tests.simulator.replicas import Clock
from tests.valkey import Valkey, only_keys_of

from .load import KEYS, Numbers, load_on
from .waiting import listen, wait_until

TIMEOUT = 0.2
IMPATIENT = AggregationConfig(timeout=TIMEOUT)
IMPATIENT_WITHOUT_NEAR = AggregationConfig(timeout=TIMEOUT, near_bytes=0)

# The circuit breaker asks again after a second, then two, then four.
UNTIL_BACK = 10.0

Outage = Callable[[Valkey], Any]


@contextmanager
def paused(server: Valkey) -> Iterator[None]:
    server.pause()
    try:
        yield
    finally:
        server.resume()


@contextmanager
def killed(server: Valkey) -> Iterator[None]:
    server.kill()
    yield
    server.restart()


@contextmanager
def settings(server: Valkey, **those: str) -> Iterator[None]:
    with server.client() as client:
        before = {name: client.config_get(name)[name] for name in those}
        for name, value in those.items():
            client.config_set(name, value)
        yield
        for name, value in before.items():
            client.config_set(name, value)


def without_replicas(server: Valkey) -> Any:
    """It refuses to write, but is read."""
    return settings(server, **{"min-replicas-to-write": "1"})


def full(server: Valkey) -> Any:
    return settings(server, maxmemory="1mb")


@contextmanager
def a_replica(server: Valkey) -> Iterator[None]:
    """It follows a server that is not there, and refuses to write."""
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        yield
        client.replicaof("NO", "ONE")


@contextmanager
def flushed(server: Valkey) -> Iterator[None]:
    """Over and over."""
    with server.client() as client:
        for _ in range(15):
            client.flushall()
            time.sleep(0.03)
        yield


@contextmanager
def evicting(server: Valkey) -> Iterator[None]:
    """Memory is short, and anything may go: results, stamps, locks."""
    with server.client() as client:
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory-policy", "allkeys-random")
        client.config_set("maxmemory", used + 200_000)
        for number in range(200):
            client.set(f"filler {number}", os.urandom(5000), px=60_000)
            time.sleep(0.002)
        assert client.info("stats")["evicted_keys"] > 100, "nothing was evicted; so this shows nothing"
        yield
        client.config_set("maxmemory", 0)
        client.delete(*client.keys("filler *"))


@pytest.mark.parametrize(
    ("outage", "seconds"),
    [(paused, 2.0), (killed, 0.3), (without_replicas, 0.3), (a_replica, 0.3), (full, 0.3), (flushed, 0), (evicting, 0)],
)
def test_p7_every_answer_is_right_and_afterwards_results_are_cached_again(
    own_valkey: Valkey, namespace: str, outage: Outage, seconds: float
) -> None:
    with (
        own_valkey.client() as client,
        only_keys_of(namespace, client),
        closing(AggregationCache(own_valkey.url, namespace, IMPATIENT)) as cache,
        closing(AggregationCache(own_valkey.url, namespace, IMPATIENT_WITHOUT_NEAR)) as other,
    ):
        numbers = Numbers(cache)
        assert numbers.are_cached()
        with load_on(numbers) as load:
            time.sleep(0.2)
            with outage(own_valkey):
                time.sleep(seconds)
        load.check()
        # A caller finds out soon that the server is back, and tells it what changed before it believes anything.
        wait_until("results are cached again", numbers.are_cached, UNTIL_BACK)
        assert cache.stats().pending_invalidations == 0
        assert [numbers.ask(key, other) for key in range(KEYS)] == [numbers.now[key] for key in range(KEYS)]
        assert (cache.stats().faults, other.stats().faults) == (0, 0)


@pytest.mark.parametrize("outage", [paused, killed, a_replica])
def test_p7_what_was_invalidated_meanwhile_is_not_forgotten(own_valkey: Valkey, namespace: str, outage: Outage) -> None:
    """No call is made again in the process that changed it: it tells the server by itself."""
    with (
        closing(AggregationCache(own_valkey.url, namespace, IMPATIENT_WITHOUT_NEAR)) as cache,
        closing(AggregationCache(own_valkey.url, namespace, IMPATIENT_WITHOUT_NEAR)) as other,
    ):
        numbers = Numbers(cache)
        assert numbers.are_cached()
        with outage(own_valkey):
            numbers.change(3)
            assert cache.stats().pending_invalidations == 1
            assert numbers.ask(3) == 1, "here it is known already"
        wait_until("nothing is pending", lambda: not cache.stats().pending_invalidations, UNTIL_BACK)
        assert numbers.ask(3, other) == 1


class TestTheCircuitBreaker:
    def test_p7_spares_the_application_the_timeouts(self, own_valkey: Valkey, namespace: str) -> None:
        """Once it is open a call waits for no timeout, but for one probe after each pause."""
        clock = Clock()
        with closing(AggregationCache(own_valkey.url, namespace, IMPATIENT_WITHOUT_NEAR, clock=clock.now)) as cache:
            numbers = Numbers(cache)
            assert numbers.are_cached()

            def timeouts() -> int:
                return cache.stats().redis_errors

            def use() -> None:
                for _ in range(20):
                    numbers.change(1)
                    assert numbers.ask(1) == numbers.now[1]

            own_valkey.pause()
            while not cache.stats().skipped:
                numbers.change(0)
            before = timeouts()
            # The thread that sends what is pending may have sent a command, too, when this one opened it.
            assert FAILURES_TO_OPEN <= before <= FAILURES_TO_OPEN + 1
            use()
            assert timeouts() <= FAILURES_TO_OPEN + 1
            clock.advance(FIRST_PAUSE)
            use()
            assert FAILURES_TO_OPEN + 1 <= timeouts() <= FAILURES_TO_OPEN + 2, "one probe, and the thread's from before"
            own_valkey.resume()

    def test_p7_is_closed_soon_after_a_short_outage_that_many_threads_ran_into(
        self, own_valkey: Valkey, namespace: str
    ) -> None:
        """It is one outage, not as many as there are threads."""
        with closing(AggregationCache(own_valkey.url, namespace, IMPATIENT_WITHOUT_NEAR)) as cache:
            numbers = Numbers(cache)
            own_valkey.pause()
            threads = [threading.Thread(target=numbers.ask, args=(key,)) for key in range(KEYS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not cache.stats().is_available
            own_valkey.resume()
            wait_until("the breaker is closed", lambda: numbers.are_cached() and cache.stats().is_available)


@pytest.mark.parametrize("fault", ["killed", "paused", "full", "read-only"])
def test_on_error_raise_raises_what_redis_py_does(own_valkey: Valkey, namespace: str, fault: str) -> None:
    expected: type[Exception] = redis.ConnectionError
    config = AggregationConfig(timeout=TIMEOUT, near_bytes=0, on_error="raise")
    with closing(AggregationCache(own_valkey.url, namespace, config)) as cache:
        numbers = Numbers(cache)
        assert numbers.are_cached()
        with own_valkey.client() as client:
            if fault == "killed":
                own_valkey.kill()
            elif fault == "paused":
                expected = redis.TimeoutError
                own_valkey.pause()
            elif fault == "full":
                expected = redis.ResponseError
                client.config_set("maxmemory", "1mb")
            else:
                expected = redis.exceptions.ReadOnlyError
                client.replicaof("127.0.0.1", 1)
        with pytest.raises(expected):
            cache.get_or_compute("a new one", lambda: 1)
        # The breaker, too, raises an error of redis-py's.
        for _ in range(3):
            with pytest.raises(redis.RedisError):
                cache.get_or_compute("a new one", lambda: 1)
        assert cache.stats().faults == 0


def test_p7_asyncio_every_answer_is_right_while_the_server_is_paused(own_valkey: Valkey, namespace: str) -> None:
    now, told = dict.fromkeys(range(KEYS), 0), dict.fromkeys(range(KEYS), 0)
    asked = 0

    async def main() -> None:
        nonlocal asked
        cache = AsyncAggregationCache(own_valkey.url, namespace, IMPATIENT)
        enough = asyncio.Event()

        async def ask(key: int) -> int:
            async def compute() -> int:
                return now[key]

            return await cache.get_or_compute(key, compute, tags=[f"number {key}"], ttl=60, lock_ttl=0.3)

        async def read(first: int) -> None:
            nonlocal asked
            while not enough.is_set():
                for key in range(KEYS):
                    least = told[key]
                    assert await ask(key) >= least
                    asked += 1
                await asyncio.sleep(0.005)

        async def change() -> None:
            while not enough.is_set():
                for key in range(0, KEYS, 2):
                    now[key] += 1
                    number = now[key]
                    await cache.invalidate_tags(f"number {key}")
                    told[key] = number
                await asyncio.sleep(0.02)

        async def are_cached() -> bool:
            before = cache.stats().total.computations
            for key in range(KEYS):
                assert await ask(key) == now[key]
            return cache.stats().total.computations == before

        try:
            tasks = [asyncio.create_task(read(first)) for first in range(4)] + [asyncio.create_task(change())]
            await asyncio.sleep(0.2)
            own_valkey.pause()
            await asyncio.sleep(0.6)
            own_valkey.resume()
            while asked <= 100 and not any(task.done() for task in tasks):
                await asyncio.sleep(0.01)
            enough.set()
            await asyncio.gather(*tasks)
            deadline = time.monotonic() + UNTIL_BACK
            while not await are_cached() or cache.stats().pending_invalidations:
                assert time.monotonic() < deadline, "results are not cached again"
                await asyncio.sleep(0.05)
            assert cache.stats().faults == 0
            assert cache.stats().redis_errors > 0, "the outage is in the statistics"
        finally:
            await cache.close()

    asyncio.run(main())


@pytest.mark.usefixtures("only_own_keys")
def test_p7_a_change_that_the_server_refused_for_an_instant(own_valkey: Valkey, namespace: str) -> None:
    with own_valkey.client() as admin, closing(AggregationCache(own_valkey.url, namespace)) as cache:
        listen(cache)
        source, reading, go = ["old"], threading.Event(), threading.Event()

        @cache.cached(name="f", tags=["x"], early_refresh=0)
        def function() -> str:
            value = source[0]
            reading.set()
            go.wait(10)
            return value

        thread = threading.Thread(target=function)
        thread.start()
        assert reading.wait(10)
        source[0] = "new"
        admin.config_set("min-replicas-to-write", 1)
        cache.invalidate_tags("x")
        admin.config_set("min-replicas-to-write", 0)
        assert cache.stats().pending_invalidations
        go.set()
        thread.join()
        assert function() == "new"
        wait_until("it was sent", lambda: not cache.stats().pending_invalidations)
        assert [function(), function()] == ["new", "new"]
