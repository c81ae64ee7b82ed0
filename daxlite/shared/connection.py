"""The way to Redis: commands go out, replies come back, and whatever goes wrong is Unavailable."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from redis.exceptions import RedisClusterException, RedisError

from .breaker import Breaker
from .stamps import Command

A = TypeVar("A")
R = TypeVar("R")

FAILURES: Final = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What redis-py raises where the fault is not in the program."""
# These say that the server cannot be reached or will not answer for a while. Others, such as a full memory or a
# replica that takes no writes, come at once and cost nobody any time.
_OUTAGES: Final = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.ClusterError,
    RedisClusterException,
    OSError,
)


class Unavailable(Exception):  # noqa: N818 - what is meant is a state, of which there may be no error at all
    """Redis did not do it. `cause` is redis-py's error; None where the circuit breaker did not even ask."""

    def __init__(self, cause: Exception | None = None) -> None:
        super().__init__("Redis is left alone after it failed several times" if cause is None else str(cause))
        self.cause = cause


class Connection:
    """Commands to a server or a cluster, for threads."""

    def __init__(
        self,
        client: "redis.Redis | redis.RedisCluster",
        breaker: Breaker,
        reconnect: Callable[[], Any] | None = None,
    ) -> None:
        """reconnect: makes another client, where daxlite made the first."""
        self.client: Any = client
        self._reconnect = reconnect
        self._left: list[Any] = []
        self.breaker = breaker
        self.is_cluster = isinstance(self.client, redis.RedisCluster)

    def begin(self) -> None:
        """Connect anew, in a process that forked. The parent's client may be locked by a thread that is not there any
        more, so it is not even closed."""
        if self._reconnect is not None:
            self._left.append(self.client)
            self.client = self._reconnect()

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """What stands under these keys, in one round trip (in a cluster, one to each node). Raises Unavailable."""
        if self.is_cluster:
            return self._guarded(self._pipelined, [("GET", key) for key in keys])
        found: list[bytes | None] = self._guarded(self._one, ("MGET", *keys))
        return found

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to commands that each concern one key, in their order, in one round trip. The last may be a
        PUBLISH: in a cluster, where it concerns all nodes, it is sent when the others are done. Raises Unavailable."""
        if len(commands) == 1:
            return [self._guarded(self._one, commands[0])]
        return self._guarded(self._all_nodes if self.is_cluster else self._pipelined, commands)

    def _guarded(self, send: Callable[[A], R], what: A) -> R:
        """Ask the breaker first, and tell it what came of it."""
        if not self.breaker.allows():
            raise Unavailable
        try:
            replies = send(what)
        except FAILURES as error:  # redis-py's own; it has seen to its connection
            raise failed(self.breaker, error) from error
        except BaseException:
            # What a signal handler raises may come between a command and its reply, which would then be taken for the
            # reply to the next command. So connections that may be in between are given up.
            disconnect = getattr(self.client, "disconnect_connection_pools", None)
            (disconnect or self.client.connection_pool.disconnect)()
            raise
        self.breaker.succeeded()
        return replies

    def _all_nodes(self, commands: Sequence[Command]) -> list[Any]:
        if commands[-1][0] != "PUBLISH":
            return self._pipelined(commands)
        return [*self._pipelined(commands[:-1]), self._one(commands[-1])]

    def _one(self, command: Command) -> Any:
        return self.client.execute_command(*command)

    def _pipelined(self, commands: Iterable[Command]) -> list[Any]:
        with self._pipeline() as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return checked(pipeline.execute(raise_on_error=False))

    def _pipeline(self) -> Any:
        return self.client.pipeline() if self.is_cluster else self.client.pipeline(transaction=False)


class AsyncConnection:
    """The same for asyncio."""

    def __init__(
        self,
        client: "redis.asyncio.Redis | redis.asyncio.RedisCluster",
        breaker: Breaker,
        reconnect: Callable[[], Any] | None = None,
    ) -> None:
        self._client: Any = client
        self._reconnect = reconnect
        self._is_used = False
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        self.breaker = breaker
        self.is_cluster = isinstance(self._client, redis.asyncio.RedisCluster)

    @property
    def client(self) -> Any:
        """A client for the event loop that runs: connections belong to the loop in which they were made."""
        loop = asyncio.get_running_loop()
        client = self._by_loop.get(loop)
        if client is None:
            client = self._reconnect() if self._reconnect is not None and self._is_used else self._client
            self._is_used = True
            self._by_loop[loop] = client
        return client

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """As Connection.get."""
        if self.is_cluster:
            return await self._guarded(self._pipelined, [("GET", key) for key in keys])
        found: list[bytes | None] = await self._guarded(self._one, ("MGET", *keys))
        return found

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """As Connection.run."""
        if len(commands) == 1:
            return [await self._guarded(self._one, commands[0])]
        return await self._guarded(self._all_nodes if self.is_cluster else self._pipelined, commands)

    async def _guarded(self, send: Callable[[A], Awaitable[R]], what: A) -> R:
        if not self.breaker.allows():
            raise Unavailable
        try:
            replies = await send(what)
        except FAILURES as error:
            raise failed(self.breaker, error) from error
        self.breaker.succeeded()
        return replies

    async def _all_nodes(self, commands: Sequence[Command]) -> list[Any]:
        if commands[-1][0] != "PUBLISH":
            return await self._pipelined(commands)
        return [*await self._pipelined(commands[:-1]), await self._one(commands[-1])]

    async def _one(self, command: Command) -> Any:
        return await self.client.execute_command(*command)

    async def _pipelined(self, commands: Iterable[Command]) -> list[Any]:
        async with self._pipeline() as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return checked(await pipeline.execute(raise_on_error=False))

    def _pipeline(self) -> Any:
        return self.client.pipeline() if self.is_cluster else self.client.pipeline(transaction=False)


def failed(breaker: Breaker, error: Exception) -> Unavailable:
    """Tell the breaker of a failure."""
    breaker.errors += 1
    if isinstance(error, _OUTAGES):
        breaker.failed()
    else:
        breaker.succeeded()  # it answered, if only to refuse
    return Unavailable(error)


def checked(replies: list[Any]) -> list[Any]:
    """The replies. Raises the first error among them."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies
