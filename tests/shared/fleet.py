"""A fleet: processes that share a tier on a scripted Redis. Nothing happens by itself: no thread, no subscription.

Each has a cache and a wrapped client of its own, and all have one DynamoDB, which holds items and answers at once.
What the outbox's thread would do is done by `Member.turn`, and what a subscription would bring by `Fleet.deliver`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

from daxlite import Cache, CacheConfig, Shared, TableConfig
from daxlite.calls.context import Context
from daxlite.calls.dialects import Typed
from daxlite.drivers.threads import ThreadDriver
from daxlite.edges.dispatcher import Dispatcher
from daxlite.shared.leases import Lease
from daxlite.shared.messages import Message, decode_message
from daxlite.shared.outbox import Outbox
from daxlite.shared.states import decode_state
from tests.aggregations.scripted import Client, Clock, ScriptedWire, Server
from tests.scripted_client import ALL_INDEXES, KEY, SCOPE, TABLE, made, page

RECORD = 7.0
"""Seconds for which a record lasts: an attempt takes two at most, and the settle window is five."""
Params = dict[str, Any]


class DynamoDB:
    """One item, whose attribute `v` counts the writes."""

    def __init__(self) -> None:
        self.item: dict[str, Any] | None = {**KEY, "v": {"N": "0"}}
        self.sent: list[tuple[str, bool]] = []
        """Operations, and whether they were strongly consistent reads."""
        self.meanwhile: Callable[[str], Any] = lambda operation: None
        """What happens while a call is under way; it may raise."""

    def __call__(self, operation: str, params: Params) -> Params:
        self.sent.append((operation, bool(params.get("ConsistentRead"))))
        meanwhile, self.meanwhile = self.meanwhile, lambda operation: None
        meanwhile(operation)
        if operation == "PutItem":
            self.item = params["Item"]
            return made()
        if operation == "GetItem":
            return made() if self.item is None else made(Item=self.item)
        if operation == "Query":
            return page(*[] if self.item is None else [self.item])
        return made()

    def take(self) -> list[str]:
        """The operations since this was last asked; a strongly consistent read has an exclamation mark."""
        sent, self.sent = self.sent, []
        return [operation + "!" * is_strong for operation, is_strong in sent]


class Member:
    """One process of a fleet."""

    def __init__(self, fleet: "Fleet", **settings: Any) -> None:
        self.fleet = fleet
        clock = fleet.clock
        config = CacheConfig(
            jitter=0.0, settle_window=5.0, item_ttl=3600, tables={TABLE: TableConfig(schema=ALL_INDEXES)}
        )
        self.cache = Cache(
            config, shared=Shared(Client(fleet.server), "shop", **settings), clock=clock, wall_clock=clock
        )
        self.membership: Any = self.cache._joined
        assert self.cache._tier is not None
        self.tier = self.cache._tier
        self.hearing: Any = self.membership.hearing
        self.hearing._starting.acquire()  # no thread
        self.outbox: Outbox = self.membership._outbox
        self.outbox.attend = lambda: None  # type: ignore[method-assign]
        self.connection: Any = self.membership._connections.threads
        memory = self.cache._memory
        context = Context(memory, Typed(), memory.names(SCOPE), tier=self.tier, record_lasts=RECORD)
        self.dispatcher = Dispatcher(context, fleet.dynamodb)

    def call(self, operation: str, **params: Any) -> Params:
        return self.dispatcher.call(operation, {"TableName": TABLE, **params})

    def get(self) -> str | None:
        """The version that a read shows."""
        item = self.call("GetItem", Key=KEY).get("Item")
        return None if item is None else item["v"]["N"]

    def by_owner(self, owner: str) -> Params:
        names, values = {"#o": "owner"}, {":o": {"S": owner}}
        condition = "#o = :o"
        return self.call(
            "Query",
            IndexName="by_owner",
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )

    def put(self, version: int, **attributes: Any) -> None:
        self.call("PutItem", Item={**KEY, "v": {"N": str(version)}, **attributes})

    def hear(self) -> None:
        """Have it count as one that hears, for ever."""
        self.hearing._heard = _Everything()
        self.hearing.lease = Lease(float("inf"), 0.0, float("inf"))
        self.hearing._serve(self.hearing.lease)

    def turn(self) -> None:
        """What the outbox's thread does four times a second."""
        self.outbox._do_duties()
        self.outbox.try_again()

    def heard(self, message: Message) -> None:
        self.tier.heard(message)


class _Everything(frozenset[bytes]):
    def __contains__(self, table: object) -> bool:
        return True


class Fleet:
    """Redis, DynamoDB, a clock, and any number of processes."""

    def __init__(self) -> None:
        self.clock = Clock(1_800_000_000.0)
        self.server = Server(self.clock)
        self.dynamodb = DynamoDB()
        self.members: list[Member] = []
        self.wire = ScriptedWire(self.server)
        self.wire.pattern = "*"
        self.server.wires.append(self.wire)

    def member(self, **settings: Any) -> Member:
        self.members.append(Member(self, **{"local": False, **settings}))
        return self.members[-1]

    def deliver(self) -> list[Message]:
        """Have all processes hear what was published since."""
        queue, self.wire.queue = self.wire.queue, []
        messages = [decode_message(data) for *_, data in queue]
        for message in messages:
            for member in self.members:
                member.heard(message)
        return messages

    def open_records(self) -> int:
        """How many records are open."""
        now = self.clock()
        found = [decode_state(self.server.data[key][0]) for key in self.server.keys(":state")]
        return len({record.id for state in found for record in state.open if record.deadline > now})

    @contextmanager
    def refusing_writes(self, error: Exception | None = None) -> Iterator[None]:
        """Every script is refused before it runs; other commands are answered."""
        error = error or redis.exceptions.ReadOnlyError("You can't write against a read only replica.")
        before = self.server.failing
        self.server.failing = lambda command: error if command[0] == "EVAL" else None
        try:
            yield
        finally:
            self.server.failing = before


def drive(steps: Any) -> Any:
    return ThreadDriver().drive(steps)
