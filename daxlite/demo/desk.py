"""A desk of the shop: the wrapped client of one process, whose cache it shares with other processes."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from time import perf_counter, sleep
from typing import Any

import daxlite
from daxlite.demo.meter import Meter
from daxlite.demo.settings import Client, Item, Key

CHANGE = {"UpdateExpression": "ADD revision :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
BUDGET = 1.0
"""Seconds that a step with the server may take: the demo shows what it does on machines that are slow, too."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Orders that were looked up, and what it took."""

    items: list[Item]
    reads: int
    """Reads that were sent to DynamoDB."""
    seconds: float
    """Of one call: the median."""


class Desk:
    """A wrapped client whose cache is shared."""

    def __init__(self, inner: Client, server: Any, namespace: str, table: str) -> None:
        """server: a URL, or a client of redis-py."""
        self._meter = Meter(inner)
        self._cache = daxlite.Cache(shared=daxlite.Shared(server, namespace, budget=BUDGET))
        self._client = daxlite.wrap(inner, cache=self._cache)
        self._table = table

    def look_up(self, keys: Sequence[Key]) -> Looked:
        """Get orders, one by one."""
        sent, items, seconds = self._meter.reads, [], []
        for key in keys:
            started = perf_counter()
            response = self._client.get_item(TableName=self._table, Key=key)
            seconds.append(perf_counter() - started)
            items.append(response.get("Item", {}))
        return Looked(items, self._meter.reads - sent, median(seconds))

    def change(self, key: Key) -> None:
        """Write a new revision of an order."""
        self._client.update_item(TableName=self._table, Key=key, **CHANGE)

    def wait_until_it_hears(self, seconds: float) -> None:
        """Wait until this process hears what others change: before, it keeps nothing in its memory."""
        deadline = perf_counter() + seconds
        while perf_counter() < deadline:
            shared = self._cache.stats().shared
            if shared is not None and shared.is_hearing:
                return
            sleep(0.001)

    def close(self) -> None:
        """Leave what is shared, and make it stale."""
        with suppress(Exception):  # a server that is gone, at the end of a demo
            self._cache.clear()
        self._cache.close()
