"""A server as steps name it: how threads reach it, and how asyncio does."""

from collections.abc import Callable

from msgspec import Struct

from ..core.hidden import Hidden
from .async_connection import AsyncConnection
from .breaker import Breaker
from .clients import AsyncClient, Client, async_client_of, client_of
from .connection import Connection


class Connections(Hidden, Struct, eq=False):
    """The connections of one process to one server; a `core.steps.Server`."""

    given: object
    """What the application gave for it: a URL, or a client for threads. Equal for the same server."""
    threads: Connection
    asyncio: AsyncConnection | None = None
    """None where only threads use the server."""

    @property
    def is_cluster(self) -> bool:
        """Whether there are several servers, and a command can have keys of one slot alone."""
        return self.threads.is_cluster

    def __repr__(self) -> str:
        return "Connections()"  # without the URL, which may hold a password

    def begin(self) -> None:
        """Connect anew, in a process that forked."""
        self.threads.clients.begin()

    def close(self) -> None:
        """Close the connections for threads that are daxlite's own."""
        self.threads.clients.close()

    async def async_close(self) -> None:
        """Close all connections that are daxlite's own."""
        if self.asyncio is not None:
            await self.asyncio.clients.close()
        self.close()


def connections_of(
    server: str | Client,
    timeout: float,
    clock: Callable[[], float],
    name: str = "server",
    *,
    is_budget: bool = False,
) -> Connections:
    """Connections for threads. Raises TypeError or ValueError for what is no server. None is opened yet.

    timeout: seconds to wait for the server, where it is given as a URL. clock: the circuit breaker's. name: the
    argument's. is_budget: `timeout` is for a whole step, with the connections and the replies that it takes, whatever
    the URL or the client says.
    """
    client, budget = client_of(server, timeout, name), timeout if is_budget else None
    return Connections(server, Connection(client, Breaker(clock), budget))


def async_connections_of(
    server: str | AsyncClient, timeout: float, clock: Callable[[], float], sync_client: Client | None
) -> Connections:
    """The same for asyncio, and for threads beside it. sync_client: for threads, where `server` is a client."""
    client = async_client_of(server, timeout)
    if isinstance(server, str):
        if sync_client is not None:
            raise TypeError("sync_client goes with a client of redis.asyncio; of a URL both are made")
        made = connections_of(server, timeout, clock)
    else:
        if sync_client is None:
            raise TypeError("with a client of redis.asyncio, give also sync_client: a redis.Redis for the same server")
        if isinstance(sync_client, str):
            raise TypeError("sync_client is a URL; it must be a client, of the same server as the other one")
        made = connections_of(sync_client, timeout, clock, "sync_client")
    made.asyncio = AsyncConnection(client, made.threads.breaker)
    return made
