"""Followers in programs of asyncio, in threads and in tasks: how they begin, how they end, and what they say of it."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from botocore.exceptions import ClientError

import daxlite
from daxlite.feeds import FeedError, Follower, StreamMissingError, follow
from daxlite.feeds.applying import CHUNK
from daxlite.feeds.async_clients import AsyncClients
from daxlite.feeds.clients import Clients
from daxlite.feeds.following import Settings, TableFeed
from tests.aggregations.servers.waiting import wait_until
from tests.feeds.scripted_clients import Script, TaskClients, ThreadClients, record
from tests.feeds.shop import Shop

SOON = 1.0
"""Seconds in which a follower has to end."""
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeTable")
Make = Callable[..., Follower]


@pytest.fixture
def script(one_shop: Shop) -> Iterator[Script]:
    made = Script(one_shop.raw)
    yield made
    made.ends.set()


@pytest.fixture(params=[ThreadClients, TaskClients])
def make(request: pytest.FixtureRequest, script: Script) -> Make:
    """A follower in threads, and one in tasks. `make(tables)`, which have not begun."""
    cache = daxlite.Cache()

    def follower(*tables: str) -> Follower:
        return Follower(cache, tables or ["Orders"], request.param(script), Settings(poll=0.2))

    return follower


@pytest.fixture
def in_tasks(script: Script) -> Follower:
    return Follower(daxlite.Cache(), ["Orders", "Prices"], TaskClients(script), Settings(poll=0.2))


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    wait_until(
        "threads have ended", lambda: not [each for each in threading.enumerate() if "daxlite-feed" in each.name]
    )


# It begins


def test_it_follows_within_the_block(make: Make, script: Script) -> None:
    async def main() -> None:
        async with make("Orders", "Prices") as follower:
            assert (follower.is_alive, follower.error) == (True, None)
            script.records = [record(1)]
            await script.until("GetRecords", script.calls.count("GetRecords") + 3)
            assert sum(each.records for each in follower.stats().values()) == 1
        assert (follower.is_alive, follower.error) == (False, None)

    asyncio.run(main())


def test_what_keeps_it_from_beginning_is_raised_and_ends_the_other_feeds(make: Make, script: Script) -> None:
    script.errors["DescribeTable"] = DENIED

    async def main() -> None:
        with pytest.raises(ClientError, match="AccessDenied"):
            async with make("Orders", "Prices"):
                raise AssertionError("it has begun")

    asyncio.run(main())


def test_a_task_that_is_cancelled_while_its_follower_begins_leaves_nothing_behind(make: Make, script: Script) -> None:
    script.hanging.add("DescribeTable")

    async def main() -> None:
        async def enter() -> None:
            async with make():
                raise AssertionError("it has begun")

        entering = asyncio.create_task(enter())
        await script.until("DescribeTable")
        began = time.monotonic()
        entering.cancel()
        await asyncio.wait([entering])
        assert entering.cancelled()
        assert time.monotonic() - began < SOON

    asyncio.run(main())


def test_one_of_tasks_does_not_follow_before_it_is_entered(in_tasks: Follower) -> None:
    assert not in_tasks.is_alive
    assert "async with" in str(in_tasks.error)

    async def main() -> None:
        with pytest.raises(FeedError, match="async with"):
            await in_tasks.ended()
        await in_tasks.aclose()
        with pytest.raises(FeedError, match="closed"):
            async with in_tasks:
                raise AssertionError("it has begun")

    asyncio.run(main())


def test_one_of_tasks_is_refused_by_with(in_tasks: Follower) -> None:
    with pytest.raises(TypeError, match="use `async with`"), in_tasks:
        raise AssertionError("it has begun")
    with pytest.raises(TypeError, match=r"use `await aclose\(\)`"):
        in_tasks.close()


# In a loop, with a client of boto3


@pytest.fixture
def of_boto3(script: Script, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Follower]:
    """`follow` with a client of boto3."""
    monkeypatch.setattr("daxlite.feeds.follower.clients_of", lambda client, session: ThreadClients(script))
    return lambda: follow(daxlite.Cache(), ["Orders"], client=script.dynamodb, poll=0.2)


def test_within_a_loop_follow_returns_at_once_and_entering_waits(
    of_boto3: Callable[[], Follower], script: Script
) -> None:
    script.hanging.add("DescribeTable")

    async def main() -> None:
        follower = of_boto3()
        assert follower.error is None
        await script.until("DescribeTable")
        asyncio.get_running_loop().call_later(0.01, script.ends.set)
        async with follower:
            assert "GetShardIterator" in script.calls

    asyncio.run(main())


def test_within_a_loop_with_waits_too(of_boto3: Callable[[], Follower], script: Script) -> None:
    async def main() -> None:
        with of_boto3() as follower:
            assert "GetShardIterator" in script.calls
            assert follower.is_alive
        assert not follower.is_alive

    asyncio.run(main())


def test_within_a_loop_one_that_nobody_enters_says_why_it_does_not_begin(
    of_boto3: Callable[[], Follower], script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    script.errors["DescribeTable"] = DENIED

    async def main() -> None:
        follower = of_boto3()
        with pytest.raises(ClientError, match="AccessDenied"):
            await follower.ended()
        assert isinstance(follower.error, ClientError)
        await follower.aclose()

    asyncio.run(main())
    assert [each for each in caplog.messages if each.startswith("the changes of Orders are not heard of: ")]


# It ends


class OfTheBlockError(Exception):
    """What the application raises."""


def test_leaving_the_block_does_not_wait_for_a_call(make: Make, script: Script) -> None:
    script.hanging.add("GetRecords")

    began: list[float] = []
    follower = make("Orders", "Prices")

    async def main() -> None:
        async with follower:
            await script.until("GetRecords", 2)
            began.append(time.monotonic())
            raise OfTheBlockError

    with pytest.raises(OfTheBlockError):
        asyncio.run(main())
    assert not follower.is_alive
    assert time.monotonic() - began[0] < SOON


def test_a_block_that_is_cancelled_ends_it(make: Make) -> None:
    follower = make()

    async def main() -> None:
        is_entered = asyncio.Event()

        async def serve() -> None:
            async with follower:
                is_entered.set()
                await follower.ended()

        serving = asyncio.create_task(serve())
        await is_entered.wait()
        began = time.monotonic()
        serving.cancel()
        await asyncio.wait([serving])
        assert serving.cancelled()
        assert time.monotonic() - began < SOON
        assert not follower.is_alive

    asyncio.run(main())


def test_it_is_told_to_end_by_another_thread(make: Make) -> None:
    async def main() -> None:
        async with make() as follower:
            ended = asyncio.create_task(follower.ended())
            await asyncio.to_thread(follower.stop)
            await asyncio.wait_for(ended, SOON)
            assert not follower.is_alive

    asyncio.run(main())


def test_the_client_of_the_streams_is_closed_by_the_last_feed(in_tasks: Follower, script: Script) -> None:
    async def main() -> None:
        async with in_tasks:
            assert not script.is_closed
        assert script.is_closed

    asyncio.run(main())


def test_a_loop_that_ends_ends_it(in_tasks: Follower, script: Script) -> None:
    async def main() -> None:
        await in_tasks.__aenter__()
        await script.until("GetRecords")

    asyncio.run(main())
    assert script.is_closed
    assert not in_tasks.is_alive
    assert "was cancelled" in str(in_tasks.error)


def test_a_loop_that_is_closed_leaves_a_follower_that_says_nothing(
    in_tasks: Follower, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(in_tasks.__aenter__())
    loop.run_until_complete(script.until("GetRecords"))
    loop.close()
    in_tasks.stop()
    for feed in in_tasks._feeds:
        feed._task = None  # type: ignore[union-attr]
    gc.collect()
    assert {each.name for each in caplog.records if each.levelno >= logging.WARNING} == {"asyncio"}


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_block_that_is_collected_waits_for_nothing(in_tasks: Follower, is_begun: bool) -> None:
    async def block() -> None:
        async with in_tasks:
            begun.set()
            await asyncio.Event().wait()

    async def main() -> None:
        task: Any = asyncio.ensure_future(running)
        task._log_destroy_pending = False  # what asyncio would warn of is the point
        await (begun.wait() if is_begun else asyncio.sleep(0))

    running, begun = block(), asyncio.Event()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    running.close()
    assert not in_tasks.is_alive
    loop.run_until_complete(in_tasks.aclose())
    loop.close()


# It fails


@pytest.mark.faults_expected
def test_a_feed_that_fails_is_told_and_can_be_awaited(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(feed: TableFeed) -> Any:
        raise ValueError("a fault of daxlite's")
        yield

    monkeypatch.setattr(TableFeed, "follow", failing)

    async def main() -> None:
        async with make() as follower:
            with pytest.raises(ValueError, match="a fault of"):
                await asyncio.wait_for(follower.ended(), SOON)
            assert isinstance(follower.error, ValueError)
            assert not follower.is_alive

    asyncio.run(main())


def test_a_task_that_is_cancelled_by_itself_is_told(in_tasks: Follower, script: Script) -> None:
    async def main() -> None:
        async with in_tasks:
            await script.until("GetRecords")
            feed = next(task for task in asyncio.all_tasks() if task.get_name() == "daxlite-feed-Prices")
            feed.cancel()
            with pytest.raises(FeedError, match="the feed of Prices was cancelled"):
                await asyncio.wait_for(in_tasks.ended(), SOON)
            assert not in_tasks.is_alive

    asyncio.run(main())


# What it leaves to others


def test_many_records_at_once_do_not_hold_the_loop(in_tasks: Follower, script: Script) -> None:
    async def main() -> None:
        async with in_tasks:
            counts = in_tasks._feeds[0].counts
            seen = set()
            script.records = [record(number) for number in range(4 * CHUNK)]
            while counts.records + in_tasks._feeds[1].counts.records < 4 * CHUNK:
                await asyncio.sleep(0)
                seen.add(counts.records + in_tasks._feeds[1].counts.records)
            assert seen == {0, CHUNK, 2 * CHUNK, 3 * CHUNK, 4 * CHUNK}

    asyncio.run(main())


def test_its_waits_leave_nothing_behind(in_tasks: Follower, script: Script) -> None:
    async def main() -> None:
        async with in_tasks:
            await script.until("GetRecords", 10)
            assert all(len(feed.stop._callbacks) <= 2 for feed in in_tasks._feeds), "of its calls, and of one wait"

    asyncio.run(main())


def test_what_a_task_is_part_of_is_not_what_its_follower_is_part_of(in_tasks: Follower, script: Script) -> None:
    """As a computation that happens to start it, whose reads would be the feed's."""
    mine: ContextVar[str] = ContextVar("mine", default="")
    seen = set()
    reply = script.reply
    script.reply = lambda *call: (seen.add(mine.get()), reply(*call))[1]  # type: ignore[method-assign]

    async def main() -> None:
        mine.set("the application's")
        async with in_tasks:
            await script.until("GetRecords")

    asyncio.run(main())
    assert seen == {""}


# What is given


@pytest.mark.parametrize("clients", [Clients, AsyncClients])
def test_a_client_or_a_session(clients: type[Clients | AsyncClients], one_shop: Shop) -> None:
    with pytest.raises(TypeError, match="either a client or a session"):
        clients(one_shop.raw, one_shop.raw)
    with pytest.raises(TypeError, match="client is a Script; it must be a"):
        clients(client=Script(None))
    with pytest.raises(TypeError, match="session is 'us-east-1'; it must be a"):
        clients(session="us-east-1")


def test_a_missing_table_is_told(make: Make, script: Script) -> None:
    script.errors["DescribeTable"] = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "a")

    async def main() -> None:
        with pytest.raises(StreamMissingError, match="there is no table Orders"):
            async with make():
                raise AssertionError("it has begun")

    asyncio.run(main())
