"""What a cache did, counted per table and kind."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..core.shared_stats import SharedStats
from .counters import NUMBERS, Kind, KindCounters


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """CacheCounts since the cache was made; `entries` and `bytes` are what it holds now.

    >>> CacheCounts(hits=3, misses=1).hit_ratio
    0.75
    """

    hits: int = 0
    """Reads answered from the cache; in a BatchGetItem each key counts."""
    misses: int = 0
    """Reads for which the cache had no answer yet. All but the joined ones were sent to DynamoDB."""
    joined: int = 0
    """Misses answered by the read of another caller that was in flight already."""
    consistent_misses: int = 0
    """Misses sent as strongly consistent reads, at twice the read units, because what they read had just changed."""
    fills: int = 0
    """Answers and written items stored."""
    settling_fills: int = 0
    """Pages of a global index among the fills that were stored for a short time only, because what they cover had just
    changed."""
    discarded_fills: int = 0
    """Answers not stored because something that they depend on changed while they were read, or so shortly before that
    they may be old; and written items not stored because their write overlapped another one."""
    invalidations: int = 0
    """Entries dropped because something that they depend on changed. A query is counted when it is next looked at."""
    evictions: int = 0
    """Entries dropped to stay within max_bytes."""
    expirations: int = 0
    """Entries dropped because their TTL ended; counted when they are next looked at."""
    entries: int = 0
    bytes: int = 0
    bypasses: Mapping[str, int] = field(default_factory=dict)
    """Reads that went straight to DynamoDB, by reason, such as "consistent_read"."""

    @property
    def hit_ratio(self) -> float:
        """The part of the reads that were looked up for which DynamoDB was not asked: (hits + joined) / (hits +
        misses), as a joined read is among the misses. 0 before the first read.

        >>> CacheCounts(hits=2, misses=2, joined=1).hit_ratio
        0.75
        """
        looked_up = self.hits + self.misses
        return (self.hits + self.joined) / looked_up if looked_up else 0.0


@dataclass(frozen=True, slots=True)
class CacheStats:
    """A snapshot of `Cache.stats()`."""

    tables: Mapping[str, Mapping[Kind, CacheCounts]]
    """By table name and kind: "item", "query" or "scan"."""
    faults: int
    """Faults of daxlite's own, each of which ended in a plain call to DynamoDB or an emptied cache."""
    in_flight: int
    """Calls under way that may fill or change the cache."""
    shared: SharedStats | None = None
    """What the tier did that the cache shares with other processes; None where there is none."""

    @property
    def total(self) -> CacheCounts:
        """Everything added up."""
        return add(counts for kinds in self.tables.values() for counts in kinds.values())


def counts_of(counters: KindCounters) -> CacheCounts:
    """A snapshot of running counts."""
    return CacheCounts(**{name: getattr(counters, name) for name in NUMBERS}, bypasses=dict(counters.bypasses))


def add(every: Iterable[CacheCounts]) -> CacheCounts:
    """The sum of counts.

    >>> add([CacheCounts(hits=1, bypasses={"bypass": 1}), CacheCounts(hits=2)]).hits
    3
    """
    numbers = dict.fromkeys(NUMBERS, 0)
    bypasses: dict[str, int] = {}
    for counts in every:
        for name in NUMBERS:
            numbers[name] += getattr(counts, name)
        for reason, number in counts.bypasses.items():
            bypasses[reason] = bypasses.get(reason, 0) + number
    return CacheCounts(**numbers, bypasses=bypasses)
