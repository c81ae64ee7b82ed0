"""What is asked for, and where it is answered."""

from collections.abc import Callable
from math import log
from typing import Any

from msgspec import Struct

from ...shared.connection import Connection
from ...shared.errors import CorruptValue
from ...shared.keyspace import Keyspace
from ..capture.capture import KnownStamps
from ..options import AggregationOptions
from ..serialization.codec import Codec
from ..stats import FunctionCounters
from .flights import ComputeFlights
from .near import NearCache
from .store import Store
from .stored_result import StoredResult


class ComputeRequest(Struct, eq=False):
    """One result that is asked for."""

    key: bytes
    name: str
    """What it is called in logs."""
    options: AggregationOptions
    codec: Codec
    counters: FunctionCounters
    tags: tuple[bytes, ...]
    """What it depends on in any case."""
    compute: Callable[[], Any]
    is_as_asked: Callable[[], bool] = lambda: True
    """Whether the arguments are still those of the key: the caller may change a list once he has his answer."""


class Engine(Struct, eq=False):
    """Where requests are answered: what all of them share."""

    store: Store
    near: NearCache
    flights: ComputeFlights
    keyspace: Keyspace
    connection: Connection
    known_stamps: KnownStamps
    clock: Callable[[], float]
    wall_clock: Callable[[], float]
    random: Callable[[], float]
    complain: Callable[[str, Exception], None]
    """Reports, once, what kept a result from being stored."""
    me: Callable[[], object]
    """Who is asking: the thread or task that runs."""
    refreshing: set[bytes] = set()
    """The keys that are being computed in the background."""
    unstorable_keys: dict[bytes, None] = {}
    """The keys whose results could not be stored when they were last computed: nobody waits for such a computation in
    another process, of which he would get nothing."""


def decoded(request: ComputeRequest, entry: StoredResult) -> tuple[Any] | None:
    """The result in an entry, in objects that nobody else has; None if it cannot be read."""
    try:
        return (request.codec.decode(entry.payload),)
    except CorruptValue:
        request.counters.add("corrupt")
        return None


def is_fresh(engine: Engine, entry: StoredResult) -> bool:
    """Whether its TTL has not ended."""
    return engine.wall_clock() < entry.expires_at


def is_due(engine: Engine, entry: StoredResult, options: AggregationOptions) -> bool:
    """Whether it is time to compute the next result, by XFetch: the nearer the end, and the longer it takes."""
    if not options.early_refresh or entry.settled_at >= entry.expires_at:
        return False  # one that ends early because it may be old is not better for being computed at once
    early_by = -log(1 - engine.random()) * options.early_refresh * entry.seconds
    return engine.wall_clock() + early_by >= entry.expires_at
