"""The same for asyncio: one logic, another driver."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
import redis.asyncio

from daxlite.aggregations import AggregationConfig, AsyncAggregationCache
from tests.aggregations.scripted import AsyncClient, Client, ScriptedAsyncDriver, World, scripted_hearing, shared_of
from tests.calls.test_dependencies import item
from tests.scripted_client import answering_client


class Process:
    """One process with an event loop."""

    def __init__(self, world: World, **config: Any) -> None:
        self.world = world
        self.cache = AsyncAggregationCache(
            AsyncClient(world.server),
            "shop",
            AggregationConfig(**config),
            sync_client=Client(world.server),
            clock=world.clock,
            wall_clock=world.clock,
            random=lambda: 0.0,
        )
        self.hearing = scripted_hearing(self.cache)
        self.driver = ScriptedAsyncDriver()
        self.driver.clock = world.clock
        self.cache._driver = self.driver
        self.cache._outbox.retry = lambda: None  # type: ignore[method-assign]

    async def __aenter__(self) -> Process:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.cache.close()
        assert not self.driver._tasks


class Counted:
    """As the one for threads."""

    def __init__(self, value: Any = 1) -> None:
        self.value, self.calls = value, 0
        self.takes: Callable[[], Awaitable[Any]] = lambda: asyncio.sleep(0)

    def function(self) -> Any:
        async def compute() -> Any:
            self.calls += 1
            value = self.value
            await self.takes()
            return value

        return compute


def test_computed_shared_near_refreshed_peeked_at_and_invalidated(world: World) -> None:
    async def main() -> None:
        async with Process(world) as one, Process(world) as other:
            source = Counted()
            totals = [process.cache.cached(name="f", tags=["x"])(source.function()) for process in (one, other)]
            assert await totals[0].peek() is None
            for _ in range(3):
                assert [await total() for total in totals] == [1, 1]
            assert source.calls == 1
            assert one.cache.stats().total.near_hits >= 1
            source.value = 2
            assert await totals[0].refresh() == 2
            assert await totals[0].peek() == 2
            for change in (
                lambda: one.cache.invalidate_tags("x"),
                lambda: other.cache.clear(),
                lambda: totals[0].invalidate(),
                lambda: totals[1].clear(),
            ):
                source.value += 1
                await change()
                assert [await total() for total in totals] == [source.value] * 2
            assert await one.cache.get_or_compute("k", source.function()) == source.value
            await other.cache.invalidate("k")
            source.value += 1
            assert await one.cache.get_or_compute("k", source.function()) == source.value

    asyncio.run(main())


def test_threads_and_tasks_share_their_results(world: World) -> None:
    async def main() -> None:
        async with Process(world) as process:
            assert await process.cache.get_or_compute("k", Counted(5).function()) == 5

    asyncio.run(main())
    assert world.process().cache.get_or_compute("k", lambda: 6) == 5


def test_tasks_that_ask_for_the_same_compute_once(world: World) -> None:
    async def main() -> None:
        async with Process(world) as process:
            source = Counted()
            total = process.cache.cached(name="f")(source.function())
            assert await asyncio.gather(*(total() for _ in range(20))) == [1] * 20
            assert source.calls == 1
            assert process.cache.stats().total.joined == 19

    asyncio.run(main())


def test_p2_a_follower_that_began_after_a_change_does_not_get_the_old_value(world: World) -> None:
    async def main() -> None:
        async with Process(world) as process:
            source, reading, go = Counted(), asyncio.Event(), asyncio.Event()

            async def slow() -> None:
                reading.set()
                await go.wait()

            source.takes = slow
            total = process.cache.cached(name="f", tags=["x"])(source.function())
            leader = asyncio.create_task(total())
            await reading.wait()
            source.value = 2
            await process.cache.invalidate_tags("x")
            follower = asyncio.create_task(total())
            await asyncio.sleep(0)
            go.set()
            assert [await leader, await follower] == [1, 2]

    asyncio.run(main())


def test_a_leader_that_is_cancelled_is_nothing_to_the_others(world: World) -> None:
    async def main() -> None:
        async with Process(world) as process:
            source, reading = Counted(), asyncio.Event()

            async def forever() -> None:
                reading.set()
                await asyncio.Event().wait()

            source.takes = forever
            total = process.cache.cached(name="f")(source.function())
            leader = asyncio.create_task(total())
            await reading.wait()
            followers = [asyncio.create_task(total()) for _ in range(3)]
            await asyncio.sleep(0)
            source.takes = lambda: asyncio.sleep(0)
            leader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leader
            assert await asyncio.gather(*followers) == [1, 1, 1]
            assert not world.server.keys(":lock")
            assert len(process.cache._flights) == 0

    asyncio.run(main())


def test_a_follower_that_is_cancelled_is_nothing_to_the_leader(world: World) -> None:
    async def main() -> None:
        async with Process(world) as process:
            source, reading, go = Counted(), asyncio.Event(), asyncio.Event()

            async def slow() -> None:
                reading.set()
                await go.wait()

            source.takes = slow
            total = process.cache.cached(name="f")(source.function())
            leader = asyncio.create_task(total())
            await reading.wait()
            followers = [asyncio.create_task(total()) for _ in range(2)]
            await asyncio.sleep(0)
            followers[0].cancel()
            await asyncio.sleep(0)
            go.set()
            assert [await leader, await followers[1]] == [1, 1]
            assert followers[0].cancelled()

    asyncio.run(main())


def test_early_refresh_in_the_background_and_close_ends_it(world: World) -> None:
    async def main() -> None:
        async with Process(world) as process:
            source = Counted()
            total = process.cache.cached(name="f", ttl=10, jitter=0.0, early_refresh=0, stale_while_revalidate=100)(
                source.function()
            )
            await total()
            world.clock.advance(20)
            source.value = 2
            assert await total() == 1
            while process.driver._tasks:
                await asyncio.sleep(0)
            assert await total() == 2
            world.clock.advance(20)
            source.takes = lambda: asyncio.Event().wait()
            assert await total() == 2
            await asyncio.sleep(0)
            assert process.driver._tasks
        assert not process.cache._engine.refreshing
        assert not world.server.keys(":lock")

    asyncio.run(main())


def test_a_task_that_asks_for_its_own_result_does_not_wait_for_itself(world: World) -> None:
    async def main() -> None:
        async with Process(world) as process:
            depth = 0

            @process.cache.cached(name="self")
            async def again() -> int:
                nonlocal depth
                depth += 1
                return depth if depth > 2 else sum(await asyncio.gather(again()))

            assert await asyncio.wait_for(again(), 10) == 3

    asyncio.run(main())


def test_what_is_read_in_tasks_and_threads_is_captured(world: World) -> None:
    async def main() -> None:
        async with Process(world) as process:
            client = answering_client()

            @process.cache.cached(name="f")
            async def reading() -> None:
                await asyncio.gather(asyncio.to_thread(client.get), asyncio.create_task(in_task()))

            async def in_task() -> None:
                client.get()

            await reading()
            request = reading._known.request((), {})
            depends = set(process.cache._engine.store.expected_tags(request.key)) - set(request.tags)
            assert depends == shared_of(item())

    asyncio.run(main())


def test_p7_redis_fails_at_any_command(world: World) -> None:
    async def main(number: int) -> bool:
        here = World()
        async with Process(here) as process:
            source = Counted()
            total = process.cache.cached(name="f")(source.function())
            await total()
            here.clock.advance(400)
            failed: list[Any] = []
            seen = 0

            def fail(command: tuple[Any, ...]) -> BaseException | None:
                nonlocal seen
                seen += command[0] != "PING"
                if seen == number and not failed:
                    failed.append(command)
                    return redis.ConnectionError("down")
                return None

            here.server.failing = fail
            source.value = 2
            assert await total() == 2
            here.server.failing = lambda command: None
            assert len(process.cache._flights) == 0
            return bool(failed)

    number = 1
    while asyncio.run(main(number)):
        number += 1
    assert number > 4


@pytest.mark.faults_expected
def test_p7_a_fault_of_ours_is_counted_and_the_answer_comes(world: World) -> None:
    async def main() -> None:
        async with Process(world) as process:
            source = Counted()
            total = process.cache.cached(name="f")(source.function())
            with world.server.down(RuntimeError("ours")):
                assert await total() == 1
                assert await total.refresh() == 1
                assert await total.peek() is None
                await total.invalidate()
            assert source.calls == 2
            assert process.cache.stats().faults >= 3
            world.clock.advance(60)
            assert await total() == 1

    asyncio.run(main())


def test_on_error_raise(world: World) -> None:
    async def main() -> None:
        async with Process(world, on_error="raise") as process:
            total = process.cache.cached(name="f")(Counted().function())
            with world.server.down():
                for call in (total, total.refresh, total.peek, total.invalidate, process.cache.clear) * 2:
                    with pytest.raises(redis.ConnectionError):
                        await call()
            world.clock.advance(100)
            assert await total() == 1

    asyncio.run(main())


def test_what_it_takes(world: World) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="sync_client"):
            AsyncAggregationCache(AsyncClient(world.server), "shop")
        async with Process(world) as process:
            with pytest.raises(TypeError, match="AggregationCache takes it"):
                process.cache.cached()(lambda: 1)  # type: ignore[arg-type,return-value]
            function = process.cache.cached(name="f")(Counted().function())
            assert "f" in repr(function)

    asyncio.run(main())


def test_an_abandoned_flight_is_flown_by_another_one_and_not_by_all(world: World) -> None:
    """One request that is cancelled, because its client hung up, is no reason for a hundred computations."""

    async def main() -> None:
        async with Process(world) as process:
            source, go = Counted(7), asyncio.Event()
            source.takes = go.wait
            function = process.cache.cached(name="f")(source.function())
            leader = asyncio.create_task(function())
            while not source.calls:
                await asyncio.sleep(0)
            others = [asyncio.create_task(function()) for _ in range(100)]
            for _ in range(20):
                await asyncio.sleep(0)
            leader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leader
            for _ in range(20):
                await asyncio.sleep(0)
            go.set()
            assert await asyncio.gather(*others) == [7] * 100
            assert source.calls == 2
            assert not world.server.keys(":lock")

    asyncio.run(main())


def test_a_refresh_that_is_cancelled_before_its_first_step_can_be_made_later(world: World) -> None:
    async def main() -> None:
        async with Process(world, near_bytes=0) as process:
            source = Counted(1)
            function = process.cache.cached(name="f", ttl=10, stale_while_revalidate=600, jitter=0.0, early_refresh=0)(
                source.function()
            )
            await function()
            world.clock.advance(20)
            source.value = 2
            assert await function() == 1
            assert process.driver._tasks
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()  # as code that shuts down does
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not process.cache._engine.refreshing
            assert source.calls == 1, "it was to have no time to begin"
            world.clock.advance(20)  # its lock ends
            assert await function() == 1
            for _ in range(20):
                await asyncio.sleep(0)
            assert await function() == 2

    asyncio.run(main())


def test_no_more_is_computed_in_the_background_than_is_allowed(world: World) -> None:
    """300 results past their TTL would start as many tasks at once; now they take their turns."""

    async def main() -> None:
        running = most = 0
        gate = asyncio.Event()

        async def compute() -> int:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await gate.wait()
            running -= 1
            return 1

        async with Process(world, max_background=3) as process:

            async def ask() -> list[int]:
                options: Any = {"ttl": 100, "jitter": 0.0, "early_refresh": 0, "stale_while_revalidate": 50}
                return [await process.cache.get_or_compute(number, compute, **options) for number in range(300)]

            gate.set()
            assert await ask() == [1] * 300
            world.clock.advance(101)
            gate.clear()
            most = 0
            for _ in range(3):
                assert await ask() == [1] * 300, "as it was, at once"
                await asyncio.sleep(0)
            assert (running, most) == (3, 3)
            computed = process.cache.stats().total.computations
            gate.set()
            while running:
                await asyncio.sleep(0)
            while process.cache._engine.refreshing:
                await asyncio.sleep(0)
            gate.clear()
            await ask()
            gate.set()
            while process.cache._engine.refreshing:
                await asyncio.sleep(0)
            assert process.cache.stats().total.computations == computed + 3, "the next ones take their turns"
            assert most == 3

    asyncio.run(main())
