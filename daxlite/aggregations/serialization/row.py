"""The rows of the table of types: what a row consists of, and how the row of a type without members is made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.msgpack import Ext

from ..errors import Unsupported, type_name

Walk: TypeAlias = Callable[[Any, int], Any]
"""`walk(value, depth)`: the value in a form that `pack` accepts. A container calls it for each member."""
Encode: TypeAlias = Callable[[Any, Walk, int], Any]
"""`encode(value, walk, depth)`: the same for values of one type."""
Difference: TypeAlias = Callable[[Any, Any, int], str | None]
"""`difference(one, other, depth)`: the name of the first type that differs, or None. See `exactness`."""
Compare: TypeAlias = Callable[[Any, Any, Difference, int], str | None]
"""`compare(one, other, difference, depth)`: the same for two values of one type."""

KEY_CODES: Final = 64
"""Extension codes from here on belong to `canonical`: they are part of keys, and are never stored."""

pack: Final = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One type. A value of a subclass is not a value of the type."""

    type: type
    encode: Encode
    """For storage: a form that `pack` accepts, and from which `decode` restores the value exactly."""
    key: Encode
    """For keys: the same form, without details that do not distinguish two values, such as the order of a set."""
    compare: Compare
    """Whether a value that was read back is exactly the one that was stored."""
    code: int | None = None
    """The MessagePack extension that stands for the type, None if none is needed. It is stored, so it never changes."""
    payload: Any = bytes
    """What the extension holds: raw `bytes`, or MessagePack of this type."""
    decode: Callable[[Any], Any] | None = None
    """From the payload to the value. Raises any Exception for a payload that `encode` cannot have made."""
    is_native: bool = False
    """Whether `pack` accepts the value itself: it either encodes it exactly, or raises OverflowError or
    UnicodeEncodeError."""
    is_container: bool = False
    """Whether a value of this type has members."""


def native(kind: type, *, key: Encode | None = None, exact: Callable[[Any], Any] | None = None) -> Row:
    """The row of a type that MessagePack supports.

    exact: two values are the same if and only if it returns the same for both. By default, `==` compares them.
    """
    compare = _equal if exact is None else _equal_by(exact)
    return Row(type=kind, encode=_unchanged, key=key or _unchanged, compare=compare, is_native=True)


def extension(
    kind: type,
    code: int,
    dump: Callable[[Any], Any],
    load: Callable[[Any], Any],
    *,
    payload: Any = bytes,
    fits: Callable[[Any], bool] | None = None,
    is_native: bool = False,
) -> Row:
    """The row of a type without members that MessagePack does not support, or not for all of its values.

    dump, load: from the value to the payload and back. Two values are the same if and only if their payloads are equal.
    fits: whether MessagePack supports this value. is_native: see `Row`; `==` is exact for such a type.
    """

    def as_extension(value: Any, walk: Walk, depth: int) -> Any:
        return Ext(code, dump(value))

    def as_packed_extension(value: Any, walk: Walk, depth: int) -> Any:
        return Ext(code, pack(dump(value)))

    extend = as_extension if payload is bytes else as_packed_extension

    def unchanged_or_extension(value: Any, walk: Walk, depth: int) -> Any:
        return value if fits is not None and fits(value) else extend(value, walk, depth)

    encode = extend if fits is None else unchanged_or_extension
    return Row(
        type=kind,
        code=code,
        encode=encode,
        key=encode,
        compare=_equal if is_native else _equal_by(dump),
        payload=payload,
        decode=load,
        is_native=is_native,
    )


def _unchanged(value: Any, walk: Walk, depth: int) -> Any:
    return value


def _equal(one: Any, other: Any, difference: Difference, depth: int) -> str | None:
    return None if one == other else type_name(type(one))


def _equal_by(exact: Callable[[Any], Any]) -> Compare:
    def compare(one: Any, other: Any, difference: Difference, depth: int) -> str | None:
        try:
            return None if exact(one) == exact(other) else type_name(type(one))
        except Unsupported:  # such as a time zone of the application's own class
            return type_name(type(one))

    return compare
