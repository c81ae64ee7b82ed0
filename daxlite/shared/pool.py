"""Connections of daxlite's own for threads, made from the settings of a client.

A caller leases connections for its commands. They go back into the pool when the caller has read every reply, and are
closed in every other case: a reply that is still to come would be taken for the reply to the next command.

    take --> commands --> all replies read --> idle, for the next caller
                 '------> any exception -----> closed, this one alone

A connection that an exception loses in between is garbage, which does not count: the pool never shrinks.

Nothing that was sent is sent a second time by redis-py, as it does by default: where the first reply alone was lost, a
script would have run twice, and a change whose token has been replaced meanwhile would put the old one on top again.
"""

import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MaxConnectionsError, ResponseError
from redis.retry import Retry

from ..core.steps import Command
from .deadlines import left_until, timed
from .failures import raised_by_a_signal_handler

LONGEST_WAIT: Final = 1.0
"""Seconds for which a caller waits for a connection where as many are in use as the client's settings allow."""
PAUSE: Final = 0.002
"""Seconds between two looks for one."""
OF_ITS_POOL: Final = ("maint_notifications", "orig_", "oss_cluster_maint_notifications")
"""Settings that begin so tie a connection to the pool of the client."""


class Pool:
    """Connections to one server."""

    def __init__(self, client: Any, timeout: float | None = None) -> None:
        """client: a client of redis-py for one server; its own pool is never used. No connection is opened. timeout:
        seconds for a connection, and for a reply; None: as the client has it.

        Raises TypeError for settings of which no connection can be made.
        """
        self.client = client
        self.source: Final = client.connection_pool
        self._settings = {
            name: value for name, value in self.source.connection_kwargs.items() if not name.startswith(OF_ITS_POOL)
        }
        self._settings["retry"] = Retry(NoBackoff(), 0)
        if timeout is not None:
            self._settings |= {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        self._class = timed(self.source.connection_class)
        self._most = self.source.max_connections
        self._idle: deque[Any] = deque()
        self._alive: WeakSet[Any] = WeakSet()
        self.broken = 0
        """How many connections were found broken, and replaced: by one to another server, perhaps."""
        manager = getattr(self.source, "sentinel_manager", None)
        self._sentinels = None if manager is None else Sentinels(manager, self.source.service_name, timeout)
        self._new()

    def lease(self, deadline: float | None = None) -> "Lease":
        """What one caller takes and gives back. deadline: by `time.monotonic`."""
        return Lease(self, deadline)

    def _new(self) -> Any:
        return self._class(**self._settings)

    def take(self, deadline: float | None = None) -> tuple[Any, bool]:
        """A connection that is open, and on which no reply is to come, and whether it was open already. Raises what
        redis-py raises."""
        outer = sys.exc_info()[1]
        connection, was_open = self._idle_or_new(deadline)
        try:
            connection.limit.deadline = deadline
            if self._sentinels is not None:
                connection.connection_pool = Primary(self._sentinels, deadline)
            connection.connect()
            try:
                if was_open and (is_readable(connection) or not self._is_current(connection)):
                    raise RedisConnectionError("the server said something, or is not the primary any more")
            except (RedisConnectionError, OSError) as error:  # the server closed it while it was idle
                if raised_by_a_signal_handler(error, outer) is not None:
                    raise
                was_open = False
                self.broken += 1
                disconnect(connection)
                connection.connect()
        except BaseException:
            self.discard(connection)
            raise
        return connection, was_open

    def _idle_or_new(self, deadline: float | None) -> tuple[Any, bool]:
        left = LONGEST_WAIT
        while True:
            with suppress(IndexError):
                return self._idle.pop(), True
            if len(self._alive) < self._most:
                connection = self._new()
                self._alive.add(connection)
                if len(self._alive) <= self._most:  # else another thread was faster
                    return connection, False
                self._alive.discard(connection)
            if left <= 0:
                raise MaxConnectionsError(f"all connections are in use; max_connections is {self._most}")
            time.sleep(PAUSE if deadline is None else min(PAUSE, left_until(deadline)))
            left -= PAUSE

    def put(self, connection: Any) -> None:
        """Keep a connection for the next caller. All replies on it have been read."""
        if connection in self._alive and self._is_current(connection):
            self._idle.append(connection)
        else:
            self.discard(connection)

    def doubt(self) -> None:
        """Have the next commands go over new connections: there may be another server by now, though the one before
        still answers. Any thread may call it."""
        idle, self._idle, self._alive = self._idle, deque(), WeakSet()
        for connection in idle:
            disconnect(connection)

    def discard(self, connection: Any) -> None:
        """Close a connection, and have another one take its place when one is needed."""
        self._alive.discard(connection)
        disconnect(connection)

    def _is_current(self, connection: Any) -> bool:
        """Whether a connection goes to the primary that Sentinel names, where there is a Sentinel."""
        primary = None if self._sentinels is None else self._sentinels.primary
        return primary is None or primary == (connection.host, connection.port)

    def close(self) -> None:
        """Close what is idle. What is in use is closed or given back by its caller."""
        while self._idle:
            self.discard(self._idle.pop())
        if self._sentinels is not None:
            self._sentinels.close()


class Lease:
    """The connections of one caller. In a client of redis-py it stands in for the pool."""

    harmless: Final = (ResponseError,)
    """Errors after which no reply is to come: the server answered."""

    was_open = False
    """Whether a connection was open already when it was taken, so that the server may have closed it meanwhile."""
    was_broken = False
    """Whether a connection was found broken, and replaced."""

    def __init__(self, pool: Pool, deadline: float | None) -> None:
        self._pool = pool
        self._deadline = deadline
        self._taken: list[Any] = []
        self._free: list[Any] = []
        """Those of them that redis-py has given back. A second one may never come: there may be only one."""

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
        lent._single_connection_client = False
        return lent

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The reply to each of these commands, or the error that is its reply, in one round trip."""
        client = self.client
        if len(commands) == 1:
            try:
                return [client.execute_command(*commands[0])]
            except ResponseError as error:
                if raised_by_a_signal_handler(error) is not None:
                    raise
                return [error.with_traceback(None)]  # which would keep all callers from being freed at once
        with client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[Any] = pipeline.execute(raise_on_error=False)
            return replies

    def get_connection(self, *command: Any, **options: Any) -> Any:
        """As redis-py's pool."""
        if self._free:
            return self._free.pop()
        broken = self._pool.broken
        connection, self.was_open = self._pool.take(self._deadline)
        self.was_broken |= self._pool.broken != broken
        self._taken.append(connection)
        return connection

    def release(self, connection: Any) -> None:
        """As redis-py's pool, but it waits for what the caller says of the outcome."""
        self._free.append(connection)

    def give_back(self) -> None:
        """All replies have been read."""
        while self._taken:
            self._pool.put(self._taken.pop())

    def discard(self) -> None:
        """A reply may be missing."""
        while self._taken:
            self._pool.discard(self._taken.pop())


class Sentinels:
    """Those who know which server is the primary, asked over connections of daxlite's own."""

    def __init__(self, manager: Any, name: str, timeout: float | None) -> None:
        """manager: a Sentinel of redis-py. name: what it calls the primary."""
        self._manager = manager
        self._name = name
        self._pools = [Pool(client, timeout) for client in manager.sentinels]
        self.primary: tuple[Any, Any] | None = None
        """The host and the port that were last named."""

    def ask(self, deadline: float | None) -> tuple[Any, Any]:
        """The host and the port of the primary. Raises what redis-py raises."""
        pools = self._pools
        leases = [pool.lease(deadline) for pool in pools]
        clients = [lease.client for lease in leases]
        asked = object.__new__(type(self._manager))
        asked.__dict__ |= self._manager.__dict__ | {"sentinels": [*clients]}
        try:
            primary: tuple[Any, Any] = asked.discover_master(self._name)
        except BaseException:
            for lease in leases:
                lease.discard()
            self._pools = [*pools[1:], *pools[:1]]  # the first one may take all the time that there is, each time
            raise
        for lease in leases:
            lease.give_back()
        first = clients.index(asked.sentinels[0])  # discover_master puts the one that answered there
        self._pools = [*pools[first:], *pools[:first]]
        self.primary = primary
        return primary

    def close(self) -> None:
        """Close what is idle."""
        for pool in self._pools:
            pool.close()


class Primary:
    """What a connection of a Sentinel's takes for its pool."""

    is_master: Final = True
    check_connection: Final = False

    def __init__(self, sentinels: Sentinels, deadline: float | None) -> None:
        self._sentinels = sentinels
        self._deadline = deadline

    def get_master_address(self) -> tuple[Any, Any]:
        """As redis-py's pool."""
        return self._sentinels.ask(self._deadline)


def is_readable(connection: Any) -> bool:
    """Whether there is something to read where nothing is expected: that the server closed the connection, mostly.
    Raises what redis-py raises."""
    return bool(connection.can_read())


def disconnect(connection: Any) -> None:
    """Close a connection, without an error."""
    with suppress(Exception):
        connection.disconnect()
