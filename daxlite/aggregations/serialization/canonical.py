"""One encoding for each value, and no encoding for two values: what a key is made of.

Values count as they are written: 1, 1.0, True and Decimal("1") are four, Decimal("1.0") and Decimal("1.00") two, 0.0
and -0.0 two, and a moment in Berlin is not the same moment in UTC. Only the order of a dict, of a Counter, of a
defaultdict and of a set does not count.

The encoding is MessagePack. None, bool, int, float, str and bytes are as they are; everything else is an array
that begins with the number of its kind, so nothing else can look like it.
"""

import hashlib
import math
import pathlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec

from ..errors import Unkeyable, type_name
from .containers import factory_number
from .modules import module_of
from .records import fields_of, has_more_than
from .timezones import ZoneForm, zone_form

_KINDS: Final = range(26)
(_LIST, _TUPLE, _DICT, _SET, _FROZENSET, _BYTEARRAY, _INT, _STR, _DECIMAL, _UUID) = _KINDS[:10]
(_DATE, _TIME, _TIMEDELTA, _DATETIME, _PATH, _ENUM, _SUBCLASS, _NAMED_TUPLE, _RECORD, _TEXT_DICT) = _KINDS[10:20]
(_COUNTER, _ORDERED_DICT, _DEFAULTDICT, _DEQUE, _RANGE, _COMPLEX) = _KINDS[20:]

_DEEPEST: Final = 100
_ALLOWED: Final = (
    "allowed are None, bool, int, float, complex, str, bytes, Decimal, UUID, dates and times, Path, range, Enum"
    " members, dataclasses, Structs, NamedTuples, and lists, tuples, dicts, sets, deques, Counters, OrderedDicts"
    " and defaultdicts of these"
)

pack: Final = msgspec.msgpack.Encoder().encode
AS_IS: Final = frozenset((type(None), bool, int, str, bytes))
"""Types of which almost every value is its own form; `pack` raises OverflowError or UnicodeEncodeError for the rest."""


def digest(*parts: Any) -> bytes:
    """Twenty bytes that two lists of parts have in common only if they are equal, as `canonical` understands that.

    Raises Unkeyable for a part that cannot be in a key.

    >>> digest("a", "b#c") == digest("a#b", "c"), digest({"x": 1, "y": 2}) == digest({"y": 2, "x": 1}), len(digest())
    (False, True, 20)
    """
    return hashlib.blake2b(canonical(parts), digest_size=20, person=b"daxlite").digest()


def canonical(value: Any) -> bytes:
    """The one encoding of a value. Raises Unkeyable for a value that has none, such as a function.

    >>> canonical({"a": {1, 2}, "b": 1}) == canonical({"b": 1, "a": {2, 1}}), canonical(1) == canonical(1.0)
    (True, False)
    >>> canonical(print)
    Traceback (most recent call last):
    ...
    daxlite.aggregations.errors.Unkeyable: a value of type builtin_function_or_method cannot be a part of a key; ...
    """
    if type(value) is tuple:
        return _of_tuple(value)
    return pack(whole_form(value))


def _of_tuple(values: tuple[Any, ...]) -> bytes:
    """The encoding of a tuple; quick with such values as most keys are made of."""
    for value in values:
        if type(value) not in AS_IS:
            return pack(whole_form(values))
    try:
        return pack((_TUPLE, *values))
    except (OverflowError, UnicodeEncodeError):
        return pack(whole_form(values))


def whole_form(value: Any) -> Any:
    """The value as MessagePack can take it. Raises Unkeyable."""
    try:
        return form(value, 0)
    except RuntimeError as error:  # another thread changes the value, or the stack is almost full
        raise Unkeyable(f"a value could not be read to its end ({type(error).__name__})") from None


