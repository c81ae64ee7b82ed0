"""A feed tells the writers that it reads their table's stream, so that they leave excuses for their own records.

An epoch ends with each gap: the records that excuses of before were for may be lost.
"""

import logging
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ..core.echoes import Epoch
from ..core.steps import Run, Steps
from ..shared.errors import Unavailable
from ..shared.following import EPOCH_BYTES, LASTS, Announcement, announce, announced, questions
from .described import FollowedTable

_logger: Final = logging.getLogger("daxlite")

ANNOUNCE_EVERY: Final = LASTS / 4


class Announcer:
    """The announcements of one table's feed.

    clock: seconds that never go back; new_bytes: random ones, never the same twice.
    """

    def __init__(self, table: FollowedTable, clock: Callable[[], float], new_bytes: Callable[[int], bytes]) -> None:
        self._table = table
        self._clock = clock
        self._new_bytes = new_bytes
        self._id = new_bytes(EPOCH_BYTES)
        self._announced_at = -math.inf
        self._has_rival = False
        self.has_announced = False
        self.epoch_id = new_bytes(EPOCH_BYTES)
        """Of the present epoch."""

    @property
    def believed(self) -> Epoch | None:
        """The epoch whose excuses are believed; None where records have no new images."""
        return Epoch(self.epoch_id, self._table.has_old) if self._table.has_new else None

    @property
    def is_due(self) -> bool:
        """Whether it is time to announce."""
        return self._clock() - self._announced_at >= ANNOUNCE_EVERY

    def begin_epoch(self) -> None:
        """Records may have been missed: from here on no excuse of before is believed. It is to be announced next."""
        self.epoch_id = self._new_bytes(EPOCH_BYTES)
        self._announced_at = -math.inf
        self._tell_this_process()

    def announce(self) -> Steps[None]:
        """Tell the writers of this process, or of all that share the tier."""
        self._announced_at = self._clock()
        self._tell_this_process()
        tier, epoch = self._table.tier, self.believed
        if tier is None or epoch is None:
            return
        with suppress(Unavailable):
            question = questions(tier.keyspace, [self._table.feed])
            command = announce(tier.keyspace, self._table.feed, Announcement(epoch, self._id))
            before, _ = yield Run(tier.server, (*question, command), is_urgent=True)
            self._look_for_rival(announced(before[0]))
            self.has_announced = True

    def leave(self) -> None:
        """No records are read any more. What stands in the tier ends by itself."""
        self._table.context.cache.echoes.leave(self._table.table.id)

    def _tell_this_process(self) -> None:
        epoch = self.believed
        if self._table.tier is None and epoch is not None:
            self._table.context.cache.echoes.follow(self._table.table.id, epoch)

    def _look_for_rival(self, standing: Announcement | None) -> None:
        is_rivals = standing is not None and standing.id != self._id and self.has_announced
        if is_rivals and not self._has_rival:
            self._has_rival = True
            name = self._table.table.id.name
            _logger.warning("another follower reads the stream of %s; one is enough, and two cost reads", name)
