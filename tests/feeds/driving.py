"""Runs the feed of the table `Orders` by a virtual clock: its stream is simulated, its Redis is scripted.

    write()                  another program, or a wrapped client, writes an item: its record is in the stream
    begin(), run()           a follower begins, and goes on for some seconds
    die(), stop()            it is killed where it is, or told to end
    cancel_at                the task that it is in is cancelled, as a loop ends

After each step of a follower the checkpoint is looked at: what it says was read must be what readers see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias, cast

from botocore.exceptions import ClientError

from daxlite.core.steps import Call, Get, Run, Step, Steps, Wait
from daxlite.feeds.async_clients import AsyncClients
from daxlite.feeds.async_feed import AsyncFeed
from daxlite.feeds.described import FollowedTable
from daxlite.feeds.errors import EndedError
from daxlite.feeds.following import Settings, Source, TableFeed
from daxlite.feeds.stats import FeedCounts
from daxlite.shared.following import Announcement, announce
from tests.feeds.handing import HandingConnection, HandingDriver
from tests.feeds.shop import STREAM, Shop
from tests.feeds.streamed_shop import StreamedShop
from tests.feeds.streams.service import ARN
from tests.simulated_client import TABLE

UnderWay: TypeAlias = Steps[None] | Coroutine[Step, Any, None]
LATENCY: Final = 0.002
"""Seconds that a request takes."""
BEGINS: Final = 600.0
"""Seconds in which a follower has to begin."""
SECOND_STREAM: Final = STREAM.replace("2026", "2027")
WITH_CHECKPOINTS: Final = Settings(needs_checkpoint=True)
FROM_THE_END: Final = Settings("latest", needs_checkpoint=False)
AS_A_COMMAND: Final = Settings(is_patient=False, needs_tier=True)
ANYWHERE: Final = range(1, 31)
"""Steps at which something happens: those of a beginning, and some of what follows it."""
DENIED: Final = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "a call")


class FaultError(Exception):
    """A fault of daxlite's own."""


