"""A table of orders, and what the processes of these tests compute from it and write to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import boto3

import daxlite
from daxlite.aggregations import AggregationCache, AggregationConfig
from tests import servers

from .processes import Place

TABLE: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "day", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_day",
            "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}


class Shop:
    """A wrapped client with a cache of its own, and what is computed through it."""

    def __init__(self, endpoint: str, table: str, aggregations: AggregationCache) -> None:
        self.plain = boto3.client("dynamodb", **servers.connection(endpoint))
        # The indexes of these servers do not lag, and what is read from them is to be kept for the whole settle window.
        self.cache = daxlite.Cache(daxlite.CacheConfig(index_settle_factor=1000))
        self.client = daxlite.wrap(self.plain, cache=self.cache)
        self.table = table
        self.aggregations = aggregations
        self.computed: list[str] = []
        """What was computed here, in order."""
        # Each shop has its own.
        self.of_day = aggregations.cached(ttl=60, name="of_day")(self._of_day)
        self.of_all = aggregations.cached(ttl=60, name="of_all")(self._of_all)
        self.of_items = aggregations.cached(ttl=60, name="of_items")(self._of_items)
        self.reads: dict[str, Callable[..., int]] = {
            "day": self.read_day,
            "all": self.read_all,
            "items": self.read_items,
        }

    def _of_day(self, day: str) -> int:
        self.computed.append(f"day {day}")
        return self.read_day(day)

    def _of_all(self) -> int:
        self.computed.append("all")
        return self.read_all()

    def _of_items(self, *ids: str) -> int:
        self.computed.append(f"items {' '.join(ids)}")
        return self.read_items(*ids)

    def read_day(self, day: str) -> int:
        """A Query of the index."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName="by_day",
            KeyConditionExpression="#day = :day",
            ExpressionAttributeNames={"#day": "day"},
            ExpressionAttributeValues={":day": {"S": day}},
        )
        return sum(int(item["price"]["N"]) for page in pages for item in page["Items"])

    def read_all(self) -> int:
        """A Scan."""
        pages = self.client.get_paginator("scan").paginate(TableName=self.table)
        return sum(int(item["price"]["N"]) for page in pages for item in page["Items"])

    def read_items(self, *ids: str) -> int:
        """Items: the first by itself, the others together."""
        first, *others = ids
        items = [self.client.get_item(TableName=self.table, Key={"id": {"S": first}})["Item"]]
        if others:
            keys = [{"id": {"S": id}} for id in others]
            found = self.client.batch_get_item(RequestItems={self.table: {"Keys": keys}})
            items += found["Responses"][self.table]
        return sum(int(item["price"]["N"]) for item in items)

    def put(self, id: str, day: str, price: int) -> None:
        item = {"id": {"S": id}, "day": {"S": day}, "price": {"N": str(price)}}
        self.client.put_item(TableName=self.table, Item=item)

    def close(self) -> None:
        self.aggregations.close()
        self.plain.close()


def enter(place: Place, url: str, namespace: str, endpoint: str, table: str, near_bytes: int) -> None:
    """Go into the shop: make a client, a cache and an aggregation cache, and learn the keys of the table."""
    config = AggregationConfig(near_bytes=near_bytes, timeout=5)
    shop = Shop(endpoint, table, AggregationCache(url, namespace, config))
    place.stack.enter_context(closing(shop))
    place.kept["shop"] = shop
    shop.read_day("no day")


def aggregate(place: Place, what: str, *args: str) -> tuple[int, list[str]]:
    """An aggregation, and what has been computed for it here."""
    shop: Shop = place.kept["shop"]
    before = len(shop.computed)
    aggregations: dict[str, Callable[..., int]] = {"day": shop.of_day, "all": shop.of_all, "items": shop.of_items}
    return aggregations[what](*args), shop.computed[before:]


def read(place: Place, what: str, *args: str) -> tuple[int, int]:
    """The same by hand, outside of any aggregation, and how much of it the wrapped client's own cache had."""
    shop: Shop = place.kept["shop"]
    before = shop.cache.stats().total.hits
    return shop.reads[what](*args), shop.cache.stats().total.hits - before


def put(place: Place, id: str, day: str, price: int) -> None:
    shop: Shop = place.kept["shop"]
    shop.put(id, day, price)


def is_listening(place: Place) -> bool:
    shop: Shop = place.kept["shop"]
    return shop.aggregations.stats().is_listening


def near_hits(place: Place) -> int:
    shop: Shop = place.kept["shop"]
    return shop.aggregations.stats().total.near_hits


def aggregate_anew(place: Place, what: str, *args: str) -> int:
    """The aggregation under another key: it has not been computed."""
    shop: Shop = place.kept["shop"]
    return shop.aggregations.get_or_compute(("anew", what, *args), lambda: shop.reads[what](*args), ttl=60)
