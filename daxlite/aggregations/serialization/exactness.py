"""Whether what comes out is what went in: equal, and of the same types all the way down."""

import struct
from collections import deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ..errors import type_name
from .containers import DICTS, has_attributes
from .records import field_names, fields_of, has_more_than
from .timezones import zone_form

DEEPEST: Final = 100
"""Levels of nesting. Deeper values could be written here and yet not be read further down somebody's stack."""
_FEW: Final = 100


def difference(one: Any, other: Any, depth: int = 0) -> str | None:
    """The name of the first type in `one` that is not the same in `other`; None if there is no difference.

    Stricter than `==`: 1 is not True, -0.0 is not 0.0, Decimal("1.50") is not Decimal("1.5"), a zone is not its offset;
    nan is nan. The order of a dict counts, that of a set does not; the factory of a defaultdict counts, and the maxlen
    of a deque. Of types that are not known here, an object is the same as itself only.

    >>> difference([1, 2.0], [1, 2.0]), difference([1, 2.0], [1, 2]), difference({1: (2,)}, {1: [2]})
    (None, 'float', 'tuple')
    """
    if one is other and type(one) not in _CONTAINERS:  # of two containers that are one, what is inside may be recursive
        return None
    kind = type(one)
    if type(other) is not kind or depth > DEEPEST:
        return type_name(kind)
    if kind in _LEAVES:
        return None if _LEAVES[kind](one) == _LEAVES[kind](other) else type_name(kind)
    if kind in DICTS and _is_of_one_make(one, other):
        return _in_dict(kind, one, other, depth + 1)
    if kind is list or (kind is deque and one.maxlen == other.maxlen):
        return _in_sequence(kind, one, other, depth + 1)
    if _is_plain_tuple(kind, one) and _is_plain_tuple(kind, other):
        return _in_sequence(kind, one, other, depth + 1)
    if kind is set or kind is frozenset:
        return _in_set(kind, one, other, depth + 1)
    if field_names(kind) is not None:
        return _in_record(kind, one, other, depth + 1)
    return type_name(kind)


def _in_dict(kind: type, one: dict[Any, Any], other: dict[Any, Any], depth: int) -> str | None:
    if len(one) != len(other):
        return type_name(kind)
    for (key, value), (other_key, other_value) in zip(one.items(), other.items(), strict=True):
        found = difference(key, other_key, depth) or difference(value, other_value, depth)
        if found:
            return found
    return None


def _in_sequence(kind: type, one: Any, other: Any, depth: int) -> str | None:
    if len(one) != len(other):
        return type_name(kind)
    for part, other_part in zip(one, other, strict=True):
        found = difference(part, other_part, depth)
        if found:
            return found
    return None


def _in_set(kind: type, one: Any, other: Any, depth: int) -> str | None:
    if len(one) != len(other):
        return type_name(kind)
    counterparts = {member: member for member in other}
    lonely = []
    for member in one:
        if difference(member, counterparts.get(member, _LEAVES), depth) is None:
            del counterparts[member]
        else:
            lonely.append(member)
    # nan, and whatever has a `__eq__` of its own, is not found by looking it up.
    if len(lonely) > _FEW:
        return type_name(kind)
    rest = list(counterparts.values())
    for member in lonely:
        at = next((at for at, left in enumerate(rest) if difference(member, left, depth) is None), None)
        if at is None:
            return type_name(type(member))
        del rest[at]
    return None


def _in_record(kind: type, one: Any, other: Any, depth: int) -> str | None:
    fields, other_fields = fields_of(one), fields_of(other)
    if fields is None or other_fields is None:
        return type_name(kind)
    return _in_dict(kind, fields, other_fields, depth)


def _is_of_one_make(one: Any, other: Any) -> bool:
    """Whether two dicts, Counters, OrderedDicts or defaultdicts are the same but for what is in them."""
    if has_attributes(one) or has_attributes(other):
        return False
    return getattr(one, "default_factory", None) is getattr(other, "default_factory", None)


def _is_plain_tuple(kind: type, value: Any) -> bool:
    if kind is tuple:
        return True
    return issubclass(kind, tuple) and hasattr(kind, "_fields") and not has_more_than(value, ())


def _time(value: Any) -> Any:
    try:
        return value.replace(tzinfo=None), value.fold, zone_form(value.tzinfo)
    except TypeError:
        return object()  # a zone that nobody knows: the same as no other


def _float(value: float) -> bytes:
    return struct.pack(">d", value)


def _complex(value: complex) -> bytes:
    return struct.pack(">dd", value.real, value.imag)


_CONTAINERS: Final = DICTS | {list, tuple, set, frozenset, deque}
_LEAVES: Final[dict[type, Callable[[Any], Any]]] = {
    **{kind: lambda value: value for kind in (type(None), bool, int, str, bytes, bytearray, date, timedelta, UUID)},
    float: _float,
    complex: _complex,
    range: lambda value: (value.start, value.stop, value.step),
    Decimal: Decimal.as_tuple,  # a signalling nan cannot even be compared
    datetime: _time,
    time: _time,
}
