"""`follow`: reads the streams of tables, each in a thread or in a task of its own, and drops what others have changed.

    client of boto3          threads, of the program                 `with`, or `async with`, which waits for them
    client of aiobotocore    tasks, of the loop that enters          `async with`

Both take the same steps, those of `following.py`.
"""

import asyncio
import atexit
import logging
import math
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from ..core.checks import shown
from ..core.hidden import Hidden
from ..core.steps import Steps, Wait
from ..core.uncopied import Uncopied
from ..drivers.asyncio import AsyncioDriver
from ..edges.cache import Cache
from ..latch import Latch
from .arguments import check_tables, clients_of, settings_of
from .async_clients import AsyncClients
from .async_feed import AsyncFeed
from .clients import Clients
from .errors import FeedError
from .feed import Feed
from .following import Settings
from .stats import FeedStats
from .streams.reader import Start

_logger: Final = logging.getLogger("daxlite")

LONGEST_END: Final = 5.0
"""Seconds for which `close` waits for a feed: what was read is applied to the end, and the place is kept."""


class Follower(Uncopied, Hidden):
    """The feeds of some tables. It is a context manager, for `with` and `async with`; `close` or `aclose` ends it."""

    def __init__(
        self, cache: Cache, tables: Iterable[str], clients: Clients | AsyncClients, settings: Settings
    ) -> None:
        self._is_of_asyncio = isinstance(clients, AsyncClients)  # then its feeds are tasks, for `async with` alone
        self._pid = os.getpid()
        self._feeds: list[Feed | AsyncFeed] = [
            Feed(cache, name, clients, settings, self._look)
            if isinstance(clients, Clients)
            else AsyncFeed(cache, name, clients, settings, self._look)
            for name in tables
        ]
        self._is_started = self._is_awaited = self._is_told_to_end = self._is_closed = False
        self._begun = Latch()
        """Open once all feeds have begun, or one is over."""
        self._one_over, self._all_over = Latch(), Latch()

    # What there is to know

    def stats(self) -> dict[str, FeedStats]:
        """The counts of each feed, by table as it was given."""
        return {feed.name: feed.counts.snapshot() for feed in self._feeds}

    @property
    def error(self) -> Exception | None:
        """Why a feed has ended, or cannot go on; None if all is well."""
        return self._absence() or next((feed.error for feed in self._feeds if feed.error is not None), None)

    def _absence(self) -> FeedError | None:
        """Why there are no feeds here; None if there are."""
        if not self._is_started:
            return FeedError("nothing is followed yet: that begins with `async with`")
        if self._pid != os.getpid():
            return FeedError("this process is a child of the one that follows, and has no feeds of its own")
        return None

    @property
    def is_alive(self) -> bool:
        """Whether all of its feeds run, in this process."""
        is_here = self._absence() is None and not self._is_closed
        return is_here and not any(feed.is_over for feed in self._feeds)

    def _look(self) -> None:
        """A feed has begun, or is over."""
        over = [feed for feed in self._feeds if feed.is_over]
        if over or all(feed.has_begun for feed in self._feeds):
            if over and not (self._begun.is_open or self._is_awaited or self._is_told_to_end):
                _logger.error("the changes of %s are not heard of: %s", over[0].name, over[0].error)
            self._begun.open()
        if over:
            self._one_over.open()
        if len(over) == len(self._feeds):
            self._all_over.open()

    # The beginning

    def _start(self) -> None:
        """Let the feeds begin, and do not wait until they have."""
        if self._is_closed:
            raise FeedError("this follower is closed; follow() makes another one")
        if self._is_started:
            return
        self._is_started = True
        if not self._is_of_asyncio:
            _followers.add(self)
        try:
            for feed in self._feeds:
                feed.start()
        except BaseException:  # there can be no more threads
            self.stop()
            raise

    def begin(self) -> None:
        """Wait until what changes from now on is heard of. Raises what keeps a feed from that, and ends the others."""
        self._check_threads("with", "async with")
        self._is_awaited = True
        try:
            self._start()
            self._begun.wait(math.inf)
            self._check_begun()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        self.begin()
        return self

    async def __aenter__(self) -> Self:
        self._is_awaited = True
        try:
            self._start()
            await _opened(self._begun)
            self._check_begun()
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise
        return self

    def _check_begun(self) -> None:
        for feed in self._feeds:
            if feed.is_over and not feed.has_begun:
                raise feed.error or FeedError(f"the feed of {feed.name} has ended before it had begun")

    def _check_threads(self, refused: str, wanted: str) -> None:
        if self._is_of_asyncio:
            raise TypeError(f"this follower has a client of asyncio, so `{refused}` cannot wait for it: use `{wanted}`")

    # The end

    def stop(self) -> None:
        """Tell the feeds to end, and do not wait until they have: for a signal handler. `close` and `aclose` wait."""
        self._is_told_to_end = True
        for feed in self._feeds:
            feed.stop.open()

    def close(self) -> None:
        """End the feeds, with their checkpoints written. A call of DynamoDB that is under way is not waited for. A
        child process, which has no such threads, does nothing. Raises TypeError for the client of asyncio."""
        self._check_threads("close", "await aclose()")
        if not self._tell_to_end():
            return
        deadline = time.monotonic() + LONGEST_END
        for feed in self._feeds:
            if isinstance(feed, Feed):
                feed.join(max(0.0, deadline - time.monotonic()))

    async def aclose(self) -> None:
        """As `close`, for asyncio: the event loop goes on meanwhile."""
        if self._tell_to_end() and self._is_started:
            await _opened(self._all_over, LONGEST_END)

    def _tell_to_end(self) -> bool:
        """Whether they are those of this process."""
        self._is_closed = True
        _followers.discard(self)
        if self._pid != os.getpid():
            return False
        self.stop()
        return True

    async def ended(self) -> None:
        """Wait until a feed has ended by itself, and raise why; or until all have ended, as they were told to."""
        absence = self._absence()
        if absence is not None:
            raise absence
        await _opened(self._one_over)
        if self.error is not None and not self._is_told_to_end:
            raise self.error
        await _opened(self._all_over)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if kind is GeneratorExit:  # in which nothing can be awaited: the loop is gone
            self._tell_to_end()
        else:
            await self.aclose()


