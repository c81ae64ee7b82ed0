"""Tasks of several event loops, and threads, share one cache."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import daxlite
from daxlite.cache.flights import MAX_WAIT
from tests.edges import PATIENCE, LoopThread
from tests.responses import is_hit
from tests.simulated_client import KEY, NEW, OLD, TABLE, SimulatedClient


class Held:
    """Clients of several loops on one simulated DynamoDB, which answers reads once the test lets it."""

    def __init__(self) -> None:
        self.simulated = SimulatedClient()
        self.simulated.reset()
        self.cache = daxlite.Cache(daxlite.CacheConfig(jitter=0, settle_window=0))
        self.loops = [LoopThread(), LoopThread()]
        self.arrived = threading.Semaphore(0)
        self.may_answer = threading.Event()
        self.reads = 0
        self.clients = [self._client() for _ in self.loops]

    def _client(self) -> Any:
        inner = self.simulated.simulator.async_client()
        at_once = inner._make_request

        async def make_request(model: Any, request: Any, context: Any) -> Any:
            if model.name == "GetItem":
                self.reads += 1
                self.arrived.release()
                await asyncio.to_thread(self.may_answer.wait, PATIENCE)
            return await at_once(model, request, context)

        inner._make_request = make_request
        return daxlite.wrap(inner, self.cache)

    def start(self, number: int) -> Any:
        return asyncio.run_coroutine_threadsafe(
            self.clients[number].get_item(TableName=TABLE, Key=KEY), self.loops[number]._loop
        )

    def close(self) -> None:
        self.may_answer.set()
        for loop in self.loops:
            loop.close()
        self.simulated.close()


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    made.close()


def until_followed(held: Held) -> None:
    for _ in range(10_000):
        if any(getattr(leader, "latch", None) for leader in held.cache._memory._state.leaders.values()):
            return
        threading.Event().wait(0.001)
    raise AssertionError("nobody follows")


def test_a_task_follows_one_of_another_loop(held: Held) -> None:
    leader = held.start(0)
    assert held.arrived.acquire(timeout=PATIENCE)
    follower = held.start(1)
    until_followed(held)
    held.may_answer.set()
    assert leader.result(PATIENCE)["Item"] == follower.result(PATIENCE)["Item"] == OLD
    assert held.reads == 1


def test_a_leader_that_is_cancelled_in_one_loop_lets_a_task_of_another_lead(held: Held) -> None:
    leader = held.start(0)
    assert held.arrived.acquire(timeout=PATIENCE)
    follower = held.start(1)
    until_followed(held)
    leader.cancel()
    assert held.arrived.acquire(timeout=PATIENCE), "the follower asks"
    held.may_answer.set()
    assert follower.result(PATIENCE)["Item"] == OLD
    assert held.reads == 2


def test_p2_what_a_thread_writes_a_task_reads_and_the_other_way_round(held: Held) -> None:
    held.may_answer.set()
    assert held.start(0).result(PATIENCE)["Item"] == OLD
    blocking = daxlite.wrap(held.simulated.raw, held.cache)
    assert is_hit(blocking.get_item(TableName=TABLE, Key=KEY))
    blocking.put_item(TableName=TABLE, Item=NEW)
    assert held.start(1).result(PATIENCE)["Item"] == NEW
    held.loops[0].run(held.clients[0].put_item(TableName=TABLE, Item=OLD))
    found = blocking.get_item(TableName=TABLE, Key=KEY)
    assert is_hit(found)
    assert found["Item"] == OLD


def test_p9_a_loop_that_ends_with_a_write_under_way_leaves_nothing_old(held: Held) -> None:
    """As a program that does not wait for its tasks: their coroutines are collected."""
    held.may_answer.set()
    blocking = daxlite.wrap(held.simulated.raw, held.cache)
    for _ in range(2):
        blocking.get_item(TableName=TABLE, Key=KEY)
    inner = held.simulated.simulator.async_client()
    at_once = inner._make_request

    async def for_ever(model: Any, request: Any, context: Any) -> Any:
        await at_once(model, request, context)
        await asyncio.get_running_loop().create_future()

    inner._make_request = for_ever
    writing = daxlite.wrap(inner, held.cache).put_item(TableName=TABLE, Item=NEW)

    async def begin() -> None:
        task = asyncio.ensure_future(writing)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # what asyncio would warn of is the point
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.close()
    writing.close()
    assert blocking.get_item(TableName=TABLE, Key=KEY)["Item"] == NEW


@pytest.mark.parametrize("is_closed", [False, True])
def test_nobody_waits_for_a_task_whose_loop_has_stopped(held: Held, is_closed: bool) -> None:
    held.may_answer.set()
    inner = held.simulated.simulator.async_client()

    async def for_ever(model: Any, request: Any, context: Any) -> Any:
        await asyncio.get_running_loop().create_future()

    inner._make_request = for_ever
    reading = daxlite.wrap(inner, held.cache).get_item(TableName=TABLE, Key=KEY)

    async def begin() -> None:
        task = asyncio.ensure_future(reading)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # what asyncio would warn of is the point
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    if is_closed:
        loop.close()
    assert held.start(0).result(MAX_WAIT / 3)["Item"] == OLD
    assert held.reads == 1
    loop.close()
    reading.close()
