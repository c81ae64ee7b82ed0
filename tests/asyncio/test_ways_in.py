"""Everything of aiobotocore's that `wrap` takes, and what it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Callable, Coroutine
from typing import Any

import boto3
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session

import daxlite
from tests.performance.work import work
from tests.responses import is_hit
from tests.simulated_client import KEY, NEW, OLD, TABLE, SimulatedClient
from tests.wrapping.wire import HERE

THERE = {**HERE, "config": AioConfig(retries={"total_max_attempts": 1})}


@pytest.fixture(scope="module")
def simulated() -> SimulatedClient:
    return SimulatedClient("asyncio")


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(main())


def test_a_client_is_entered_and_left_as_it_was() -> None:
    async def main() -> None:
        inner = await get_session()._create_client("dynamodb", **THERE)
        leave, left = type(inner).__aexit__, []

        async def noted(self: Any, *exception: Any) -> Any:
            left.append(self)
            return await leave(self, *exception)

        type(inner).__aexit__ = noted
        async with daxlite.wrap(inner) as client:
            assert isinstance(client, type(inner))
            assert client.meta is inner.meta
            assert not left
        assert left == [inner]

    run(main)


@pytest.mark.parametrize(
    "make",
    [
        lambda cache: daxlite.wrap(get_session().create_client("dynamodb", **THERE), cache),
        lambda cache: daxlite.wrap(get_session(), cache).create_client("dynamodb", **THERE),
        lambda cache: daxlite.wrap(boto3.Session(botocore_session=get_session()), cache).client("dynamodb", **THERE),
        lambda cache: copy.copy(daxlite.wrap(get_session(), cache)).create_client("dynamodb", **THERE),
    ],
    ids=["creator", "session", "session of boto3 on one of aiobotocore", "copy of a session"],
)
def test_what_a_session_makes_is_wrapped_as_it_is_entered(simulated: SimulatedClient, make: Any) -> None:
    simulated.reset()
    cache = daxlite.Cache()

    async def main() -> tuple[Any, Any]:
        async with make(cache) as client:
            client._make_request = simulated.inner._make_request
            return [await client.get_item(TableName=TABLE, Key=KEY) for _ in range(2)]

    first, second = run(main)
    assert first["Item"] == second["Item"] == OLD
    assert (is_hit(first), is_hit(second)) == (False, True)
    assert cache.stats().total.hits == 1


def test_other_services_of_a_wrapped_session_are_as_ever() -> None:
    async def main() -> None:
        async with daxlite.wrap(get_session()).create_client("s3", **THERE) as client:
            assert "daxlite" not in repr(type(client))

    run(main)


def test_a_client_of_another_service_is_refused_and_closed() -> None:
    left: list[Any] = []

    class Session(AioSession):
        def create_client(self, *args: Any, **kwargs: Any) -> Any:
            made = super().create_client(*args, **kwargs)
            leave = type(made).__aexit__

            class Noted(type(made)):  # type: ignore[misc]
                async def __aexit__(self, *exception: Any) -> Any:
                    left.append(exception)
                    return await leave(self, *exception)

            made.__class__ = Noted
            return made

    async def main() -> None:
        with pytest.raises(TypeError, match=r"client of s3; it must be a DynamoDB client"):
            async with daxlite.wrap(Session().create_client("s3", **THERE)):
                pass
        async with get_session().create_client("s3", **THERE) as client:
            with pytest.raises(TypeError, match="client of s3"):
                daxlite.wrap(client)

    run(main)
    assert len(left) == 1


def test_what_is_wrapped_is_not_wrapped_again(simulated: SimulatedClient) -> None:
    session = daxlite.wrap(get_session())
    creator: Any = session.create_client("dynamodb", **THERE)
    for each in (daxlite.wrap(simulated.inner), session, creator):
        with pytest.raises(TypeError, match="wrapped already"):
            daxlite.wrap(each)
    creator._coro.close()


def test_clients_of_one_access_key_share_answers_over_both_edges(simulated: SimulatedClient) -> None:
    simulated.reset()
    for _ in range(2):
        simulated.get()
    blocking = daxlite.wrap(simulated.raw, simulated.cache)
    assert is_hit(blocking.get_item(TableName=TABLE, Key=KEY))


def test_a_hit_does_not_suspend(simulated: SimulatedClient) -> None:
    simulated.reset()
    simulated.get()
    coroutine = simulated.client._client.get_item(TableName=TABLE, Key=KEY)
    with pytest.raises(StopIteration) as finished:
        coroutine.send(None)
    assert is_hit(finished.value.value)


def test_a_hit_takes_at_most_a_tenth_more_steps_than_one_for_threads(simulated: SimulatedClient) -> None:
    simulated.reset()
    simulated.get()
    blocking = daxlite.wrap(simulated.raw, simulated.cache)
    request = {"TableName": TABLE, "Key": KEY}
    in_a_task = simulated.client._client.get_item

    def hit() -> None:
        coroutine = in_a_task(**request)
        with contextlib.suppress(StopIteration):
            coroutine.send(None)

    assert work(hit) <= 1.1 * work(lambda: blocking.get_item(**request))


def test_a_block_that_bypasses_holds_for_its_task_alone(simulated: SimulatedClient) -> None:
    simulated.reset()
    simulated.get()
    simulated.put(NEW, client=simulated.raw)
    client = simulated.client._client

    async def around() -> Any:
        with daxlite.bypass():
            await asyncio.sleep(0)
            return await client.get_item(TableName=TABLE, Key=KEY)

    async def main() -> Any:
        return await asyncio.gather(around(), client.get_item(TableName=TABLE, Key=KEY))

    past, hit = run(main)
    assert past["Item"] == NEW
    assert is_hit(hit)
    assert hit["Item"] == OLD


def test_a_hook_that_may_rewrite_requests_bypasses_the_cache() -> None:
    simulated = SimulatedClient("asyncio")
    simulated.reset()

    async def rewrite(params: dict[str, Any], **_: Any) -> None:
        params["Key"] = {**KEY}

    simulated.inner.meta.events.register("provide-client-params.dynamodb.GetItem", rewrite)
    for _ in range(2):
        assert not is_hit(simulated.get())
    assert simulated.cache.stats().total.bypasses == {"hooks": 2}
