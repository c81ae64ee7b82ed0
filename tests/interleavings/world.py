"""Runs threads step by step through one wrapped client, and notes when each call began and ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

import daxlite
from daxlite import CacheConfig, TableConfig
from tests.interleavings.programs import INDEX, LOCAL, SCHEMA, TABLE, Op
from tests.simulator import Scheduler, Simulator
from tests.simulator.history import Call

SETTLE_WINDOW = 5.0
LAG = 3.0

CREATE: dict[str, Any] = {
    "TableName": TABLE,
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": kind}
        for name, kind in (("pk", "S"), ("sk", "S"), ("day", "S"), ("total", "N"))
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": INDEX,
            "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": LOCAL,
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "total", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
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
    error: Exception | None = None
    sent: list[Call] = field(default_factory=list)
    """What reached DynamoDB for its sake."""


class World:
    """A simulated DynamoDB with a table, and a client to wrap. Making one is slow; `reset` is not."""

    def __init__(self) -> None:
        self.simulator = Simulator()
        self.plain = self.simulator.client()

    def reset(self, initial: Sequence[dict[str, Any]]) -> None:
        """A fresh table with these items, and a cache with nothing in it."""
        self.simulator.reset()
        self.plain.create_table(**CREATE)
        for item in initial:
            self.plain.put_item(TableName=TABLE, Item=item)
        self.simulator.replicas.base_lag = self.simulator.replicas.index_lag = LAG
        self.simulator.settle()
        self.simulator.clock.advance(SETTLE_WINDOW)
        config = CacheConfig(settle_window=SETTLE_WINDOW, tables={TABLE: TableConfig(schema=SCHEMA)})
        self.cache = daxlite.Cache(config, clock=self.simulator.clock.now)
        self.client = daxlite.wrap(self.plain, cache=self.cache)
        self.events: list[Event] = []

    def call(self, thread: str, op: Op) -> Event:
        """Make one call, and note it."""
        history = self.simulator.history
        event = Event(thread, op, began=history.tick())
        known = len(history.calls)
        try:
            event.response = self.client._make_api_call(op.operation, op.request)
        except (ClientError, BotoCoreError) as error:
            event.error = error
        event.ended = history.tick()
        event.sent = [call for call in history.calls[known:] if call.thread == thread]
        self.events.append(event)
        return event

    def run(
        self,
        threads: Sequence[Sequence[Op]],
        choose: Callable[[Sequence[str]], int],
        choose_replica: Callable[[Call, Sequence[int]], int],
    ) -> Scheduler:
        """Run all threads to their end, in the order that is chosen; replicas show what is chosen."""
        scheduler = Scheduler(self.simulator.clock, points=("sent", "part", "applied", "replied"))
        self.cache._state.new_latch = scheduler.event  # type: ignore[assignment]
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
