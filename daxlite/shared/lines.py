"""Lines: one to each primary, which together hear everything (`line.py`).

A message reaches the subscribers of all nodes of a cluster, but an answer shows only what its own node had published:
a process that heard a single one could miss what another one says for as long as it likes. So all lines are subscribed
before the first question is asked, and all nodes must name the primaries to which there are lines.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from msgspec import Struct

from .keyspace import Keyspace
from .leases import Lease, common
from .line import Line, Wire
from .messages import Copies


class Primaries(Protocol):
    """The servers that publish changes; `wires.Servers`."""

    @property
    def is_cluster(self) -> bool:
        """Whether there may be several."""

    def primaries(self) -> tuple[Any, ...]:
        """One for each line."""

    def hosts(self) -> list[str]:
        """The host names under which the application knows them."""

    def open(self, primary: Any) -> Wire:
        """A new wire to one of them. Raises one of `failures.FAILURES`."""

    def look_again(self) -> None:
        """Have commands go over new connections: another server may be the primary, though the one before answers."""

    @property
    def may_be_proxies(self) -> bool:
        """Whether it is worth to ask them what they are."""

    def close(self) -> None:
        """Close what is idle of the other connections: what used them is closed, or garbage."""


class Counts(Struct):
    """What happened so far."""

    messages: int = 0
    duplicates: int = 0
    """Copies of messages that another primary had brought."""
    leases_lost: int = 0
    """How often hearing ended."""
    renewals: int = 0
    """How often it began."""


class Regrouped(Exception):  # noqa: N818 - no error
    """The set of primaries is another one now."""


class Lines:
    """The lines from one beginning to the next."""

    def __init__(
        self,
        servers: Primaries,
        keyspace: Keyspace,
        counts: Counts,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        """Opens none yet. counts: those of messages and duplicates are kept here."""
        self._servers = servers
        self._keyspace = keyspace
        self._counts = counts
        self._clock = clock
        self._wall_clock = wall_clock
        self._primaries: tuple[Any, ...] = ()
        self._copies = Copies()
        self._tables: frozenset[bytes] = frozenset()
        self._nodes: frozenset[bytes] | None = None
        self._is_subscribed = False
        self.all: list[Line] = []
        self.current: Line | None = None
        """The one that is being asked or read."""
        self.confirmed: frozenset[bytes] = frozenset()
        """The tables to whose channels every line is subscribed."""

    def open(self, *, ask_what_they_are: bool) -> None:
        """Connect to all primaries. ask_what_they_are: they may be proxies. Raises one of `failures.FAILURES`."""
        self._servers.look_again()
        self._primaries = self._servers.primaries()
        for primary in self._primaries:
            self.current = None
            self.current = Line(
                self._servers.open(primary),
                self._clock,
                self._wall_clock,
                is_of_a_cluster=self._servers.is_cluster,
                asks_what_it_is=ask_what_they_are and self._servers.may_be_proxies,
            )
            self.all.append(self.current)

    def close(self) -> None:
        """Close all connections."""
        for line in self.all:
            line.close()

    def turn(self, tables: frozenset[bytes], seconds: float, hear: Callable[[bytes], None]) -> bool:
        """Ask what is to be asked, and take what has come, waiting for it so long. Returns whether all lines have
        answered a question since they were subscribed.

        hear: takes each message once, as soon as any line brings it. Raises what ends the lines: Regrouped, Proxied,
        one of `failures.FAILURES`.
        """
        if self._servers.primaries() != self._primaries:
            raise Regrouped
        for place, line in enumerate(self.all):
            self.current = line
            if tables != self._tables:
                for table in tables:
                    line.subscribe(self._keyspace.subscription(table))
            if self._is_subscribed:
                line.ask()
            line.read(seconds / len(self.all), partial(self._hear, place, hear))
        self._tables = tables
        if len(self.confirmed) < len(tables):
            self.confirmed = frozenset([table for table in tables if self._is_confirmed(table)])
        self._is_subscribed = self._is_subscribed or len(self.confirmed) == len(tables)
        if any(line.proved_at is None for line in self.all):
            return False
        self._check_nodes()
        return True

    def lease(self) -> Lease:
        """For how long everything counts as heard, once all have answered."""
        return common([line.proved_at for line in self.all if line.proved_at is not None])

    def _hear(self, place: int, hear: Callable[[bytes], None], data: bytes) -> None:
        if len(self.all) > 1 and self._copies.is_one(place, data):
            self._counts.duplicates += 1
        else:
            self._counts.messages += 1
            hear(data)

    def _is_confirmed(self, table: bytes) -> bool:
        subscription = self._keyspace.subscription(table)
        return all(subscription in line.subscriptions for line in self.all)

    def _check_nodes(self) -> None:
        """Raise Regrouped unless all nodes of a cluster name as many primaries as there are lines, the same ones as at
        the beginning."""
        if not self._servers.is_cluster:
            return
        for line in self.all:
            self._nodes = line.primaries if self._nodes is None else self._nodes
            if line.primaries != self._nodes or len(self._nodes or ()) != len(self.all):
                raise Regrouped
