"""The walk from a value to bytes. Storage and keys use different functions for a type, and the same walk."""

from collections.abc import Callable, Mapping, Set
from typing import Any, Final

from ..errors import Unsupported
from .row import Encode, Walk, pack

MAX_DEPTH: Final = 100
"""Levels of nesting. A deeper value might be encoded here, and fail to be decoded where less of the stack is left."""


def encoder(encoders: Mapping[type, Encode], native: Set[type], otherwise: Encode) -> Callable[[Any], bytes]:
    """Returns a function from a value to bytes. It raises Unsupported for a value that cannot be encoded.

    encoders: by type. native: types that `pack` accepts itself, except for rare values. otherwise: for other types.
    """
    quick = _walk({kind: encode for kind, encode in encoders.items() if kind not in native}, native, otherwise)
    careful = _walk(encoders, frozenset(), otherwise)

    def encode(value: Any) -> bytes:
        try:
            try:
                return pack(quick(value, 0))
            except (OverflowError, UnicodeEncodeError):  # an int of more than 64 bits, a lone surrogate
                return pack(careful(value, 0))
        except RuntimeError as error:  # another thread changes the value, or the stack is almost full
            raise Unsupported(f"a value that could not be read to its end ({type(error).__name__})") from None

    return encode


def _walk(encoders: Mapping[type, Encode], native: Set[type], otherwise: Encode) -> Walk:
    def walk(value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise Unsupported(f"a value that contains itself, or is nested deeper than {MAX_DEPTH} levels")
        kind = type(value)
        if kind in native:
            return value
        return encoders.get(kind, otherwise)(value, walk, depth)

    return walk
