"""Runs a workload through a cache, on a virtual clock, and notes how it went.

Calls follow on each other and take no time. What overlaps is the matter of `tests/interleavings`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

import daxlite
from benchmarks.workloads.calls import Call, Read
from benchmarks.workloads.dynamodb import LAG, DynamoDB
from benchmarks.workloads.ideal import Ideal
from benchmarks.workloads.judge import Judge
from benchmarks.workloads.workload import Workload
from daxlite import Cache, CacheConfig
from tests.cache_fixtures import process
from tests.simulator import Simulator

TTL = 300.0
SETTLE_WINDOW = 5.0
OPERATIONS = 20_000
RATE = 100.0
SEED = 20

Wrap = Callable[[DynamoDB], tuple[Any, Callable[[], int]]]
"""Puts a cache before the client of a DynamoDB; also returns how to ask for the cache's own faults."""


@dataclass
class Result:
    """How a workload went."""

    name: str
    rate: float
    """Operations a second."""
    reads: int = 0
    hits: int = 0
    ideal: int = 0
    """Reads that a perfect cache would have answered."""
    strong: int = 0
    """Reads that were sent to DynamoDB as strongly consistent ones."""
    units: float = 0.0
    """Read units that were paid for."""
    units_without: float = 0.0
    """What all reads would have cost without a cache, eventually consistent."""
    wrong: int = 0
    first_wrong: str = ""
    """The first wrong answer, for people."""
    faults: int = 0
    """The cache's own, which it hid from the application."""

    @property
    def is_right(self) -> bool:
        return not self.wrong and not self.faults


def daxlite_cache(config: CacheConfig | None = None) -> Wrap:
    """daxlite, with these settings, or its usual ones."""
    settings = config or CacheConfig(item_ttl=TTL, query_ttl=TTL, settle_window=SETTLE_WINDOW, jitter=0)

    def wrap(dynamodb: DynamoDB) -> tuple[Any, Callable[[], int]]:
        with process():  # alone in it: other caches have other clocks
            cache = Cache(settings, clock=dynamodb.simulator.clock.now, wall_clock=dynamodb.wall)
        return daxlite.wrap(dynamodb.client, cache), lambda: cache.stats().faults

    return wrap


class Runner:
    """Runs workloads, one after the other. Making it is slow."""

    def __init__(self) -> None:
        self._simulator = Simulator()
        self._client = self._simulator.client()

    def close(self) -> None:
        self._client.close()

    def run(
        self,
        workload: Workload,
        *,
        operations: int = OPERATIONS,
        rate: float = RATE,
        seed: int = SEED,
        wrap: Wrap | None = None,
    ) -> Result:
        """rate: operations a second. wrap: what puts a cache before the client; daxlite unless given."""
        dynamodb = DynamoDB(self._simulator, self._client)
        with dynamodb.connected():
            self._load(dynamodb, workload)
            client, faults = (wrap or daxlite_cache())(dynamodb)
            result = Result(workload.name, rate)
            run = _Run(dynamodb, client, result)
            for calls in islice(workload.operations(Random(seed)), operations):
                self._simulator.clock.advance(1 / rate)
                for call in calls:
                    run.call(call)
            result.strong, result.units = dynamodb.meter.strong, dynamodb.meter.units
            result.faults = faults()
        return result

    def _load(self, dynamodb: DynamoDB, workload: Workload) -> None:
        """The table as it was long before the cache."""
        self._simulator.answer("CreateTable", dict(workload.shape))
        for write in workload.load():
            dynamodb.write(write)
        self._simulator.clock.advance(LAG + SETTLE_WINDOW)


class _Run:
    def __init__(self, dynamodb: DynamoDB, client: Any, result: Result) -> None:
        self._dynamodb = dynamodb
        self._client = client
        self._result = result
        self._judge = Judge(dynamodb)
        self._ideal = Ideal(dynamodb.answers, TTL)

    def call(self, call: Call) -> None:
        dynamodb, result = self._dynamodb, self._result
        before = dynamodb.meter.reads
        response = self._client._make_api_call(call.operation, call.request)
        if not isinstance(call, Read):
            self._ideal.writes(Read.item(call.request["TableName"], call.key), dynamodb.now)
            return
        result.reads += 1
        result.hits += dynamodb.meter.reads == before
        result.ideal += self._ideal.asks(call, dynamodb.now)
        result.units_without += dynamodb.answers.now(call).units
        if not self._judge.is_right(call, response):
            result.wrong += 1
            result.first_wrong = result.first_wrong or f"{call.name} at {dynamodb.now}: {response}"
