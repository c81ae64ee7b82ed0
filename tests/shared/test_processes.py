"""Where processes come from, and how they end: forks, spawned ones, SIGTERM; with a real Valkey."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.shared.tags import named_tag
from tests.aggregations.servers.waiting import wait_until
from tests.forking import PATIENCE, in_child
from tests.shared.processes import Process
from tests.valkey import Valkey

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    # Python 3.12 and later warn of what is tested here: a fork while other threads run.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
]


@pytest.fixture
def parent(valkey: Valkey, namespace: str) -> Iterator[Process]:
    """A process that has cached the item, and hears."""
    process = Process(valkey.url, namespace)
    with closing(process.cache):
        process.put(1)
        wait_until("it hears", lambda: process.hears)
        assert [process.get() for _ in range(3)] == [1, 1, 1]
        yield process


def test_nothing_is_opened_before_it_is_used(valkey: Valkey, namespace: str) -> None:
    """As gunicorn's preload_app and Celery make a cache in the parent, and use it in the children."""
    process = Process(valkey.url, namespace)
    assert process.is_unused

    def check() -> None:
        assert process.is_unused
        process.put(1)
        assert process.get() == 1
        wait_until("the child hears", lambda: process.hears)
        process.cache.close()

    in_child(check)
    assert process.is_unused
    assert process.get() == 1
    process.cache.close()


def test_a_child_reads_and_writes_and_neither_shows_what_the_other_has_replaced(parent: Process) -> None:
    def check() -> None:
        assert not parent.hears
        assert parent.get() == 1
        parent.put(2)
        assert parent.get() == 2
        wait_until("the child hears", lambda: parent.hears)
        parent.cache.close()

    in_child(check)
    wait_until("the parent has heard of it", lambda: parent.get() == 2, 1.0)
    parent.put(3)
    assert parent.hears
    in_child(lambda: _assert_version(parent, 3))
    assert parent.get() == 3
    assert parent.cache.stats().faults == 0


def _assert_version(process: Process, version: int) -> None:
    assert process.get() == version
    process.cache.close()


def test_connections_are_not_shared_with_a_child(parent: Process, valkey: Valkey) -> None:
    with valkey.client(client_name="observer") as observer:
        before = {each["id"] for each in observer.client_list()}

        def check() -> None:
            for version in range(10, 20):
                parent.put(version)
            after = {each["id"] for each in observer_in_child().client_list()}
            assert before <= after, "those of the parent are open as they were"
            assert after - before, "and the child has its own"

        def observer_in_child() -> redis.Redis:
            return valkey.client()

        in_child(check)
    for version in range(20, 30):
        parent.put(version)
        assert parent.get() == version


def test_a_child_owes_nothing_and_the_parent_delivers(own_valkey: Valkey, namespace: str) -> None:
    parent = Process(own_valkey.url, namespace, local=False, budget=0.05)
    outbox = parent.membership._outbox
    outbox.attend = lambda: None
    other = Process(own_valkey.url, namespace, local=False)
    other.get()
    other.membership._connections.threads.breaker.close()
    own_valkey.pause()
    parent.cache._tier.outbox.add({named_tag("a"): EVERY_EXTENT})  # type: ignore[union-attr]

    def check() -> None:
        assert len(outbox) == 0

    in_child(check)
    own_valkey.resume()
    assert len(outbox) == 1
    parent.cache.close()
    assert len(outbox) == 0
    other.cache.close()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_multiprocessing(valkey: Valkey, namespace: str, method: str) -> None:
    reader = Process(valkey.url, namespace, local=False)
    with closing(reader.cache), multiprocessing.get_context(method).Pool(2) as pool:
        for version in range(1, 21):
            assert pool.apply(_work, (valkey.url, namespace, version)) == version
            assert reader.get() == version


_process: Process | None = None


def _work(url: str, namespace: str, version: int) -> int:
    """Put a version, by the cache of this worker, and return what a read shows."""
    global _process
    if _process is None:
        _process = Process(url, namespace)
    _process.put(version)
    return _process.get()


# The end


def start(valkey: Valkey, namespace: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.shared.processes", valkey.url, namespace]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(process: subprocess.Popen[str], line: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@pytest.mark.parametrize("end", ["SIGTERM", "end of the program"])
def test_what_is_pending_is_delivered_at_the_end(own_valkey: Valkey, namespace: str, end: str) -> None:
    reader = Process(own_valkey.url, namespace, local=False)
    writer = start(own_valkey, namespace)
    with closing(reader.cache), writer:
        assert say(writer, "1") == "1"
        assert reader.get() == 1
        with own_valkey.client() as client:
            client.acl_setuser("default", enabled=True, categories=["+@all"], commands=["-eval", "-evalsha"])
            assert say(writer, "2") == "2"
            client.acl_setuser("default", enabled=True, categories=["+@all"])
        if end == "SIGTERM":
            writer.send_signal(signal.SIGTERM)
        else:
            assert writer.stdin is not None
            writer.stdin.close()
        assert writer.wait(PATIENCE) == 0
        assert reader.get() == 2


def test_the_end_waits_about_a_second_at_most(own_valkey: Valkey, namespace: str) -> None:
    writer = start(own_valkey, namespace)
    with writer:
        assert say(writer, "1") == "1"
        with own_valkey.client() as client:
            client.acl_setuser("default", enabled=True, categories=["+@all"], commands=["-eval", "-evalsha"])
            assert say(writer, "2") == "2"
        own_valkey.pause()
        began = time.monotonic()
        writer.send_signal(signal.SIGTERM)
        assert writer.wait(PATIENCE) == 0
        assert time.monotonic() - began < 2.5
        own_valkey.resume()


# Connections that break


def test_a_connection_that_the_server_closes_while_it_is_idle_is_a_break(own_valkey: Valkey, namespace: str) -> None:
    """No command fails; but the next connection may lead to another primary."""
    process = Process(own_valkey.url, namespace, local=False, proxy=True)
    process.membership._outbox.attend = lambda: None
    with closing(process.cache), own_valkey.client() as client:
        process.put(1)
        assert process.get() == 1
        client.client_kill_filter(_type="normal", skipme=True)
        again = process.cache._tier.again  # type: ignore[union-attr]
        assert process.get() == 1
        assert again.is_owed, "what it wrote lately is bumped once more"
        assert process.get() == 1
        assert not again.is_owed


def test_after_a_fail_over_what_the_new_primary_has_forgotten_is_told_to_it(own_valkey: Valkey, namespace: str) -> None:
    """The server holds an older copy of its data, and breaks all connections."""
    process = Process(own_valkey.url, namespace)
    other = Process(own_valkey.url, namespace, local=False)
    with closing(process.cache), closing(other.cache), own_valkey.client() as raw:
        process.put(1)
        wait_until("it hears", lambda: process.hears)
        kept = {key: raw.dump(key) for key in raw.scan_iter() if not key.endswith(b":item")}
        process.put(2)
        for key, data in kept.items():
            raw.restore(key, 100_000, data, replace=True)
        assert other.get() == 1, "it has neither written nor heard"
        epoch = process.membership.hearing.epoch
        for kind in ("pubsub", "normal"):
            raw.client_kill_filter(_type=kind, skipme=True)
        wait_until("it hears again", lambda: process.membership.hearing.epoch > epoch and process.hears)
        assert other.get() == 2
        assert process.get() == 2
