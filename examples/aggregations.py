"""Keep what is computed from DynamoDB: `python examples/aggregations.py redis://localhost:6379/0`.

It makes a small table with the credentials and the region that boto3 finds, and deletes it at the end. Without an AWS
account: `moto_server -p 5000`, and AWS_ENDPOINT_URL_DYNAMODB=http://localhost:5000 with any credentials and region.
"""

import sys
from decimal import Decimal
from uuid import uuid4

import boto3
from boto3.dynamodb.conditions import Key

import daxlite
from daxlite.aggregations import AggregationCache


def main(redis_url: str) -> None:
    orders = daxlite.wrap(boto3.resource("dynamodb")).create_table(
        TableName=f"daxlite-example-{uuid4().hex[:8]}",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "day", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("day", "id")],
    )
    orders.wait_until_exists()
    aggregations = AggregationCache(redis_url, namespace="daxlite-example")
    try:
        show(orders, aggregations)
    finally:
        aggregations.clear()
        aggregations.close()
        orders.delete()


def show(orders, aggregations: AggregationCache) -> None:
    # Without name= it is the names of the module and of the function.
    @aggregations.cached(ttl=300, name="revenue of a day")
    def revenue(day: str) -> dict[str, Decimal]:
        """The revenue of a day by customer. What it reads through the wrapped table is what it depends on."""
        print("    computing", day)
        pages = orders.meta.client.get_paginator("query").paginate(
            TableName=orders.name, KeyConditionExpression=Key("day").eq(day), PaginationConfig={"PageSize": 2}
        )
        totals: dict[str, Decimal] = {}
        for page in pages:
            for order in page["Items"]:
                totals[order["customer"]] = totals.get(order["customer"], Decimal()) + order["total"]
        return totals

    with orders.batch_writer() as batch:
        for number in range(5):
            batch.put_item(
                {"day": "2026-11-22", "id": f"o#{number}", "customer": f"c#{number % 2}", "total": Decimal("19.99")}
            )

    print("computed, once for all processes:", revenue("2026-11-22"))
    print("from Redis or this process:", revenue(day="2026-11-22"))

    orders.put_item(Item={"day": "2026-11-23", "id": "o#5", "customer": "c#0", "total": Decimal(5)})
    print("another day changed, still there:", revenue.peek("2026-11-22"))

    orders.put_item(Item={"day": "2026-11-22", "id": "o#6", "customer": "c#0", "total": Decimal(5)})
    print("this day changed, so it is stale:", revenue.peek("2026-11-22"))
    print("computed again:", revenue("2026-11-22"))

    print("computed whatever there is:", revenue.refresh("2026-11-22"))
    revenue.invalidate("2026-11-22")  # what it was computed from changed where no wrapped client shows it
    print("dropped by hand:", revenue.peek("2026-11-22"))

    # Without a function of its own; and with a tag, for what no wrapped client shows.
    for _ in range(2):
        rate = aggregations.get_or_compute(("rate", "EUR", "NOK"), fetch_rate, ttl=60, tags=["rates"])
    print("one rate for two calls:", rate)
    aggregations.invalidate_tags("rates")
    print("another one:", aggregations.get_or_compute(("rate", "EUR", "NOK"), fetch_rate, ttl=60, tags=["rates"]))

    stats = aggregations.stats()
    for name, counts in stats.functions.items():
        hits = counts.near_hits + counts.shared_hits
        print(f"{name}: {counts.computations} computations, {hits} hits")
    print("Redis failed", stats.redis_errors, "times")


def fetch_rate() -> Decimal:
    print("    asking for the rate")
    return Decimal("11.73")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/aggregations.py REDIS_URL")
    main(sys.argv[1])
