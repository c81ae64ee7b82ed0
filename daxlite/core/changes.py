"""Changes: what happened to one item, and which tags that bumps."""

import enum
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from .encoding import decode
from .extents import EVERYTHING, Extent, extent_of_key
from .hidden import Hidden
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


class Change(Hidden, Struct, frozen=True):
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
    """New values of some of these, where they are known; None for an attribute that is removed."""
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


def shows(data: bytes, image: Image) -> bool:
    """Whether an item stored so is this one. data: encoded; empty if there is no such item."""
    return image is ABSENT if not data else isinstance(image, dict) and decode(data) == image


def bumped_tags(change: Change, schema: TableSchema | None) -> dict[Tag, Extent]:
    """The tags of everything whose answer the change could alter, each with the extent that it could alter.

    Without a schema that is the item and the table's scan tag, on which every Query of such a table depends.
    Raises NotCacheable for a key that is not one.
    """
    table = change.table
    if change.key is None:
        return {table_tag(table): EVERYTHING}
    bumped = {item_tag(table, change.item or item_key(change.key)): EVERYTHING, scan_tag(table, None): EVERYTHING}
    if schema is None:
        return bumped
    partition = schema.key.partition_of(change.key)
    if partition is not None:
        bumped[partition_tag(table, None, partition)] = _extent(change.key, schema.key)
        for name, index in schema.local_indexes.items():
            for value, extent in (_places(change, index) or {}).items():
                bumped[partition_tag(table, name, value)] = extent
    for name, index in schema.global_indexes.items():
        places = _places(change, index)
        if places is None:
            bumped[index_tag(table, name)] = EVERYTHING
        for value, extent in (places or {}).items():
            bumped[partition_tag(table, name, value)] = extent
        if places is None or places:
            bumped[scan_tag(table, name)] = EVERYTHING
    return bumped


def _places(change: Change, index: KeySchema) -> dict[bytes, Extent] | None:
    """Where in an index the item lay or lies: partitions and extents; None where that cannot be told."""
    old, new, touched = change.old, change.new, change.touched
    if new is UNKNOWN and old is not UNKNOWN and touched is not None:
        if touched.intersection(index.names) <= change.assigned.keys():
            new = change._overlaid()
    elif old is UNKNOWN and new is not UNKNOWN and touched is not None and touched.isdisjoint(index.names):
        old = new  # it lay where it lies, or nowhere
    if old is not UNKNOWN and new is not UNKNOWN:
        places: dict[bytes, Extent] = {}
        for image in (new,) if _lies_as(old, new, index) else (old, new):
            if isinstance(image, dict) and index.holds(image):
                partition = index.partition_of(image)
                if partition is not None:
                    extent = _extent(image, index)
                    places[partition] = places.get(partition, extent).hull(extent)
        return places
    key: Mapping[str, Any] = change.key or {}
    if all(name in key for name in index.hash):
        # The index is keyed by the primary key, which never changes: no image is needed.
        partition = index.partition_of(key)
        return None if partition is None else {partition: _extent(key, index)}
    if touched == frozenset():
        return {}  # it leaves the item as it was, or makes one that has nothing but its key
    if old is UNKNOWN and new is UNKNOWN:
        return None
    if new is UNKNOWN or touched is None or not touched.isdisjoint(index.hash):
        return None
    # The item may have entered or left this sparse index, or moved within its partition, but never to another one.
    partition = index.partition_of(new) if isinstance(new, dict) else None
    return {} if partition is None else {partition: EVERYTHING}


def _lies_as(old: Image, new: Image, index: KeySchema) -> bool:
    """Whether an item stayed where it was in an index, as most changes leave it."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return False
    for name in index.names:  # noqa: SIM110 - `all` would make a generator, on the way of each write
        if old.get(name) != new.get(name):
            return False
    return True


def _extent(attributes: Mapping[str, Any], keys: KeySchema) -> Extent:
    """The sort key of an item with these attributes; everything, where it is not among them or there is none."""
    # Of several range attributes the first one decides, by which the items are ordered first.
    try:
        return extent_of_key(attributes[keys.range[0]])
    except LookupError:
        return EVERYTHING
