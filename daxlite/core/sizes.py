"""How large items are by DynamoDB's rules (AWS: "DynamoDB item sizes and formats")."""

from collections.abc import Mapping
from typing import Any, Final

MAX_ITEM_BYTES: Final = 400 * 1024
MAX_BATCH_BYTES: Final = 16_000_000
"""The most that a BatchGetItem returns. By AWS's example, of 100 items of 300 KB it returns 52."""

_OF_DOCUMENT: Final = 3
_OF_MEMBER: Final = 1


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """The bytes of a typed item: its attributes' names and values.

    It is never larger than the item's encoded form in the cache.

    >>> item_size({"pk": {"S": "o#1"}, "total": {"N": "1200"}, "tags": {"L": [{"S": "a"}, {"BOOL": True}]}})
    23
    """
    return sum(_text(name) + _value(value) for name, value in item.items())


def _value(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "M":
        return _OF_DOCUMENT + _OF_MEMBER * len(content) + item_size(content)
    if kind == "L":
        return _OF_DOCUMENT + sum(_OF_MEMBER + _value(part) for part in content)
    if kind in ("SS", "NS", "BS"):
        return sum(_scalar(kind[0], part) for part in content)
    return _scalar(kind, content)


def _scalar(kind: str, content: Any) -> int:
    if kind == "S":
        return _text(content)
    if kind == "N":
        return _number(content)
    return len(content) if kind == "B" else 1


def _text(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _number(text: str) -> int:
    """A byte for two significant digits, one for the number, and one for its sign."""
    digits = text.lower().partition("e")[0].replace(".", "").strip("+-").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")
