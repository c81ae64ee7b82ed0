"""How a server is reached, as data: what a client of redis-py was told, for connections in any event loop.

redis-py has its classes of connections twice, for threads and for asyncio, with the same settings. So the settings of a
client for threads make connections for asyncio, and the other way round. The client's own connections are never used.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from msgspec import Struct
from msgspec.structs import replace
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ..core.hidden import Hidden
from .closing import disconnect
from .pool import OF_ITS_POOL
from .slots import Address

_PAIRS: Final[tuple[tuple[Any, Any], ...]] = (
    (redis.Connection, redis.asyncio.Connection),
    (redis.SSLConnection, redis.asyncio.SSLConnection),
    (redis.UnixDomainSocketConnection, redis.asyncio.UnixDomainSocketConnection),
    (redis.sentinel.SentinelManagedConnection, redis.asyncio.sentinel.SentinelManagedConnection),
    (redis.sentinel.SentinelManagedSSLConnection, redis.asyncio.sentinel.SentinelManagedSSLConnection),
)
"""The classes of connections for threads, each with the one for asyncio."""
_FOR_ASYNCIO: Final[Mapping[Any, Any]] = dict(_PAIRS)
_FOR_THREADS: Final[Mapping[Any, Any]] = {other: one for one, other in _PAIRS}
_PLAIN: Final[dict[Any, Any]] = {
    redis.asyncio.sentinel.SentinelManagedConnection: redis.asyncio.Connection,
    redis.asyncio.sentinel.SentinelManagedSSLConnection: redis.asyncio.SSLConnection,
}
"""Once it is known which server is the primary, a connection to it is like any other."""
_NOT_TAKEN: Final = (*OF_ITS_POOL, "connection_pool", "himport_", "retry")
"""Settings that begin so are of the client, not of its connections."""
_OF_ONE_KIND: Final = ("parser_class", "redis_connect_func")
"""Settings whose values are for threads alone, or for asyncio alone."""


class Untranslatable(Exception):  # noqa: N818 - no error: asyncio reaches this server by threads
    """A client whose connections are of the application's own making, for threads alone or for asyncio alone."""


class Endpoint(Hidden, Struct, frozen=True, eq=False):
    """One server, or the primary that sentinels name, as asyncio reaches it."""

    connection_class: Any
    options: Mapping[str, Any]
    callbacks: Mapping[Any, Callable[..., Any]]
    """By commands: what redis-py makes of their replies."""
    sentinels: "Sentinels | None" = None

    def bounded(self, seconds: float | None) -> "Endpoint":
        """The same, with so many seconds for a connection, and for a reply; None: as the client has it."""
        if seconds is None:
            return self
        options = {**self.options, "socket_timeout": seconds, "socket_connect_timeout": seconds}
        sentinels = None if self.sentinels is None else self.sentinels.bounded(seconds)
        return replace(self, options=options, sentinels=sentinels)

    def new(self, **options: Any) -> Any:
        """A connection that is not open yet. Raises TypeError for settings of which none can be made."""
        return self.connection_class(**{**self.options, **options, "retry": Retry(NoBackoff(), 0)})

    async def open(self) -> Any:
        """A connection that is open. Raises what redis-py raises."""
        place = {} if self.sentinels is None else await self.sentinels.primary()
        connection = self.new(**place)
        try:
            await connection.connect()
        except BaseException:
            await disconnect(connection)
            raise
        return connection


class ClusterEndpoint(Hidden, Struct, frozen=True, eq=False):
    """The servers of a cluster, as asyncio reaches them."""

    given: Sequence[Address]
    """Those that the application named."""
    remap: Callable[[tuple[str, int]], tuple[str, int]] | None
    at: Callable[[Address], Endpoint]
    """One of the servers."""


class Sentinels:
    """Those who know which server is the primary."""

    def __init__(self, clients: Sequence[Endpoint], name: str, **settings: Any) -> None:
        """name: what they call the primary. settings: what redis-py's Sentinel was told."""
        self._clients = [*clients]
        self._name = name
        self._settings = settings

    def bounded(self, seconds: float) -> "Sentinels":
        """As an endpoint's."""
        return Sentinels([each.bounded(seconds) for each in self._clients], self._name, **self._settings)

    async def primary(self) -> dict[str, Any]:
        """The host and the port of the primary. Raises what redis-py raises."""
        known = self._clients
        asked = redis.asyncio.sentinel.Sentinel([], **self._settings)
        clients = asked.sentinels = [_client_of(each) for each in known]
        order = [*clients]
        try:
            host, port = await asked.discover_master(self._name)
        except BaseException:
            self._clients = [*known[1:], *known[:1]]  # the first one may take all the time that there is, each time
            raise
        finally:
            for client in order:
                with suppress(Exception):
                    await client.aclose(close_connection_pool=True)
        first = order.index(asked.sentinels[0])  # discover_master puts the one that answered there
        self._clients = [*known[first:], *known[:first]]
        return {"host": host, "port": port}


