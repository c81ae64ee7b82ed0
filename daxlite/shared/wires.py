"""Wires: the connections of redis-py on which lines listen."""

import math
import time
from collections.abc import Callable
from typing import Any, Final

from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.utils import str_if_bytes

from ..core.steps import Command
from .clients import ThreadClient, is_of_a_cluster
from .failures import FAILURES
from .leases import LEASE
from .line import Wire
from .pool import Pool, disconnect

SENTINEL_TIMEOUT: Final = 0.25
"""Seconds for which a connection to a sentinel may take. Meanwhile nothing is read of the server."""


class RedisWire:
    """A connection with the settings of a client, but without its retries: one that broke is not opened again, for what
    was published meanwhile is lost."""

    def __init__(self, client: Any, seconds: float = LEASE) -> None:
        """Connects, for so many seconds at most. Raises one of `failures.FAILURES`."""
        pool = Pool(client)
        self._source = pool.source
        settings = {**pool._settings, **_OWN, "socket_connect_timeout": seconds}
        self._connection = self._source.connection_class(**settings)
        self._connection.connect()
        self._sentinels = Sentinels(self._source) if hasattr(self._source, "sentinel_manager") else None

    def send(self, command: Command) -> None:
        """As a Wire."""
        self._connection.send_command(*command, check_health=False)

    def receive(self, seconds: float) -> Any:
        """As a Wire."""
        connection = self._connection
        if not connection.can_read(timeout=seconds):
            return None
        return connection.read_response(disconnect_on_error=False, push_request=True, timeout=LEASE)

    @property
    def is_current(self) -> bool:
        """As a Wire."""
        if self._sentinels is None:
            return True
        own = self._connection.host, self._connection.port
        named = self._sentinels.primary(), self._source.master_address  # as other connections found it
        return all(each in (None, own) for each in named)

    def close(self) -> None:
        """As a Wire."""
        disconnect(self._connection)
        if self._sentinels is not None:
            self._sentinels.close()


class Sentinels:
    """Asks the sentinels which server is the primary: one that was cut off from them does not know that it is none."""

    def __init__(self, source: Any, clock: Callable[[], float] = time.monotonic) -> None:
        """source: a SentinelConnectionPool of redis-py."""
        self._source = source
        self._clock = clock
        self._turn = 0
        self._wire: RedisWire | None = None
        self._asked_at: float | None = None
        self._next_at = -math.inf
        self._primary: tuple[str, int] | None = None

    def primary(self) -> tuple[str, int] | None:
        """The host and port that a sentinel named last; None as long as none has. Asks if that is due, and does not
        wait for the answer."""
        now = self._clock()
        try:
            if self._asked_at is not None:
                self._take(now, self._asked_at)
            elif now >= self._next_at:
                self._ask(now)
        except FAILURES:  # the next time, another one is asked
            self.close()
        return self._primary

    def _ask(self, now: float) -> None:
        self._next_at = now + LEASE
        if self._wire is None:
            sentinels = self._source.sentinel_manager.sentinels
            self._turn += 1
            self._wire = RedisWire(sentinels[self._turn % len(sentinels)], SENTINEL_TIMEOUT)
        self._wire.send(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._source.service_name))
        self._asked_at = now

    def _take(self, now: float, asked_at: float) -> None:
        reply = None if self._wire is None else self._wire.receive(0.0)
        if reply is not None:
            self._asked_at = None
            self._primary = str_if_bytes(reply[0]), int(reply[1])
        elif now - asked_at >= LEASE:
            raise TimeoutError("a sentinel does not answer")

    def close(self) -> None:
        """Close the connection. Never raises."""
        self._asked_at = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None


_OWN: Final = {
    "protocol": 3,  # replies and messages on one connection
    "retry": Retry(NoBackoff(), 0),
    "retry_on_error": [],
    "retry_on_timeout": False,
    "health_check_interval": 0,
    "socket_timeout": LEASE,
}


class Servers:
    """The servers that publish changes, as the client of redis-py knows them."""

    def __init__(self, clients: ThreadClient, doubt: Callable[[], None] = lambda: None) -> None:
        """doubt: has asyncio look again, too."""
        self._clients = clients
        self._doubt = doubt

    @property
    def is_cluster(self) -> bool:
        """Whether there are several."""
        return is_of_a_cluster(self._clients.client)

    def primaries(self) -> tuple[Any, ...]:
        """One for each line. Two of these are equal as long as nothing has changed."""
        return self._clients.servers()

    def hosts(self) -> list[str]:
        """The host names under which the application knows them."""
        client = self._clients.client
        if self.is_cluster:
            return [str(node.host) for node in client.get_nodes()]
        return [str(client.connection_pool.connection_kwargs.get("host", ""))]

    def open(self, primary: Any) -> Wire:
        """A new wire to one of them. Raises one of `failures.FAILURES`."""
        return RedisWire(self._clients.client_for(primary))

    @property
    def may_be_proxies(self) -> bool:
        """Whether they may be others than they seem. fakeredis is what it is, and knows no INFO."""
        pool = getattr(self._clients.client, "connection_pool", None)
        return pool is None or not pool.connection_class.__module__.startswith("fakeredis")

    def close(self) -> None:
        """Close the connections for commands that are idle."""
        self._clients.close()

    def look_again(self) -> None:
        """Have all commands from here on go to the servers that there are now."""
        self._clients.doubt()
        self._doubt()
