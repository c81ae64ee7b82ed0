"""What an attack found with a real server, and does not find again."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache, driver
from tests.valkey import Valkey

from .waiting import wait_until

NO_NEAR = AggregationConfig(near_bytes=0, timeout=5)

pytestmark = pytest.mark.usefixtures("only_own_keys")


class Limit(Exception):  # noqa: N818 - as Celery's SoftTimeLimitExceeded
    """What a signal handler raises."""


class Interrupt(BaseException):
    """The same as KeyboardInterrupt is one, which would end the test run."""


@pytest.fixture
def raised() -> Iterator[list[type[BaseException]]]:
    """What the handler of the alarm raises, once."""
    raised: list[type[BaseException]] = []

    def handler(*_: Any) -> None:
        if raised:
            raise raised.pop()

    before = signal.signal(signal.SIGALRM, handler)
    yield raised
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def listen(cache: AggregationCache) -> None:
    cache._near.now()
    wait_until("it listens", lambda: cache.stats().is_listening)


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


@pytest.mark.parametrize("kind", [Limit, TimeoutError])
def test_p7_a_time_limit_ends_the_wait_for_a_lock(
    valkey: Valkey,
    namespace: str,
    kind: type[Exception],
    raised: list[type[BaseException]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sleep(seconds: float) -> None:
        # In the middle of this, and not of a command, where it might be taken for Redis's.
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        time.sleep(10)

    monkeypatch.setattr(driver, "time", SimpleNamespace(sleep=sleep))
    with ExitStack() as stack:
        one, other = (stack.enter_context(closing(AggregationCache(valkey.url, namespace, NO_NEAR))) for _ in range(2))
        started, go = threading.Event(), threading.Event()

        def slow() -> int:
            started.set()
            go.wait(10)
            return 1

        thread = threading.Thread(target=one.cached(name="f")(slow))
        thread.start()
        assert started.wait(10)
        began = time.monotonic()
        raised.append(kind)
        with pytest.raises(kind):
            other.cached(name="f")(lambda: 2)()
        assert time.monotonic() - began < 5
        assert other.stats().total.computations == 0
        assert other.stats().faults == 0
        go.set()
        thread.join()


def test_the_reply_to_an_interrupted_command_is_not_taken_for_the_next_one(
    valkey: Valkey, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(AggregationCache(valkey.url, namespace, NO_NEAR)) as cache:

        @cache.cached(name="f", early_refresh=0)
        def function(number: int) -> list[int]:
            return [number]

        for number in range(2):
            function(number)
        read = redis.connection.Connection.read_response
        for failing in range(8):
            left = failing

            def interrupt(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                left -= 1
                if left == -1:
                    raise KeyboardInterrupt  # after the command went out, before its reply was read
                return read(*args, **kwargs)

            with monkeypatch.context() as patch:
                patch.setattr(redis.connection.Connection, "read_response", interrupt)
                try:
                    function(0)
                    cache.invalidate_tags("x", "y")
                except KeyboardInterrupt:
                    assert left < 0
            for number in range(2):
                assert function(number) == [number]
        assert cache.stats().total.computations == 2
        assert cache.stats().total.corrupt == 0


def test_stats_can_be_asked_for_by_a_signal_handler(valkey: Valkey, namespace: str) -> None:
    with closing(AggregationCache(valkey.url, namespace)) as cache:
        function = cache.cached(name="f")(lambda: 1)
        function()
        listen(cache)
        function()
        asked, errors = 0, []

        def handler(*_: Any) -> None:
            nonlocal asked
            asked += 1
            try:
                cache.stats()
            except BaseException as error:  # noqa: BLE001 - shown below
                errors.append(error)

        before = signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        try:
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                function()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert asked
        assert not errors


def test_two_event_loops_have_a_client_each(own_valkey: Valkey, namespace: str) -> None:
    with own_valkey.client() as admin, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # asyncio.run ends a loop whose connections nobody closes
        cache = AsyncAggregationCache(own_valkey.url, namespace, NO_NEAR)

        @cache.cached(ttl=60)
        async def function(number: int) -> int:
            return number

        async def ask() -> None:
            for number in range(100):
                assert await function(number % 3) == number % 3

        before = admin.info("stats")["total_connections_received"]
        threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert admin.info("stats")["total_connections_received"] - before <= 6
        asyncio.run(cache.close())
        stats = cache.stats()
        assert (stats.total.computations, stats.redis_errors) == (3, 0)


def test_what_cannot_be_stored_is_not_computed_one_after_the_other(valkey: Valkey, namespace: str) -> None:
    with ExitStack() as stack:
        caches = [stack.enter_context(closing(AggregationCache(valkey.url, namespace, NO_NEAR))) for _ in range(4)]

        def compute() -> object:
            time.sleep(0.2)
            return object()

        functions = [cache.cached(name="f")(compute) for cache in caches]
        for function in functions:
            function()
        began = time.monotonic()
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert time.monotonic() - began < 0.55


def test_p1_two_caches_of_one_url_in_one_process_hear_each_other_at_once(valkey: Valkey, namespace: str) -> None:
    with ExitStack() as stack:
        one, other = (stack.enter_context(closing(AggregationCache(valkey.url, namespace))) for _ in range(2))
        listen(one)
        listen(other)
        value = 0
        function = other.cached(name="f", tags=["x"], early_refresh=0)(lambda: value)
        for number in range(1, 101):
            function()
            value = number
            one.invalidate_tags("x")
            assert function() == number
        assert other.stats().is_listening


def test_asyncio_over_threads_of_one_url_is_stored(valkey: Valkey, namespace: str) -> None:
    with closing(AggregationCache(valkey.url, namespace, NO_NEAR)) as threads:
        calls = []
        inner = threads.cached(name="inner", tags=["inner"])(lambda: 1)

        async def main() -> None:
            cache = AsyncAggregationCache(valkey.url, namespace, NO_NEAR)

            @cache.cached(name="outer", early_refresh=0)
            async def outer() -> int:
                calls.append(1)
                return inner()

            for _ in range(3):
                await outer()
            assert len(calls) == 1
            await cache.invalidate_tags("inner")
            await outer()
            assert len(calls) == 2
            await cache.close()

        asyncio.run(main())
