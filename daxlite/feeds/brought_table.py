"""One table of which records are brought: it is described and announced now and then, and its records are applied.

A process that brings records may stand still between two batches, and others may bring those of the same table. So all
of them share an epoch for the excuses of writers (see `shared.following.hold`), and deadlines go by two clocks.
"""

import logging
import os
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final

from msgspec import Struct

from ..cache.moment import LONG_AGO
from ..calls.forbidden import warn_if_forbidden
from ..calls.listeners import announce
from ..core.echoes import Epoch
from ..core.hidden import Hidden
from ..core.steps import Steps
from ..shared.errors import Unavailable
from ..shared.following import EPOCH_BYTES, Announcement, hold
from .applying import Applier
from .described import DESCRIBE_EVERY, LOOK_AGAIN, MISSING, FollowedTable
from .errors import code_of
from .stats import FeedCounts

_logger: Final = logging.getLogger("daxlite")

ANNOUNCED_FOR: Final = 900.0
"""Seconds for which an announcement stands: records come when something is written, and not otherwise."""
ANNOUNCE_EVERY: Final = 180.0
_WITHOUT_A_SCHEMA: Final = "any record of the table makes all that is cached of it stale"


class Brought(Hidden, Struct, frozen=True):
    """One record, as it was brought."""

    source: str
    """What brought it: the ARN of a stream, or what stands for it."""
    table: str | None
    """The table's name or ARN; None if the record does not tell it."""
    raw: Any
    """What `records.record_of` takes; None for a record that is none."""
    region: str | None = None
    """Where the table is, if only its name is known; None for the region of the client."""
    is_ordered: bool = False
    """Whether the records of an item come in the order in which they were written."""


class BroughtTable(Hidden):
    """One table whose records come from one source."""

    def __init__(
        self,
        table: FollowedTable,
        counts: FeedCounts,
        first: Brought,
        new_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """first: a record of it. new_bytes: random ones, never the same twice."""
        cache = self._cache = table.context.cache
        self._table = table
        self._counts = counts
        self._new_bytes = new_bytes
        self._is_ordered = first.is_ordered
        self._stream = first.source if first.source.startswith("arn:") else None
        self._id = blake2b(first.source.encode(), digest_size=EPOCH_BYTES, person=b"daxlite-source").digest()
        self._applier = Applier(
            table, counts, lambda: cache.moment().wall, self.lose, is_json=True, is_ordered=first.is_ordered
        )
        self._describe_at = self._announce_at = LONG_AGO
        self._is_doubted = False
        """Whether records may have been missed since the epoch began."""
        self._has_announced = False

    def take(self, records: Sequence[Any]) -> Steps[None]:
        """Apply records, in their order. What Redis could not be told of them stands in the outbox."""
        yield from self._describe()
        if self._is_ordered:
            yield from self._announce()
        try:
            yield from self._applier.apply_raw(records)
        except Exception as error:  # noqa: BLE001 - a fault of daxlite's: what these records told is lost
            self._cache.fault(error)
            yield from self.lose("a fault in daxlite")
        self._counts.at = self._cache.moment().wall

    def lose(self, reason: str) -> Steps[None]:
        """Records may have been missed: drop everything of the table, and believe no excuses of before."""
        self.doubt()
        self._counts.gaps += 1
        name = self._table.table.id.name
        _logger.warning("a gap in the changes of %s: %s; what depended on it is dropped", name, reason)
        yield from self._table.flush()

    def doubt(self) -> None:
        """Records may have been missed, or may be: the next epoch is another one."""
        self._is_doubted, self._announce_at, self._applier.epoch = True, LONG_AGO, None

    def _describe(self) -> Steps[None]:
        """Describe the table, if it is time. Where that fails, invalidation is only coarser than it could be."""
        now, table = self._cache.moment(), self._table
        if not self._describe_at.is_over(now):
            return
        self._describe_at = now.after(DESCRIBE_EVERY)
        made = table.made
        try:
            yield from table.describe()
        except Exception as error:  # noqa: BLE001 - throttled, unreachable, forbidden: it is asked again
            code = code_of(error)
            warn_if_forbidden(self._cache, error, "DescribeTable", table.name, _WITHOUT_A_SCHEMA)
            if code != "AccessDeniedException":
                self._describe_at = now.after(LOOK_AGAIN)
            if code in MISSING:
                yield from announce(self._cache, self._cache.forget(table.table))
            return
        if made and table.was_made_anew:
            yield from self.lose("the table was made anew")

    def _announce(self) -> Steps[None]:
        """Tell the writers, if it is time, that their records may be excused."""
        table, tier, now = self._table, self._table.tier, self._cache.moment()
        is_described = table.has_new and self._stream in (None, table.stream)
        if tier is None or not is_described or not self._announce_at.is_over(now):
            return
        self._applier.epoch = None
        mine = Announcement(Epoch(self._new_bytes(EPOCH_BYTES), table.has_old), self._id)
        try:
            standing, is_others = yield from hold(
                tier.server, tier.keyspace, table.feed, mine, ANNOUNCED_FOR, is_new=self._is_doubted
            )
        except Unavailable:
            return  # all records are applied, which costs reads
        is_first, self._has_announced = not self._has_announced, True
        self._applier.epoch, self._is_doubted = standing.epoch, False
        self._announce_at = now.after(ANNOUNCE_EVERY)
        if is_first and is_others:
            yield from self.lose("the table has another stream, or another follower reads it")
