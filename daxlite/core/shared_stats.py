"""What the tier that processes share did in one of them, as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SharedStats:
    """A snapshot of what the shared tier did in this process since the cache was made.

    >>> SharedStats(hits=3, misses=1).hit_ratio
    0.75
    """

    hits: int = 0
    """Reads that the tier answered."""
    misses: int = 0
    """Reads of which it had no answer that may be served."""
    waits: int = 0
    """Reads among the hits that waited for the answer of a reader of another process."""
    fills: int = 0
    """Answers and written items that it has kept."""
    probation_fills: int = 0
    """Answers among the fills that live for the settle window alone, because a change before them may be forgotten."""
    refused_fills: Mapping[str, int] = field(default_factory=dict)
    """Answers and written items that were not kept, by reason: "changed", "open" (a write was under way), "gone" (the
    state was lost), "late", "settling", "overlapped" (by another write), "lost" (a record was), "unwanted", "full",
    "too large" or "unavailable"."""
    writes: int = 0
    """Writes that were begun."""
    untold_writes: int = 0
    """Writes among them that the server did not hear of in time."""
    messages: int = 0
    """Messages of all processes that this one heard."""
    duplicates: int = 0
    """Copies of messages that another primary had brought."""
    leases_lost: int = 0
    """How often this process stopped hearing the others."""
    renewals: int = 0
    """How often it began to."""
    is_hearing: bool = False
    pending: int = 0
    """What the server is still to be told."""
    bytes_read: int = 0
    bytes_written: int = 0
    """Bytes of values."""
    errors: int = 0
    """Commands that failed."""
    skipped: int = 0
    """Commands that were not sent, because the server had failed before."""
    seconds_p50: float = 0.0
    """What a step with the server took, in seconds, for half of the last steps."""
    seconds_p99: float = 0.0

    @property
    def hit_ratio(self) -> float:
        """The part of the reads that the tier answered; 0 before the first one."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0
