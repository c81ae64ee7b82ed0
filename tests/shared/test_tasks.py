"""Tasks and threads use one tier: tasks by a connection of their event loop, without a thread."""

import asyncio
import threading
import time
from typing import Any

import pytest

from daxlite.edges.async_dispatcher import AsyncDispatcher
from tests.scripted_client import KEY, TABLE
from tests.shared.processes import Process
from tests.shared.test_hearing_servers import wait_until
from tests.valkey import Valkey

READ = {"TableName": TABLE, "Key": KEY}


class Tasks(Process):
    """A process whose calls are tasks."""

    def __init__(self, url: str, namespace: str, **settings: Any) -> None:
        super().__init__(url, namespace, **settings)
        context = self._dispatcher.context
        context.is_blocking = False
        self.tasks = AsyncDispatcher(context, self.send)

    async def send(self, operation: str, params: Any) -> Any:
        return self._dynamodb(operation, params)

    async def read(self) -> int:
        item = (await self.tasks.call("GetItem", READ)).get("Item")
        return 0 if item is None else int(item["v"]["N"])

    async def write(self, version: int) -> None:
        await self.tasks.call("PutItem", {"TableName": TABLE, "Item": {**KEY, "v": {"N": str(version)}}})


def connections(server: Valkey) -> int:
    with server.client() as admin:
        return len(admin.client_list()) - 1


@pytest.mark.parametrize("local", [True, False])
def test_tasks_reach_the_tier_without_threads(
    own_valkey: Valkey, namespace: str, monkeypatch: pytest.MonkeyPatch, local: bool
) -> None:
    one = Tasks(own_valkey.url, namespace, local=local)
    other = Process(own_valkey.url, namespace, local=local)

    async def main() -> None:
        monkeypatch.setattr(asyncio, "to_thread", None)
        for version in range(1, 6):
            await one.write(version)
            assert await one.read() == version
            other.put(10 * version)
            if local:
                wait_until("it heard", lambda: one.hears and other.hears)
            deadline = time.monotonic() + 5
            while await one.read() != 10 * version:
                assert time.monotonic() < deadline
        await asyncio.gather(*[one.read() for _ in range(100)])
        await one.cache.aclear()
        await one.cache.ainvalidate(TABLE)
        monkeypatch.undo()
        stats = one.cache.stats().shared
        assert stats is not None
        assert (stats.errors, one.cache.stats().faults) == (0, 0)
        assert stats.hits > 0
        await one.cache.aclose()

    asyncio.run(main())
    other.cache.close()
    assert connections(own_valkey) == 0


def test_threads_and_tasks_of_two_loops_share_a_cache(own_valkey: Valkey, namespace: str) -> None:
    one = Tasks(own_valkey.url, namespace)
    one.put(1)
    together = threading.Barrier(3)

    async def read() -> None:
        await asyncio.to_thread(together.wait, 10)
        for _ in range(50):
            assert await one.read() == 1

    def tasks() -> None:
        asyncio.run(read())

    loops = [threading.Thread(target=tasks) for _ in range(2)]
    for each in loops:
        each.start()
    together.wait(10)
    for _ in range(50):
        assert one.get() == 1
    for each in loops:
        each.join()
    one.cache.close()
    assert connections(own_valkey) == 0
    stats = one.cache.stats().shared
    assert stats is not None
    assert stats.errors == 0


def test_closing_the_cache_closes_what_belongs_to_other_loops(own_valkey: Valkey, namespace: str) -> None:
    one = Tasks(own_valkey.url, namespace, local=False)
    opened, closed = threading.Event(), threading.Event()

    async def elsewhere() -> None:
        await one.read()
        opened.set()
        await asyncio.to_thread(closed.wait, 10)

    async def main() -> None:
        await one.read()
        await one.cache.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
    thread.start()
    opened.wait(10)
    asyncio.run(main())
    wait_until("all is closed", lambda: connections(own_valkey) == 0)
    closed.set()
    thread.join()
