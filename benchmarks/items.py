"""What the benchmarks read: items of about 1 KB, 10 attributes and 20 nodes, on a table of their own."""

from typing import Any

TABLE = "Benchmarks"


def item(partition: str, number: int) -> dict[str, Any]:
    """An order as a shop would store it."""
    return {
        "pk": {"S": partition},
        "sk": {"S": f"order#{number:06}"},
        "status": {"S": "shipped"},
        "total": {"N": "129.95"},
        "currency": {"S": "EUR"},
        "created_at": {"S": "2026-11-22T08:27:00Z"},
        "note": {"S": "n" * 600},
        "tags": {"SS": ["gift", "express"]},
        "address": {"M": {"city": {"S": "Oslo"}, "street": {"S": "Karl Johans gate 1"}, "zip": {"S": "0154"}}},
        "lines": {"L": [{"M": {"sku": {"S": f"sku-{line}"}, "quantity": {"N": "2"}}} for line in range(2)]},
    }


def make_table(client: Any) -> None:
    """A table with one partition of 25 items."""
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(25):
        client.put_item(TableName=TABLE, Item=item("customer#1", number))
