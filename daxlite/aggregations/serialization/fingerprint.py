"""A short digest of a type's structure: what was stored under one annotation is not decoded under another."""

import enum
import hashlib
from typing import Any, Final

from msgspec import inspect

from ..errors import Unkeyable
from .canonical import canonical
from .modules import module_of
from .row import pack

SIZE: Final = 8  # bytes


def fingerprint(annotation: Any) -> bytes:
    """Eight bytes that change with every change of the annotation that msgspec could notice, the same in each process.

    Classes count by their name and by what they consist of, fields by their names, types and defaults. The JSON schema
    would not do: it does not distinguish a list from a set, nor a bytearray from bytes. Raises any Exception for an
    annotation that msgspec does not support.

    >>> fingerprint(list[int]) == fingerprint(list[int]), fingerprint(list[int]) == fingerprint(set[int])
    (True, False)
    """
    structure = _structure(inspect.type_info(annotation), {})
    return hashlib.blake2b(pack(structure), digest_size=SIZE, person=b"daxlite-type").digest()


def _structure(node: Any, seen: dict[int, int]) -> Any:
    if isinstance(node, inspect.Metadata):
        return _structure(node.type, seen)  # the metadata describes the type, and changes nothing
    if isinstance(node, inspect.Type | inspect.Field):
        if id(node) in seen:  # a recursive type
            return ["seen", seen[id(node)]]
        seen[id(node)] = len(seen)
        parts = [_structure(getattr(node, name), seen) for name in node.__struct_fields__]
        return [type(node).__name__, *parts, *_members(node)]
    if isinstance(node, tuple):
        return ["tuple", *(_structure(part, seen) for part in node)]
    if isinstance(node, type) or callable(node):
        return ["named", module_of(node), getattr(node, "__qualname__", None)]
    try:
        return ["value", canonical(node)]
    except Unkeyable:  # a default of the application's own type
        return ["default", *_structure(type(node), seen)]


def _members(node: Any) -> list[Any]:
    """The names and values of an Enum: a member is stored by its value."""
    if not isinstance(node, inspect.EnumType):
        return []
    members: dict[str, enum.Enum] = dict(node.cls.__members__)
    return [[name, repr(member.value)] for name, member in members.items()]
