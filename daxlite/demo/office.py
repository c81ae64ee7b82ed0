"""An office that asks for the revenue, and changes orders: what one process of the shop has of daxlite."""

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
    """How it went to ask for the revenue."""

    source: str
    reads: int
    """How many reads were sent to DynamoDB."""
    seconds: float
    """Of one call; where several were made, of the middle one."""
    revenue: Revenue


class Office:
    """A client, wrapped, with a cache of its own, and an aggregation cache."""

    def __init__(self, inner: Client, aggregations: AggregationCache, table: str) -> None:
        self._meter = Meter(inner)
        self._client = daxlite.wrap(inner, cache=daxlite.Cache())
        self._aggregations = aggregations
        self._table = table

        # Under a name of its own: all processes have to call it the same. Without an early refresh in the background:
        # it could come at any time, and the demo shows what each call does.
        @aggregations.cached(ttl=TTL, name="revenue of the week", early_refresh=0)
        def revenue(days: tuple[str, ...]) -> Revenue:
            return revenue_of(self._client, table, days)

        self._revenue = revenue

    def ask(self, times: int = 1) -> Asked:
        """Ask for the revenue of the week, and see where it comes from and how long it takes."""
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
        """Wait until this process hears what others change: before, it keeps nothing near."""
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
