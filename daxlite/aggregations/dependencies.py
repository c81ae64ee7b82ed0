"""Dependencies by hand: for what a function reads that no wrapped client shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

from ..cache.indexes import check_global_index, hash_of
from ..cache.regions import check_table, known_regions, places_of
from ..core.checks import is_name, shown
from ..core.extents import EVERYTHING
from ..core.native import key_argument
from ..core.schema import item_key, partition_value
from ..core.tables import Place
from ..core.tags import Tag, index_tag, item_tag, partition_tag, scan_tag, table_tag
from ..shared.tags import named_tag, shared_tags

MAX_RESOLVED: Final = 4096
"""So many dependencies are remembered with their tags."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """A dependency on data in DynamoDB; made by `on_table`, `on_item` and `on_partition`."""

    kind: Literal["table", "item", "partition"]
    table: str
    """The table's name or ARN."""
    region: str | None
    index: str | None = None
    value: bytes | None = field(default=None, repr=False)
    """The canonical form of the item's key or of the partition's value."""

    @property
    def tags(self) -> tuple[Tag, ...]:
        """What it depends on, wherever this process knows such a table to be. As it makes clients for more regions,
        that becomes more."""
        return tuple(tag for place in places_of(self.table, self.region) for tag in self._tags_at(place))

    def _check(self) -> bool:
        """Whether this is known to be right: its index is a global one of its table. Raises ValueError if it is known
        to be wrong, for a change would never reach it. It is unknown as long as no client has described the table."""
        return self.index is None or check_global_index(places_of(self.table, self.region), self.index)

    def _tags_at(self, place: Place) -> tuple[Tag, ...]:
        whole = table_tag(place)
        if self.value is None:
            return whole, scan_tag(place, None)
        if self.kind == "item":
            return whole, item_tag(place, self.value)
        tags = whole, partition_tag(place, self.index, self.value)
        return tags if self.index is None else (*tags, index_tag(place, self.index))


def on_table(table: str, *, region: str | None = None) -> Dependency:
    """Depend on everything in a table: any change of it.

    table: its name or ARN. region: where it is; unless given, or told by the ARN, it is every region that this process
    has clients for when the function is called. Raises TypeError or ValueError for what is no table.

    >>> on_table("Orders", region="eu-west-1").tags[1].kind
    'scan'
    """
    check_table(table, region)
    return Dependency("table", table, region)


def on_item(table: str, key: Mapping[str, Any], *, region: str | None = None) -> Dependency:
    """Depend on one item. key: its primary key, typed or native. The rest is as in `on_table`.

    >>> on_item("Orders", {"pk": "o#1"}) == on_item("Orders", {"pk": {"S": "o#1"}})
    True
    """
    check_table(table, region)
    return Dependency("item", table, region, value=item_key(key_argument(key)))


def on_partition(
    table: str, key: Mapping[str, Any], index: str | None = None, *, region: str | None = None
) -> Dependency:
    """Depend on one partition of a table or of a global index.

    key: its partition key attribute (all of them, in their order, where an index has several), typed or native. index:
    a global index; a local one shares the partitions of its table. Raises ValueError for another one, here or, where no
    client has described the table yet, at the first call after that. The rest is as in `on_table`.

    >>> on_partition("Orders", {"day": "2026-11-22"}, index="by_day", region="eu-west-1").tags[1].kind
    'partition'
    """
    check_table(table, region)
    if index is not None and not is_name(index):
        raise TypeError(f"index is {shown(index)}; it must be the name of a global index, or None for the table")
    typed = key_argument(key)
    if index is None and len(key) != 1:
        raise ValueError(f"key has the attributes {sorted(key)}; a table has one partition key attribute")
    made = Dependency("partition", table, region, index, partition_value(typed.values()))
    made._check()
    return made


_NO_LISTS: Final = (str, bytes, bytearray, dict, Dependency)


class DeclaredTags:
    """The tags of dependencies that are declared once for all calls of a function.

    They are resolved at a call, because there may be no client yet where the function is declared; and again only when
    this process has come to know of another region.
    """

    __slots__ = ("_dependencies", "_resolved", "_unchecked")

    def __init__(self, dependencies: Iterable[Dependency | str]) -> None:
        """Raises TypeError for what is no list of dependencies."""
        self._dependencies = _checked(dependencies)
        self._resolved: tuple[tuple[str, ...] | None, tuple[bytes, ...]] = None, ()
        self._unchecked = [each for each in self._dependencies if isinstance(each, Dependency) and each.index]

    def tags(self) -> tuple[bytes, ...]:
        """The tags, in the regions that are known now. Raises ValueError for an index that turns out not to exist."""
        if not self._dependencies:
            return ()
        if self._unchecked:
            self._unchecked = [each for each in self._unchecked if not each._check()]
        known, tags = self._resolved
        now_known = known_regions()
        if known != now_known:
            tags = _resolved(self._dependencies)
            self._resolved = now_known, tags
        return tags


def tags_of(dependencies: Iterable[Dependency | str]) -> tuple[bytes, ...]:
    """The tags of dependencies, in the regions that are known now; a string is a tag that the application names.

    Raises TypeError for what is no list of dependencies, ValueError for an index that is known not to exist.
    """
    found = _checked(dependencies)
    for each in found:
        if isinstance(each, Dependency):
            each._check()
    return _resolved(found)


def named_tags(names: Iterable[str]) -> tuple[bytes, ...]:
    """The tags of these names. Raises TypeError for a name that is not a string, or empty."""
    if isinstance(names, _NO_LISTS) or not isinstance(names, Iterable):
        raise TypeError(f"tags is {shown(names)}; it must be a list of names")
    found = list(names)
    for name in found:
        if not is_name(name):
            raise TypeError(f"{shown(name)} is not a tag; it must be a name, a string that is not empty")
    return tuple(dict.fromkeys(map(named_tag, found)))


def _checked(dependencies: Iterable[Dependency | str]) -> tuple[Dependency | str, ...]:
    if isinstance(dependencies, _NO_LISTS) or not isinstance(dependencies, Iterable):
        raise TypeError(f"depends_on is {shown(dependencies)}; it must be a list, or a function that returns one")
    found = tuple(dependencies)
    for each in found:
        if not isinstance(each, Dependency) and not is_name(each):
            raise TypeError(
                f"{shown(each)} is not a dependency; it must be a tag's name, or made by on_table, on_item or "
                "on_partition"
            )
    return found


def _resolved(dependencies: Iterable[Dependency | str]) -> tuple[bytes, ...]:
    known = known_regions()
    tags: dict[bytes, None] = {}
    for each in dependencies:
        tags.update(dict.fromkeys((named_tag(each),) if isinstance(each, str) else _shared_tags_of(each, known)))
    return tuple(tags)


@lru_cache(MAX_RESOLVED)
def _shared_tags_of(dependency: Dependency, known: tuple[str, ...]) -> tuple[bytes, ...]:
    """The tags of a dependency. known: the regions that are known now, so that others are resolved anew."""
    return tuple(shared_tags(dict.fromkeys(dependency.tags, EVERYTHING), hash_of))
