"""The feed of one table, in a task of its own: it takes its place in the stream, and goes on from there."""

# twin: leave out
import asyncio
import contextvars

# twin: put in
# import threading
# twin: end
import os
import time
from collections.abc import Callable
from contextlib import suppress
from random import SystemRandom

from ..core.hidden import Hidden
from ..drivers.asyncio import AsyncioDriver
from ..edges.cache import Cache
from ..latch import Latch
from .async_clients import AsyncClients
from .async_sending import AsyncSending
from .described import FollowedTable
from .errors import FeedError
from .following import Settings, Source, TableFeed
from .stats import FeedCounts


class AsyncFeed(Hidden):
    """Follows one table, in a task of its own."""

    def __init__(
        self, cache: Cache, name: str, clients: AsyncClients, settings: Settings, on_news: Callable[[], object]
    ) -> None:
        """on_news: is called once it has begun, and once it is over."""
        self.name = name
        self.counts = FeedCounts(name)
        self.stop = Latch()
        """Opened, it ends the feed."""
        self.has_begun = False
        """Whether what changes from now on is heard of."""
        self.is_over = False
        self._cache = cache
        self._clients = clients
        self._settings = settings
        self._on_news = on_news
        self._table_feed: TableFeed | None = None
        self._fault: Exception | None = None
        # twin: leave out
        self._task: asyncio.Task[None] | None = None
        # twin: put in
        # self._thread: threading.Thread | None = None
        # twin: end

    @property
    def error(self) -> Exception | None:
        """Why it has ended, or cannot go on; None if all is well."""
        return self._fault or (None if self._table_feed is None else self._table_feed.error)

    # twin: leave out
    def start(self) -> None:
        """Let it run, in the running loop. It is no part of what its caller does."""
        nothing = contextvars.Context()
        running = self._run()
        self._task = asyncio.get_running_loop().create_task(running, name=f"daxlite-feed-{self.name}", context=nothing)
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._fault = self._fault or FeedError(f"the feed of {self.name} was cancelled")
        self.is_over = True
        self._on_news()

    # twin: put in
    # def start(self) -> None:
    #     """Let it run."""
    #     self._thread = threading.Thread(target=self._run, name=f"daxlite-feed-{self.name}", daemon=True)
    #     self._thread.start()
    #
    # def join(self, seconds: float) -> None:
    #     """Wait until its thread has ended, for so long at most."""
    #     if self._thread is not None and self._thread is not threading.current_thread():
    #         self._thread.join(seconds)
    #
    # twin: end
    async def _run(self) -> None:
        try:
            async with self._clients:
                await self._follow()
        except Exception as error:  # noqa: BLE001 - it has not begun: who waits for that raises it
            self._fault = error
        # twin: put in
        # finally:
        #     self.is_over = True
        #     self._on_news()
        # twin: end

    async def _follow(self) -> None:
        clients, stop = self._clients, self.stop
        source = Source(time.monotonic, time.time, SystemRandom().random, os.urandom, clients.may_filter, stop)
        table = FollowedTable(clients.context(self._cache), self.name)
        feed = TableFeed(table, self.counts, self._settings, source)
        # twin: leave out
        sending = AsyncSending(clients.send, stop)
        # twin: put in
        # sending = Sending(clients.send, stop, f"daxlite-calls-{self.name}")
        # twin: end
        await self.take(feed, AsyncioDriver(sending))

    async def take(self, feed: TableFeed, driver: AsyncioDriver) -> None:
        """Take the steps of a feed from its beginning to its end. Raises what its beginning raises."""
        self._table_feed = feed
        try:
            await driver.drive(feed.begin())
            self.has_begun = True
            self._on_news()
            await self._go_on(feed, driver)
        finally:
            feed.leave()

    async def _go_on(self, feed: TableFeed, driver: AsyncioDriver) -> None:
        try:
            await driver.drive(feed.follow())
        # twin: leave out
        except asyncio.CancelledError:  # of all tasks, as a loop ends
            await driver.drive(feed.keep_place())
            raise
        # twin: end
        except Exception as error:  # noqa: BLE001 - in a task: no caller could handle it
            self._fault = error
            self._cache._memory.fault(error)
            # Nothing is heard of any more, so nothing that was heard of is worth more than its TTL.
            with suppress(Exception):
                await driver.drive(feed.drop_all())
