"""A DynamoDB that runs inside the test: a model of its tables, replicas and faults, on a clock of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.simulator.client import connect, simulated_async_client, simulated_client, simulated_resource
from tests.simulator.errors import RefusedError, UnsupportedError, no_such_table
from tests.simulator.faults import NO_FAULT, Effect, Rule
from tests.simulator.history import Call, History, State
from tests.simulator.operations import READS, find
from tests.simulator.replicas import Clock, Replicas
from tests.simulator.schema import Schema
from tests.simulator.table import Change, Table, View
from tests.simulator.tables import plain_name
from tests.simulator.values import Item, canonical_item
from tests.simulator.writes import Write

At = Callable[[str, Call], None]
"""Called at each point of a call: ``sent``, ``applied`` and ``replied``, and ``part`` between two parts of a batch.

``sent``: on its way, nothing has been read or changed. ``applied``: its state has been read or changed. ``replied``:
the caller is about to hear the outcome. No lock is held at any of them, so a thread may be kept there.
"""

MEGABYTE = 1024 * 1024


def pass_by(point: str, call: Call) -> None:
    """At each point, go on."""


class Simulator:
    """One simulated DynamoDB. Its state belongs to a test: make a new one, or `reset` one whose clients are in use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Back to the beginning. The clients of this simulator stay usable: they are expensive to make."""
        self.clock = Clock()
        self.replicas = Replicas()
        self.faults: list[Rule] = []
        self.history = History()
        self.at: At = pass_by
        self.page_bytes = MEGABYTE
        self.tables: dict[str, Table] = {}
        self.expiry: dict[str, str] = {}
        self._tokens: dict[str, tuple[Mapping[str, Any], dict[str, Any]]] = {}

    def client(self) -> Any:
        """A boto3 client that this simulator answers."""
        return simulated_client(self.answer)

    def async_client(self) -> Any:
        """A client of aiobotocore that this simulator answers."""
        return simulated_async_client(self.answer)

    def resource(self) -> Any:
        """A boto3 resource that this simulator answers."""
        return simulated_resource(self.answer)

    def connect(self, client: Any) -> None:
        """Answer a client that was made elsewhere, such as one of a session."""
        connect(client, self.answer)

    def settle(self) -> None:
        """Let so much time pass that every replica has seen everything."""
        self.clock.advance(max(self.replicas.base_lag, self.replicas.index_lag))

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """One call, from its arrival to its answer. Values are typed, and binary ones are bytes."""
        call = Call(len(self.history.calls), operation, request, threading.current_thread().name)
        self.history.calls.append(call)
        call.sent = self._reach("sent", call)
        effect = next((effect for rule in list(self.faults) if (effect := rule(call)) is not None), NO_FAULT)
        for _ in range(effect.times_applied):
            call.response, call.error = self._apply(call, effect)
            call.applied = self._reach("applied", call)
        if effect.tells is not None:
            call.response, call.error = None, effect.tells(call)
        call.replied = self._reach("replied", call)
        if call.error is not None:
            raise call.error
        assert call.response is not None
        return call.response

    def answer_at(self, tick: int, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """What a read would have answered had everything been as it was at that tick."""
        if operation not in READS:
            raise ValueError(f"{operation} is not a read")
        return find(operation, request)(_AsOf(self, tick), request)

    def moments(self, table: str, since: int = 0, until: int | None = None) -> list[int]:
        """The ticks of `table` that an oracle has to look at to have seen all it was from `since` to `until`."""
        ticks = [change.tick for change in self.tables[table].changes if until is None or change.tick <= until]
        first = max((place for place, tick in enumerate(ticks) if tick <= since), default=0)
        return ticks[first:]

    def states(self, table: str, key: Item, since: int = 0, until: int | None = None) -> list[State]:
        """`History.states`, by a key as requests have it."""
        schema = self.tables[table].schema
        return self.history.states(table, schema.key_of(canonical_item(key)), since, until)

    def expire(self) -> None:
        """Delete what has expired, as DynamoDB does at some time of its own."""
        with self._lock:
            for name, attribute in self.expiry.items():
                table = self.tables[name]
                for item in list(table.at(self.history.now).items()):
                    value = item.get(attribute, {})
                    if "N" in value and Decimal(value["N"]) <= Decimal(self.clock.now()):
                        self._store(table, table.schema.key_in(item), None, self._change())

    def _reach(self, point: str, call: Call) -> int:
        tick = self.history.tick()
        self.at(point, call)
        return tick

    def _apply(self, call: Call, effect: Effect) -> tuple[dict[str, Any] | None, Exception | None]:
        with self._lock:
            try:
                return find(call.operation, call.request)(_Present(self, call, effect), call.request), None
            except (RefusedError, UnsupportedError) as error:
                return None, error

    def _find(self, name: str) -> Table:
        table = self.tables.get(plain_name(name))
        if table is None:
            raise no_such_table()
        return table

    def _change(self) -> Change:
        return Change(self.history.tick(), self.clock.now())

    def _store(self, table: Table, key: Item, item: Item | None, change: Change) -> None:
        identity = table.schema.key_of(key)
        table.store(identity, table.schema.keys.partition_of(key), item, change)
        self.history.record(table.schema.name, identity, change.tick, item)


class _AsOf:
    """The surroundings of a read that looks at one moment of the past."""

    def __init__(self, simulator: Simulator, tick: int) -> None:
        self._simulator = simulator
        self._tick = tick
        self.page_bytes = simulator.page_bytes

    def table(self, name: str) -> Table:
        return self._simulator._find(name)

    def view(self, table: Table, *, consistent: bool, of_global_index: bool = False) -> View:
        return table.at(self._tick)

    def between_parts(self) -> None:
        pass

    def leaves_out(self, table: str, part: Any) -> bool:
        return False


class _Present(_AsOf):
    """The surroundings of a call that is being carried out. The simulator's lock is held, but for between parts."""

    def __init__(self, simulator: Simulator, call: Call, effect: Effect) -> None:
        super().__init__(simulator, simulator.history.now)
        self._call = call
        self._effect = effect
        self.tables = simulator.tables
        self.expiry = simulator.expiry

    def view(self, table: Table, *, consistent: bool, of_global_index: bool = False) -> View:
        simulator = self._simulator
        if consistent:
            return table.at(simulator.history.now)
        now = simulator.clock.now()
        return table.at(simulator.replicas.moment(table, self._call, of_global_index=of_global_index, now=now))

    def between_parts(self) -> None:
        self._simulator._lock.release()
        try:
            self._call.parts.append(self._simulator.history.now)
            self._simulator._reach("part", self._call)
        finally:
            self._simulator._lock.acquire()

    def leaves_out(self, table: str, part: Any) -> bool:
        return self._effect.leaves_out is not None and self._effect.leaves_out(table, part)

    def present(self, write: Write) -> Item | None:
        return write.table.at(self._simulator.history.now).item(write.key)

    def commit(self, changes: Sequence[tuple[Write, Item | None]]) -> None:
        change = self._simulator._change()
        for write, new in changes:
            if new != self.present(write):
                self._simulator._store(write.table, write.key, new, change)

    def repeated(self, token: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        known, response = self._simulator._tokens.get(token, (None, None))
        if known is not None and known != request:
            raise RefusedError(
                "IdempotentParameterMismatchException", "The token was used with other parameters before"
            )
        return response

    def remember(self, token: str, request: Mapping[str, Any], response: dict[str, Any]) -> None:
        self._simulator._tokens[token] = (request, response)

    def create(self, schema: Schema) -> Table:
        table = Table(schema, self._simulator._change())
        self._simulator.tables[schema.name] = table
        return table

    def drop(self, table: Table) -> None:
        change = self._simulator._change()
        for item in list(table.at(change.tick).items()):
            self._simulator._store(table, table.schema.key_in(item), None, change)
        del self._simulator.tables[table.schema.name]
        self._simulator.expiry.pop(table.schema.name, None)
