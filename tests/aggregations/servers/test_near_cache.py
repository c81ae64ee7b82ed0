"""P5: what a process keeps for itself is true as long as it hears the others, and not believed while it does not."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from daxlite.aggregations import AggregationCache, AggregationConfig
from daxlite.shared.leases import LEASE
from tests.valkey import Valkey

from . import tasks
from .load import Numbers
from .processes import Processes
from .waiting import listen, wait_until

WITHOUT_NEAR = AggregationConfig(near_bytes=0, timeout=5)


@contextmanager
def listening(url: str, namespace: str, timeout: float = 5.0) -> Iterator[tuple[AggregationCache, Numbers]]:
    """A cache that hears the others, and has numbers at hand."""
    with closing(AggregationCache(url, namespace, AggregationConfig(timeout=timeout))) as cache:
        numbers = Numbers(cache)
        numbers.ask(0)
        wait_until("it listens", lambda: cache.stats().is_listening)
        numbers.ask(0)
        assert is_near(numbers)
        yield cache, numbers


def is_near(numbers: Numbers) -> bool:
    """Whether the next answer comes from the near cache."""
    before = numbers.cache.stats().total.near_hits
    numbers.ask(0)
    return bool(numbers.cache.stats().total.near_hits > before)


@pytest.mark.usefixtures("only_own_keys")
def test_p5_processes_hear_each_other(valkey: Valkey, namespace: str, processes: Processes) -> None:
    (process,) = processes.take(1)
    process.do(tasks.use, valkey.url, namespace)
    with listening(valkey.url, namespace) as (_, numbers):
        for change in range(1, 11):
            numbers.now[0] = change
            process.do(tasks.invalidate_tags, "number 0")
            wait_until("this process heard of it", numbers.is_known)
            numbers.ask(0)
            assert is_near(numbers)


@pytest.mark.usefixtures("only_own_keys")
def test_p5_of_another_namespace_nothing_is_heard(valkey: Valkey, namespace: str) -> None:
    with (
        listening(valkey.url, namespace) as (_, numbers),
        closing(AggregationCache(valkey.url, f"{namespace}.other", WITHOUT_NEAR)) as other,
    ):
        for _ in range(10):
            other.invalidate_tags("number 0")
            other.clear()
        time.sleep(0.1)
        assert is_near(numbers)


def test_p5_a_change_made_as_the_connection_of_the_bus_breaks_is_not_missed(own_valkey: Valkey, namespace: str) -> None:
    """It comes back within milliseconds, with or without the message: so it is taken for missed."""
    with (
        own_valkey.client() as client,
        listening(own_valkey.url, namespace) as (cache, numbers),
        closing(AggregationCache(own_valkey.url, namespace, WITHOUT_NEAR)) as other,
    ):
        for change in range(1, 11):
            numbers.ask(0)
            numbers.now[0] = change
            client.client_kill_filter(_type="pubsub")
            other.invalidate_tags("number 0")
            wait_until("this process found out", numbers.is_known)
        wait_until("near hits are back", lambda: is_near(numbers))
        assert cache.stats().faults == 0


def test_p5_a_user_that_may_not_listen_asks_the_server(own_valkey: Valkey, namespace: str) -> None:
    """As long as the channel is forbidden; what changed meanwhile is seen at once."""
    url = f"redis://listener:secret@{own_valkey.host}:{own_valkey.port}/0"
    with own_valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "listener", "on", ">secret", "~*", "&*", "+@all")
        with (
            listening(url, namespace) as (cache, numbers),
            closing(AggregationCache(own_valkey.url, namespace, WITHOUT_NEAR)) as other,
        ):
            client.execute_command("ACL", "SETUSER", "listener", "resetchannels")
            wait_until("it knows that it does not hear", lambda: not cache.stats().is_listening)
            assert not is_near(numbers)
            for change in range(1, 6):
                numbers.now[0] = change
                other.invalidate_tags("number 0")
                assert numbers.ask(0) == change
            client.execute_command("ACL", "SETUSER", "listener", "allchannels")
            wait_until("it listens again", lambda: cache.stats().is_listening)
            assert numbers.ask(0) == 5
            wait_until("near hits are back", lambda: is_near(numbers))


def test_p5_a_server_that_is_silent_is_not_trusted_for_long(own_valkey: Valkey, namespace: str) -> None:
    with (
        listening(own_valkey.url, namespace, timeout=0.2) as (cache, numbers),
        closing(AggregationCache(own_valkey.url, namespace, AggregationConfig(near_bytes=0, timeout=0.2))) as other,
    ):
        own_valkey.pause()
        wait_until("it knows that it does not hear", lambda: not cache.stats().is_listening)
        assert not is_near(numbers)
        own_valkey.resume()
        numbers.now[0] = 1
        other.invalidate_tags("number 0")
        assert numbers.ask(0) == 1
        wait_until("near hits are back", lambda: is_near(numbers))
        assert numbers.ask(0) == 1


def test_p5_a_process_that_was_stopped_does_not_trust_what_it_had(
    valkey: Valkey, namespace: str, processes: Processes
) -> None:
    """It wakes up with results at hand that the others have changed, and with their messages unread."""
    (process,) = processes.take(1)
    process.do(tasks.use, valkey.url, namespace, AggregationConfig(timeout=5))
    process.do(tasks.ask)
    wait_until("it listens", lambda: process.do(tasks.stats).is_listening)
    process.do(tasks.ask)
    assert process.do(tasks.ask) == "computation 1 of truth 0"
    assert process.do(tasks.stats).total.near_hits > 0
    process.pause()
    time.sleep(LEASE + 0.1)
    with closing(AggregationCache(valkey.url, namespace, WITHOUT_NEAR)) as other:
        other.invalidate_tags("truth")
    process.begin(tasks.ask)
    process.resume()
    assert process.end() == "computation 2 of truth 0"


@pytest.mark.usefixtures("only_own_keys")
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
