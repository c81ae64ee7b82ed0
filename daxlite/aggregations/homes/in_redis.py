"""Results in Redis or Valkey, for all processes that share a namespace."""

from collections.abc import Mapping
from typing import Final
from weakref import WeakSet

from ...core.extents import Extent
from ...drivers.threads import ThreadDriver
from ...faults import Faults
from ...shared.connections import Connections
from ...shared.encryption import Encryptor
from ...shared.envelope import Envelope
from ...shared.failures import FAILURES, surfaced
from ...shared.hearing import Hearing
from ...shared.keyspace import Keyspace
from ...shared.outbox import Outbox
from ...shared.tags import EVERY_TABLE
from ...shared.wires import Servers
from ..capture.capture import KnownTokens
from ..engine.near import NearCache
from ..settings import AggregationConfig
from .home import Clock, Home


class InRedis(Home):
    """Connections, a near cache, and a thread that listens to what other processes change."""

    def __init__(
        self, connections: Connections, namespace: str, config: AggregationConfig, clock: Clock, wall_clock: Clock
    ) -> None:
        self.connections = self.server = connections
        self.keyspace = Keyspace(namespace, connections.given)
        encryptor = Encryptor(config.encryption_keys) if config.encryption_keys else None
        self.envelope = Envelope(config.compress_above, config.max_value_bytes, encryptor)
        self._breaker = connections.threads.breaker
        self.faults = Faults()
        self.hearing = Hearing(
            Servers(connections.threads.clients),
            self.keyspace,
            self._breaker,
            clock=clock,
            wall_clock=wall_clock,
            tables=frozenset((EVERY_TABLE,)),
        )
        self.near = NearCache(config.near_bytes, self.hearing, clock)
        self.hearing.on_message = self.near.hear
        self.hearing.on_fault = self.faults.note
        self.outbox = Outbox(self.keyspace, self.bump, connections, self.faults, ThreadDriver().drive)
        self.known_tokens = KnownTokens()
        self.surface = surfaced if config.on_error == "raise" else None

        _homes.add(self)

    def bump(self, changed: Mapping[bytes, Extent]) -> None:
        for home in list(_homes):
            if home.keyspace.identity == self.keyspace.identity:
                home.near.bump(changed)

    def is_failure(self, error: Exception) -> bool:
        return isinstance(error, FAILURES)

    @property
    def errors(self) -> int:
        return self._breaker.errors

    @property
    def skipped(self) -> int:
        return self._breaker.skipped

    @property
    def is_available(self) -> bool:
        return not self._breaker.is_open and not self._breaker.troubles.are_there

    @property
    def is_listening(self) -> bool:
        return self.hearing.hears(EVERY_TABLE)

    def start_over(self) -> None:
        self.near.clear()

    def begin(self) -> None:
        self.connections.begin()
        self.hearing.begin()
        self.near.begin()

    def stop(self) -> None:
        self.hearing.stop()

    def leave(self) -> None:
        self.hearing.close()

    def close(self) -> None:
        self.connections.close()

    async def async_close(self) -> None:
        await self.connections.async_close()


_homes: Final[WeakSet[InRedis]] = WeakSet()
