"""Estimates the read units of an answer from its size, by the published rules of DynamoDB.

The capacity that emulators of DynamoDB report does not follow these rules.
"""

from collections.abc import Iterable
from math import ceil
from typing import Any

from daxlite.demo.settings import Item

READ_BLOCK = 4 * 1024


def value_size(value: dict[str, Any]) -> int:
    """The bytes that DynamoDB counts for one attribute value.

    >>> value_size({"S": "größe"}), value_size({"N": "19.99"}), value_size({"BOOL": True}), value_size({"B": b"abc"})
    (7, 3, 1, 3)
    >>> value_size({"SS": ["a", "bc"]}), value_size({"L": [{"S": "a"}]}), value_size({"M": {"x": {"S": "a"}}})
    (3, 5, 6)
    """
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return number_size(content)
        case "B":
            return len(content)
        case "SS" | "NS" | "BS":
            return sum(value_size({kind[0]: member}) for member in content)
        case "L":
            return 3 + sum(1 + value_size(member) for member in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + value_size(member) for name, member in content.items())
        case _:  # BOOL and NULL
            return 1


def number_size(text: str) -> int:
    """About one byte for two significant digits, one more, and one for the sign of a negative number.

    >>> [number_size(text) for text in ("0", "7", "1999", "1000000", "-0.05")]
    [1, 2, 3, 2, 3]
    """
    digits = text.lstrip("-").partition("E")[0].replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def item_size(item: Item) -> int:
    """
    >>> item_size({"id": {"S": "a"}, "count": {"N": "12"}})
    10
    """
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def read_units(*sizes: int) -> float:
    """Eventually consistent reads of items of these sizes, each rounded up by itself: half a unit per started 4 KB.

    An item that is not there costs the least.

    >>> read_units(0), read_units(4096), read_units(4097), read_units(100, 100)
    (0.5, 0.5, 1.0, 1.0)
    """
    return sum((0.5 * max(1, ceil(size / READ_BLOCK)) for size in sizes), 0.0)


def answer_units(operation: str, answer: dict[str, Any], *, consistent: bool = False) -> float:
    """What an answer cost to read: a page is rounded up as a whole, a batch item by item, and consistency doubles it.

    >>> answer_units("Query", {"Items": [{"id": {"S": "a" * 4000}}, {"id": {"S": "b" * 4000}}]})
    1.0
    >>> answer_units("BatchGetItem", {"Responses": {"t": [{"id": {"S": "a"}}, {"id": {"S": "b"}}]}})
    1.0
    >>> answer_units("GetItem", {}), answer_units("PutItem", {})
    (0.5, 0.0)
    >>> answer_units("GetItem", {}, consistent=True)
    1.0
    """
    return read_units(*_read_sizes(operation, answer)) * (2 if consistent else 1)


def _read_sizes(operation: str, answer: dict[str, Any]) -> list[int]:
    match operation:
        case "GetItem":
            return [item_size(answer.get("Item", {}))]
        case "Query" | "Scan":
            return [_total(answer.get("Items", ()))]
        case "BatchGetItem":
            return [item_size(item) for items in answer.get("Responses", {}).values() for item in items]
        case _:
            return []


def _total(items: Iterable[Item]) -> int:
    return sum(item_size(item) for item in items)
