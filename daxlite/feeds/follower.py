"""`follow`: a thread for each table, which reads the table's stream and drops what others have changed."""

import atexit
import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from random import SystemRandom
from types import TracebackType
from typing import Any, Final, Self

from ..cache.regions import check_table
from ..core.checks import is_number, shown
from ..core.hidden import Hidden
from ..core.tables import region_and_name
from ..core.uncopied import Uncopied
from ..drivers.threads import ThreadDriver
from ..edges.cache import Cache
from .clients import Clients
from .described import FollowedTable
from .errors import FeedError
from .following import Settings, Source, TableFeed
from .sending import Sending
from .stats import FeedCounts, FeedStats
from .streams.reader import SPACING, Start

LONGEST_END: Final = 5.0
"""Seconds for which `close` waits for a thread: what was read is applied to the end, and the place is kept."""


class Follower(Uncopied, Hidden):
    """The feeds of some tables. It is a context manager; `close` ends it."""

    def __init__(self, cache: Cache, tables: Iterable[str], clients: Clients, settings: Settings) -> None:
        self._clients = clients
        self._pid = os.getpid()
        self._feeds = [_Feed(cache, name, clients, settings) for name in tables]
        self._is_closed = False

    def begin(self) -> None:
        """Take the place in each stream, then start the threads."""
        try:
            for feed in self._feeds:
                feed.begin()
            for feed in self._feeds:
                feed.start()
        except BaseException:
            self.close()
            raise
        _followers.add(self)

    def stats(self) -> dict[str, FeedStats]:
        """The counts of each feed, by table as it was given."""
        return {feed.name: feed.counts.snapshot() for feed in self._feeds}

    @property
    def error(self) -> Exception | None:
        """Why a feed has ended, or cannot go on; None if all is well."""
        if self._pid != os.getpid():
            return FeedError("this process is a child of the one that follows, and has no feeds of its own")
        return next((feed.error for feed in self._feeds if feed.error is not None), None)

    @property
    def is_alive(self) -> bool:
        """Whether all of its threads run, in this process."""
        return not self._is_closed and self._pid == os.getpid() and all(feed.is_alive for feed in self._feeds)

    def stop(self) -> None:
        """Tell the feeds to end, and do not wait until they have: for a signal handler. `close` waits."""
        for feed in self._feeds:
            feed.table_feed.stop.open()

    def close(self) -> None:
        """End the feeds, with their checkpoints written. A call of DynamoDB that is under way is not waited for. A
        child process, which has no such threads, does nothing."""
        self._is_closed = True
        _followers.discard(self)
        if self._pid != os.getpid():
            return
        self.stop()
        deadline = time.monotonic() + LONGEST_END
        for feed in self._feeds:
            feed.join(max(0.0, deadline - time.monotonic()))
            feed.table_feed.leave()  # one that never started, too

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


class _Feed(Hidden):
    """One table, and its thread."""

    def __init__(self, cache: Cache, name: str, clients: Clients, settings: Settings) -> None:
        self.name = name
        self.counts = FeedCounts(name)
        self._cache = cache._memory
        source = Source(time.monotonic, time.time, SystemRandom().random, os.urandom, clients.may_filter)
        table = FollowedTable(clients.context(cache), name)
        self.table_feed = TableFeed(table, self.counts, settings, source)
        self._driver = ThreadDriver(Sending(clients.send, self.table_feed.stop, f"daxlite-calls-{name}"))
        self._thread: threading.Thread | None = None
        self._fault: Exception | None = None

    def begin(self) -> None:
        self._driver.drive(self.table_feed.begin())

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"daxlite-feed-{self.name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._driver.drive(self.table_feed.follow())
        except Exception as error:  # noqa: BLE001 - in a thread: no caller could handle it
            self._fault = error
            self._cache.fault(error)
            # Nothing is heard of any more, so nothing that was heard of is worth more than its TTL.
            with suppress(Exception):
                self._driver.drive(self.table_feed.drop_all())

    @property
    def error(self) -> Exception | None:
        return self._fault or self.table_feed.error

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def join(self, seconds: float) -> None:
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)


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
    the cache's shared tier and the results of aggregations. When this returns, what changes from here on is heard of.

    cache: the cache of the wrapped clients. With a shared tier one follower serves all processes.
    tables: names or ARNs, in one region; each needs a stream, best with NEW_AND_OLD_IMAGES.
    client, session: a DynamoDB client or a boto3.Session, for the region and the credentials; the default session
    unless given.
    start: "latest" or "trim_horizon", where there is no checkpoint in the shared tier. Unless given, it is the latest,
    and counts as a gap.
    poll: seconds between two reads of a shard that has nothing new, at least 0.2.

    Returns a context manager, which ends the feeds. Raises TypeError or ValueError for what is not allowed,
    StreamMissingError for a table without a stream, and DynamoDB's errors.

    >>> import daxlite.feeds
    >>> def serve(cache):
    ...     with daxlite.feeds.follow(cache, tables=["Orders"]) as follower:
    ...         print(follower.stats()["Orders"].applied)
    """
    if not isinstance(cache, Cache):
        raise TypeError(f"cache is {shown(cache)}; it must be a daxlite.Cache")
    names = check_tables(tables)
    if start not in (None, "latest", "trim_horizon"):
        raise ValueError(f'start is {shown(start)}; it must be "latest" or "trim_horizon", or None')
    if not is_number(poll) or not SPACING <= poll <= 60:
        raise ValueError(f"poll is {shown(poll)}; it must be a number of seconds from {SPACING} to 60")
    settings = Settings(start or "latest", float(poll), needs_checkpoint=start is None)
    follower = Follower(cache, names, Clients(client, session), settings)
    follower.begin()
    return follower


def check_tables(tables: Iterable[str]) -> list[str]:
    """The names or ARNs, each once. Raises TypeError or ValueError for what is none."""
    if isinstance(tables, str) or not isinstance(tables, Iterable):
        raise TypeError(f"tables is {shown(tables)}; it must be a list of names or ARNs")
    names = list(tables)
    if not names:
        raise ValueError("tables is empty; it must have the name or the ARN of a table")
    for name in names:
        check_table(name, None)
    # A name and an ARN of it are one table.
    return list({region_and_name(name)[1]: name for name in reversed(names)}.values())[::-1]


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
