"""What all requests of an aggregation cache share."""

from collections.abc import Callable
from math import log

from msgspec import Struct

from ...core.steps import Server
from ...shared.keyspace import Keyspace
from ..capture.capture import KnownTokens
from ..options import AggregationOptions
from ..stored_result import StoredResult
from .flights import ComputeFlights
from .near import Near
from .store import Store


class Engine(Struct, eq=False):
    """The parts that together answer requests: the store in Redis, the near cache, the flights of this process."""

    store: Store
    near: Near
    flights: ComputeFlights
    keyspace: Keyspace
    server: Server
    known_tokens: KnownTokens
    clock: Callable[[], float]
    wall_clock: Callable[[], float]
    random: Callable[[], float]
    report_unstorable: Callable[[str, Exception], None]
    """Logs, once for a function, what kept its result from being stored."""
    current_caller: Callable[[], object]
    """The thread or task that runs."""
    max_background: int
    """The most computations in the background at a time."""
    refreshing: set[bytes] = set()
    """The keys whose results are being computed in the background."""
    unstorable_keys: dict[bytes, None] = {}
    """The keys whose results could not be stored when they were last computed. No caller waits for such a computation
    of another process, because it would get nothing from it."""

    def is_fresh(self, stored: StoredResult) -> bool:
        """Whether the TTL of a result has not ended."""
        return self.wall_clock() < stored.expires_at

    def is_due(self, stored: StoredResult, options: AggregationOptions) -> bool:
        """Whether it is time to compute the next result, by XFetch: the nearer the end, and the longer it takes."""
        if not options.early_refresh or stored.lags_until <= stored.expires_at:
            return False  # a result that ends early because it may be old is no better for being computed at once
        early_by = -log(1 - self.random()) * options.early_refresh * stored.seconds
        return self.wall_clock() + early_by >= stored.expires_at
