"""Connections of daxlite's own for asyncio, made from the settings of a client.

A caller leases connections for its commands. They go back into the pool when the caller has read every reply, and are
closed in every other case: a reply that is still to come would be taken for the reply to the next command.

    take --> commands --> all replies read --> idle, for the next caller
                 '------> any exception -----> closed, this one alone

A connection that an exception loses in between is garbage, which does not count: the pool never shrinks.
"""

# twin: leave out
import asyncio

# twin: end
import sys

# twin: put in
# import time
# twin: end
from collections import deque
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from .failures import raised_by_a_signal_handler

LONGEST_WAIT: Final = 1.0
"""Seconds for which a caller waits for a connection where as many are in use as the client's settings allow."""
PAUSE: Final = 0.002
"""Seconds between two looks for one."""
_OF_ITS_POOL: Final = ("maint_notifications", "orig_", "oss_cluster_maint_notifications")
"""Settings that begin so tie a connection to the pool of the client."""


class AsyncPool:
    """Connections to one server."""

    def __init__(self, client: Any) -> None:
        """client: a client of redis-py for one server; its own pool is never used. No connection is opened.

        Raises TypeError for settings of which no connection can be made.
        """
        self.client = client
        self.source: Final = client.connection_pool
        self._settings = {
            name: value for name, value in self.source.connection_kwargs.items() if not name.startswith(_OF_ITS_POOL)
        }
        self._most = self.source.max_connections
        self._idle: deque[Any] = deque()
        self._alive: WeakSet[Any] = WeakSet()
        self._new()

    def lease(self) -> "AsyncLease":
        """What one caller takes and gives back."""
        return AsyncLease(self)

    def _new(self) -> Any:
        return self.source.connection_class(**self._settings)

    async def take(self) -> Any:
        """A connection that is open, and on which no reply is to come. Raises what redis-py raises."""
        outer = sys.exc_info()[1]
        connection = await self._idle_or_new()
        try:
            await connection.connect()
            try:
                if await connection.can_read() or not self._is_current(connection):
                    raise RedisConnectionError("the server said something, or is not the primary any more")
            except (RedisConnectionError, OSError) as error:  # the server closed it while it was idle
                if raised_by_a_signal_handler(error, outer) is not None:
                    raise
                await disconnect(connection)
                await connection.connect()
        except BaseException:
            await self.discard(connection)
            raise
        return connection

    async def _idle_or_new(self) -> Any:
        left = LONGEST_WAIT
        while True:
            with suppress(IndexError):
                return self._idle.pop()
            if len(self._alive) < self._most:
                connection = self._new()
                self._alive.add(connection)
                if len(self._alive) <= self._most:  # else another thread was faster
                    return connection
                self._alive.discard(connection)
            if left <= 0:
                raise RedisConnectionError(f"all connections are in use; max_connections is {self._most}")
            # twin: leave out
            await asyncio.sleep(PAUSE)
            # twin: put in
            # time.sleep(PAUSE)
            # twin: end
            left -= PAUSE

    def put(self, connection: Any) -> None:
        """Keep a connection for the next caller. All replies on it have been read."""
        if self._is_current(connection):
            self._idle.append(connection)

    async def discard(self, connection: Any) -> None:
        """Close a connection, and have another one take its place when one is needed."""
        self._alive.discard(connection)
        await disconnect(connection)

    def _is_current(self, connection: Any) -> bool:
        """Whether a connection goes to the primary that Sentinel names, where there is a Sentinel."""
        primary = getattr(self.source, "master_address", None)
        return primary is None or primary == (connection.host, connection.port)

    async def close(self) -> None:
        """Close what is idle. What is in use is closed or given back by its caller."""
        while self._idle:
            await self.discard(self._idle.pop())


class AsyncLease:
    """The connections of one caller. In a client of redis-py it stands in for the pool."""

    harmless: Final = (ResponseError,)
    """Errors after which no reply is to come: the server answered."""

    def __init__(self, pool: AsyncPool) -> None:
        self._pool = pool
        self._taken: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool.source, name)

    @property
    def client(self) -> Any:
        """The client, with these connections."""
        client = self._pool.client
        lent = object.__new__(type(client))
        lent.__dict__.update(client.__dict__)
        lent.connection_pool = self
        lent.connection = None
        lent.auto_close_connection_pool = False
        # twin: leave out
        lent.single_connection_client = False
        # twin: put in
        # lent._single_connection_client = False
        # twin: end
        return lent

    async def get_connection(self, *command: Any, **options: Any) -> Any:
        """As redis-py's pool."""
        connection = await self._pool.take()
        self._taken.append(connection)
        return connection

    async def release(self, connection: Any) -> None:
        """As redis-py's pool, but it waits for what the caller says of the outcome."""

    def give_back(self) -> None:
        """All replies have been read."""
        while self._taken:
            self._pool.put(self._taken.pop())

    async def discard(self) -> None:
        """A reply may be missing."""
        while self._taken:
            await self._pool.discard(self._taken.pop())


async def disconnect(connection: Any) -> None:
    """Close a connection, without an error."""
    with suppress(Exception):
        # twin: leave out
        await connection.disconnect(nowait=True)
        # twin: put in
        # connection.disconnect()
        # twin: end