def _client_of(endpoint: Endpoint) -> Any:
    pool = redis.asyncio.ConnectionPool(connection_class=endpoint.connection_class, **endpoint.options)
    return redis.asyncio.Redis(connection_pool=pool)


# What a client was told


def endpoint_of(client: Any) -> Endpoint | ClusterEndpoint:
    """How asyncio reaches the server of a client of redis-py, for threads or for asyncio. Raises Untranslatable."""
    return server_of(client) if hasattr(client, "connection_pool") else _cluster_of(client)


def server_of(client: Any) -> Endpoint:
    """The same of a client that is none of a cluster's."""
    pool = client.connection_pool
    if isinstance(client, redis.asyncio.Redis):
        connection_class, options = pool.connection_class, _taken(pool.connection_kwargs)
    else:
        connection_class, options = _translated(pool.connection_class, pool.connection_kwargs, _FOR_ASYNCIO)
    manager, sentinels = getattr(pool, "sentinel_manager", None), None
    if manager is not None:
        if connection_class not in _PLAIN:
            raise Untranslatable(connection_class.__name__)
        connection_class = _PLAIN[connection_class]
        clients = [server_of(each) for each in manager.sentinels]
        sentinels = Sentinels(clients, pool.service_name, **_told(manager))
    return Endpoint(connection_class, options, client.response_callbacks, sentinels)


def _cluster_of(client: Any) -> ClusterEndpoint:
    manager = client.nodes_manager
    given = [Address(node.host, int(node.port)) for node in manager.startup_nodes.values()]
    if getattr(client, "user_on_connect_func", None) is not None:
        raise Untranslatable("redis_connect_func")

    def of_threads(place: Address) -> Endpoint:
        node = manager.create_redis_node(place.host, place.port, **manager.connection_kwargs)
        settings = {**node.connection_pool.connection_kwargs, "redis_connect_func": None}  # it is the cluster's own
        connection_class, options = _translated(node.connection_pool.connection_class, settings, _FOR_ASYNCIO)
        return Endpoint(connection_class, options, node.response_callbacks)

    def of_asyncio(place: Address) -> Endpoint:
        settings = {**manager.connection_kwargs, **place._asdict()}
        callbacks = settings.pop("response_callbacks", {})
        settings.pop("max_connections", None)
        connection_class = settings.pop("connection_class", redis.asyncio.Connection)
        return Endpoint(connection_class, _taken(settings), callbacks)

    at = of_asyncio if isinstance(client, redis.asyncio.RedisCluster) else of_threads
    at(given[0])  # raises for settings that cannot be translated
    return ClusterEndpoint(given, manager.address_remap, at)


def for_threads(client: redis.asyncio.Redis) -> redis.Redis:
    """A client for threads of the same server. Raises Untranslatable."""
    pool: Any = client.connection_pool
    connection_class, options = _translated(pool.connection_class, pool.connection_kwargs, _FOR_THREADS)
    manager = getattr(pool, "sentinel_manager", None)
    if manager is not None:
        sentinel = redis.sentinel.Sentinel([], **_told(manager))
        sentinel.sentinels = [for_threads(each) for each in manager.sentinels]
        made: redis.Redis = sentinel.master_for(pool.service_name, connection_class=connection_class, **options)
        return made
    return redis.Redis(
        connection_pool=redis.ConnectionPool(connection_class, max_connections=pool.max_connections, **options)
    )


def _told(manager: Any) -> dict[str, Any]:
    return {"min_other_sentinels": manager.min_other_sentinels, "force_master_ip": manager._force_master_ip}


def _taken(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if not name.startswith(_NOT_TAKEN)}


def _translated(
    connection_class: Any, settings: Mapping[str, Any], others: Mapping[Any, Any]
) -> tuple[Any, dict[str, Any]]:
    """The class of the other kind, and the settings for it."""
    other, options = others.get(connection_class), _taken(settings)
    if other is None:
        raise Untranslatable(connection_class.__name__)
    known = _accepted(other)
    for name in [*options]:
        if (name not in known or name in _OF_ONE_KIND) and options.pop(name):
            raise Untranslatable(name)
    return other, options


@lru_cache(maxsize=64)
def _accepted(connection_class: Any) -> frozenset[str]:
    """The names of what a class of connections can be told."""
    made = [each.__init__ for each in connection_class.__mro__ if "__init__" in each.__dict__]
    return frozenset(name for init in made for name in inspect.signature(init).parameters)
