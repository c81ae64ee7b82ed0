"""Makes moto quicker at two things, without any change to its answers.

moto is written to be right, not to be quick: it sorts the whole table for every Query and Scan, and looks for each part
of an answer under half a dozen spellings. The raw client would wait for that, so that the comparison would credit the
cache with costs that DynamoDB does not have, and the demo would take twice as long.
"""

import operator
from collections.abc import Callable
from typing import Any

TYPES = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"})

Compare = Callable[[Any, Any], bool]
Find = Callable[[Any, Any, str, Any], Any]


def quicken() -> None:
    """Replace the two methods; where a release of moto has moved them, it stays as slow as it is."""
    try:
        from moto.core.serialize import ResponseSerializer
        from moto.dynamodb.models.dynamo_type import DynamoType

        find: Find = ResponseSerializer.get_value
        compare: dict[str, Compare] = {name: getattr(DynamoType, name) for name in ("__eq__", "__ne__", "__lt__")}
    except (ImportError, AttributeError):
        return
    setattr(ResponseSerializer, "get_value", quick_find(find))  # noqa: B010 - mypy refuses to assign a method
    for name, slow in compare.items():
        setattr(DynamoType, name, quick_compare(slow, getattr(operator, name)))


def quick_compare(slow: Compare, compare: Compare) -> Compare:
    """Compare two strings as what they are, instead of working out their types for each comparison."""

    def quick(self: Any, other: Any) -> bool:
        if self.type == "S" and other.type == "S":
            return compare(self.value, other.value)
        return slow(self, other)

    return quick


def quick_find(slow: Find) -> Find:
    """Look for the type of an attribute value, as in {"S": ...}, under its own name only: it has no other spelling."""

    def quick(self: Any, value: Any, key: str, shape: Any) -> Any:
        if key in TYPES and type(value) is dict:
            return value.get(key)
        return slow(self, value, key, shape)

    return quick
