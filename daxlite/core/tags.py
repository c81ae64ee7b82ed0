"""Tags: what an answer depends on and what a change bumps.

| tag       | what depends on it                                                                  |
|-----------|-------------------------------------------------------------------------------------|
| item      | the entry of one item and each of its projections                                   |
| partition | every Query page on that partition of a table or of an index, local or global       |
| index     | queries of a global index, for changes that cannot tell which partition they touch  |
| scan      | every Scan page of a table (its local indexes too) or of a global index; a table's  |
|           | is bumped by each of its changes                                                    |
| table     | everything of the table                                                             |
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from .tables import Place

TagKind: TypeAlias = Literal["item", "partition", "index", "scan", "table"]


# Made for each call and looked up several times: a Struct is made, compared and hashed without running any Python.
class Tag(Struct, frozen=True, cache_hash=True):
    """What answers depend on and changes bump."""

    kind: TagKind
    table: Place
    index_name: str | None = None
    """An index, or None for the table itself."""
    value: bytes | None = None
    """The canonical key of an item, or the canonical value of a partition."""

    def __repr__(self) -> str:
        index = "" if self.index_name is None else f", {self.index_name}"
        return f"<{self.kind} tag: {self.table.name}{index}>"  # without the value, which is not for logs


def item_tag(table: Place, key: bytes) -> Tag:
    return Tag("item", table, None, key)


def partition_tag(table: Place, index: str | None, value: bytes) -> Tag:
    return Tag("partition", table, index, value)


def index_tag(table: Place, index: str) -> Tag:
    return Tag("index", table, index)


def scan_tag(table: Place, index: str | None) -> Tag:
    return Tag("scan", table, index)


def table_tag(table: Place) -> Tag:
    return Tag("table", table)
