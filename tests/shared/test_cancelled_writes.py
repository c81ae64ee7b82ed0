"""A task may be cancelled wherever its write waits: it waits no more, and the outbox tells what it owes Redis (P9)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from daxlite.edges.async_dispatcher import AsyncDispatcher
from tests.scripted_client import KEY, TABLE, refused
from tests.shared.fleet import RECORD, Fleet, Member

ITEM = {**KEY, "v": {"N": "1"}}
WRITES: dict[str, dict[str, Any]] = {
    "PutItem": {"TableName": TABLE, "Item": ITEM},
    "BatchWriteItem": {"RequestItems": {TABLE: [{"PutRequest": {"Item": ITEM}}]}},
    "TransactWriteItems": {"TransactItems": [{"Put": {"TableName": TABLE, "Item": ITEM}}]},
}


class Waits:
    """What a call waits for: steps of Redis's and calls of DynamoDB's, in their order. At one of them it is cancelled,
    before or after the server has done it."""

    def __init__(self, member: Member, at: int, is_done: bool) -> None:
        self.member, self.at, self.is_done = member, at, is_done
        self.seen: list[str] = []
        self.task: asyncio.Task[Any] | None = None
        context = member.dispatcher.context
        context.is_blocking = False
        self.dispatcher = AsyncDispatcher(context, self.send)

    async def wait(self, what: str, work: Callable[[], Any]) -> Any:
        self.seen.append(what)
        if len(self.seen) - 1 != self.at:
            return work()
        if self.is_done:
            work()
        assert self.task is not None
        self.task.cancel()
        return await asyncio.Event().wait()

    async def get(self, keys: Any) -> Any:
        return await self.wait("get", lambda: self.member.connection.get(keys))

    async def run(self, commands: Any, is_urgent: bool = False) -> Any:
        return await self.wait("run", lambda: self.member.connection.run(commands, is_urgent))

    async def send(self, operation: str, params: Any) -> Any:
        return await self.wait(operation, lambda: self._apply(operation, params))

    def _apply(self, operation: str, params: Any) -> Any:
        response = self.member.fleet.dynamodb(operation, params)
        if operation in WRITES:
            self.member.fleet.dynamodb.item = ITEM
        return response

    def call(self, operation: str, params: Any) -> Any:
        """Call an operation in an event loop of its own."""

        async def main() -> Any:
            self.task = asyncio.create_task(self.dispatcher.call(operation, params))
            return await self.task

        connections = self.member.membership._connections
        connections.asyncio = self
        try:
            return asyncio.run(main())
        finally:
            connections.asyncio = None


def fleet_of_two() -> tuple[Fleet, Member, Member]:
    """Both have read the item, which Redis has and believes for good."""
    fleet = Fleet()
    writer, other = fleet.member(), fleet.member()
    for _ in range(2):
        assert writer.get() == other.get() == "0"
        fleet.clock.advance(20)
    fleet.dynamodb.take()
    return fleet, writer, other


def version(fleet: Fleet) -> str:
    assert fleet.dynamodb.item is not None
    return str(fleet.dynamodb.item["v"]["N"])


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", WRITES)
def test_p9_a_write_that_is_cancelled_wherever_it_waits(operation: str, is_done: bool) -> None:
    moments: list[str] = []
    while len(moments) < 20:
        fleet, writer, other = fleet_of_two()
        waits = Waits(writer, len(moments), is_done)
        try:
            waits.call(operation, WRITES[operation])
            break  # it does not wait so often
        except asyncio.CancelledError:
            moments.append(waits.seen[-1])
        what = f"{operation} at {moments}"
        assert len(waits.seen) == len(moments), f"{what}: it has waited for something more"
        assert (writer.connection.breaker.errors, writer.cache.stats().faults) == (0, 0), what
        was_sent = operation in waits.seen
        is_unknown = moments[-1] == operation
        assert bool(fleet.dynamodb.take()) == (was_sent and (is_done or not is_unknown)), what
        writer.turn()
        fleet.deliver()
        assert fleet.open_records() == is_unknown, f"{what}: a record is open only of what may still be applied"
        assert other.get() == writer.get() == version(fleet), what
        if is_unknown:
            fleet.dynamodb.item = ITEM  # it arrives late
            assert other.get() == writer.get() == "1", what
        fleet.clock.advance(RECORD + 20)
        writer.turn()
        fleet.deliver()
        assert other.get() == writer.get() == version(fleet), what
        assert (fleet.open_records(), len(writer.outbox)) == (0, 0), what
        assert not writer.tier.upkeep.is_needed, what
    assert moments[0] == "run", "begin"
    assert operation in moments
    assert moments[-1] == "run", "finish"


@pytest.mark.parametrize("code", ["ConditionalCheckFailedException", "ValidationException"])
def test_p9_a_write_that_was_refused_and_cancelled_as_it_told_of_that(code: str) -> None:
    fleet, writer, other = fleet_of_two()

    def refuse(operation: str) -> None:
        raise refused(code)

    fleet.dynamodb.meanwhile = refuse
    waits = Waits(writer, 3, False)
    with pytest.raises(asyncio.CancelledError):
        waits.call("PutItem", WRITES["PutItem"])
    assert waits.seen == ["run", "run", "PutItem", "run"]
    writer.turn()
    fleet.deliver()
    assert fleet.open_records() == 0
    assert other.get() == writer.get() == "0"


def test_a_read_that_is_cancelled_asks_dynamodb_no_more() -> None:
    fleet = Fleet()
    reader = fleet.member()
    for at in range(3):
        waits = Waits(reader, at, False)
        with pytest.raises(asyncio.CancelledError):
            waits.call("GetItem", {"TableName": TABLE, "Key": KEY})
        assert len(waits.seen) == at + 1
        assert fleet.dynamodb.take() == []
    assert (reader.get(), reader.connection.breaker.errors, reader.cache.stats().in_flight) == ("0", 0, 0)
