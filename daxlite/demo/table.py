"""The table of the shop: its definition, and how it is created, loaded and deleted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import sleep

from daxlite.demo.settings import Client, DemoError, Item, Request

INDEX = "by-status-day"
BATCH = 25  # the most that BatchWriteItem takes
ATTEMPTS = 8


def definition(name: str) -> Request:
    """The CreateTable request: the orders by customer, and an index by status and day."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _keys("customer", "order"),
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in ("customer", "order", "status_day", "created_at")
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": INDEX,
                "KeySchema": _keys("status_day", "created_at"),
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    }


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


@contextmanager
def temporary_tables(client: Client, names: Sequence[str]) -> Iterator[None]:
    """Tables that exist for as long as the block runs. A table that existed before is not deleted."""
    made = []
    try:
        for name in names:
            client.create_table(**definition(name))
            made.append(name)
        for name in names:
            client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        yield
    finally:
        for name in made:
            client.delete_table(TableName=name)


def load(client: Client, table: str, items: Sequence[Item], advance: Callable[[int], None]) -> None:
    """Write all items in batches of the largest size."""
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        _write(client, {table: [{"PutRequest": {"Item": item}} for item in batch]})
        advance(len(batch))


def _write(client: Client, requests: Request) -> None:
    # A busy server returns some items unprocessed: they are sent again, after a pause that doubles each time.
    for attempt in range(ATTEMPTS):
        requests = client.batch_write_item(RequestItems=requests).get("UnprocessedItems", {})
        if not requests:
            return
        sleep(0.05 * 2**attempt)
    raise DemoError("the server keeps refusing items of a batch; it may be throttled")
