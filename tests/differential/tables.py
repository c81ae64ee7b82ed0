"""The tables that the scenarios run on: their shapes, and what is in them at the beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Item = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """Everything that CreateTable is asked for, and the first items."""

    request: dict[str, Any]
    items: tuple[Item, ...] = ()


def keys(hash_name: str, range_name: str | None = None) -> list[dict[str, str]]:
    schema = [{"AttributeName": hash_name, "KeyType": "HASH"}]
    if range_name is not None:
        schema.append({"AttributeName": range_name, "KeyType": "RANGE"})
    return schema


def attributes(**types: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


def index(name: str, hash_name: str, range_name: str | None = None) -> dict[str, Any]:
    """An index that holds whole items."""
    return {"IndexName": name, "KeySchema": keys(hash_name, range_name), "Projection": {"ProjectionType": "ALL"}}


def order(customer: str, number: int, **extra: Item) -> Item:
    """An order. Every third has no stage, only every fourth has a holder, and only some have nested values."""
    item: Item = {
        "customer": {"S": customer},
        "seq": {"N": str(number)},
        "price": {"N": str(number * 7 % 50)},
        "title": {"S": f"order {number} of {customer}"},
    }
    if number % 3 == 1:
        item |= {
            "parcels": {"L": [{"M": {"sku": {"S": f"sku-{number}"}, "amount": {"N": "2"}}}, {"S": "gift"}]},
            "address": {"M": {"city": {"S": "Basel"}, "zip": {"S": "4051"}, "geo": {"M": {"lat": {"N": "47.5"}}}}},
            "tags": {"SS": ["new", "blue"]},
        }
    if number % 3:
        item["stage"] = {"S": "open" if number % 3 == 1 else "paid"}
    if number % 4 == 0:
        item["holder"] = {"S": "ann"}
    return item | extra


def row(number: int) -> Item:
    return {"pk": {"S": f"key-{number}"}, "value": {"N": str(number)}, "name": {"S": f"row {number}"}}


PLAIN = Shape(
    {"KeySchema": keys("pk"), "AttributeDefinitions": attributes(pk="S")},
    tuple(row(number) for number in range(6)),
)

ORDERS = Shape(
    {
        "KeySchema": keys("customer", "seq"),
        "AttributeDefinitions": attributes(customer="S", seq="N", price="N", stage="S", holder="S"),
        "LocalSecondaryIndexes": [
            index("by-price", "customer", "price"),
            {
                "IndexName": "by-stage-of-customer",
                "KeySchema": keys("customer", "stage"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
        ],
        "GlobalSecondaryIndexes": [
            index("by-stage", "stage", "price"),
            {
                "IndexName": "by-holder",
                "KeySchema": keys("holder"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]},
            },
        ],
    },
    tuple(order(customer, number) for customer, last in (("ada", 8), ("bob", 4)) for number in range(1, last + 1)),
)

NUMBERS = Shape(
    {"KeySchema": keys("pk", "sk"), "AttributeDefinitions": attributes(pk="N", sk="N")},
    tuple({"pk": {"N": str(pk)}, "sk": {"N": str(sk)}} for pk in (1, 2) for sk in (-5, 0, 3, 20)),
)

BINARIES = Shape(
    {"KeySchema": keys("pk", "sk"), "AttributeDefinitions": attributes(pk="B", sk="B")},
    tuple({"pk": {"B": b"\x00\xff"}, "sk": {"B": bytes([n])}, "n": {"N": str(n)}} for n in (0, 1, 127, 128, 255)),
)

STRINGS = Shape(
    {"KeySchema": keys("pk", "sk"), "AttributeDefinitions": attributes(pk="S", sk="S")},
    tuple({"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in (("a", "b#c"), ("a#b", "c"), ("ä", "ß"), ("a", "x"))),
)
