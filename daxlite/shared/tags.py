"""Tags as processes share them: 128-bit digests.

A table is the place where its changes are felt, its region and its name. So a change reaches every process that uses
the table, by whichever endpoint or credentials it knows it; tables of one name in two accounts are invalidated
together.
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
    """A tag of DynamoDB's, the same in all processes."""
    return _digest("dynamodb", tag.kind, tag.table.region, tag.table.name, tag.index_name, tag.value)


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
