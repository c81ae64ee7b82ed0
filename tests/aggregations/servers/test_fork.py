"""After os.fork() both go on: the child with an empty near cache and ears of its own, the parent as if nothing was."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from daxlite.aggregations import AggregationCache, AggregationConfig
from tests.forking import PATIENCE, in_child
from tests.valkey import Valkey

from .load import KEYS, Numbers, load_on
from .waiting import wait_until

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    # Python 3.12 and later warn of what is tested here: a fork while other threads run.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
    pytest.mark.usefixtures("only_own_keys"),
]

WITHOUT_NEAR = AggregationConfig(near_bytes=0, timeout=5)


@pytest.fixture
def cache(valkey: Valkey, namespace: str) -> Iterator[AggregationCache]:
    with closing(AggregationCache(valkey.url, namespace, AggregationConfig(timeout=5))) as cache:
        yield cache


@pytest.fixture
def numbers(cache: AggregationCache) -> Numbers:
    """At hand in this process, which listens."""
    numbers = Numbers(cache)
    numbers.ask(0)
    wait_until("it listens", lambda: cache.stats().is_listening)
    numbers.ask(0)
    numbers.ask(0)
    assert near_hits(numbers)
    return numbers


def near_hits(numbers: Numbers) -> int:
    hits: int = numbers.cache.stats().total.near_hits
    return hits


def test_p7_the_child_trusts_nothing_before_it_listens_itself(numbers: Numbers, valkey: Valkey, namespace: str) -> None:
    cache, before = numbers.cache, near_hits(numbers)

    def check() -> None:
        assert not cache.stats().is_listening
        assert cache.stats().near_entries == 0
        # Before it has asked for anything: what the parent heard, the child would not.
        with closing(AggregationCache(valkey.url, namespace, WITHOUT_NEAR)) as other:
            numbers.now[0] = 1
            other.invalidate_tags("number 0")
            assert numbers.ask(0) == 1
            assert near_hits(numbers) == before
            wait_until("the child listens", lambda: cache.stats().is_listening)
            numbers.ask(0)
            numbers.ask(0)
            assert near_hits(numbers) > before
            numbers.now[0] = 2
            other.invalidate_tags("number 0")
            wait_until("the child heard of it", lambda: numbers.ask(0) == 2, 1.0)
        assert cache.stats().faults == 0
        cache.close()

    in_child(check)
    wait_until("the parent heard of it", lambda: numbers.ask(0) == 2, 1.0)
    assert cache.stats().is_listening
    numbers.ask(0)
    hits = near_hits(numbers)
    numbers.ask(0)
    assert near_hits(numbers) == hits + 1


def test_p5_parent_and_child_hear_each_other(numbers: Numbers) -> None:
    """They began as one process, but do not take each other's messages for their own."""
    cache = numbers.cache

    def check() -> None:
        numbers.ask(0)
        wait_until("the child listens", lambda: cache.stats().is_listening)
        numbers.ask(0)
        numbers.now[0] = 1
        cache.invalidate_tags("number 0")
        cache.close()

    in_child(check)
    wait_until("the parent heard of it", lambda: numbers.ask(0) == 1, 1.0)


def test_p7_forks_under_load(valkey: Valkey, namespace: str) -> None:
    """No matter what the threads of the parent are doing just then, the child does not wait for them."""
    last = KEYS - 1  # the load does not change it
    with closing(AggregationCache(valkey.url, namespace, WITHOUT_NEAR)) as cache:
        numbers = Numbers(cache)
        assert numbers.are_cached()

        def check() -> None:
            for key in range(KEYS):
                least = numbers.told[key]
                assert numbers.ask(key) >= least
            numbers.change(last)
            assert numbers.ask(last) == numbers.now[last]
            assert cache.get_or_compute(("of the child", os.getpid()), lambda: 1, ttl=60) == 1
            assert cache.stats().faults == 0

        with load_on(numbers) as load:
            for number in range(1, 11):
                in_child(check)
                assert numbers.ask(last) == number
        load.check()
        assert numbers.are_cached()
        assert cache.stats().faults == 0


def test_p7_a_connection_pool_that_another_thread_uses_is_not_waited_for(cache: AggregationCache) -> None:
    """redis-py 8 takes the lock of its pool in the child too, where no thread releases it."""
    cache.get_or_compute("a", lambda: 1)
    held, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with cache._home.connections.threads.clients.client.connection_pool._lock:
            held.set()
            enough.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(PATIENCE)
        in_child(lambda: cache.get_or_compute("a", lambda: 2))
    finally:
        enough.set()
        thread.join()
    assert cache.get_or_compute("a", lambda: 3) == 1


def test_p7_a_computation_of_another_thread_is_not_waited_for_for_ever(cache: AggregationCache) -> None:
    """In the child it never ends. Its lock, which the parent keeps, delays the child as it would another process."""
    computing, enough = threading.Event(), threading.Event()

    def compute() -> str:
        computing.set()
        assert enough.wait(PATIENCE)
        return "parent"

    def ask(compute: Any) -> str:
        return str(cache.get_or_compute("slow", compute, ttl=60, max_wait=0.3))

    thread = threading.Thread(target=ask, args=(compute,))
    thread.start()
    try:
        assert computing.wait(PATIENCE)

        def check() -> None:
            assert ask(lambda: "child") == "child"

        in_child(check)
    finally:
        enough.set()
        thread.join()
    assert ask(lambda: "neither") in ("parent", "child")
    assert cache.stats().faults == 0


def test_p7_what_is_pending_in_the_parent_is_told_by_either(own_valkey: Valkey, namespace: str) -> None:
    config = AggregationConfig(timeout=0.2, near_bytes=0)
    with closing(AggregationCache(own_valkey.url, namespace, config)) as cache:
        numbers = Numbers(cache)
        assert numbers.are_cached()
        own_valkey.pause()
        numbers.change(0)
        assert cache.stats().pending_invalidations == 1

        def check() -> None:
            assert numbers.ask(0) == 1, "the child believes what the parent knew better"

        in_child(check)
        own_valkey.resume()
        in_child(check)
        assert numbers.ask(0) == 1
        wait_until("nothing is pending", lambda: not cache.stats().pending_invalidations)
