"""Canonical bytes, which keys are made of: one encoding for each value, and different ones for different values.

Values are different if they are written differently: 1, 1.0, True and Decimal("1") are four values, Decimal("1.0")
and Decimal("1.00") two, 0.0 and -0.0 two, and a time in Berlin is not the same time in UTC. The order of a dict, a
Counter, a defaultdict and a set does not count.

Values of the types of the table are encoded as for storage, with unordered members sorted. A key may also contain
members of Enums, records, NamedTuples, Paths, and instances of subclasses of str, int, float and bytes. They are
encoded with the name of their class.
"""

import hashlib
import pathlib
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, Final

from msgspec.msgpack import Ext

from ..errors import Unkeyable, Unsupported, type_name
from .modules import module_of
from .records import fields_of, has_other_attributes, is_named_tuple
from .row import KEY_CODES, Walk, pack
from .types import ADVICE, TABLE
from .walk import encoder

_PATH, _ENUM, _SUBCLASS, _NAMED_TUPLE, _RECORD = range(KEY_CODES, KEY_CODES + 5)
_ALLOWED: Final = (
    "allowed are None, bool, int, float, str, bytes, bytearray, Decimal, UUID, dates and times, Path, Enum members,"
    " dataclasses, Structs, attrs classes, NamedTuples, and lists, tuples, dicts, sets, Counters, OrderedDicts and"
    " defaultdicts of these"
)

NATIVE: Final = frozenset(row.type for row in TABLE if row.is_native and row.key is row.encode)
"""Types for which `pack` is canonical. For rare values it raises OverflowError or UnicodeEncodeError."""


def digest(*parts: Any) -> bytes:
    """Twenty bytes: the same for two lists of parts if and only if their canonical encodings are the same.

    Raises Unkeyable for a part that cannot be part of a key.

    >>> digest("a", "b#c") == digest("a#b", "c"), digest({"x": 1, "y": 2}) == digest({"y": 2, "x": 1}), len(digest())
    (False, True, 20)
    """
    return hashlib.blake2b(canonical_list(parts), digest_size=20, person=b"daxlite").digest()


def canonical(value: Any) -> bytes:
    """The encoding of a value. Raises Unkeyable for a value that has none, such as a function.

    >>> canonical({"a": {1, 2}, "b": 1}) == canonical({"b": 1, "a": {2, 1}}), canonical(1) == canonical(1.0)
    (True, False)
    >>> canonical(print)
    Traceback (most recent call last):
    ...
    daxlite.aggregations.errors.Unkeyable: a value of type builtin_function_or_method cannot be part of a key; ...
    """
    try:
        return _encode(value)
    except Unsupported as error:
        raise Unkeyable(f"{error} cannot be part of a key; {error.advice or _ALLOWED}") from None


def canonical_list(values: Sequence[Any]) -> bytes:
    """The encoding of the list of these values; fast for the types that most keys consist of.

    >>> canonical_list(("a", 1)) == canonical(["a", 1])
    True
    """
    for value in values:
        if type(value) not in NATIVE:
            return canonical(list(values))
    try:
        return pack(values)
    except (OverflowError, UnicodeEncodeError):
        return canonical(list(values))


def _application_class(value: Any, walk: Walk, depth: int) -> Any:
    kind = type(value)
    if isinstance(value, Enum):
        name: str | None = value.name  # None for no flags at all
        return _of_class(_ENUM, kind, (value.value if name is None else name,), walk, depth)
    if kind in _PATHS:
        return Ext(_PATH, pack([kind.__name__, walk(str(value), depth + 1)]))
    fields = fields_of(value)
    if fields is not None:
        return _of_class(_RECORD, kind, (end for field in fields.items() for end in field), walk, depth)
    if is_named_tuple(value):
        return _of_class(_NAMED_TUPLE, kind, tuple.__iter__(value), walk, depth)
    for base, to_base in _BASES.items():
        if isinstance(value, base) and not has_other_attributes(value, ()):
            return _of_class(_SUBCLASS, kind, (to_base(value),), walk, depth)
    raise Unsupported(f"a value of type {type_name(kind)}", ADVICE.get(kind))


def _of_class(code: int, kind: type, parts: Iterable[Any], walk: Walk, depth: int) -> Any:
    return Ext(code, pack([module_of(kind), kind.__qualname__, *(walk(part, depth + 1) for part in parts)]))


# Not by the methods of the subclass, which may be overridden.
_BASES: Final[dict[type, Callable[[Any], Any]]] = {
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
_encode: Final = encoder({row.type: row.key for row in TABLE}, NATIVE, _application_class)
