"""Runs threads step by step through one wrapped client, and notes when each call began and ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from daxlite import Cache, CacheConfig, TableConfig
from tests.cache_fixtures import process
from tests.differential.tables import attributes, index, keys
from tests.interleavings.programs import INDEX, LOCAL, SCHEMA, Op
from tests.simulated_client import TABLE, SimulatedClient
from tests.simulator import Scheduler
from tests.simulator.history import Call

SETTLE_WINDOW = 5.0
LAG = 3.0

SHAPE: dict[str, Any] = {
    "KeySchema": keys("pk", "sk"),
    "AttributeDefinitions": attributes(pk="S", sk="S", day="S", total="N"),
    "GlobalSecondaryIndexes": [index(INDEX, "day")],
    "LocalSecondaryIndexes": [index(LOCAL, "pk", "total")],
    "BillingMode": "PAY_PER_REQUEST",
}


@dataclass
class Event:
    """One call, as its caller saw it."""

    thread: str
    op: Op
    began: int
    ended: int = 0
    response: dict[str, Any] | None = None
    error: BaseException | None = None
    sent: list[Call] = field(default_factory=list)
    """The requests that the call sent to DynamoDB."""


class MissError(Exception):
    """A read that the cache cannot answer."""


def _refuse(operation: str, params: dict[str, Any]) -> dict[str, Any]:
    raise MissError


async def _refuse_later(operation: str, params: dict[str, Any]) -> dict[str, Any]:
    raise MissError


class Interleaving(SimulatedClient):
    """Clients that are shared by threads, whose steps the test orders. Every call is recorded."""

    def reset(
        self, items: Sequence[Any] = (), shape: dict[str, Any] = SHAPE, *, caches: int = 1, is_cold: bool = False
    ) -> None:
        """Make the table anew, with these items that have settled, and caches of one process that are empty.

        caches: so many clients, each with a cache of its own; the threads take turns at them. is_cold: the schema is
        not configured, so the table has to be described.
        """
        super().reset(items, shape)
        self.simulator.replicas.base_lag = self.simulator.replicas.index_lag = LAG
        self.simulator.settle()
        self.simulator.clock.advance(SETTLE_WINDOW)
        config = CacheConfig(settle_window=SETTLE_WINDOW, tables={} if is_cold else {TABLE: TableConfig(schema=SCHEMA)})
        self.caches: list[Cache] = []
        self.clients: list[Any] = []
        with process():
            for _ in range(caches):
                self.use_cache(config)
                self.caches.append(self.cache)
                self.clients.append(self.client)
        self.events: list[Event] = []

    def call(self, thread: str, op: Op) -> Event:
        """Make one call, and note it."""
        history = self.simulator.history
        event = Event(thread, op, began=history.tick())
        known = len(history.calls)
        try:
            client = self.clients[sum(map(ord, thread)) % len(self.clients)]
            event.response = client._make_api_call(op.operation, op.request)
        except (ClientError, BotoCoreError, asyncio.CancelledError) as error:
            event.error = error
        event.ended = history.tick()
        event.sent = [call for call in history.calls[known:] if call.thread == thread]
        self.events.append(event)
        return event

    def hits(self, client: Any, ops: Sequence[Op]) -> list[dict[str, Any] | None]:
        """The answer of a client's cache to each read; None where it has to ask DynamoDB."""
        found: list[dict[str, Any] | None] = []
        # A miss is not worth the work of botocore.
        self.inner._make_api_call = _refuse if self.edge == "threads" else _refuse_later
        try:
            for op in ops:
                try:
                    found.append(client._make_api_call(op.operation, op.request))
                except MissError:
                    found.append(None)
        finally:
            del self.inner._make_api_call
        return found

    def run(
        self,
        threads: Sequence[Sequence[Op]],
        choose: Callable[[Sequence[str]], int],
        choose_replica: Callable[[Call, Sequence[int]], int],
    ) -> Scheduler:
        """Run all threads to their end, in the order that is chosen; replicas show what is chosen."""
        scheduler = Scheduler(self.simulator.clock, points=("sent", "part", "applied", "replied"))
        for cache in self.caches:
            cache._memory._state.new_latch = scheduler.event  # type: ignore[assignment]
        self.simulator.at = scheduler.at
        self.simulator.replicas.choose = scheduler.in_driver(choose_replica)
        current: dict[str, Op] = {}
        self.simulator.faults.append(lambda call: current[call.thread].effect if call.thread in current else None)

        def work(name: str, ops: Sequence[Op]) -> None:
            for op in ops:
                current[name] = op
                self.call(name, op)
                scheduler.park("between calls")

        for number, ops in enumerate(threads):
            scheduler.spawn(f"thread {number}", work, f"thread {number}", ops)
        scheduler.run(choose)
        self.simulator.faults.clear()
        return scheduler
