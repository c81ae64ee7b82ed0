"""Settings. A wrong one raises where it is written, and the message says what is allowed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from .core.checks import MOST_BYTES, is_name, is_number, is_whole, shown
from .core.patterns import PATTERN_RULE, ambiguity, find, is_name_or_pattern
from .core.schema import TableSchema
from .core.tables import is_table_name

MIB: Final = 1024 * 1024
_MAX_ENTRY_BYTES: Final = 4 * MIB
TTLS: Final = ("item_ttl", "query_ttl", "negative_ttl", "expired_item_ttl")


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class TableConfig:
    """Settings of one table; what is not given is as in the CacheConfig.

    >>> TableConfig(item_ttl=30, query_ttl=0)  # queries of this table are never cached
    TableConfig(item_ttl=30, query_ttl=0)
    """

    enabled: bool = True
    """False: every call on this table goes straight through."""
    shared: bool = True
    """False: the table has no part in the tier that processes share."""
    item_ttl: float | UnsetType | None = UNSET
    query_ttl: float | UnsetType | None = UNSET
    negative_ttl: float | UnsetType | None = UNSET
    expired_item_ttl: float | UnsetType | None = UNSET
    schema: TableSchema | None = None
    """The table's keys and indexes, for programs that may not call DescribeTable; it is not called then."""
    ttl_attribute: str | None = None
    """The table's TTL attribute, for programs that may not call DescribeTimeToLive."""

    def __post_init__(self) -> None:
        _check_type("enabled", self.enabled, bool, "True or False")
        _check_type("shared", self.shared, bool, "True or False")
        for name in TTLS:
            if getattr(self, name) is not UNSET:
                _check_ttl(name, getattr(self, name))
        if self.schema is not None:
            _check_type("schema", self.schema, TableSchema, "a daxlite.TableSchema or None")
        if self.ttl_attribute is not None and not is_name(self.ttl_attribute):
            raise TypeError(f"ttl_attribute is {shown(self.ttl_attribute)}; it must be an attribute's name or None")

    def __repr__(self) -> str:
        given = {name: getattr(self, name) for name in self.__slots__}
        shown = ", ".join(
            f"{name}={value!r}" for name, value in given.items() if value is not UNSET and (name, value) not in _USUAL
        )
        return f"TableConfig({shown})"


_USUAL: Final = (("enabled", True), ("shared", True), ("schema", None), ("ttl_attribute", None))


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheConfig:
    """Settings of a cache.

    All times are in seconds. A TTL of `None` sets no limit of time: such an entry goes when it is changed, cleared or
    evicted. A TTL of `0` means that nothing of the kind is cached.

    >>> CacheConfig(item_ttl=60, tables={"Audit": TableConfig(enabled=False)}).item_ttl
    60
    >>> CacheConfig(query_ttl=-1)
    Traceback (most recent call last):
    ...
    ValueError: query_ttl is -1; it must be a number of seconds, 0 (never cached) or None (no limit)
    """

    item_ttl: float | None = 300.0
    """How long an item may be answered from the cache."""
    query_ttl: float | None = 300.0
    """How long a page of a Query or a Scan may."""
    negative_ttl: float | UnsetType | None = UNSET
    """How long it may be remembered that an item does not exist; unless given, as long as item_ttl."""
    expired_item_ttl: float | None = 10.0
    """How long an item may be answered, or a page that holds it, once the moment in its TTL attribute is over: DynamoDB
    may take days to delete it."""
    jitter: float = 0.1
    """Each TTL is shortened by a random part of up to this fraction, so that what was stored together does not
    expire together."""
    settle_window: float = 5.0
    """For so long after a change, DynamoDB's replicas may not have heard of it. A miss on what changed is then
    sent as a strongly consistent read, at twice the read units. 0: off."""
    index_settle_factor: float = 1.0
    """A global index has no strongly consistent reads. What is read from it within the settle window, so many seconds
    after the last change that the page covers, is cached for that time again, times this factor: for 20 ms at least,
    but not beyond the window. So with 1 a page shows a change at most twice as late as the index itself. 0: it is not
    cached."""
    max_bytes: int = 256 * MIB
    """The most that all entries may take, with their keys and an allowance for Python's own bookkeeping; what is
    not asked for again goes first."""
    max_entry_bytes: int = _MAX_ENTRY_BYTES
    """The largest entry worth storing, at most max_bytes; a smaller max_bytes cuts the default. A page of DynamoDB's is
    at most 1 MB."""
    query_invalidation: Literal["exact", "ttl"] = "exact"
    """"exact": a write drops every cached query whose answer it could change. "ttl": writes leave cached queries alone,
    as DAX does; they are stale until they expire."""
    tables: Mapping[str, TableConfig] = field(default_factory=dict)
    """Settings per table, by name or by a pattern such as "Orders-*", in which `*` stands for any characters and `?`
    for one. A name goes before patterns; of several patterns the one with the most characters of its own holds."""

    def __post_init__(self) -> None:
        for name in TTLS:
            if name != "negative_ttl" or self.negative_ttl is not UNSET:
                _check_ttl(name, getattr(self, name))
        if not is_number(self.jitter) or not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is {shown(self.jitter)}; it must be a fraction from 0 to 1")
        if not is_number(self.settle_window) or not 0 <= self.settle_window < math.inf:
            raise ValueError(
                f"settle_window is {shown(self.settle_window)}; it must be a number of seconds, 0 for none"
            )
        factor = self.index_settle_factor
        if not is_number(factor) or not 0 <= factor < math.inf:
            raise ValueError(f"index_settle_factor is {shown(factor)}; it must be a number, 0 for not cached")
        for name in ("max_bytes", "max_entry_bytes"):
            value = getattr(self, name)
            if not is_whole(value, 1):
                raise ValueError(
                    f"{name} is {shown(value)}; it must be a whole number of bytes, at least 1, at most {MOST_BYTES}"
                )
        if self.max_bytes < self.max_entry_bytes != _MAX_ENTRY_BYTES:
            raise ValueError(
                f"max_entry_bytes is {self.max_entry_bytes}; it must be at most max_bytes, which is {self.max_bytes}"
            )
        if self.query_invalidation not in ("exact", "ttl"):
            raise ValueError(f'query_invalidation is {shown(self.query_invalidation)}; it must be "exact" or "ttl"')
        _check_type("tables", self.tables, Mapping, "a mapping of table names to daxlite.TableConfig")
        for table, settings in self.tables.items():
            if isinstance(table, str) and table.startswith("arn:"):
                raise ValueError(f"tables[{shown(table)}] must be under the table's name, which holds for its ARN too")
            if isinstance(table, str) and not is_name_or_pattern(table):
                raise ValueError(f"tables[{shown(table)}] must be under a table's name, which has {PATTERN_RULE}")
            if not isinstance(table, str) or not isinstance(settings, TableConfig):
                raise TypeError(
                    f"tables[{shown(table)}] is {shown(settings)}; it must be a daxlite.TableConfig under a "
                    "table's name"
                )
        if (same := ambiguity(self.tables)) is not None:
            one, other, name = same
            raise ValueError(
                f"tables[{shown(one)}] and tables[{shown(other)}] are equally specific, and both match {shown(name)}; "
                "one of them must have more characters of its own"
            )
        # A copy: what the application does to its own mapping from here on was not checked.
        object.__setattr__(self, "tables", dict(self.tables))

    def for_table(self, name: str) -> "TableSettings":
        """What holds for one table. Raises TypeError for what is not a name.

        A cache asks once for each table, and again when its settings change.

        >>> CacheConfig(tables={"Orders-*": TableConfig(item_ttl=5)}).for_table("Orders-eu").item_ttl
        5
        """
        if not is_name(name):
            raise TypeError(f"name is {shown(name)}; it must be a table's name")
        return settings_for(self, find(self.tables, name) or TableConfig())


