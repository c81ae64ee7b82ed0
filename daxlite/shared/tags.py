"""Tags as processes share them, and the names that follow from them.

A table is the place where its changes are felt, its region and its name. So a change reaches every process that uses
the table, by whichever endpoint or credentials it knows it; tables of one name in two accounts are invalidated
together.

A shared tag is 32 bytes: three digests, of which each covers its parts one by one, so no two sets of parts are one.

    table, 8 bytes | slot, 8 bytes | name, 16 bytes

    table    of region and table                     the channel on which changes of the tag are told
    slot     of these and the partition key          the slot of a cluster in which its state lies
    name     of these, kind, index and value         its state

So an item, the partition in which it lies, and its partitions of local indexes share a slot. A partition of a global
index lies in the slot of its own value. Tags that are no data of DynamoDB's have a table of their own and each a slot.
"""

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from ..core.encoding import encode
from ..core.extents import EVERYTHING as EVERY_EXTENT
from ..core.extents import Extent
from ..core.schema import key_of, partition_value
from ..core.tables import Place
from ..core.tags import Tag

TABLE_BYTES: Final = 8
SLOT_BYTES: Final = 8
NAME_BYTES: Final = 16
SIZE: Final = TABLE_BYTES + SLOT_BYTES + NAME_BYTES

HashOf: TypeAlias = Callable[[Place], str | None]
"""The partition key attribute of the table at a place; None where this process does not know it."""


def _digest(size: int, *parts: Any) -> bytes:
    return blake2b(encode(parts), digest_size=size, person=b"daxlite-tag").digest()


_NO_TABLE: Final = _digest(TABLE_BYTES, "none")


def _without_table(kind: str, *parts: Any) -> bytes:
    return _NO_TABLE + _digest(SLOT_BYTES, "slot", kind, *parts) + _digest(NAME_BYTES, kind, *parts)


EVERYTHING: Final = _without_table("everything")
"""The tag on which every result of a namespace depends."""
NAMESPACE: Final = EVERYTHING[:TABLE_BYTES]
"""The table of that tag, in whose channel stands what concerns all tables."""
EVERY_TABLE: Final = b""
"""In place of a table: all of them, and NAMESPACE, for those who listen."""


def shared_tag(tag: Tag, hash_of: HashOf) -> tuple[bytes, ...]:
    """A tag of DynamoDB's, the same in all processes: one; or, for an item of which it is not known which attribute of
    its key is the partition key, one for each of them, of which one is the same."""
    region, table = tag.table.region, tag.table.name
    head = _digest(TABLE_BYTES, "table", region, table)
    if tag.value is None:
        name = _digest(NAME_BYTES, "dynamodb", tag.kind, region, table, tag.index_name, tag.value)
        return (head + _digest(SLOT_BYTES, "whole", region, table, tag.kind, tag.index_name) + name,)
    partitions = [tag.value] if tag.kind == "partition" else _partitions_of(tag, hash_of)
    return tuple([tag_of_partition(head, tag, value) for value in partitions])


def tag_of_partition(head: bytes, tag: Tag, partition: bytes) -> bytes:
    """The shared name of a tag of a known partition, of a table or of an index. head: the table's digest."""
    region, table = tag.table.region, tag.table.name
    slot = _digest(SLOT_BYTES, "partition", region, table, partition)
    return head + slot + _digest(NAME_BYTES, "dynamodb", tag.kind, region, table, tag.index_name, tag.value)


def _partitions_of(item: Tag, hash_of: HashOf) -> list[bytes]:
    """The partition in which an item lies, or those in which it may lie."""
    key = key_of(item.value or b"")
    known = hash_of(item.table) if len(key) > 1 else None
    return [partition_value([value]) for value in ([key[known]] if known in key else key.values())]


def shared_tags(tags: Mapping[Tag, Extent] | None, hash_of: HashOf) -> dict[bytes, Extent]:
    """The same for several, with their extents; None stands for anything at all."""
    if tags is None:
        return {EVERYTHING: EVERY_EXTENT}
    return {shared: extent for tag, extent in tags.items() for shared in shared_tag(tag, hash_of)}


def named_tag(name: str) -> bytes:
    """A tag that the application names."""
    return _without_table("named", name)


def function_tag(function: bytes) -> bytes:
    """The tag of all results of one function."""
    return _without_table("function", function)


def result_tag(key: bytes) -> bytes:
    """The tag of one result."""
    return _without_table("result", key)


def everything_of(tags: Iterable[bytes]) -> dict[bytes, Extent]:
    """Shared tags, each with all of its extent."""
    return dict.fromkeys(tags, EVERY_EXTENT)
