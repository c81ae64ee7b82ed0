"""Clients of redis-py: made from what the application gives, and the connections to use now."""

import time
from typing import Any, Final

import redis
import redis.asyncio

from ..core.checks import shown
from .cluster import Cluster, ClusterLease
from .endpoints import ClusterEndpoint, Endpoint, Untranslatable, endpoint_of, for_threads, server_of
from .pool import Lease, Pool
from .urls import check_url

Client = redis.Redis | redis.RedisCluster
AsyncClient = redis.asyncio.Redis | redis.asyncio.RedisCluster

_SYNC: Final = 'a URL such as "redis://localhost:6379/0", a redis.Redis or a redis.RedisCluster'
_ASYNC: Final = "a URL, a redis.asyncio.Redis or a redis.asyncio.RedisCluster"
LISTENING: Final = 1.0
"""Seconds that the thread that listens waits at least for a connection or a reply. No caller waits for it."""


class ThreadClient:
    """The client and the connections that all threads of a process share."""

    def __init__(self, client: Any, budget: float | None = None) -> None:
        """budget: as for `Connection`."""
        self.client: Any = client
        self._budget = budget
        self._patience = None if budget is None else max(budget, LISTENING)
        self._parents: list[Any] = []
        self._way = self._new()

    def _new(self) -> Pool | Cluster:
        kind = Cluster if is_of_a_cluster(self.client) else Pool
        return kind(self.client, self._budget)

    def begin(self) -> None:
        """Connect anew, in a process that forked. The connections of the parent are not even closed."""
        self._parents.append(self._way)
        self._way = self._new()

    def lease(self, deadline: float | None = None) -> Lease | ClusterLease:
        """Connections for one caller. deadline: by `time.monotonic`."""
        return self._way.lease(deadline)

    def servers(self) -> tuple[Any, ...]:
        """The servers that publish changes: every primary of a cluster; else the one. Raises what redis-py raises."""
        if isinstance(self._way, Pool):
            return (None,)
        self._way.look(None if self._patience is None else time.monotonic() + self._patience)
        return self._way.primaries()

    def client_for(self, server: Any) -> Any:
        """A client of redis-py for one of these servers, whose settings another connection is made from."""
        return self._way.client_of(server) if isinstance(self._way, Cluster) else self.client

    def doubt(self) -> None:
        """Find out which servers there are, and connect anew, before the next use."""
        self._way.doubt()

    def close(self) -> None:
        """Close the connections that are idle."""
        self._way.close()


def is_of_a_cluster(client: Any) -> bool:
    """Whether a client has many servers, and a pool for each."""
    return not hasattr(client, "connection_pool")


def client_of(server: Any, timeout: float, name: str = "server", *, takes_async: bool = False) -> Any:
    """A client for threads. One of the application's keeps its own timeouts. name: the argument's. takes_async: of a
    client of redis.asyncio one for threads is made.

    Raises TypeError for what is none, ValueError for a URL that is none, or has options that are not allowed.
    """
    if isinstance(server, str):
        check_url(server)
        times: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        return _checked(redis.Redis.from_url(server, **times))
    if isinstance(server, AsyncClient):
        if not takes_async:
            raise TypeError("this is a client of asyncio: AsyncAggregationCache takes it")
        client = client_beside(server)
        if client is None:
            raise TypeError(f"{name} is a {_name(server)} whose settings are for asyncio alone; give {_SYNC}")
        return _checked(client)
    if not isinstance(server, Client):
        raise TypeError(f"{name} is {shown(server)}; it must be {_SYNC}")
    return _checked(server)


def client_beside(server: AsyncClient) -> redis.Redis | None:
    """A client for threads of the server of one for asyncio; None where that cannot be made."""
    checked_for_asyncio(server)
    try:
        return None if isinstance(server, redis.asyncio.RedisCluster) else for_threads(server)
    except Untranslatable:
        return None


def checked_for_asyncio(server: Any) -> AsyncClient:
    """A client for asyncio. Raises TypeError for what is none, ValueError for settings that are not allowed."""
    if not isinstance(server, AsyncClient):
        raise TypeError(f"server is {shown(server)}; it must be {_ASYNC}")
    return _checked(server)  # type: ignore[no-any-return]


def endpoint_beside(client: Client | AsyncClient) -> Endpoint | ClusterEndpoint | None:
    """How asyncio reaches the server of a client; None where it has to do so by threads."""
    try:
        return endpoint_of(client)
    except Untranslatable:
        return None


def _name(client: Any) -> str:
    return f"{type(client).__module__.rpartition('.')[0]}.{type(client).__name__}"


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
        Pool(client) if isinstance(client, redis.Redis) else server_of(client).new()
    except TypeError as error:  # redis-py passes options on that it does not know
        raise ValueError(f"redis-py does not take an option of the server: {error}") from None
    except Untranslatable as error:
        raise TypeError(f"this client of redis.asyncio has a {error}, which daxlite cannot make anew") from None
    return client
