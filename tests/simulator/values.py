"""Typed values as they go over the wire: what is valid, what is equal, what is less, and how large it is.

The model holds a value as botocore hands it to a caller: ``{"N": "1.5"}``, ``{"B": b"..."}``. Every value in the model
is canonical, and none is ever changed in place.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from decimal import Context, Decimal
from typing import Any

from tests.simulator.errors import invalid

Value = dict[str, Any]
Item = dict[str, Value]

KINDS = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})
SETS = {"SS": "S", "NS": "N", "BS": "B"}
MAX_ITEM_BYTES = 400 * 1024

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DIGITS = 38
# Wide enough that nothing is rounded before it has been counted.
_EXACT = Context(prec=400, Emax=9999, Emin=-9999)


def number(text: str) -> str:
    """The one way to write this number."""
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
    value = Decimal(text).normalize(_EXACT)
    if not value:
        return "0"
    if len(value.as_tuple().digits) > _DIGITS:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    if value.adjusted() > 125:
        raise invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if value.adjusted() < -130:
        raise invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    return format(value, "f")


def add_numbers(left: str, right: str) -> str:
    return number(str(_EXACT.add(Decimal(left), Decimal(right))))


def subtract_numbers(left: str, right: str) -> str:
    return number(str(_EXACT.subtract(Decimal(left), Decimal(right))))


def kind_of(value: Value) -> str:
    (kind,) = value
    return kind


def canonical(value: Value) -> Value:
    """A value in canonical form; refuses what is none."""
    if len(value) != 1:
        raise invalid("Supplied AttributeValue must contain exactly one of the supported datatypes")
    ((kind, content),) = value.items()
    if kind == "N":
        return {"N": number(content)}
    if kind in SETS:
        return {kind: _canonical_set(kind, content)}
    if kind == "L":
        return {"L": [canonical(member) for member in content]}
    if kind == "M":
        return {"M": {name: canonical(member) for name, member in content.items()}}
    if kind == "NULL" and content is not True:
        raise invalid(
            "One or more parameter values were invalid: Null attribute value types must have the value of true"
        )
    if kind not in KINDS:
        raise invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    return {kind: content}


def canonical_item(item: Item) -> Item:
    return {name: canonical(value) for name, value in item.items()}


def _canonical_set(kind: str, members: list[Any]) -> list[Any]:
    if not members:
        raise invalid("One or more parameter values were invalid: An set may not be empty")
    if kind == "NS":
        members = [number(member) for member in members]
    if len(set(members)) != len(members):
        raise invalid("One or more parameter values were invalid: Input collection contains duplicates")
    return list(members)


def identity(value: Value) -> Hashable:
    """Two canonical values are equal exactly if their identities are."""
    ((kind, content),) = value.items()
    if kind in SETS:
        return kind, frozenset(content)
    if kind == "L":
        return kind, tuple(identity(member) for member in content)
    if kind == "M":
        return kind, frozenset((name, identity(member)) for name, member in content.items())
    return kind, content


def order(value: Value) -> Any:
    """What to compare two strings, two numbers or two binaries by: DynamoDB orders strings by their UTF-8 bytes."""
    ((kind, content),) = value.items()
    if kind == "N":
        return Decimal(content)
    return content.encode() if kind == "S" else content


def length(value: Value) -> int | None:
    """What the function size() gives; None for what has no size."""
    ((kind, content),) = value.items()
    return len(content) if kind in ("S", "B", "L", "M", *SETS) else None


def size(value: Value) -> int:
    """The bytes that count towards the limits and the capacity."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return _number_size(content)
    if kind == "B":
        return len(content)
    if kind in ("BOOL", "NULL"):
        return 1
    if kind in SETS:
        return sum(size({SETS[kind]: member}) for member in content)
    if kind == "L":
        return 3 + sum(1 + size(member) for member in content)
    return 3 + sum(1 + len(name.encode()) + size(member) for name, member in content.items())


def item_size(item: Item) -> int:
    return sum(len(name.encode()) + size(value) for name, value in item.items())


def _number_size(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0")
    return 1 + (len(digits) + 1) // 2 + text.startswith("-")
