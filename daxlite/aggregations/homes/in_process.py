"""Results in this process alone. Its own changes are all that there is to hear of."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final

from ...cache.memory import MemoryCache
from ...core.extents import Extent
from ...core.tags import Tag
from ...drivers.threads import ThreadDriver
from ...faults import Faults
from ...shared.envelope import Envelope
from ...shared.errors import CorruptValue, Unavailable
from ...shared.keyspace import Keyspace
from ...shared.outbox import Outbox
from ...shared.states import is_low, top_if_true
from ...shared.tags import EVERYTHING, everything_of
from ..capture.capture import KnownTokens, SeenState
from ..engine.near import Moment
from ..settings import AggregationConfig
from ..stored_result import StoredResult, unpack
from .home import Clock, Home
from .local_server import LocalServer

_NO_MOMENT: Final = Moment(0, 0.0, 0)


class LocalResults:
    """Finds the results of a local server without a step. It keeps none itself."""

    def __init__(self, server: LocalServer, keyspace: Keyspace, envelope: Envelope, outbox: Outbox) -> None:
        self._server = server
        self._outbox = outbox
        self._keyspace = keyspace
        self._envelope = envelope

    def now(self) -> Moment:
        """No moment matters: the states tell what has changed."""
        return _NO_MOMENT

    def get(self, key: bytes, tags: tuple[bytes, ...]) -> StoredResult | None:
        """The result under a key, if it has these tags and nothing that it depends on has changed."""
        if self._outbox:
            return None  # something has changed of which a signal handler kept the server from being told
        with suppress(Unavailable, CorruptValue):
            (data,) = self._server.get([self._keyspace.value(key)])
            if data is None:
                return None
            stored = unpack(self._envelope.unwrap(data, key))
            states = self._server.get([*map(self._keyspace.state, stored.tags)])
            if not stored.has_tags(tags) or any(map(is_low, states, stored.tokens)):
                return None  # those that are low are stored anew with their present tokens
            if None not in map(top_if_true, states, stored.tokens, stored.extents):
                return stored
        return None

    def put(self, key: bytes, stored: StoredResult, since: Moment) -> None:
        """It stands in the server already."""

    def bump(self, changed: Mapping[bytes, Extent]) -> None:
        """The states in the server have changed already."""

    def clear(self) -> None:
        """There is nothing here."""

    def size(self) -> tuple[int, int]:
        """The numbers of results in the server, and of all bytes there."""
        return self._server.size(self._keyspace.is_value)


class NothingMissed(KnownTokens):
    """The caches of one process hear of each other's changes before anything else does."""

    def catch_up(self, cache: MemoryCache, seen: Collection[SeenState], drop: tuple[Tag, ...] | None = None) -> None:
        """They are true already."""


class InProcess(Home):
    """A server within this process."""

    surface = None
    errors = skipped = 0
    is_available = is_listening = True

    def __init__(self, namespace: str, config: AggregationConfig, clock: Clock) -> None:
        """Raises TypeError or ValueError for what is not allowed."""
        if not config.near_bytes:
            raise ValueError("near_bytes is 0; the results of one process stand nowhere else: it must be at least 1")
        self.server = LocalServer(config.near_bytes, clock)
        self.keyspace = Keyspace(namespace, self.server)
        # What stands in this process's memory needs no encryption, and compression would cost each hit.
        self.envelope = Envelope(None, config.max_value_bytes)
        self.faults = Faults()
        self.outbox = Outbox(self.keyspace, self.bump, self.server, self.faults, ThreadDriver().drive)
        self.near = LocalResults(self.server, self.keyspace, self.envelope, self.outbox)
        self.known_tokens = NothingMissed()

    def bump(self, changed: Mapping[bytes, Extent]) -> None: ...

    def is_failure(self, error: Exception) -> bool:
        return False

    def start_over(self) -> None:
        # As a change of everything, so that what is being computed is not kept either.
        with suppress(Unavailable):  # what the server cannot be told now it is told later
            ThreadDriver().drive(self.outbox.invalidate(everything_of((EVERYTHING,))))

    def begin(self) -> None:
        self.server.begin()

    def stop(self) -> None:
        self.server.stop()

    def leave(self) -> None:
        self.server.close()  # its own changes are not heard any more either

    def close(self) -> None: ...

    async def async_close(self) -> None: ...
