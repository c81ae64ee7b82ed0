"""`bypass`: the way around the cache."""

import asyncio
import threading
from typing import Any
from unittest import mock

import pytest

import daxlite
from daxlite import Cache
from daxlite.calls.bypass import is_bypassing
from tests.responses import is_hit
from tests.scripted_client import ITEM, KEY, TABLE, made
from tests.wrapping.wire import answer


def test_a_coroutine_function_bypasses_until_it_is_over() -> None:
    @daxlite.bypass()
    async def around() -> list[bool]:
        before = is_bypassing()
        await asyncio.sleep(0)
        return [before, is_bypassing()]

    async def main() -> list[bool]:
        return [*await around(), is_bypassing()]

    assert asyncio.run(main()) == [True, True, False]


async def tasks() -> Any:
    yield


@pytest.mark.parametrize(
    ("thing", "what"),
    [
        (lambda: (yield), "a generator"),
        (tasks, "an asynchronous generator"),
        (Cache, "the class Cache"),
        (5, "5"),
    ],
    ids=["generator", "asynchronous generator", "class", "number"],
)
def test_what_would_not_run_within_is_not_decorated(thing: Any, what: str) -> None:
    with pytest.raises(TypeError, match=rf"^bypass\(\) decorates functions, and this is {what}; write `with bypass"):
        daxlite.bypass()(thing)


def test_bypass(client: Any) -> None:
    cache = Cache()
    wrapped = daxlite.wrap(client, cache)
    dynamodb = answer(client, GetItem=made(Item=ITEM), PutItem=made())

    def get() -> bool:
        return is_hit(wrapped.get_item(TableName=TABLE, Key=KEY))

    with daxlite.bypass():
        assert [get(), get()] == [False, False]
        with daxlite.bypass():
            assert not get()
        assert not get(), "the inner one ended, the outer one did not"
        assert cache.stats().total.entries == 0
        elsewhere: list[bool] = []
        thread = threading.Thread(target=lambda: elsewhere.extend([get(), get()]))
        thread.start()
        thread.join()
        assert elsewhere == [False, True], "another thread is not bypassed"
        wrapped.put_item(TableName=TABLE, Item={**KEY, "v": {"S": "2"}})
    assert wrapped.get_item(TableName=TABLE, Key=KEY)["Item"]["v"] == {"S": "2"}
    with pytest.raises(ValueError, match="mine"), daxlite.bypass():
        raise ValueError("mine")
    assert get()
    assert cache.stats().tables[TABLE]["item"].bypasses == {"bypass": 4}
    assert dynamodb.take().count("GetItem") == 5


def test_bypass_holds_for_the_task_that_enters_it(client: Any) -> None:
    wrapped = daxlite.wrap(client)
    answer(client, GetItem=made(Item=ITEM))
    wrapped.get_item(TableName=TABLE, Key=KEY)

    async def get(around: bool, other: asyncio.Event, mine: asyncio.Event) -> bool:
        with daxlite.bypass() if around else mock.MagicMock():
            mine.set()
            await other.wait()
            return is_hit(wrapped.get_item(TableName=TABLE, Key=KEY))

    async def both() -> list[bool]:
        one, two = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(get(True, one, two), get(False, two, one))

    assert asyncio.run(both()) == [False, True]