class TableSettings(Struct, frozen=True):
    """The settings that hold for one table; infinity stands for a TTL without limit."""

    enabled: bool
    shared: bool
    item_ttl: float
    negative_ttl: float
    query_ttl: float
    expired_item_ttl: float
    exact: bool
    schema: TableSchema | None
    ttl_attribute: str | None

    def switched_off(self) -> "TableSettings":
        """The same where nothing is answered from the cache."""
        return replace(self, enabled=False, **dict.fromkeys(TTLS, 0.0))

    def differs_by_ttls(self, other: "TableSettings") -> bool:
        """Whether these settings differ from others by TTLs alone, if at all."""
        return self == replace(other, **{name: getattr(self, name) for name in TTLS})

    def shortens(self, other: "TableSettings") -> bool:
        """Whether one of the TTLs is shorter than by others."""
        return any(getattr(self, name) < getattr(other, name) for name in TTLS)


def settings_for(config: CacheConfig, table: TableConfig) -> TableSettings:
    """What holds for a table with these settings of its own. One that is off has TTLs of 0, so that a call that began
    before it was switched off stores nothing either."""
    ttls = {name: _first_set(getattr(table, name), getattr(config, name)) for name in TTLS if name != "negative_ttl"}
    ttls["negative_ttl"] = _first_set(table.negative_ttl, config.negative_ttl, ttls["item_ttl"])
    return TableSettings(
        enabled=table.enabled,
        shared=table.shared,
        **(ttls if table.enabled else dict.fromkeys(ttls, 0.0)),
        exact=config.query_invalidation == "exact",
        schema=table.schema,
        ttl_attribute=table.ttl_attribute,
    )


def differ_by_ttls(one: CacheConfig, other: CacheConfig) -> bool:
    """Whether these settings of tables differ by TTLs alone, if at all, for every table that there may be."""
    names = {*one.tables, *other.tables}
    added = one.tables.keys() ^ other.tables.keys()
    # Another pattern may take tables out of any pattern that overlaps with it.
    return all(is_table_name(name) for name in added) and all(
        one.for_table(name).differs_by_ttls(other.for_table(name)) for name in names
    )


def _first_set(*ttls: float | UnsetType | None) -> float:
    ttl = next(ttl for ttl in ttls if not isinstance(ttl, UnsetType))
    return math.inf if ttl is None else ttl


def _check_ttl(name: str, value: Any) -> None:
    if value is None or (is_number(value) and value >= 0):
        return
    raise ValueError(f"{name} is {shown(value)}; it must be a number of seconds, 0 (never cached) or None (no limit)")


def _check_type(name: str, value: Any, kind: Any, allowed: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {shown(value)}; it must be {allowed}")