class Street(StreamedShop):
    """A shop, the streams of its table, and one follower at a time."""

    def __init__(self, shop: Shop, edge: str = "threads") -> None:
        """edge: whose driver takes the steps; that of "threads" stands aside."""
        super().__init__(shop)
        self._edge = edge
        self.errors: dict[str, Exception] = {}
        """By operation: what it raises from here on."""
        self.reply: dict[str, Any] | None = None
        """What the next GetRecords brings instead of what is there."""
        self.calls: list[str] = []
        """The operations that the follower has sent."""
        self.steps = 0
        """Steps that it has taken."""
        self.at_step: Callable[[int], None] = lambda number: None
        self.cancel_at: tuple[int, bool] | None = None
        """At which step, and whether that is taken."""
        self._ids = 0
        self._under_way: UnderWay | None = None
        self._next: Step | None = None
        self.feed: TableFeed
        self.counts: FeedCounts

    def follow(self, settings: Settings = WITH_CHECKPOINTS) -> None:
        """A follower has kept its place, and a reader has cached all items."""
        self.begin(settings)
        self.run(2)
        self.cache_all()
        self.run(12)
        assert self.checkpoint is not None

    def make(self, settings: Settings = WITH_CHECKPOINTS, table: str = TABLE) -> TableFeed:
        """A follower in a process of its own, that has not begun."""
        self.cache = self.shop.process()
        context = self.context = _context(self.shop, self.cache)
        self.counts = FeedCounts(table)
        self.feed = TableFeed(FollowedTable(context, table), self.counts, settings, self._source())
        server = context.tier.server
        server.asyncio = HandingConnection(server)
        return self.feed

    def _taken(self, steps: Steps[None]) -> UnderWay:
        return steps if self._edge == "threads" else HandingDriver().drive(steps)

    def _source(self) -> Source:
        return Source(self.clock.now, self.clock.now, lambda: 0.5, self._new_bytes)

    def _new_bytes(self, count: int) -> bytes:
        self._ids += 1
        return b"%0*d" % (count, self._ids)

    def begin(self, settings: Settings = WITH_CHECKPOINTS) -> TableFeed:
        """A follower has begun."""
        self.start(settings)
        self.run(BEGINS)
        assert self._under_way is None, "it has not begun"
        self._under_way = self._taken(self.feed.follow())
        return self.feed

    def begin_and_follow(self, seconds: float, between: Callable[[], object] = lambda: None) -> None:
        """Go on with one that is about to begin, and some seconds beyond."""
        self.run(20)
        between()
        self._under_way = self._taken(self.feed.follow())
        self.run(seconds)

    def start(self, settings: Settings = WITH_CHECKPOINTS) -> None:
        """A follower is about to begin."""
        self._under_way, self._next = self._taken(self.make(settings).begin()), None

    def start_a_task(self, settings: Settings = WITH_CHECKPOINTS) -> AsyncFeed:
        """A follower for asyncio is about to begin, and goes on to its end."""
        feed = self.make(settings)
        task = AsyncFeed(self.cache, TABLE, cast(AsyncClients, None), settings, lambda: None)
        self._under_way, self._next = task.take(feed, HandingDriver()), None
        return task

    def run(self, seconds: float) -> None:
        """Go on for so long, or until the present steps are over."""
        end = self.clock.now() + seconds
        try:
            while self._under_way is not None:
                if self._next is None:
                    self._next = self._under_way.send(None)
                step = self._next
                if self.clock.now() >= end:
                    return
                if isinstance(step, Wait) and not self.feed.stop.is_open:
                    left = end - self.clock.now()
                    self.clock.advance(max(0.0, min(step.seconds, left)))
                    self._deliver()
                    if step.seconds > left:
                        return
                self._next = self._take(step)
        except StopIteration:
            self._under_way = self._next = None
        except BaseException:
            self.die()
            raise

    def _take(self, step: Step) -> Step:
        assert self._under_way is not None
        self.steps += 1
        self.at_step(self.steps)
        number, is_taken = self.cancel_at or (0, True)
        error: BaseException | None = None
        reply = None
        try:
            if self.steps != number or is_taken:
                reply = self._reply(step)
        except Exception as raised:  # noqa: BLE001 - it is raised where the step was yielded, as drivers do
            error = raised
        if self.steps == number:
            error = asyncio.CancelledError()
        if error is not None:
            return self._under_way.throw(error)
        self.judge_checkpoint()
        return self._under_way.send(reply)

    def _reply(self, step: Step) -> Any:
        match step:
            case Call(operation, params):
                if self.feed.stop.is_open:
                    raise EndedError(f"{operation} is not sent: the feed ends")
                self.clock.advance(LATENCY)
                return self._send(operation, params)
            case Get(server, keys):
                return server.threads.get(keys)
            case Run(server, commands, is_urgent):
                return server.threads.run(commands, is_urgent)
            case Wait():
                return None
        raise AssertionError(step)

    def _send(self, operation: str, params: dict[str, Any]) -> Any:
        self.calls.append(operation)
        if (error := self.errors.get(operation)) is not None:
            raise error
        if operation == "DescribeTable":
            return self.shop.raw.describe_table(**params)
        if operation == "GetRecords":
            arn, iterator = params["ShardIterator"].split("#")
            found = self.streams[arn].send(operation, {"ShardIterator": iterator})
            if self.reply is not None:
                found, self.reply = {**found, **self.reply}, None
            return _named(found, "NextShardIterator", arn)
        arn = params["StreamArn"]
        found = self.streams[arn].send(operation, {**params, "StreamArn": ARN})
        return _named(found, "ShardIterator", arn)

    def _deliver(self) -> None:
        """As the thread that delivers what is pending does, which does not run here."""
        tier = self.cache._tier
        assert tier is not None
        if tier.outbox:
            tier.outbox.try_again()  # type: ignore[attr-defined]

    @property
    def is_over(self) -> bool:
        return self._under_way is None

    def stop(self) -> float:
        """End it. Returns the seconds that it took."""
        began = self.clock.now()
        self.feed.stop.open()
        self.run(BEGINS)
        assert self.is_over
        return self.clock.now() - began

    def die(self) -> None:
        """It is killed where it is. What it had for Redis in its memory is lost."""
        if self._under_way is not None:
            self._under_way.close()
        self._under_way = self._next = None

    def stand_in_for(self, rival: Announcement) -> None:
        """Another follower announces that it reads the stream."""
        tier = self.cache._tier
        assert tier is not None
        tier.server.threads.run([announce(tier.keyspace, self.feed._table.feed, rival)])


def _context(shop: Shop, cache: Any) -> Any:
    import daxlite

    return daxlite.wrap(shop.raw, cache)._self_dispatcher.context


def _named(response: dict[str, Any], name: str, arn: str) -> dict[str, Any]:
    """A response whose iterator tells its stream."""
    return {**response, name: f"{arn}#{response[name]}"} if response.get(name) else response
