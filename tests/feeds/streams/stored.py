"""One shard as the simulated service keeps it, and as its descriptions show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class StoredShard:
    """One shard, as the service keeps it."""

    id: str
    parents: tuple[str, ...]
    start: str
    moments: list[float] = field(default_factory=list)
    """When each record was written, to the microsecond."""
    records: list[Any] = field(default_factory=list)
    trimmed: int = 0
    """So many of its records are gone."""
    closed_at: float | None = None
    last: str = ""
    hidden: int = 0
    """So many descriptions leave it out from here on."""
    was_hidden: bool = False
    shown_open: int = 0
    """So many descriptions show it as open, though it is closed."""
    blanks: int = 0
    """So many replies bring no records, though there are some."""


def described(shard: StoredShard) -> dict[str, Any] | None:
    """A shard as a description shows it; None if it leaves it out."""
    if shard.hidden:
        shard.hidden -= 1
        return None
    range = {"StartingSequenceNumber": shard.start}
    if shard.closed_at is not None and not shard.shown_open:
        range["EndingSequenceNumber"] = shard.last
    shard.shown_open = max(0, shard.shown_open - 1)
    parents = dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parents, strict=False))
    return {"ShardId": shard.id, "SequenceNumberRange": range, **parents}
