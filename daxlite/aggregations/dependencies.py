"""DependsOn by hand: for what a function reads that no wrapped client shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.native import typed_key
from ..core.not_cacheable import NotCacheable
from ..core.schema import item_key, partition_value
from ..core.tables import TableId
from ..core.tags import Tag, index_tag, item_tag, partition_tag, scan_tag, table_tag
from ..shared.tags import named_tag, shared_tags


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something in DynamoDB; `on_table`, `on_item` and `on_partition` make them."""

    tags: tuple[Tag, ...]


def on_table(table: str) -> Dependency:
    """Depend on everything in a table: any change of it.

    >>> on_table("Orders").tags[1].kind
    'scan'
    """
    id = _table(table)
    return Dependency((table_tag(id), scan_tag(id, None)))


def on_item(table: str, key: Mapping[str, Any]) -> Dependency:
    """Depend on one item. key: its primary key, typed or native.

    >>> on_item("Orders", {"pk": "o#1"}) == on_item("Orders", {"pk": {"S": "o#1"}})
    True
    """
    id = _table(table)
    return Dependency((table_tag(id), item_tag(id, item_key(_typed(key)))))


def on_partition(table: str, key: Mapping[str, Any], index: str | None = None) -> Dependency:
    """Depend on one partition of a table or of a global index.

    key: its partition key attribute (all of them, in their order, where an index has several), typed or native.

    >>> on_partition("Orders", {"day": "2026-11-22"}, index="by_day").tags[1].kind
    'partition'
    """
    id = _table(table)
    if index is not None and (not isinstance(index, str) or not index):
        raise TypeError(f"index is {index!r}; it must be the name of a global index, or None for the table")
    if index is None and len(key) != 1:
        raise ValueError(f"key has the attributes {sorted(key)}; a table has one partition key attribute")
    tags: tuple[Tag, ...] = (table_tag(id), partition_tag(id, index, partition_value(_typed(key).values())))
    return Dependency(tags if index is None else (*tags, index_tag(id, index)))


def tags_of(dependencies: Iterable[Dependency | str]) -> tuple[bytes, ...]:
    """The tags of dependencies; a string is a tag that the application names."""
    if isinstance(dependencies, str | Dependency) or not isinstance(dependencies, Iterable):
        raise TypeError(f"depends_on is {dependencies!r}; it must be a list, or a function that returns one")
    found: dict[bytes, None] = {}
    for one in dependencies:
        if isinstance(one, str) and one:
            found[named_tag(one)] = None
        elif isinstance(one, Dependency):
            found.update(dict.fromkeys(shared_tags(one.tags)))
        else:
            raise TypeError(
                f"{one!r} is no dependency; it must be a tag's name, or made by on_table, on_item, on_partition"
            )
    return tuple(found)


def named_tags(names: Iterable[str]) -> tuple[bytes, ...]:
    """The tags of names. Raises TypeError for what is none."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"tags is {names!r}; it must be a list of names")
    found = list(names)
    for name in found:
        if not isinstance(name, str) or not name:
            raise TypeError(f"{name!r} is no tag; it must be a name, a string that is not empty")
    return tuple(dict.fromkeys(map(named_tag, found)))


def _table(name: str) -> TableId:
    if not isinstance(name, str) or not name or name.startswith("arn:"):
        raise TypeError(f"table is {name!r}; it must be a table's name")
    return TableId("", "", None, name)


def _typed(key: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(key, Mapping) or not key:
        raise TypeError(f"key is {key!r}; it must map attribute names to values, such as {{'pk': 'o#1'}}")
    try:
        typed = typed_key(key)
        item_key(typed)
    except NotCacheable:
        raise ValueError("key must hold attributes that are strings, numbers or binary") from None
    return dict(typed)
