"""Where a feed goes on after a restart: its checkpoint in the shared tier, which is never ahead of what has taken
effect."""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ..core.steps import Steps
from ..shared.checkpoints import FORMAT, Checkpoint, load, save
from ..shared.errors import CorruptValue, Unavailable
from .described import FollowedTable
from .streams.reader import StreamReader

SAVE_EVERY: Final = 1.0
"""Seconds between two checkpoints, where there is something new."""
SAVE_ANYWAY: Final = 10.0
"""Seconds after which one is written all the same: it tells how far the follower has come."""


class Checkpoints:
    """The checkpoint of one table's feed. Without a shared tier there is none, and nothing is done.

    clock: seconds that never go back; wall_clock: seconds since the epoch.
    """

    def __init__(
        self, table: FollowedTable, clock: Callable[[], float], wall_clock: Callable[[], float], *, needs_tier: bool
    ) -> None:
        """needs_tier: whether `load` raises Unavailable where the tier cannot be read."""
        self._table = table
        self._clock, self._wall_clock = clock, wall_clock
        self._needs_tier = needs_tier
        self._saved: dict[str, str] = {}
        self._saved_at = -math.inf

    @property
    def is_saved(self) -> bool:
        """Whether any was written."""
        return self._saved_at > -math.inf

    @property
    def is_due(self) -> bool:
        """Whether it is time to look whether there is something to be written."""
        return self._clock() - self._saved_at >= SAVE_EVERY

    def load(self) -> Steps[tuple[Checkpoint | None, str, bool]]:
        """The checkpoint; what is wrong with it, if it is of no use; and whether there was one, or may have been."""
        tier = self._table.tier
        if tier is None:
            return None, "there is no checkpoint", False
        try:
            checkpoint = yield from load(tier.server, tier.keyspace, self._table.feed)
        except CorruptValue:
            return None, "the checkpoint cannot be read", True
        except Unavailable:
            if self._needs_tier:
                raise
            return None, "the checkpoint cannot be read", True
        if checkpoint is None:
            return None, "there is no checkpoint", False
        return checkpoint, "the table has another stream", True

    def save(self, reader: StreamReader, epoch: bytes, *, is_now: bool = False) -> Steps[None]:
        """Write it, if all that was read has taken effect and there is something new. is_now: at once; what Redis has
        not been told is delivered before."""
        tier, now = self._table.tier, self._clock()
        if tier is None or not reader.has_begun:
            return
        positions = reader.positions()
        if positions == self._saved and now - self._saved_at < SAVE_ANYWAY and not is_now:
            return
        if tier.outbox and is_now:
            with suppress(Unavailable):
                yield from tier.outbox.flush(is_urgent=True, chunks=math.inf)
        if tier.outbox:
            return
        wall, reached = self._wall_clock(), reader.reached()
        saved_at = wall if reached is None else min(reached, wall)
        checkpoint = Checkpoint(FORMAT, reader.arn, self._table.made, saved_at, epoch, positions)
        with suppress(Unavailable):
            yield from save(tier.server, tier.keyspace, self._table.feed, checkpoint)
            self._saved, self._saved_at = positions, now
