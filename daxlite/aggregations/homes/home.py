"""Where an aggregation cache keeps its results: in Redis, for all processes, or in this process alone."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from ...core.extents import Extent
from ...core.steps import Server
from ...drivers.progress import Surface
from ...faults import Faults
from ...shared.envelope import Envelope
from ...shared.keyspace import Keyspace
from ...shared.outbox import Outbox
from ..capture.capture import KnownTokens
from ..engine.near import Near

Clock: TypeAlias = Callable[[], float]


class Home(Protocol):
    """The parts of an aggregation cache that depend on that."""

    keyspace: Keyspace
    server: Server
    envelope: Envelope
    near: Near
    known_tokens: KnownTokens
    faults: Faults
    outbox: Outbox
    """Tells the server, and so the others, what has changed."""
    surface: Surface | None
    """What an application sees of the server's failures; None if it is to see none."""

    def bump(self, changed: Mapping[bytes, Extent]) -> None:
        """Note a change of these extents of tags in all caches of this process that share the home, which are not to
        wait for their messages."""

    def is_failure(self, error: Exception) -> bool:
        """Whether the fault is the server's, and not daxlite's own."""

    @property
    def errors(self) -> int:
        """Commands that the server refused or did not answer."""

    @property
    def skipped(self) -> int:
        """Commands that were not sent."""

    @property
    def is_available(self) -> bool:
        """Whether the server does all that was last asked of it."""

    @property
    def is_listening(self) -> bool:
        """Whether this process receives the changes of the others."""

    def start_over(self) -> None:
        """Answer with nothing that this process keeps. What Redis keeps stays."""

    def begin(self) -> None:
        """Begin anew in a child process: the threads of the parent are not there any more."""

    def stop(self) -> None:
        """Have the thread end that listens. The garbage collector may call it at any moment, so it takes no lock."""

    def leave(self) -> None:
        """The same, and wait until it has ended: nothing is heard any more."""

    def close(self) -> None:
        """Close the connections for threads that are daxlite's own, when all is delivered."""

    async def async_close(self) -> None:
        """Close all connections that are daxlite's own."""
