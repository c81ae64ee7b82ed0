"""What a feed has done so far."""

from msgspec import Struct


class FeedStats(Struct, frozen=True):
    """Counts of one table's feed, since it began."""

    table: str
    records: int = 0
    """Records that came."""
    applied: int = 0
    """Changes that dropped what depended on them."""
    echoes: int = 0
    """Records of this namespace's own writes, which were applied before."""
    unchanged: int = 0
    """Records that say that nothing changed."""
    expiries: int = 0
    """Items that DynamoDB deleted because their time was over."""
    unknown_events: int = 0
    """Records of a kind that this release does not know. Their items are dropped."""
    gaps: int = 0
    """Changes were lost, and everything of the table was dropped, so many times."""
    throttled: int = 0
    """Requests that DynamoDB refused because too many came."""
    failures: int = 0
    """Other requests that failed and were sent again."""
    shards: int = 0
    """Shards that are being read now."""
    lag: float | None = None
    """Seconds between the moment at which the last record was written and the one at which it was applied. Streams
    round the former down to a second."""
    at: float = 0.0
    """Seconds since the epoch: what happened until then has been heard of, as far as is known."""


class FeedCounts:
    """The same while it goes on. One thread adds to it."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.records = self.applied = self.echoes = self.unchanged = self.expiries = self.unknown_events = 0
        self.gaps = self.throttled = self.failures = self.shards = 0
        self.lag: float | None = None
        self.at = 0.0

    def snapshot(self) -> FeedStats:
        """The counts as they are now."""
        return FeedStats(**{name: getattr(self, name) for name in FeedStats.__struct_fields__})
