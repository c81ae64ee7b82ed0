"""Clients of redis-py: made from what the application gives, and the connections to use now."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Final
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry

from ..core.checks import shown
from .async_pool import AsyncLease, AsyncPool
from .pool import Lease, Pool
from .urls import check_url

Client = redis.Redis | redis.RedisCluster
AsyncClient = redis.asyncio.Redis | redis.asyncio.RedisCluster

_SYNC: Final = 'a URL such as "redis://localhost:6379/0", a redis.Redis or a redis.RedisCluster'
_ASYNC: Final = "a URL, a redis.asyncio.Redis or a redis.asyncio.RedisCluster"


class ClusterLease:
    """A cluster's client, which has pools of its own for its nodes."""

    harmless: Final = (RedisError, RedisClusterException)
    """Errors after which no reply is to come: redis-py has closed the connection, where that was needed."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def give_back(self) -> None:
        """Do nothing: redis-py has given the connections back."""

    def discard(self) -> None:
        """Close all connections to all nodes: which of them were used is not known."""
        self.client.disconnect_connection_pools()


class AsyncClusterLease(ClusterLease):
    """The same for asyncio."""

    async def discard(self) -> None:  # type: ignore[override]
        """Do nothing: where a task is cancelled in between, redis-py closes the connection."""


class ThreadClient:
    """The client and the connections that all threads of a process share."""

    def __init__(self, client: Any) -> None:
        self.client: Any = client
        self._parents: list[Any] = []
        self._pool = None if is_of_a_cluster(client) else Pool(client)

    def begin(self) -> None:
        """Connect anew, in a process that forked. The connections of the parent are not even closed."""
        if self._pool is not None:
            self._parents.append(self._pool)
            self._pool = Pool(self.client)

    def lease(self) -> Lease | ClusterLease:
        """Connections for one caller."""
        return ClusterLease(self.client) if self._pool is None else self._pool.lease()

    def servers(self) -> tuple[Any, ...]:
        """The servers that publish changes: every primary of a cluster, as far as the client knows; else the one."""
        if self._pool is None:
            return tuple(sorted(self.client.get_primaries(), key=lambda node: str(node.name)))
        return (None,)

    def subscriptions(self, servers: Iterable[Any]) -> Iterator[Any]:
        """For each of these servers a PubSub with a connection of its own, none of those for commands."""
        for server in servers:
            client = self.client if server is None else self.client.get_redis_connection(server)
            yield Pool(client).lease().client.pubsub()

    def close(self) -> None:
        """Close the connections that are idle, if they are daxlite's own."""
        if self._pool is not None:
            self._pool.close()


class LoopClients:
    """Connections for each event loop: they belong to the loop in which they were made."""

    def __init__(self, client: Any) -> None:
        self.client: Any = client
        self._is_of_a_cluster = is_of_a_cluster(client)
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncPool] = WeakKeyDictionary()
        if not self._is_of_a_cluster:
            AsyncPool(client)  # raises for wrong settings

    def lease(self) -> AsyncLease | AsyncClusterLease:
        """Connections for one caller."""
        if self._is_of_a_cluster:
            return AsyncClusterLease(self.client)
        loop = asyncio.get_running_loop()
        pool = self._by_loop.get(loop)
        if pool is None:
            pool = self._by_loop[loop] = AsyncPool(self.client)
        return pool.lease()

    async def close(self) -> None:
        """Close the connections of this loop that are idle."""
        pool = self._by_loop.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()


def is_of_a_cluster(client: Any) -> bool:
    """Whether a client has many servers, and a pool for each."""
    return not hasattr(client, "connection_pool")


def client_of(server: Any, timeout: float, name: str = "server") -> Any:
    """A client for threads. One of the application's keeps its own timeouts and retries. name: the argument's.

    Raises TypeError for what is none, ValueError for a URL that is none, or has options that are not allowed.
    """
    if isinstance(server, str):
        check_url(server)
        # A connection that broke while it lay in the pool is worth a second attempt at once; a server that does not
        # answer in time is not.
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        times: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        return _checked(redis.Redis.from_url(server, retry=retry, **times))
    if isinstance(server, AsyncClient):
        raise TypeError("this is a client of asyncio: AsyncAggregationCache takes it")
    if not isinstance(server, Client):
        raise TypeError(f"{name} is {shown(server)}; it must be {_SYNC}")
    return _checked(server)


def async_client_of(server: Any, timeout: float) -> Any:
    """The same for asyncio."""
    if isinstance(server, str):
        check_url(server)
        retry = AsyncRetry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        times: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        return _checked(redis.asyncio.Redis.from_url(server, retry=retry, **times))
    if not isinstance(server, AsyncClient):
        raise TypeError(f"server is {shown(server)}; it must be {_ASYNC}")
    return _checked(server)


def _checked(client: Any) -> Any:
    if client.get_encoder().decode_responses:
        raise ValueError("this client has decode_responses=True; results are bytes, which it would take for text")
    # A replica may not have heard of a change yet, and show an old result as true.
    strategy = getattr(client, "load_balancing_strategy", None)
    if strategy is not None or getattr(client, "read_from_replicas", False):
        raise ValueError("this client reads from replicas, which may be behind; daxlite must read what it has written")
    pool = getattr(client, "connection_pool", None)
    if pool is None:
        return client
    if not getattr(pool, "is_master", True):
        raise ValueError("this client is of a Sentinel's replicas, which take no writes; give it master_for(...)")
    try:
        Pool(client)
    except TypeError as error:  # redis-py passes options on that it does not know
        raise ValueError(f"redis-py does not take an option of the server: {error}") from None
    return client
