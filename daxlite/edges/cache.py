"""The cache as the application sees it."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from ..cache.lock import Reentered
from ..cache.memory import MemoryCache
from ..cache.regions import check_table, places_of
from ..calls.listeners import announce
from ..config import CacheConfig, TableConfig
from ..core.extents import Extent
from ..core.steps import Steps
from ..core.tables import region_and_name
from ..core.tags import Tag
from ..core.uncopied import Uncopied
from ..drivers.threads import ThreadDriver
from .bulk import Bulk

if TYPE_CHECKING:
    from ..cache.stats import CacheStats
    from ..shared.tier import Tier
    from .shared import Shared


class Cache(Uncopied):
    """An item cache and a query cache, to be shared by any number of wrapped clients, resources and threads.

    Clients that share a cache share what their credentials may read of an account's tables.

    config: the settings; CacheConfig() unless given.
    clock: seconds, never going back. wall_clock: seconds since the epoch, for the items' own TTL attribute.
    random: numbers from 0 to 1, for the jitter of TTLs; from the operating system unless given. Tests pass their own.
    shared: the Redis or Valkey in which processes share what they cache; None for a cache of this process alone.

    >>> import daxlite
    >>> cache = daxlite.Cache(daxlite.CacheConfig(item_ttl=60))
    >>> cache.stats().total.entries
    0
    """

    def __init__(
        self,
        config: CacheConfig | None = None,
        *,
        shared: "Shared | None" = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        random: Callable[[], float] | None = None,
    ) -> None:
        self._memory = MemoryCache(config, clock=clock, wall_clock=wall_clock, random=random)
        self._joined: Any = None
        """Its part of the tier."""
        self._tier: Tier | None = None
        """The tier that the cache shares with other processes."""
        if shared is not None:
            # Imported here, as is all that only some programs need: a program starts faster without it.
            from .joining import join

            self._joined = join(self._memory, shared, clock, wall_clock)
            self._tier = self._joined.tier

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """A cache with the settings in a mapping, such as `model_dump()` of a pydantic model returns: those of
        `CacheConfig`, with a mapping of `TableConfig`'s under each name in "tables", and those of `Shared` under
        "shared". "none" stands for None, "256 MiB" for a number of bytes.

        Raises TypeError or ValueError for a wrong setting, ModuleNotFoundError for "shared" without redis.

        >>> cache = Cache.from_mapping({"item_ttl": 60, "tables": {"Audit-*": {"enabled": False}}})
        >>> cache.config.item_ttl, cache.config.for_table("Audit-eu").enabled
        (60, False)
        """
        from .settings.mapping import read

        config, shared = read(mapping)
        return cls(config, shared=shared)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """The same from a TOML file: one of its own, or the table `[tool.daxlite]` of a pyproject.toml.

        Raises OSError for a file that cannot be read, and as `from_mapping` does.

        >>> from tempfile import NamedTemporaryFile
        >>> with NamedTemporaryFile(suffix=".toml") as file:
        ...     _ = file.write(b'item_ttl = "none"'), file.flush()
        ...     print(Cache.from_toml(file.name).config.item_ttl)
        None
        """
        from .settings.mapping import read
        from .settings.toml import load

        config, shared = read(*load(path))
        return cls(config, shared=shared)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The same from variables such as DAXLITE_ITEM_TTL, DAXLITE_SHARED and DAXLITE_SHARED_NAMESPACE, on top of the
        TOML file in DAXLITE_CONFIG, if it is set. A variable that is empty counts as not set.

        environ: the variables; `os.environ` unless given. Raises what `from_toml` raises, and ValueError for a variable
        that is no setting.

        >>> Cache.from_env({"DAXLITE_ITEM_TTL": "60", "DAXLITE_QUERY_TTL": "none"}).config.item_ttl
        60.0
        """
        from .settings.environment import load_environment
        from .settings.mapping import read

        config, shared = read(*load_environment(environ))
        return cls(config, shared=shared)

    @property
    def config(self) -> CacheConfig:
        """The settings. Those of tables hold until `configure` replaces them, the others for the cache's whole life."""
        return self._memory.config

    def configure(self, *, tables: Mapping[str, TableConfig | Mapping[str, Any]]) -> None:
        """Replace the settings of all tables, at one moment and without I/O: `tables` of a CacheConfig, or as a mapping
        has them. A call that is under way goes by the old ones or by the new ones.

        A table that is switched off is dropped, and starts empty once it is on again. One whose TTLs became longer
        keeps what is cached; any other change empties it. What is being read or written meanwhile is not stored.

        Raises TypeError or ValueError for a wrong setting, and for a table that would enter or leave the shared tier;
        then nothing changes.

        >>> cache = Cache()
        >>> cache.configure(tables={**cache.config.tables, "Orders": {"enabled": False}})
        >>> cache.config.for_table("Orders").enabled
        False
        """
        from .settings.mapping import tables_of

        config = replace(self.config, tables=tables_of(tables))
        if self._tier is not None:
            from .shared import check_parts

            check_parts(self.config, config, self._memory.table_names())
        self._memory.configure(config)

    def stats(self) -> "CacheStats":
        """A snapshot of all counts. Tables of one name, in different accounts or regions, are added up.

        A signal handler may call it at any moment, and gets the counts as they are in the middle of a change.
        """
        stats = self._memory.stats()
        return stats if self._joined is None else replace(stats, shared=self._joined.stats())

    def bulk(self, table: str) -> Bulk:
        """While many items of a table are written, by `with` or `async with`: within, what is written is kept nowhere,
        and drops what was cached of it, as ever. It holds for all threads and tasks, and may be entered several times.

        table: its name or ARN. Raises TypeError or ValueError for what is none.

        >>> cache = Cache()
        >>> with cache.bulk("Orders"):
        ...     pass  # an import
        """
        check_table(table, None)
        _, name = region_and_name(table)
        return Bulk(self._memory, name)

    def invalidate(self, table: str, key: Mapping[str, Any] | None = None, *, region: str | None = None) -> None:
        """Drop what depends on one item, or on anything of a table: it was changed by another program.

        table: its name or ARN. key: the item's primary key, typed or native; None for the whole table. region: where
        the table is; unless given, or told by the ARN, it is every region that this process has clients for.
        Raises TypeError or ValueError for what is not a table's name or ARN, for another region than the ARN's, and for
        what is not a key of the table.

        >>> cache = Cache()
        >>> cache.invalidate("Orders", {"pk": "o#1"}, region="eu-west-1")
        """
        ThreadDriver().drive(self._invalidation(table, key, region))

    async def ainvalidate(self, table: str, key: Mapping[str, Any] | None = None, *, region: str | None = None) -> None:
        """As `invalidate`, for asyncio."""
        await _drive(self._invalidation(table, key, region))

    def clear(self) -> None:
        """Drop everything of this cache. What is being read meanwhile is not stored either. Nothing changed, so no
        other cache of this process and no aggregation goes. With a shared tier, everything of its namespace goes, for
        all processes: that takes one command, however much is stored."""
        ThreadDriver().drive(self._clearing())

    async def aclear(self) -> None:
        """As `clear`, for asyncio."""
        await _drive(self._clearing())

    def close(self) -> None:
        """Deliver to the shared tier what is pending, if its server takes it, and leave it. Without one, do nothing."""
        if self._joined is not None:
            self._joined.close()

    async def aclose(self) -> None:
        """As `close`, for asyncio: the event loop goes on while the tier is left."""
        if self._joined is not None:
            await self._joined.async_close()

    def _invalidation(self, table: str, key: Mapping[str, Any] | None, region: str | None) -> Steps[None]:
        from ..core.native import key_argument

        check_table(table, region)
        typed = None if key is None else key_argument(key)
        bumped: dict[Tag, Extent] | None
        try:
            bumped = self._memory.invalidate_places(places_of(table, region), typed)
        except Reentered:  # within a change that another frame of this thread makes
            self._memory.invalidate_all()
            bumped = None
        except ValueError:
            raise
        except BaseException:  # of a signal handler's, in the middle of it
            self._memory.invalidate_all()
            raise
        yield from announce(self._memory, bumped)

    def _clearing(self) -> Steps[None]:
        self._memory.invalidate_all(everywhere=False)
        if self._memory.tell is not None:
            yield from self._memory.tell(None)


async def _drive(steps: Steps[None]) -> None:
    # Imported here because it imports asyncio, which `import daxlite` does without.
    from ..drivers.asyncio import AsyncioDriver

    await AsyncioDriver().drive(steps)
