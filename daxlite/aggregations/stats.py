"""Statistics of an aggregation cache, per function."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class AggregationCounts:
    """Counts since the aggregation cache was made, in this process.

    >>> AggregationCounts(near_hits=2, shared_hits=1, misses=1).hit_ratio
    0.75
    """

    near_hits: int = 0
    """Results from the near cache of this process."""
    shared_hits: int = 0
    """Results from Redis."""
    stale_hits: int = 0
    """Results served after their TTL, while the next one was computed in the background."""
    misses: int = 0
    """Calls that found no result to serve."""
    joined: int = 0
    """Misses answered by the computation of another thread or task of this process."""
    awaited: int = 0
    """Misses answered by the computation of another process, after waiting for it."""
    computations: int = 0
    """Computations in this process, including those in the background."""
    compute_seconds: float = 0.0
    """Time spent in computations."""
    wait_seconds: float = 0.0
    """Time spent waiting for the computations of other processes."""
    compute_errors: int = 0
    """Computations that raised."""
    stale_on_error: int = 0
    """Misses answered by an old result, because the computation raised."""
    early_refreshes: int = 0
    """Computations in the background, before or after the end of a TTL."""
    stored: int = 0
    """Results stored in Redis."""
    discarded: int = 0
    """Results not stored because a dependency changed while they were computed, or because their dependencies are not
    known."""
    unstorable: int = 0
    """Results not stored because of their type or size."""
    corrupt: int = 0
    """Values in Redis that were damaged, or not written by daxlite."""
    invalidations: int = 0
    """Results found in Redis of which a dependency had changed."""
    bytes_read: int = 0
    """Bytes of results read from Redis."""
    bytes_written: int = 0
    """Bytes of results written to Redis."""

    @property
    def hit_ratio(self) -> float:
        """Near, shared and stale hits as a fraction of all calls; 0 before the first call."""
        hits = self.near_hits + self.shared_hits + self.stale_hits
        return hits / (hits + self.misses) if hits + self.misses else 0.0


@dataclass(frozen=True, slots=True)
class AggregationStats:
    """A snapshot of `AggregationCache.stats()`."""

    functions: Mapping[str, AggregationCounts]
    """By the name of the function; those of `get_or_compute` are under "get_or_compute"."""
    redis_errors: int
    """Commands that Redis refused or did not answer."""
    skipped: int
    """Commands not sent, because the circuit breaker was open."""
    is_available: bool
    """Whether Redis does all that was last asked of it: the circuit breaker is closed, and no command is refused, as
    one is for which the user has no right. The log says what is missing."""
    is_listening: bool
    """Whether this process receives the changes of the others, so that its near cache may answer."""
    pending_invalidations: int
    """Changes that are still to be sent to Redis."""
    near_entries: int
    """Results in the near cache."""
    near_bytes: int
    """Bytes of the results in the near cache."""
    faults: int
    """Faults of daxlite itself. The call that met one computed its result, as without a cache."""

    @property
    def total(self) -> AggregationCounts:
        """The counts of all functions added up."""
        return add(self.functions.values())


_NAMES: Final = tuple(part.name for part in fields(AggregationCounts))


def add(every: Iterable[AggregationCounts]) -> AggregationCounts:
    """The sum of counts."""
    counts = list(every)
    return AggregationCounts(**{name: sum(getattr(one, name) for one in counts) for name in _NAMES})


class FunctionCounters:
    """The running counts of one function."""

    __slots__ = ("_lock", "_numbers")

    def __init__(self) -> None:
        self.begin()
        self._numbers: dict[str, float] = dict.fromkeys(_NAMES, 0)

    def begin(self) -> None:
        """Make a new lock, in the child process after a fork: another thread may have held the old one."""
        # Reentrant for a signal handler that computes: the most that it can see half done is one addition.
        self._lock = threading.RLock()

    def start_over(self) -> None:
        """Count from zero."""
        with self._lock:
            self._numbers.update(dict.fromkeys(_NAMES, 0))

    def add(self, name: str, amount: float = 1) -> None:
        """Add to the count of this name."""
        with self._lock:
            self._numbers[name] += amount

    def snapshot(self) -> AggregationCounts:
        """The counts at this moment."""
        with self._lock:
            return AggregationCounts(**self._numbers)  # type: ignore[arg-type]
