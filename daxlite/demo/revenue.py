"""The aggregation: the revenue of a week by day, status and currency."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeAlias

from daxlite.demo.orders import SHOP_OPENED, STATUSES, status_day
from daxlite.demo.settings import Client
from daxlite.demo.table import INDEX

Revenue: TypeAlias = dict[tuple[str, str, str], Decimal]
"""By day, status and currency."""

WEEK = tuple(str(SHOP_OPENED.date() + timedelta(days=day)) for day in range(7))
AFTERWARDS = str(date.fromisoformat(WEEK[-1]) + timedelta(days=1))


def revenue_of(client: Client, table: str, days: Sequence[str]) -> Revenue:
    """Read all orders of these days from the index, one partition for each day and status, and add up their totals."""
    revenue: Revenue = {}
    for day in days:
        for status in STATUSES:
            pages = client.get_paginator("query").paginate(
                TableName=table,
                IndexName=INDEX,
                KeyConditionExpression="status_day = :status_day",
                ExpressionAttributeValues={":status_day": status_day(status, day)},
            )
            for page in pages:
                for order in page["Items"]:
                    group = day, status, order["currency"]["S"]
                    revenue[group] = revenue.get(group, Decimal()) + Decimal(order["total"]["N"])
    return revenue
