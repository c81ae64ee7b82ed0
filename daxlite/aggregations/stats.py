"""What an aggregation cache did, counted per function."""

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
    """Results that this process had at hand."""
    shared_hits: int = 0
    """Results from Redis."""
    stale_hits: int = 0
    """Results served after their TTL, while the next one was computed."""
    misses: int = 0
    """Calls for which there was no fresh result."""
    joined: int = 0
    """Misses answered by a computation of another thread of this process."""
    awaited: int = 0
    """Misses answered by the computation of another process, after waiting for it."""
    computations: int = 0
    """Computations made here, in the background too."""
    compute_seconds: float = 0.0
    """Time spent in them."""
    wait_seconds: float = 0.0
    """Time spent waiting for other processes."""
    compute_errors: int = 0
    """Computations that raised."""
    stale_on_error: int = 0
    """Misses answered by an old result, because the computation raised."""
    early_refreshes: int = 0
    """Computations in the background, before or after the TTL had ended."""
    stored: int = 0
    discarded: int = 0
    """Results not stored because something that they depend on changed while they were computed, or because it could
    not be told what they depend on."""
    unstorable: int = 0
    """Results not stored because of their type or size."""
    corrupt: int = 0
    """Values in Redis that were not ours, or damaged."""
    invalidations: int = 0
    """FoundResult in Redis, but something that they depend on had changed."""
    bytes_read: int = 0
    bytes_written: int = 0

    @property
    def hit_ratio(self) -> float:
        """NearCache, shared and stale hits among all calls; 0 before the first."""
        hits = self.near_hits + self.shared_hits + self.stale_hits
        return hits / (hits + self.misses) if hits + self.misses else 0.0


@dataclass(frozen=True, slots=True)
class AggregationStats:
    """A snapshot of `AggregationCache.stats()`."""

    functions: Mapping[str, AggregationCounts]
    """By function; what `get_or_compute` did is under "get_or_compute"."""
    redis_errors: int
    """Commands that Redis refused or did not answer."""
    skipped: int
    """Commands not sent, because the circuit breaker was open."""
    is_available: bool
    """Whether Redis is being asked, as far as the circuit breaker knows."""
    is_listening: bool
    """Whether this process hears what the others change, and so may answer from its near cache."""
    pending_invalidations: int
    """Changes that Redis could not be told of yet."""
    near_entries: int
    near_bytes: int
    faults: int
    """Faults of daxlite's own, each of which ended in a plain computation."""

    @property
    def total(self) -> AggregationCounts:
        """Everything added up."""
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
        """Go on in a new process after a fork: another thread may have held the lock."""
        # Can be taken again by a signal handler that computes: what it would see half done is one addition.
        self._lock = threading.RLock()

    def add(self, name: str, amount: float = 1) -> None:
        """Count."""
        with self._lock:
            self._numbers[name] += amount

    def snapshot(self) -> AggregationCounts:
        with self._lock:
            return AggregationCounts(**self._numbers)  # type: ignore[arg-type]
