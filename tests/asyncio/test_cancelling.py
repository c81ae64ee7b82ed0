"""A task may be cancelled at each of its waits, and a coroutine collected there: no answer is wrong afterwards, and
nothing but what the call names is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any

import pytest

from daxlite.cache.state import State
from daxlite.calls.hearing import async_hear
from daxlite.calls.listeners import add_change_listener, remove_change_listener
from daxlite.core.steps import Run, Steps
from daxlite.shared.errors import Unavailable
from tests.asyncio.stepwise import Stepwise, Wait, at_each_wait, run
from tests.responses import essence, is_hit
from tests.simulated_client import KEY, NEW, OLD, TABLE

OTHER = {**OLD, "pk": {"S": "other"}}
Start = Callable[[Any], Coroutine[Any, Any, Any]]


@pytest.fixture(scope="module")
def slow_to_make() -> Iterator[Stepwise]:
    made = Stepwise()
    yield made
    made.close()


@pytest.fixture
def stepwise(slow_to_make: Stepwise) -> Stepwise:
    slow_to_make.reset([OLD, OTHER])
    return slow_to_make


SET = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"N": "3"}}}
WRITES: dict[str, Start] = {
    "put": lambda client: client.put_item(TableName=TABLE, Item=NEW),
    "update": lambda client: client.update_item(TableName=TABLE, Key=KEY, **SET),
    "delete": lambda client: client.delete_item(TableName=TABLE, Key=KEY),
    "batch": lambda client: client.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": NEW}}]}),
    "transaction": lambda client: client.transact_write_items(
        TransactItems=[{"Put": {"TableName": TABLE, "Item": NEW}}]
    ),
}
READS: dict[str, Start] = {
    "get": lambda client: client.get_item(TableName=TABLE, Key=KEY),
    "batch": lambda client: client.batch_get_item(RequestItems={TABLE: {"Keys": [KEY]}}),
    "query": lambda client: client.query(
        TableName=TABLE, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": KEY["pk"]}
    ),
}


def cancel(coroutine: Coroutine[Any, Any, Any]) -> None:
    error = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError) as raised:
        coroutine.throw(error)
    assert raised.value is error


def collect(coroutine: Coroutine[Any, Any, Any]) -> None:
    """What the garbage collector does with a coroutine whose event loop has ended."""
    coroutine.close()


either_end = pytest.mark.parametrize("end", [cancel, collect])


def warm(stepwise: Stepwise) -> None:
    """Have the item, its page, and another item in the cache."""
    for _ in range(2):
        stepwise.get()
        stepwise.query()
        stepwise.client.get_item(TableName=TABLE, Key=key_of_other())


def key_of_other() -> dict[str, Any]:
    return {name: OTHER[name] for name in KEY}


@either_end
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_p9_a_write_that_is_cancelled_counts_as_a_change(
    stepwise: Stepwise, write: Start, end: Callable[[Any], None]
) -> None:
    def start() -> Coroutine[Any, Any, Any]:
        stepwise.reset([OLD, OTHER])
        warm(stepwise)
        return write(stepwise.client._client)

    for coroutine in at_each_wait(start):
        end(coroutine)
        assert essence(stepwise.get()) == essence(stepwise.get(client=stepwise.raw, ConsistentRead=True))
        assert essence(stepwise.query()) == essence(stepwise.query(client=stepwise.raw, ConsistentRead=True))
        assert stepwise.cache.stats().in_flight == 0
        if end is cancel:
            assert is_hit(stepwise.client.get_item(TableName=TABLE, Key=key_of_other())), (
                "it drops no more than it must"
            )


@either_end
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_p9_a_write_that_is_applied_after_its_task_ended_shows(
    stepwise: Stepwise, write: Start, end: Callable[[Any], None]
) -> None:
    warm(stepwise)
    coroutine = write(stepwise.client._client)
    coroutine.send(None)  # its request is on its way
    end(coroutine)
    for _ in range(2):
        stepwise.get()
        stepwise.query()
    write(stepwise.raw)  # now it arrives
    assert essence(stepwise.get()) == essence(stepwise.get(client=stepwise.raw, ConsistentRead=True))
    assert essence(stepwise.query()) == essence(stepwise.query(client=stepwise.raw, ConsistentRead=True))


@either_end
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_read_that_is_cancelled_drops_nothing(stepwise: Stepwise, read: Start, end: Callable[[Any], None]) -> None:
    def start() -> Coroutine[Any, Any, Any]:
        stepwise.reset([OLD, OTHER])
        stepwise.client.get_item(TableName=TABLE, Key=key_of_other())
        return read(stepwise.client._client)

    for coroutine in at_each_wait(start):
        end(coroutine)
        assert stepwise.cache.stats().in_flight == 0
        assert is_hit(stepwise.client.get_item(TableName=TABLE, Key=key_of_other()))
        assert not is_hit(run(read(stepwise.client._client)))
        assert is_hit(run(read(stepwise.client._client)))


def test_p3_a_read_that_was_under_way_when_a_write_was_cancelled_is_not_kept(stepwise: Stepwise) -> None:
    stepwise.client.get_item(TableName=TABLE, Key=key_of_other())  # the table is described by now
    reading = READS["get"](stepwise.client._client)
    reading.send(None)
    reading.send(None)  # DynamoDB has answered with the old item
    writing = WRITES["put"](stepwise.client._client)
    for _ in range(2):
        writing.send(None)
    cancel(writing)
    assert run(reading)["Item"] == OLD
    assert stepwise.get()["Item"] == NEW


@pytest.mark.parametrize("is_applied", [False, True])
def test_a_fault_after_a_write_was_cancelled_leaves_nothing_old(
    stepwise: Stepwise, monkeypatch: pytest.MonkeyPatch, is_applied: bool
) -> None:
    def explode(*_: Any) -> None:
        raise RuntimeError("a fault")

    warm(stepwise)
    writing = WRITES["put"](stepwise.client._client)
    for _ in range(2 if is_applied else 1):
        writing.send(None)
    with monkeypatch.context() as patched:
        patched.setattr(State, "apply", explode)
        cancel(writing)
    stepwise.get()
    stepwise.put(client=stepwise.raw)
    assert stepwise.get()["Item"] == NEW


class TellsRedis:
    """Tells Redis of each change, and of each read, and waits for its reply."""

    where = None

    def will_read(self, cache: Any, tags: Any, lagging: Any) -> Steps[None]:
        yield from self.changed(tags, None)

    def changed(self, tags: Any, told: Any) -> Steps[None]:
        with suppress(Unavailable):
            yield Run(self, ())

    @property
    def asyncio(self) -> Any:
        return self

    async def run(self, commands: Any, is_urgent: bool) -> None:
        await Wait()


def test_a_call_that_is_cancelled_while_a_listener_is_told_drops_no_more_than_it_must(stepwise: Stepwise) -> None:
    warm(stepwise)
    listener = TellsRedis()
    add_change_listener(listener)  # type: ignore[arg-type]
    writing = WRITES["put"](stepwise.client._client)
    for _ in range(3):
        writing.send(None)
    cancel(writing)
    remove_change_listener(listener)  # type: ignore[arg-type]
    assert is_hit(stepwise.client.get_item(TableName=TABLE, Key=key_of_other()))
    assert stepwise.get()["Item"] == NEW
    reading = async_hear((listener,), lambda: stepwise.client._client.get_item(TableName=TABLE, Key=key_of_other()))
    reading.send(None)
    cancel(reading)
    assert is_hit(stepwise.client.get_item(TableName=TABLE, Key=key_of_other()))
    assert stepwise.cache.stats().faults == 0
