"""A server as steps name it: how threads reach it, and how asyncio does."""

from collections.abc import Callable

from msgspec import Struct

from ..core.hidden import Hidden
from .async_connection import AsyncConnection
from .breaker import Breaker
from .clients import AsyncClient, Client, checked_for_asyncio, client_beside, client_of, endpoint_beside
from .connection import Connection


class Connections(Hidden, Struct, eq=False):
    """The connections of one process to one server; a `core.steps.Server`."""

    given: object
    """What the application gave for it: a URL, or a client. Equal for the same server."""
    threads: Connection
    asyncio: AsyncConnection | None
    """None where asyncio has to reach the server by threads: a client with connections of the application's own
    making."""

    @property
    def is_cluster(self) -> bool:
        """Whether there are several servers, and a command can have keys of one slot alone."""
        return self.threads.is_cluster

    def __repr__(self) -> str:
        return "Connections()"  # without the URL, which may hold a password

    def on_broken(self, call: Callable[[], None]) -> None:
        """Have this be called when a connection broke; see `Connection.on_broken`."""
        self.threads.on_broken = call
        if self.asyncio is not None:
            self.asyncio.on_broken = call

    def doubt(self) -> None:
        """There may be other servers by now. Any thread may call it."""
        if self.asyncio is not None:
            self.asyncio.loops.doubt()

    def begin(self) -> None:
        """Connect anew, in a process that forked."""
        self.threads.clients.begin()
        if self.asyncio is not None:
            self.asyncio.loops.begin()

    def close(self) -> None:
        """Close the connections: those of event loops that run, a moment later."""
        self.threads.clients.close()
        if self.asyncio is not None:
            self.asyncio.loops.close()

    async def async_close(self) -> None:
        """The same, and wait until those of this event loop are closed."""
        self.threads.clients.close()
        if self.asyncio is not None:
            await self.asyncio.loops.async_close()


def connections_of(
    server: str | Client | AsyncClient,
    timeout: float,
    clock: Callable[[], float],
    name: str = "server",
    *,
    is_budget: bool = False,
    takes_async: bool = False,
) -> Connections:
    """Connections for threads and for asyncio. Raises TypeError or ValueError for what is no server. None is opened
    yet.

    timeout: seconds to wait for the server, where it is given as a URL. clock: the circuit breaker's. name: the
    argument's. is_budget: `timeout` is for a whole step, with the connections and the replies that it takes, whatever
    the URL or the client says. takes_async: the server may be given as a client of redis.asyncio.
    """
    client = client_of(server, timeout, name, takes_async=takes_async)
    source = server if isinstance(server, AsyncClient) else client
    return _connections(server, client, source, Breaker(clock), timeout if is_budget else None)


def async_connections_of(
    server: str | AsyncClient, timeout: float, clock: Callable[[], float], sync_client: Client | None
) -> Connections:
    """The same of a client for asyncio. sync_client: the one for threads beside it, where none can be made of its
    settings."""
    if isinstance(server, str):
        if sync_client is not None:
            raise TypeError(
                "give sync_client with a client of redis.asyncio alone; server is a URL, of which both are made"
            )
        return connections_of(server, timeout, clock)
    checked_for_asyncio(server)
    if isinstance(sync_client, str):
        raise TypeError("sync_client is a URL; it must be a client, of the same server as the other one")
    beside = client_beside(server) if sync_client is None else sync_client
    if beside is None:
        raise TypeError("with this client of redis.asyncio, give also sync_client: a redis.Redis for the same server")
    given = server if sync_client is None else sync_client
    return _connections(given, client_of(beside, timeout, "sync_client"), server, Breaker(clock), None)


def _connections(
    given: object, client: Client, source: Client | AsyncClient, breaker: Breaker, budget: float | None
) -> Connections:
    endpoint = endpoint_beside(source)
    asyncio = None if endpoint is None else AsyncConnection(endpoint, breaker, budget)
    return Connections(given, Connection(client, breaker, budget), asyncio)
