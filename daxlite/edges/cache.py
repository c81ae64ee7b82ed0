"""The cache as the application sees it."""

from collections.abc import Mapping
from typing import Any

from ..cache.lock import Reentered
from ..cache.memory import MemoryCache
from ..cache.regions import check_table, places_of
from ..cache.stats import CacheCounts, CacheStats, Kind, add
from ..calls.listeners import announce
from ..core.extents import Extent
from ..core.native import key_argument
from ..core.tags import Tag
from ..drivers.threads import ThreadDriver


class Cache(MemoryCache):
    """An item cache and a query cache, to be shared by any number of wrapped clients, resources and threads.

    Clients that share a cache share what their credentials may read of an account's tables.

    config: the settings; CacheConfig() unless given.
    clock: seconds, never going back. wall_clock: seconds since the epoch, for the items' own TTL attribute.
    random: numbers from 0 to 1, for the jitter of TTLs; from the operating system unless given. Tests pass their own.

    >>> import daxlite
    >>> cache = daxlite.Cache(daxlite.CacheConfig(item_ttl=60))
    >>> cache.stats().total.entries
    0
    """

    def stats(self) -> CacheStats:
        """A snapshot of all counts. Tables of one name, in different accounts or regions, are added up.

        A signal handler may call it at any moment, and gets the counts as they are in the middle of a change.
        """
        state = self._state
        with state.to_read():
            by_name: dict[str, dict[Kind, CacheCounts]] = {}
            for table in state.tables.values():
                kinds = by_name.setdefault(table.id.name, {})
                for kind, counters in table.counters.items():
                    counts = counters.snapshot()
                    kinds[kind] = add((kinds[kind], counts)) if kind in kinds else counts
            return CacheStats(tables=by_name, faults=state.faults, in_flight=state.in_flight)

    def clear(self) -> None:
        """Drop everything of this cache. What is being read meanwhile is not stored either. Nothing changed, so no
        other cache and no aggregation goes."""
        self.invalidate_all(everywhere=False)

    def invalidate(self, table: str, key: Mapping[str, Any] | None = None, *, region: str | None = None) -> None:
        """Drop what depends on one item, or on anything of a table: it was changed by another program.

        table: its name or ARN. key: the item's primary key, typed or native; None for the whole table. region: where
        the table is; unless given, or told by the ARN, it is every region that this process has clients for.
        Raises TypeError or ValueError for what is not a table's name or ARN, for another region than the ARN's, and for
        what is not a key of the table.

        >>> cache = Cache()
        >>> cache.invalidate("Orders", {"pk": "o#1"}, region="eu-west-1")
        """
        check_table(table, region)
        typed = None if key is None else key_argument(key)
        bumped: dict[Tag, Extent] | None
        try:
            bumped = self.invalidate_places(places_of(table, region), typed)
        except Reentered:  # within a change that another frame of this thread makes
            self.invalidate_all()
            bumped = None
        except ValueError:
            raise
        except BaseException:  # of a signal handler's, in the middle of it
            self.invalidate_all()
            raise
        ThreadDriver().drive(announce(self, bumped))
