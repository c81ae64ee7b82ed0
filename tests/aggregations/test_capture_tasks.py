"""Tasks that a coroutine function starts belong to its computation, whatever context they have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

import pytest

from daxlite.aggregations import AsyncAggregationCache
from daxlite.calls.hearing import hearing
from tests.aggregations.scripted import AsyncClient, Client, World, scripted_hearing, shared_of
from tests.calls.test_dependencies import item
from tests.scripted_client import ScriptedClient, answering_client

Start = Callable[[Any], Awaitable[Any]]


def cache_of(world: World) -> AsyncAggregationCache:
    made = AsyncAggregationCache(
        AsyncClient(world.server),
        "shop",
        sync_client=Client(world.server),
        clock=world.clock,
        wall_clock=world.clock,
        random=lambda: 0.0,
    )
    scripted_hearing(made)
    return made


async def captured(cache: AsyncAggregationCache, function: Callable[[], Awaitable[Any]], name: str = "f") -> set[bytes]:
    """What the result was stored to depend on beside what each result depends on."""
    cached = cache.cached(name=name)(function)
    request = cached._known.request((), {})
    await cached()
    return set(cache._engine.store.expected_tags(request.key)) - set(request.tags)


async def in_the_function(read: Any) -> None:
    Context().run(read)


async def in_a_task(read: Any) -> None:
    await asyncio.create_task(reading(read), context=Context())


async def in_a_task_of_the_loop(read: Any) -> None:
    await asyncio.get_running_loop().create_task(reading(read), context=Context())


async def in_a_task_of_a_task(read: Any) -> None:
    async def task() -> None:
        await asyncio.create_task(reading(read))

    await asyncio.create_task(task(), context=Context())


async def in_a_group(read: Any) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(reading(read), context=Context())


async def in_a_task_that_is_started_in_another_context(read: Any) -> None:
    await Context().run(asyncio.create_task, reading(read))


async def in_a_thread_of_a_task(read: Any) -> None:
    async def task() -> None:
        await asyncio.to_thread(read)

    await asyncio.create_task(task(), context=Context())


async def in_a_task_that_starts_at_once(read: Any) -> None:
    """As with asyncio.eager_task_factory, from Python 3.12 on: the task that runs is another one before it is known."""
    loop = asyncio.get_running_loop()

    def make(loop: Any, coroutine: Any, **options: Any) -> Any:
        creator = asyncio.current_task()
        asyncio._leave_task(loop, creator)  # type: ignore[arg-type]
        read()
        asyncio._enter_task(loop, creator)  # type: ignore[arg-type]
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(make)
    try:
        await asyncio.create_task(asyncio.sleep(0), context=Context())
    finally:
        loop.set_task_factory(None)


async def reading(read: Any) -> None:
    await asyncio.sleep(0)
    read()


WAYS = [
    in_the_function,
    in_a_task,
    in_a_task_of_the_loop,
    in_a_task_of_a_task,
    in_a_group,
    in_a_task_that_is_started_in_another_context,
    in_a_thread_of_a_task,
    in_a_task_that_starts_at_once,
]


@pytest.fixture
def client() -> ScriptedClient:
    return answering_client()


@pytest.mark.parametrize("way", WAYS)
def test_what_a_task_with_a_context_of_its_own_reads_is_captured(
    world: World, client: ScriptedClient, way: Start
) -> None:
    async def main() -> None:
        cache = cache_of(world)
        assert await captured(cache, lambda_of(way, client.get)) == shared_of(item())
        await cache.close()

    asyncio.run(main())
    assert not hearing


def lambda_of(way: Start, read: Any) -> Callable[[], Awaitable[Any]]:
    async def function() -> None:
        await way(read)

    return function


def test_tasks_of_other_callers_are_not_the_computations(world: World, client: ScriptedClient) -> None:
    """Nor are two computations one, that wait for each other in one thread."""

    async def main() -> None:
        cache = cache_of(world)
        begun, read = asyncio.Event(), asyncio.Event()

        async def waits() -> None:
            begun.set()
            await read.wait()

        async def reads() -> None:
            await begun.wait()
            await asyncio.create_task(reading(client.get), context=Context())
            read.set()

        async def other() -> None:
            await begun.wait()
            Context().run(client.query)

        first, second, _ = await asyncio.gather(
            captured(cache, waits, "waits"), captured(cache, reads, "reads"), other()
        )
        assert (first, second) == (set(), shared_of(item()))
        await cache.close()

    asyncio.run(main())


def test_a_computation_within_another_hears_what_it_reads_in_a_context_of_its_own(
    world: World, client: ScriptedClient
) -> None:
    """For threads within one for asyncio: it is its own result that depends on it."""
    process = world.process()
    inner = process.cache.cached(name="inner")(lambda: Context().run(client.get) and None)

    async def main() -> None:
        cache = cache_of(world)

        async def outer() -> None:
            await asyncio.sleep(0)
            inner()

        await captured(cache, outer, "outer")
        assert cache.stats().total.discarded == 1, "the stamps of the inner result belong to another connection"
        await cache.close()

    asyncio.run(main())
    expected = shared_of(item())
    stored = process.cache._engine.store.expected_tags(inner._known.request((), {}).key)
    assert expected <= set(stored)
