"""Records that are brought, by AWS Lambda or the Kinesis Client Library, to a process that may stand still in between.

    batch  --> describe, announce, if it is time --> apply --> deliver --> the batch is done
                                                               fails   --> it is not, and is brought again

What is left in the outbox of a process that is frozen may never be sent. So a batch counts as done only once the outbox
is empty.
"""

import logging
import math
import threading
from collections.abc import Sequence
from typing import Final, TypeAlias

from botocore.exceptions import BotoCoreError

from ..calls.listeners import Delivers, announce, change_listeners
from ..calls.said_once import is_said_first
from ..core.checks import shown
from ..core.hidden import Hidden
from ..core.not_cacheable import NotCacheable
from ..core.steps import Steps
from ..core.tables import region_and_name
from ..drivers.threads import ThreadDriver
from ..edges.cache import Cache
from ..shared.errors import Unavailable
from ..shared.tier import Tier
from .brought_table import Brought, BroughtTable
from .clients import RegionalClients, is_of_aws
from .described import FollowedTable
from .stats import FeedCounts, FeedStats

_logger: Final = logging.getLogger("daxlite")

_ATTEMPTS: Final = 3
"""So often what came into the outbox meanwhile is delivered."""
_Key: TypeAlias = tuple[str, str, str | None]
"""Source, table and region."""


class BroughtTables(Hidden):
    """All tables of which records are brought to a process."""

    def __init__(self, cache: Cache, clients: RegionalClients) -> None:
        """Raises TypeError or ValueError for a cache that has nobody to tell."""
        self._tier: Tier = checked_tier(cache)
        self._cache = cache
        self._clients = clients
        self._tables: dict[_Key, tuple[BroughtTable, ThreadDriver]] = {}
        self._counts: dict[str, FeedCounts] = {}
        self._lock = threading.Lock()

    def stats(self) -> dict[str, FeedStats]:
        """The counts, by table as its records name it; by source for records that name none."""
        return {name: counts.snapshot() for name, counts in self._counts.copy().items()}

    def take(self, batch: Sequence[Brought]) -> bool:
        """Apply records, those of a table in their order. Returns whether everything of them has been delivered."""
        with self._lock:
            groups: dict[_Key, list[Brought]] = {}
            for each in batch:
                groups.setdefault((each.source, each.table or "", each.region), []).append(each)
            taken = [self._take(group) for group in groups.values()]
            try:
                ThreadDriver().drive(self._deliver())
            except Unavailable:
                for table in taken:
                    if table is not None:
                        table.doubt()  # should the batch be given up, nobody learns of it
                return False
            return True

    def _take(self, group: Sequence[Brought]) -> BroughtTable | None:
        known = self._table_of(group[0])
        if known is None:
            self._lose_everything(group)
            return None
        table, driver = known
        driver.drive(table.take([each.raw for each in group]))
        return table

    def _table_of(self, record: Brought) -> tuple[BroughtTable, ThreadDriver] | None:
        if record.table is None:
            return None
        place = record.source, record.table, record.region
        known = self._tables.get(place)
        if known is None:
            in_arn, name = region_and_name(record.table)
            try:
                clients = self._clients.of(in_arn or record.region)
                # Other servers than AWS's may know no ARNs, and their tables are felt in no region.
                arn_or_name = record.table if is_of_aws(clients.dynamodb) else name
                table = FollowedTable(clients.context(self._cache), arn_or_name)
                is_shared = table.table.settings.shared
            except (NotCacheable, BotoCoreError):  # no name of a table, or of a region
                return None
            if not is_shared and is_said_first(self._cache._memory, ("not shared", name)):
                _logger.warning("%s has no part in the shared tier, so records of its changes change nothing", name)
            counts = self._counts.setdefault(record.table, FeedCounts(record.table))
            known = self._tables[place] = BroughtTable(table, counts, record), ThreadDriver(clients.send)
        return known

    def _lose_everything(self, group: Sequence[Brought]) -> None:
        """Records that do not name their table may be of any."""
        source = group[0].source
        counts = self._counts.setdefault(source, FeedCounts(source))
        counts.records += len(group)
        counts.gaps += 1
        if is_said_first(self._cache._memory, ("no records", source)):
            _logger.error(
                "%s brings records that do not tell their table, and a batch with one costs everything that is cached; "
                "let nothing but changes of tables into that stream",
                source,
            )
        memory = self._cache._memory
        ThreadDriver().drive(announce(memory, memory.invalidate_all()))

    def _deliver(self) -> Steps[None]:
        """Tell Redis what it has not been told. Raises Unavailable."""
        outbox = self._tier.outbox
        for _ in range(_ATTEMPTS):
            if outbox:
                yield from outbox.flush(is_urgent=True, chunks=math.inf)
        for listener in change_listeners():
            if isinstance(listener, Delivers):
                yield from listener.deliver()
        if outbox:
            raise Unavailable


def checked_tier(cache: Cache) -> Tier:
    """The tier of a cache. Raises TypeError or ValueError where there is none."""
    if not isinstance(cache, Cache):
        raise TypeError(f"cache is {shown(cache)}; it must be a daxlite.Cache")
    if cache._tier is None:
        raise ValueError("cache has no shared tier, so records would change nothing elsewhere; give Cache(shared=...)")
    return cache._tier
