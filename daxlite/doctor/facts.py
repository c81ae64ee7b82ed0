"""What was found of a server, a pair with sentinels, or a cluster; `judge.py` says what it means."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

Topology: TypeAlias = Literal["one server", "sentinels", "cluster"]

SLOTS: Final = 16384
"""Of a cluster."""


class Node(Struct, frozen=True):
    """What one server says of itself; what it does not say is None."""

    address: str
    """Host and port."""
    product: str | None = None
    """"Redis" or "Valkey"."""
    version: tuple[int, ...] | None = None
    is_primary: bool = True
    replicas: int = 0
    policy: str | None = None
    """What it evicts where its memory is full."""
    memory: int | None = None
    """Bytes in use."""
    memory_limit: int | None = None
    """0 for none."""
    evicted: int = 0
    """Keys, since it was started."""


class Refusal(Struct, frozen=True):
    """Something that the user may not do."""

    why: str
    """What is refused and which right is missing, in plain words."""
    costs: str | None
    """What is lost without it; None if that is the whole tier."""


class Times(Struct, frozen=True):
    """Seconds that something took, each time."""

    seconds: tuple[float, ...] = ()

    def quantile(self, part: float) -> float:
        """
        >>> Times((0.4, 0.1, 0.3, 0.2)).quantile(0.5)
        0.3
        """
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class Contents(Struct, frozen=True):
    """What stands in a namespace."""

    by_kind: Mapping[str, int] = {}
    """So many keys of each kind."""
    is_part: bool = False
    """Whether there are more keys than were looked at."""
    listeners: Mapping[str, int] = {}
    """How many processes listen to the changes of a table, by its name where that is known, else by its digest."""


class Facts(Struct, frozen=True):
    """All that was found."""

    namespace: str
    unreachable: str | None = None
    """Why no server answers; then there is nothing else."""
    topology: Topology = "one server"
    nodes: tuple[Node, ...] = ()
    slots: int | None = None
    """How many slots of a cluster are served."""
    proxy: str | None = None
    """Why it looks like a proxy, if it does."""
    refusals: tuple[Refusal, ...] = ()
    round_trips: Times = Times()
    delays: Times = Times()
    """Between a change and its message, as a listener sees it."""
    contents: Contents | None = None
    """None where the user may not look."""
