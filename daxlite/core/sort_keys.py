"""Sort keys as bytes that stand in DynamoDB's order.

Strings are ordered by their UTF-8 bytes, binary by unsigned bytes, numbers by value to 38 digits (AWS: "Supported data
types and naming rules"). With one form for all three, intervals of sort keys are compared without knowing their type.

    string, binary    type | content
    number            type | sign | exponent | digits           0.012 -> N + 80 "12"

A negative number is larger the smaller its exponent and digits are, so there both are turned around, and an end mark
follows that is greater than any digit: -12 is greater than -123.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from .not_cacheable import NotCacheable
from .values import key_scalar

MAX_BYTES: Final = 1024
"""The longest sort key that DynamoDB takes."""

_TYPES: Final = {"B": b"B", "N": b"N", "S": b"S"}
_NEGATIVE, _ZERO, _POSITIVE = b"-", b".", b"/"  # in the order of their bytes
_EXPONENT_OF_0: Final = 130  # DynamoDB's exponents reach from -130 to 125, which are the bytes from 0 to 255
_DIGITS: Final = bytes.maketrans(bytes(range(10)), b"0123456789")
_TURNED: Final = bytes.maketrans(bytes(range(10)), b"9876543210")
_END: Final = b"\xff"


def sort_key(value: Mapping[str, Any]) -> bytes:
    """The bytes of a typed value. Raises NotCacheable for a value that cannot stand in a key.

    >>> sort_key({"N": "-12.0"}) > sort_key({"N": "-123"})
    True
    >>> sort_key({"N": "9"}) < sort_key({"N": "10"}) < sort_key({"S": ""})
    True
    """
    # Most are strings, and a write needs one: this short way saves it three calls.
    content: str | bytes | None = value.get("S") if type(value) is dict and len(value) == 1 else None
    if type(content) is not str:
        kind, content = key_scalar(value)
        if kind == "N":
            return b"N" + _number(str(content))
        if isinstance(content, bytes):
            return b"B" + content
    try:
        return b"S" + content.encode()
    except UnicodeEncodeError:
        raise NotCacheable("text that is not Unicode") from None


def last_with_prefix(prefix: bytes) -> bytes:
    """The bytes that no sort key with this prefix is greater than, and that no other sort key lies below.

    >>> last_with_prefix(sort_key({"S": "2025"})) < sort_key({"S": "2026"})
    True
    """
    if prefix.startswith(_TYPES["S"]):
        return prefix + _END  # it occurs in no UTF-8
    return prefix + _END * (1 + MAX_BYTES - len(prefix))


def _number(canonical: str) -> bytes:
    number = Decimal(canonical)
    if not number:
        return _ZERO
    is_negative, digits, _ = number.as_tuple()
    kept = bytes(digits).rstrip(b"\0")
    adjusted = number.adjusted() + _EXPONENT_OF_0
    if is_negative:
        return _NEGATIVE + bytes((255 - adjusted,)) + kept.translate(_TURNED) + _END
    return _POSITIVE + bytes((adjusted,)) + kept.translate(_DIGITS)
