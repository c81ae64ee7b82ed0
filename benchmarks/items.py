"""What the benchmarks read and write."""

from typing import Any

TABLE = "Benchmarks"
PAGE = 25
"""Items in a batch, and on a page."""

Item = dict[str, Any]


def item(partition: str = "customer#1", number: int = 1) -> Item:
    """An order as a shop would store it: 10 attributes, 20 nodes (values, those within values too), 1 KB as JSON."""
    return {
        **key(partition, number),
        "status": {"S": "shipped"},
        "total": {"N": "129.95"},
        "currency": {"S": "EUR"},
        "created_at": {"S": "2026-11-22T08:27:00Z"},
        "note": {"S": "n" * 520},
        "tags": {"SS": ["gift", "express"]},
        "address": {"M": {"city": {"S": "Oslo"}, "street": {"S": "Karl Johans gate 1"}, "zip": {"S": "0154"}}},
        "lines": {
            "L": [
                {"M": {"sku": {"S": "sku-1"}, "quantity": {"N": "2"}, "price": {"N": "49.95"}}},
                {"M": {"sku": {"S": "sku-2"}, "quantity": {"N": "1"}}},
            ]
        },
    }


def flat_item(partition: str = "customer#1", number: int = 1) -> Item:
    """10 attributes, none of which has anything in it: 0.3 KB as JSON."""
    return {
        **key(partition, number),
        **{f"attribute{number}": {"S": f"value {number}"} for number in range(6)},
        "total": {"N": "129.95"},
        "paid": {"BOOL": True},
    }


def key(partition: str = "customer#1", number: int = 1) -> Item:
    return {"pk": {"S": partition}, "sk": {"S": f"order#{number:06}"}}


def native_key(partition: str = "customer#1", number: int = 1) -> dict[str, str]:
    """The same for a Table."""
    return {"pk": partition, "sk": f"order#{number:06}"}


def nodes(value: Item) -> int:
    """How many values there are in an item, or in a map."""
    count = 0
    for typed in value.values():
        ((kind, inner),) = typed.items()
        count += 1
        if kind == "M":
            count += nodes(inner)
        elif kind == "L":
            count += nodes({str(number): element for number, element in enumerate(inner)})
    return count


def page(partition: str = "customer#1", items: int = PAGE) -> list[Item]:
    """The items of one partition."""
    return [item(partition, number) for number in range(items)]


def page_response(items: int = PAGE) -> dict[str, Any]:
    """What Query answers."""
    return {"Items": page(items=items), "Count": items, "ScannedCount": items}


QUERY: dict[str, Any] = {
    "TableName": TABLE,
    "KeyConditionExpression": "pk = :pk",
    "ExpressionAttributeValues": {":pk": {"S": "customer#1"}},
}
FILTERED_QUERY: dict[str, Any] = {
    **QUERY,
    "FilterExpression": "#status = :status AND created_at >= :since",
    "ExpressionAttributeNames": {"#status": "status"},
    "ExpressionAttributeValues": {":pk": {"S": "customer#1"}, ":status": {"S": "shipped"}, ":since": {"S": "2026-11"}},
}
PROJECTION: dict[str, Any] = {
    "ProjectionExpression": "pk, #status, address.city",
    "ExpressionAttributeNames": {"#status": "status"},
}
BATCH: dict[str, Any] = {"RequestItems": {TABLE: {"Keys": [key(number=number) for number in range(PAGE)]}}}


def description(table: str = TABLE) -> dict[str, Any]:
    """What DescribeTable says."""
    return {
        "Table": {
            "TableName": table,
            "TableArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}",
            "TableStatus": "ACTIVE",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        }
    }
