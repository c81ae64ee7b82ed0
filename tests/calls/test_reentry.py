"""A signal handler, or a finaliser, may use the wrapped client while its own thread is inside the cache's lock.

A hit takes no lock, so it is answered there too: with what was true before the change that is under way, which has not
returned yet. A call that needs the lock goes around the cache.
"""

from __future__ import annotations

import asyncio
import copy
from threading import get_ident
from typing import Any

import pytest

from daxlite.drivers.progress import Progress
from daxlite.latch import Latch
from daxlite.place import place
from tests.scripted_client import ITEM, KEY, ScriptedClient, description, made, page

READS: dict[str, Any] = {
    "GetItem": lambda client: client.get(),
    "Query": lambda client: client.query(),
    "BatchGetItem": lambda client: client("BatchGetItem", RequestItems={"T": {"Keys": [KEY]}}),
}

NEW = {**ITEM, "note": {"S": "new"}}


def interrupting(client: ScriptedClient, monkeypatch: pytest.MonkeyPatch, handler: Any) -> None:
    """Have the handler called once from within the lock, as a signal could call it: in the middle of a write, which
    has ticked its stamps and is about to drop the item."""
    entries = client.memory._state.entries
    plain = type(entries).discard
    called: list[bool] = []

    def interrupted(self: Any, key: Any) -> Any:
        if not called:
            called.append(True)
            assert client.memory._state._lock._mutex._is_owned()  # type: ignore[attr-defined]
            handler()
        return plain(self, key)

    monkeypatch.setattr(type(entries), "discard", interrupted)


def warm_client() -> ScriptedClient:
    client = ScriptedClient(
        GetItem=made(Item=ITEM), Query=page(ITEM), PutItem=made(), UpdateItem=made(), config={"settle_window": 0}
    )
    client.get()
    client.query()
    assert client.is_hit(client.get())
    assert client.is_hit(client.query())
    return client


def test_p2_a_handler_that_hits_sees_the_state_before_the_write_that_is_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = warm_client()
    inner: list[Any] = []
    interrupting(client, monkeypatch, lambda: inner.append(client.get()))
    client("PutItem", Item=NEW)
    assert client.is_hit(inner[0])
    assert inner[0]["Item"] == ITEM, "the write has not returned"
    after = client.get()
    assert after["Item"] == NEW
    assert client.is_hit(after), "nothing was half changed, so nothing had to be dropped"


def test_p2_a_handler_that_finds_a_dead_entry_goes_around_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    client = warm_client()
    client.dynamodb.answers |= {"Query": page(NEW), "GetItem": made(Item=NEW)}
    inner: list[Any] = []
    interrupting(client, monkeypatch, lambda: inner.append(client.query()))
    client("PutItem", Item=NEW)
    assert not client.is_hit(inner[0])
    assert inner[0]["Items"] == [NEW]
    assert client.cache.stats().total.entries == 0, "the next caller that takes the lock drops everything first"
    assert client.query()["Items"] == [NEW]
    assert client.get()["Item"] == NEW


def test_p7_a_handler_that_misses_goes_around_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    client = warm_client()
    inner: list[Any] = []
    interrupting(
        client, monkeypatch, lambda: inner.append(client.get(ProjectionExpression="age", ConsistentRead=False))
    )
    client.dynamodb.answers["GetItem"] = made(Item=ITEM)
    client.cache.clear()
    client("PutItem", Item=NEW)
    assert inner[0]["Item"] == ITEM
    assert not client.is_hit(inner[0])
    assert client.cache.stats().total.entries == 0
    client.get()
    assert client.is_hit(client.get())


def test_p2_a_handler_that_writes_leaves_nothing_old_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    client = warm_client()
    newer = {**NEW, "note": {"S": "newer"}}
    interrupting(client, monkeypatch, lambda: client("PutItem", Item=newer))
    client("PutItem", Item=NEW)
    client.dynamodb.answers |= {"GetItem": made(Item=newer), "Query": page(newer)}
    assert client.get()["Item"] == newer
    assert client.query()["Items"] == [newer]


@pytest.mark.faults_expected
def test_p9_a_write_that_an_exception_interrupts_as_its_reply_comes_is_not_sent_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as a time limit that a signal handler raises."""
    client = ScriptedClient(UpdateItem=made())

    def note(progress: Progress, name: str, value: Any) -> None:
        if name == "replies" and value is not None:
            raise TimeoutError("the application's own")
        plain(progress, name, value)

    plain = Progress.__setattr__
    monkeypatch.setattr(Progress, "__setattr__", note)
    with pytest.raises(TimeoutError, match="the application's own"):
        client("UpdateItem", Key=KEY, UpdateExpression="ADD age :n", ExpressionAttributeValues={":n": {"N": "1"}})
    assert client.dynamodb.take() == ["UpdateItem"]


def test_p2_a_handler_that_writes_to_a_table_that_is_not_known_yet_leaves_it_settling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it wrote has not reached all replicas, so what is read of it afterwards is read strongly."""
    client = ScriptedClient(GetItem=made(Item=ITEM), PutItem=made(), DescribeTable=description("pk"))
    client.get()
    interrupting(client, monkeypatch, lambda: client("PutItem", TableName="U", Item=NEW))
    client("PutItem", Item=NEW)
    client("GetItem", TableName="U", Key=KEY)
    assert client.dynamodb.last_params("TableName") == "U"
    assert client.dynamodb.last_params("ConsistentRead") is True


@pytest.mark.parametrize("operation", READS)
def test_a_handler_that_reads_what_its_own_thread_is_reading_does_not_wait_for_it(
    monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """It would wait until the frame goes on that it interrupts, which is never. It asks DynamoDB itself."""
    response = {"BatchGetItem": made(Responses={"T": [ITEM]}, UnprocessedKeys={}), "Query": page(ITEM)}
    inner: list[Any] = []

    def answer(params: Any) -> dict[str, Any]:
        if not inner:  # the handler interrupts the first read while it waits for the reply
            inner.append(None)
            inner[0] = READS[operation](client)
        return copy.deepcopy(response.get(operation, made(Item=ITEM)))

    def wait(latch: Latch, timeout: float) -> None:
        raise AssertionError("it waits for itself")

    monkeypatch.setattr(Latch, "wait", wait)
    client = ScriptedClient(**{operation: answer})
    outer = READS[operation](client)
    assert outer == inner[0]
    assert client.dynamodb.take() == [operation] * 2
    assert client.is_hit(READS[operation](client))
    assert client.cache.stats().in_flight == 0
    assert not client.memory._state.leaders


def test_two_tasks_of_one_thread_are_two_callers() -> None:
    """One may wait for the other."""

    async def main() -> tuple[object, object, object]:
        return place(), await asyncio.create_task(later()), await asyncio.to_thread(place)

    async def later() -> object:
        return place()

    found = {place(), *asyncio.run(main())}
    assert len(found) == 4
    assert place() == get_ident()