async def _opened(latch: Latch, seconds: float = math.inf) -> None:
    await AsyncioDriver().drive(_wait(latch, seconds))


def _wait(latch: Latch, seconds: float) -> Steps[None]:
    yield Wait(latch, seconds)


def follow(
    cache: Cache,
    tables: Iterable[str],
    *,
    client: Any = None,
    session: Any = None,
    start: Start | None = None,
    poll: float = 1.0,
) -> Follower:
    """Hear of changes that other programs make to these tables, from their streams: console, other services, TTL
    deletions, replicas in other regions. What they changed is dropped within a second or two (P6), from this process,
    the cache's shared tier and the results of aggregations. When this returns, what changes from here on is heard of;
    in a program of asyncio, once the block of `async with` is entered.

    cache: the cache of the wrapped clients. With a shared tier one follower serves all processes.
    tables: names or ARNs, in one region; each needs a stream, best with NEW_AND_OLD_IMAGES.
    client, session: a DynamoDB client or a session, for the region and the credentials; boto3's default session unless
    given. Those of boto3 are followed in threads, those of aiobotocore and aioboto3 in tasks, by `async with` alone.
    start: "latest" or "trim_horizon", where there is no checkpoint in the shared tier. Unless given, it is the latest,
    and counts as a gap.
    poll: seconds between two reads of a shard that has nothing new, at least 0.2.

    Returns a context manager, which ends the feeds. Raises TypeError or ValueError for what is not allowed,
    StreamMissingError for a table without a stream, and DynamoDB's errors.

    >>> import daxlite.feeds
    >>> def serve(cache):
    ...     with daxlite.feeds.follow(cache, tables=["Orders"]) as follower:
    ...         print(follower.stats()["Orders"].applied)
    >>> async def serve_async(cache, client):
    ...     async with daxlite.feeds.follow(cache, tables=["Orders"], client=client) as follower:
    ...         await follower.ended()
    """
    if not isinstance(cache, Cache):
        raise TypeError(f"cache is {shown(cache)}; it must be a daxlite.Cache")
    settings = settings_of(start, poll)
    follower = Follower(cache, check_tables(tables), clients_of(client, session), settings)
    if not follower._is_of_asyncio:
        if _is_in_a_loop():
            follower._start()  # the loop goes on meanwhile; `with` and `async with` wait
        else:
            follower.begin()
    return follower


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


_followers: Final[set[Follower]] = set()
"""Those that have begun and were not closed: each is to write its checkpoints, though the application forgets it."""


@atexit.register
def _end() -> None:
    """The program ends: write the checkpoints."""
    running = list(_followers)
    for each in running:
        each.stop()
    for each in running:
        with suppress(FeedError):
            each.close()
