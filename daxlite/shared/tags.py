"""Tags as processes share them: 128-bit digests.

In one process a tag names its table by endpoint, region and account, as far as these are known. Processes may know
differently much, and a change must reach everybody whom it could concern, so here a table is its name alone: tables of
one name in two accounts, or the replicas of a global table, are invalidated together.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final

from ..core.encoding import encode
from ..core.tags import Tag


def _digest(*parts: Any) -> bytes:
    return blake2b(encode(parts), digest_size=16, person=b"daxlite-tag").digest()


EVERYTHING: Final = _digest("everything")
"""The tag on which every result of a namespace depends."""


def shared_tag(tag: Tag) -> bytes:
    """A tag of DynamoDB's, for everybody who calls the table by this name."""
    return _digest("dynamodb", tag.kind, tag.table.name, tag.index_name, tag.value)


def shared_tags(tags: Iterable[Tag] | None) -> tuple[bytes, ...]:
    """The same for several; None stands for anything at all."""
    return (EVERYTHING,) if tags is None else tuple(dict.fromkeys(map(shared_tag, tags)))


def named_tag(name: str) -> bytes:
    """A tag that the application names."""
    return _digest("named", name)


def function_tag(function: bytes) -> bytes:
    """The tag of all results of one function."""
    return _digest("function", function)


def result_tag(key: bytes) -> bytes:
    """The tag of one result."""
    return _digest("result", key)
