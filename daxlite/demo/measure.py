"""Latencies of the clients, and their percentiles."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from time import perf_counter

from daxlite.demo.meter import Meter
from daxlite.demo.settings import Client, Response
from daxlite.demo.workload import PlannedCall


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is not below `percent` of all values (nearest rank: always one of the values).

    >>> percentile([30, 10, 20, 40], 50), percentile([30, 10, 20, 40], 99), percentile([5], 50)
    (20, 40, 5)
    """
    if not values:
        raise ValueError("there is no percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


@dataclass(slots=True)
class Lane:
    """One of the two clients that run the workload, its table, and its measured times."""

    client: Client
    table: str
    meter: Meter
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    hits: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def call(self, operation: PlannedCall) -> Response:
        """Run one operation. Note the time that it takes, and whether it is answered without a request."""
        method = getattr(self.client, operation.method)
        request = operation.request(self.table)
        sent = self.meter.requests
        started = perf_counter()
        response: Response = method(**request)
        self.seconds[operation.kind].append(perf_counter() - started)
        self.hits[operation.kind] += self.meter.requests == sent
        return response

    def total(self) -> float:
        """Seconds spent in all calls."""
        return sum(sum(values) for values in self.seconds.values())
