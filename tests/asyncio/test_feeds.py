"""Followers with clients of aiobotocore, on a moto server: what other programs write is seen, and the loop goes on."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import get_session
from botocore.loaders import JSONFileLoader

import daxlite
from daxlite.feeds import StreamMissingError, follow
from daxlite.feeds.errors import EndedError
from tests import servers
from tests.stream_fixtures import create
from tests.valkey import Valkey

KEY = {"pk": {"S": "a"}}
PATIENCE = 30.0
LARGE = 50_000
"""Characters that no event loop is to read from a file."""
PAGE = Path(__file__).parents[2] / "docs" / "feeds.md"


@pytest.fixture(autouse=True)
def server(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sessions find moto."""
    for name, value in {
        "AWS_ENDPOINT_URL_DYNAMODB": moto_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def client_of(cache: daxlite.Cache) -> AsyncIterator[Any]:
    async with get_session().create_client("dynamodb") as client:
        yield daxlite.wrap(client, cache)


async def version(client: Any, table: str) -> int:
    found = await client.get_item(TableName=table, Key=KEY)
    return int(found["Item"]["v"]["N"])


async def is_cached(client: Any, table: str) -> bool:
    found = await client.get_item(TableName=table, Key=KEY)
    return "x-cache" in found["ResponseMetadata"]["HTTPHeaders"]


async def until(what: str, holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.01)


async def sees_a_change(client: Any, table: str, other_program: Any, number: int) -> None:
    """Another program changes an item that is cached."""
    put = other_program.put_item
    await asyncio.to_thread(put, TableName=table, Item={**KEY, "v": {"N": str(number)}})
    await until("it is seen and cached", lambda: sees_and_keeps(client, table, number))
    await asyncio.to_thread(put, TableName=table, Item={**KEY, "v": {"N": str(number + 1)}})
    await until("it is seen", lambda: sees_and_keeps(client, table, number + 1))


async def sees_and_keeps(client: Any, table: str, number: int) -> bool:
    return await version(client, table) == number and await is_cached(client, table)


@pytest.mark.parametrize("given", ["a wrapped client", "a plain client", "a session", "a wrapped session"])
def test_p6_what_another_program_writes_is_seen(given: str, streamed: Callable[..., str], other_program: Any) -> None:
    table = streamed()

    async def main() -> None:
        cache = daxlite.Cache()
        async with client_of(cache) as client:
            session = get_session()
            by = {
                "a wrapped client": {"client": client},
                "a plain client": {"client": client.__wrapped__},
                "a session": {"session": session},
                "a wrapped session": {"session": daxlite.wrap(session, cache)},
            }[given]
            async with follow(cache, [table], **by, poll=0.2) as follower:
                await sees_a_change(client, table, other_program, 1)
            assert (follower.error, follower.stats()[table].gaps) == (None, 0)

    asyncio.run(main())


def test_p6_a_restart_goes_on_behind_the_checkpoint_and_nothing_blocks_the_loop(
    streamed: Callable[..., str],
    other_program: Any,
    valkey: Valkey,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second one has a session, whose client is made of files."""
    table, blocking = streamed(), list[str]()
    cache = daxlite.Cache(shared=daxlite.Shared(valkey.url, namespace, budget=5.0))
    load, send = JSONFileLoader.load_file, socket.socket.sendall

    def noted_load(loader: Any, path: str) -> Any:
        found = load(loader, path)
        if threading.current_thread() is threading.main_thread() and len(str(found)) > LARGE:
            blocking.append(path)
        return found

    def noted_send(*arguments: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            blocking.append("a command")
        send(*arguments)

    async def main() -> None:
        async with client_of(cache) as client:
            monkeypatch.setattr(JSONFileLoader, "load_file", noted_load)
            monkeypatch.setattr(socket.socket, "sendall", noted_send)
            async with follow(cache, [table], client=client, poll=0.2) as follower:
                assert follower.stats()[table].gaps == 1, "there is no checkpoint"
                await sees_a_change(client, table, other_program, 1)
            await asyncio.to_thread(other_program.put_item, TableName=table, Item={**KEY, "v": {"N": "3"}})
            async with follow(cache, [table], session=get_session(), poll=0.2) as follower:
                await until("it is seen", lambda: sees_and_keeps(client, table, 3))
                assert follower.stats()[table].gaps == 0

    asyncio.run(main())
    monkeypatch.undo()
    cache.clear()
    assert blocking == []


def test_a_call_that_hangs_is_left() -> None:
    """A server that takes the request and says nothing."""

    async def main() -> None:
        is_asked, is_left = asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            is_asked.set()
            await reader.read()
            writer.close()
            is_left.set()

        silent = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        connection = servers.connection(f"http://127.0.0.1:{port}")
        connection.pop("config")
        async with get_session().create_client("dynamodb", **connection) as client:
            follower = follow(daxlite.Cache(), ["Orders"], client=client)
            entering = asyncio.create_task(follower.__aenter__())
            await asyncio.wait_for(is_asked.wait(), PATIENCE)
            follower.stop()
            with pytest.raises(EndedError, match="DescribeTable is not waited for"):
                await asyncio.wait_for(entering, 1.0)
            await asyncio.wait_for(is_left.wait(), 1.0)
        silent.close()

    asyncio.run(main())


def test_what_cannot_be_followed_is_refused() -> None:
    async def main() -> None:
        cache, creator = daxlite.Cache(), get_session().create_client("dynamodb")
        with pytest.raises(TypeError, match=r"client is a ClientCreatorContext; .* which is what `async with"):
            follow(cache, ["Orders"], client=creator)
        async with creator as client:
            with pytest.raises(TypeError, match="use `async with`"), follow(cache, ["Orders"], client=client):
                raise AssertionError("it has begun")
            with pytest.raises(StreamMissingError, match="there is no table Orders"):
                async with follow(cache, ["Orders"], client=client):
                    raise AssertionError("it has begun")

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # an example closes nothing
def test_the_example_of_the_page_follows(other_program: Any) -> None:
    scope: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    for block in [blocks[0], next(each for each in blocks if "async with" in each)]:
        exec(compile(block, PAGE.name, "exec"), scope)  # noqa: S102 - the code is that of the page
    create(other_program, "Orders")
    try:
        stats, error = asyncio.run(scope["serve_in_tasks"](get_session()))
    finally:
        other_program.delete_table(TableName="Orders")
    assert (stats.shards, error) == (1, None)
