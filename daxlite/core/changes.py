"""Changes: what happened to one item, and which tags that bumps."""

import enum
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from .schema import KeySchema, TableSchema, item_key
from .tables import Place
from .tags import Tag, index_tag, item_tag, partition_tag, scan_tag, table_tag
from .values import AttributeValue, Item


class _Unseen(enum.Enum):
    ABSENT = "there is no such item"
    UNKNOWN = "not known"


ABSENT: Literal[_Unseen.ABSENT] = _Unseen.ABSENT
UNKNOWN: Literal[_Unseen.UNKNOWN] = _Unseen.UNKNOWN
Image: TypeAlias = Item | Literal[_Unseen.ABSENT, _Unseen.UNKNOWN]
"""An item before or after a change: known, known to be absent, or unknown."""


class Change(Struct, frozen=True):
    """What happened to one item, or, without a key, to anything of the table.

    >>> deleted = Change(Place("eu-west-1", "Orders"), {"pk": {"S": "o#1"}}, new=ABSENT)
    """

    table: Place
    key: Mapping[str, Any] | None = None
    """The primary key attributes, typed."""
    old: Image = UNKNOWN
    new: Image = UNKNOWN
    touched: frozenset[str] | None = None
    """The attributes in which old and new may differ; None for any."""
    assigned: Mapping[str, AttributeValue | None] = {}
    """New values of some of these, where the request tells them; None for an attribute that is removed."""
    item: bytes | None = None
    """The canonical form of the key, where it is at hand already."""

    def image_after(self) -> Image:
        """The new image, if it is known or follows from the old one."""
        if self.new is not UNKNOWN or self.touched is None or not self.touched <= self.assigned.keys():
            return self.new
        # Whether taking attributes away from an item that is not there makes one, is for DynamoDB to say.
        makes_nothing = self.old is ABSENT and all(value is None for value in self.assigned.values())
        return UNKNOWN if self.old is UNKNOWN or makes_nothing else self._overlaid()

    def _overlaid(self) -> Item:
        """The old image, or the bare key of an item that is new, with what is assigned."""
        base = self.old if isinstance(self.old, dict) else dict(self.key or {})
        overlaid = {**base, **self.assigned}
        return {name: value for name, value in overlaid.items() if value is not None}


def bumped_tags(change: Change, schema: TableSchema | None) -> list[Tag]:
    """The tags of everything whose answer the change could alter.

    Without a schema that is the item and the table's scan tag, on which every Query of such a table depends.
    Raises NotCacheable for a key that is not one.
    """
    table = change.table
    if change.key is None:
        return [table_tag(table)]
    tags = [item_tag(table, change.item or item_key(change.key)), scan_tag(table, None)]
    if schema is None:
        return tags
    if (partition := schema.key.partition_of(change.key)) is not None:
        tags.append(partition_tag(table, None, partition))
    for name, index in schema.global_indexes.items():
        partitions = _partitions(change, index)
        if partitions is None:
            tags.append(index_tag(table, name))
        tags.extend(partition_tag(table, name, value) for value in partitions or ())
        if partitions is None or partitions:
            tags.append(scan_tag(table, name))
    return tags


def _partitions(change: Change, index: KeySchema) -> set[bytes] | None:
    """The partitions of an index in which the item lay or lies; None where that cannot be told."""
    if change.key is not None and all(name in change.key for name in index.hash):
        # The index is keyed by the primary key, which never changes: no image is needed.
        partition = index.partition_of(change.key)
        return {partition} if partition is not None else None
    if change.old is UNKNOWN and change.new is UNKNOWN:
        # What touches no attribute leaves the item where it was, or makes one that is in no index but by its key.
        return set() if change.touched == frozenset() else None
    if change.old is not UNKNOWN and change.new is not UNKNOWN:
        return set(_membership(change.old, index)) | set(_membership(change.new, index))
    if change.new is UNKNOWN:
        if change.touched is None or not change.touched.intersection(index.names) <= change.assigned.keys():
            return None
        return set(_membership(change.old, index)) | set(_membership(change._overlaid(), index))
    known = change.new
    if change.touched is None or not change.touched.isdisjoint(index.hash):
        return None
    if not change.touched.isdisjoint(index.range):
        # The item may have entered or left this sparse index, but never moved to another partition of it.
        partition = index.partition_of(known) if isinstance(known, dict) else None
        return {partition} if partition is not None else set()
    return set(_membership(known, index))


def _membership(image: Image, index: KeySchema) -> Iterator[bytes]:
    if isinstance(image, dict) and index.holds(image):
        partition = index.partition_of(image)
        if partition is not None:
            yield partition
