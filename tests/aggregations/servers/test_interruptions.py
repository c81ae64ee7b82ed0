"""Signal handlers that raise or call in the middle of a command, or of a wait, with a real server."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from daxlite.aggregations import AggregationCache, AggregationConfig
from daxlite.drivers import threads as driver
from tests.valkey import Valkey

from .waiting import listen

WITHOUT_NEAR = AggregationConfig(near_bytes=0, timeout=5)


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
        one, other = (
            stack.enter_context(closing(AggregationCache(valkey.url, namespace, WITHOUT_NEAR))) for _ in range(2)
        )
        started, go = threading.Event(), threading.Event()

        def slow() -> int:
            started.set()
            go.wait(10)
            return 1

        thread = threading.Thread(target=one.cached(name="f")(slow))
        thread.start()
        assert started.wait(10)
        raised.append(kind)
        with pytest.raises(kind):
            other.cached(name="f")(lambda: 2)()
        assert thread.is_alive(), "it waited for the computation of the other cache"
        assert other.stats().total.computations == 0
        assert other.stats().faults == 0
        go.set()
        thread.join()


def test_the_reply_to_an_interrupted_command_is_not_taken_for_the_next_one(
    valkey: Valkey, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(AggregationCache(valkey.url, namespace, WITHOUT_NEAR)) as cache:

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
            while asked < 100:
                function()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert not errors
