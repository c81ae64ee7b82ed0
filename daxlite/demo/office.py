"""An office of the shop: the wrapped client and the aggregation cache of one process."""

from dataclasses import dataclass
from statistics import median
from time import perf_counter, sleep

import daxlite
from daxlite.aggregations import AggregationCache, AggregationCounts
from daxlite.demo.meter import Meter
from daxlite.demo.revenue import WEEK, Revenue, revenue_of
from daxlite.demo.settings import Client, Item

TTL = 300.0

COMPUTED, SHARED, NEAR = "computed", "Redis", "near cache"


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer to the question for the revenue, and what it took."""

    source: str
    reads: int
    """Reads that were sent to DynamoDB."""
    seconds: float
    """Of one call; the median, if there were several."""
    revenue: Revenue


class Office:
    """A wrapped client with an item and a query cache of its own, and an aggregation cache."""

    def __init__(self, inner: Client, aggregations: AggregationCache, table: str) -> None:
        self._meter = Meter(inner)
        self._client = daxlite.wrap(inner, cache=daxlite.Cache())
        self._aggregations = aggregations
        self._table = table

        # With an explicit name, which has to be the same in all processes. Without early refresh: it could start at any
        # time, and the demo shows what each single call does.
        @aggregations.cached(ttl=TTL, name="revenue of the week", early_refresh=0)
        def revenue(days: tuple[str, ...]) -> Revenue:
            return revenue_of(self._client, table, days)

        self._revenue = revenue

    def ask(self, times: int = 1) -> Asked:
        """Ask for the revenue of the week, and note where the answer comes from and how long it takes."""
        before, sent = self._aggregations.stats().total, self._meter.reads
        seconds: list[float] = []
        revenue: Revenue = {}
        for _ in range(times):
            started = perf_counter()
            revenue = self._revenue(WEEK)
            seconds.append(perf_counter() - started)
        source = _source(before, self._aggregations.stats().total)
        return Asked(source, self._meter.reads - sent, median(seconds), revenue)

    def wait_until_it_listens(self, seconds: float) -> None:
        """Wait until this process receives the changes of others: before, its near cache keeps no results."""
        deadline = perf_counter() + seconds
        while not self._aggregations.stats().is_listening and perf_counter() < deadline:
            sleep(0.001)

    def put(self, order: Item) -> None:
        """Write an order."""
        self._client.put_item(TableName=self._table, Item=order)


def _source(before: AggregationCounts, after: AggregationCounts) -> str:
    if after.computations > before.computations:
        return COMPUTED
    return SHARED if after.shared_hits > before.shared_hits else NEAR