def form(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise Unkeyable(f"a value that contains itself, or is nested deeper than {_DEEPEST} levels, cannot be in a key")
    of_kind = _FORMS.get(type(value), _of_another_class)
    return of_kind(value, depth)


def _int(value: int, depth: int) -> Any:
    return (
        value if -(2**63) <= value < 2**64 else (_INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    )


def _float(value: float, depth: int) -> Any:
    return value if value == value else math.nan  # there are many nans in a float; in a key there is one


def _str(value: str, depth: int) -> Any:
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return _STR, value.encode("utf-8", "surrogatepass")
    return value


def _as_it_is(value: Any, depth: int) -> Any:
    return value


def _sequence(kind: int) -> Callable[[Any, int], Any]:
    return lambda value, depth: (kind, *(form(part, depth + 1) for part in value))


def _set(kind: int) -> Callable[[Any, int], Any]:
    return lambda value, depth: (kind, *sorted(pack(form(member, depth + 1)) for member in value))


def _dict(value: dict[Any, Any], depth: int) -> Any:
    if all(type(key) is str for key in value):
        return _TEXT_DICT, *(end for key in sorted(value) for end in (_str(key, depth), form(value[key], depth + 1)))
    # With the values, because nan can be a key twice.
    pairs = sorted((pack(form(key, depth + 1)), pack(form(part, depth + 1))) for key, part in value.items())
    return _DICT, *(end for pair in pairs for end in pair)


def _special_dict(kind: int) -> Callable[[Any, int], Any]:
    def of_kind(value: Any, depth: int) -> Any:
        try:
            factory = factory_number(value)
        except TypeError as error:
            raise Unkeyable(f"{error} cannot be a part of a key; convert it with dict(...)") from None
        if kind == _ORDERED_DICT:
            return kind, *(form(end, depth + 1) for pair in value.items() for end in pair)
        return kind, factory, *_dict(value, depth)

    return of_kind


def _deque(value: deque[Any], depth: int) -> Any:
    return _DEQUE, value.maxlen, *(form(part, depth + 1) for part in value)


def _range(value: range, depth: int) -> Any:
    return _RANGE, *(_int(bound, depth) for bound in (value.start, value.stop, value.step))


def _complex(value: complex, depth: int) -> Any:
    return _COMPLEX, _float(value.real, depth), _float(value.imag, depth)


def _decimal(value: Decimal, depth: int) -> Any:
    return _DECIMAL, str(value).upper()  # the application's decimal context may say "e" for "E"


def _time(value: time, depth: int) -> Any:
    return _TIME, value.hour, value.minute, value.second, value.microsecond, value.fold, _zone(value, depth)


def _datetime(value: datetime, depth: int) -> Any:
    clock = (value.hour, value.minute, value.second, value.microsecond, value.fold)
    return _DATETIME, value.toordinal(), *clock, _zone(value, depth)


def _zone(value: datetime | time, depth: int) -> Any:
    try:
        zone: ZoneForm = zone_form(value.tzinfo)
    except TypeError as error:
        raise Unkeyable(f"{error} cannot be a part of a key; convert the {type(value).__name__}") from None
    return form(zone, depth)  # the name of a zone may be any text


def _of_another_class(value: Any, depth: int) -> Any:
    kind = type(value)
    if isinstance(value, Enum):
        name: str | None = value.name  # None for no flags at all
        return _ENUM, *_named(kind), form(value.value, depth + 1) if name is None else name
    if kind in _PATHS:
        return _PATH, kind.__name__, form(str(value), depth + 1)
    fields = fields_of(value)
    if fields is not None:
        parts = (end for name, part in fields.items() for end in (name, form(part, depth + 1)))
        return _RECORD, *_named(kind), *parts
    if isinstance(value, tuple) and hasattr(kind, "_fields") and not has_more_than(value, ()):
        return _NAMED_TUPLE, *_named(kind), *(form(part, depth + 1) for part in tuple.__iter__(value))
    for base, plain in _PLAIN.items():
        if isinstance(value, base) and not has_more_than(value, ()):
            return _SUBCLASS, *_named(kind), form(plain(value), depth + 1)
    raise Unkeyable(f"a value of type {type_name(kind)} cannot be a part of a key; {_ALLOWED}")


def _named(kind: type) -> tuple[str, str]:
    return module_of(kind), kind.__qualname__


# Not through the methods of the subclass, which may say something else than the value is.
_PLAIN: Final[dict[type, Callable[[Any], Any]]] = {
    str: str.__str__,
    int: int.__index__,
    float: float.__pos__,
    bytes: lambda value: bytes(memoryview(value)),
}
_PATHS: Final = frozenset(
    (
        *(pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath),
        *(pathlib.Path, pathlib.PosixPath, pathlib.WindowsPath),
    )
)
_FORMS: Final[dict[type, Callable[[Any, int], Any]]] = {
    type(None): _as_it_is,
    bool: _as_it_is,
    bytes: _as_it_is,
    int: _int,
    float: _float,
    str: _str,
    list: _sequence(_LIST),
    tuple: _sequence(_TUPLE),
    dict: _dict,
    set: _set(_SET),
    frozenset: _set(_FROZENSET),
    bytearray: lambda value, depth: (_BYTEARRAY, bytes(value)),
    Decimal: _decimal,
    UUID: lambda value, depth: (_UUID, value.bytes),
    date: lambda value, depth: (_DATE, value.toordinal()),
    time: _time,
    timedelta: lambda value, depth: (_TIMEDELTA, value.days, value.seconds, value.microseconds),
    datetime: _datetime,
    Counter: _special_dict(_COUNTER),
    OrderedDict: _special_dict(_ORDERED_DICT),
    defaultdict: _special_dict(_DEFAULTDICT),
    deque: _deque,
    range: _range,
    complex: _complex,
}
