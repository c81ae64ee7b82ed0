"""A call may be interrupted at every moment at which Python lets a signal handler run: Ctrl-C, an alarm, a time limit.

The exception arrives, the lock is free, nothing is left in flight, and what is answered afterwards is right.
"""

import asyncio
import gc
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import daxlite
from daxlite.calls.bypass import is_bypassing, may_bypass
from tests import invariants
from tests.interrupting import Limit, answers_elsewhere, interrupted
from tests.scripted_client import ITEM, KEY, TABLE, ScriptedClient, made, page

HOME = str(Path(daxlite.__file__).parent)
NEW = {**ITEM, "note": {"S": "new"}}

CALLS: dict[str, Callable[[ScriptedClient], Any]] = {
    "a hit": lambda client: client.get(),
    "a miss": lambda client: client.get(Key={"pk": {"S": "other"}}),
    "a dead entry": lambda client: client.query(),
    "a query": lambda client: client("Scan"),
    "a batch": lambda client: client("BatchGetItem", RequestItems={TABLE: {"Keys": [{"pk": {"S": "b"}}, KEY]}}),
    "a put": lambda client: client.put(NEW),
    "an update": lambda client: client("UpdateItem", Key=KEY, UpdateExpression="REMOVE x"),
    "a batch of writes": lambda client: client("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": NEW}}]}),
    "a statement": lambda client: client("ExecuteStatement", Statement='DELETE FROM "T"'),
    "invalidate": lambda client: client.cache.invalidate(TABLE, KEY),
    "clear": lambda client: client.cache.clear(),
}


class Item:
    """DynamoDB's one item, which writes replace."""

    def __init__(self) -> None:
        self.item = ITEM

    def put(self, params: Any) -> Any:
        self.item = NEW
        returned = {"ALL_OLD": ITEM, "ALL_NEW": NEW}.get(params.get("ReturnValues", "NONE"))
        return made() if returned is None else made(Attributes=returned)


def warmed() -> tuple[ScriptedClient, Item]:
    state = Item()
    client = ScriptedClient(
        config={"settle_window": 0},
        GetItem=lambda params: made(Item={**state.item, **params["Key"]}),
        Query=lambda params: page(state.item),
        Scan=lambda params: page(state.item),
        BatchGetItem=lambda params: made(
            Responses={TABLE: [{**state.item, **key} for key in params["RequestItems"][TABLE]["Keys"]]},
            UnprocessedKeys={},
        ),
        PutItem=state.put,
        UpdateItem=state.put,
        BatchWriteItem=state.put,
        ExecuteStatement=state.put,
    )
    client.get()
    client.query()
    client.put(ITEM)  # which leaves the page stale
    state.item = ITEM
    return client, state


def is_daxlites(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(HOME)


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("call", CALLS)
def test_p7_an_interruption_at_any_moment_leaves_the_cache_whole_and_true(call: str) -> None:
    for number in count():
        client, state = warmed()
        error = interrupted(partial(CALLS[call], client), is_daxlites, number)
        if error is None:
            break
        assert isinstance(error, Limit)
        other = partial(client.get, Key={"pk": {"S": "other"}})
        assert answers_elsewhere(other), f"the lock stays taken, or a flight is never over, moment {number}"
        assert client.get()["Item"] == state.item, f"moment {number}"
        assert client.query()["Items"] == [state.item], f"moment {number}"
        invariants.check(client.memory)
    assert number > 3, "it was interrupted at some moments at least"


@pytest.mark.usefixtures("no_collection")
def test_p7_an_interrupted_bypass_ends_with_its_block() -> None:
    client, _ = warmed()

    def bypassed() -> None:
        with daxlite.bypass():
            client.get()
        client.get()

    for number in count():
        error = interrupted(bypassed, is_daxlites, number)
        if error is None:
            break
        del error  # it holds the frames of the block
        gc.collect()
        assert not is_bypassing(), f"moment {number}"
        assert may_bypass() is None, f"moment {number}: hits would ask for ever"
        client.get()
        assert client.is_hit(client.get()), f"moment {number}"
    assert number > 10


def test_a_task_that_was_started_within_goes_on_bypassing() -> None:
    async def main() -> list[bool]:
        with daxlite.bypass():
            task = asyncio.ensure_future(asyncio.sleep(0, is_bypassing))
            late = asyncio.ensure_future(later())
        gc.collect()
        await task
        return [is_bypassing(), await late]

    async def later() -> bool:
        await asyncio.sleep(0)
        return is_bypassing()

    assert asyncio.run(main()) == [False, True]


def test_a_function_can_be_decorated_with_it() -> None:
    @daxlite.bypass()
    def depth(left: int) -> list[bool]:
        return [is_bypassing(), *(depth(left - 1) if left else ()), is_bypassing()]

    assert depth(2) == [True] * 6
    assert not is_bypassing()
