"""The rows of list, tuple, set and frozenset."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec.msgpack import Ext

from ..errors import type_name
from .row import Compare, Difference, Encode, Row, Walk, pack

_MAX_UNPAIRED: Final = 100


def list_row() -> Row:
    def encode(value: list[Any], walk: Walk, depth: int) -> Any:
        return [walk(member, depth + 1) for member in value]

    return Row(type=list, encode=encode, key=encode, compare=compare_sequences, is_container=True)


def tuple_row(code: int) -> Row:
    encode = _encoder(code)
    return _row(tuple, code, encode, encode, compare_sequences, tuple)


def set_row(kind: type, code: int) -> Row:
    """kind: set or frozenset. In a key, the members are sorted by their encodings."""

    def key(value: Iterable[Any], walk: Walk, depth: int) -> Any:
        return Ext(code, pack(sorted([pack(walk(member, depth + 1)) for member in value])))

    def decode(members: list[Any]) -> Any:
        found = kind(members)
        if len(found) != len(members):
            raise ValueError("a set with a member twice")
        return found

    return _row(kind, code, _encoder(code), key, _compare_sets, decode)


def _encoder(code: int) -> Encode:
    def encode(value: Iterable[Any], walk: Walk, depth: int) -> Any:
        return Ext(code, pack([walk(member, depth + 1) for member in value]))

    return encode


def _row(kind: type, code: int, encode: Encode, key: Encode, compare: Compare, decode: Callable[[Any], Any]) -> Row:
    return Row(
        type=kind,
        code=code,
        encode=encode,
        key=key,
        compare=compare,
        payload=list[Any],
        decode=decode,
        is_container=True,
    )


def compare_sequences(one: Any, other: Any, difference: Difference, depth: int) -> str | None:
    """The difference between two lists, or two tuples of one class."""
    if len(one) != len(other):
        return type_name(type(one))
    inside = depth + 1
    for member, counterpart in zip(one, other, strict=True):
        found = difference(member, counterpart, inside)
        if found:
            return found
    return None


def _compare_sets(one: Any, other: Any, difference: Difference, depth: int) -> str | None:
    kind = type(one)
    if len(one) != len(other):
        return type_name(kind)
    counterparts = {member: member for member in other}
    missing = object()
    unpaired = []
    for member in one:
        if difference(member, counterparts.get(member, missing), depth + 1) is None:
            del counterparts[member]
        else:
            unpaired.append(member)
    # A lookup does not find nan, nor an object that is equal to itself only: these are compared one by one.
    if len(unpaired) > _MAX_UNPAIRED:
        return type_name(kind)
    rest = list(counterparts.values())
    for member in unpaired:
        at = next((at for at, left in enumerate(rest) if difference(member, left, depth + 1) is None), None)
        if at is None:
            return type_name(type(member))
        del rest[at]
    return None
