"""`daxlite.Cache` as applications see it: its names, and its methods for asyncio."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import fakeredis
import pytest

import daxlite
from benchmarks.items import TABLE, item, native_key
from benchmarks.servers import instant_client
from daxlite import Cache
from daxlite.shared.errors import Unavailable
from tests.shared.test_hearing_servers import wait_until
from tests.shared.test_membership import Process, power

NAMES = {
    *("aclear", "aclose", "ainvalidate", "bulk", "clear", "close", "config", "configure", "invalidate", "stats"),
    *("from_env", "from_mapping", "from_toml"),
}

CALLS: dict[str, Callable[[Cache], Coroutine[Any, Any, None]]] = {
    "ainvalidate": lambda cache: cache.ainvalidate(TABLE, native_key(number=0)),
    "ainvalidate a table": lambda cache: cache.ainvalidate(TABLE),
    "aclear": lambda cache: cache.aclear(),
}

HAD_A_TURN = threading.Event()


@pytest.fixture
def server() -> fakeredis.FakeRedis:
    return fakeredis.FakeRedis(server=fakeredis.FakeServer())


def test_the_names_of_a_cache_are_those_for_applications() -> None:
    assert {name for name in dir(Cache()) if not name.startswith("_")} == NAMES


@pytest.mark.parametrize("name", CALLS)
def test_what_is_dropped_in_asyncio_is_dropped_here_and_for_the_other_processes(
    server: fakeredis.FakeRedis, name: str
) -> None:
    one, other = Process(server), Process(server, local=False)
    one.get()
    other.get()
    assert (one.calls, other.calls) == (["GetItem"], [])
    asyncio.run(CALLS[name](one.cache))
    # What concerns a whole table is told by a message, which may still be on its way.
    wait_until("it is dropped for the other", lambda: other.get() and other.calls == ["GetItem"])
    one.get()
    assert one.calls == ["GetItem"], "what the other has read since"


@pytest.mark.parametrize("name", CALLS)
def test_the_event_loop_goes_on_while_redis_is_asked(
    server: fakeredis.FakeRedis, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Process(server)
    one.get()
    assert one.cache._tier is not None
    threads = one.cache._tier.server.threads
    wait_for_the_loop(monkeypatch, threads, "run")
    assert in_a_loop(CALLS[name](one.cache)) == "done"


def test_the_event_loop_goes_on_while_the_tier_is_left(
    server: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Process(server)
    power(server, is_on=False)
    one.put()
    assert one.stats.pending > 0
    power(server, is_on=True)
    wait_for_the_loop(monkeypatch, one.cache._joined, "close")
    assert in_a_loop(one.cache.aclose()) == "done"
    assert one.stats.pending == 0
    in_a_loop(Cache().aclose())


def test_p9_what_a_cancelled_task_owes_redis_is_delivered_later(
    server: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Process(server), Process(server, local=False)
    one.get()
    assert one.cache._tier is not None
    is_asked, is_cancelled = threading.Event(), threading.Event()

    def fail(*args: Any, **kwargs: Any) -> Any:
        is_asked.set()
        assert is_cancelled.wait(10)
        raise Unavailable

    monkeypatch.setattr(one.cache._tier.server.threads, "run", fail)

    async def main() -> None:
        task = asyncio.ensure_future(one.cache.ainvalidate(TABLE, native_key(number=0)))
        await asyncio.to_thread(is_asked.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        is_cancelled.set()

    asyncio.run(main())
    monkeypatch.undo()
    one.cache.close()
    other.get()
    assert other.calls == ["GetItem"]


def test_bulk_is_entered_by_a_task_too() -> None:
    cache = Cache()
    client = daxlite.wrap(instant_client(), cache)

    async def write() -> None:
        async with cache.bulk(TABLE):
            client.put_item(TableName=TABLE, Item=item())
        with pytest.raises(ZeroDivisionError):
            async with cache.bulk(TABLE):
                raise ZeroDivisionError

    bulk = cache.bulk(TABLE)
    with bulk:
        with bulk:
            asyncio.run(write())
        client.put_item(TableName=TABLE, Item=item())
    assert cache.stats().total.entries == 0
    client.put_item(TableName=TABLE, Item=item())
    assert cache.stats().total.entries == 1, "all of them have ended"


def wait_for_the_loop(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Let a method begin only once the event loop has had a turn."""
    method = getattr(owner, name)

    def wait(*args: Any, **kwargs: Any) -> Any:
        assert HAD_A_TURN.wait(10), "the event loop stands still"
        return method(*args, **kwargs)

    HAD_A_TURN.clear()
    monkeypatch.setattr(owner, name, wait)


def in_a_loop(call: Coroutine[Any, Any, None]) -> str:
    async def main() -> str:
        asyncio.get_running_loop().call_later(0.001, HAD_A_TURN.set)
        await call
        return "done"

    return asyncio.run(main())
