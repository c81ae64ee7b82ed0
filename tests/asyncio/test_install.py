"""`install` and the clients of aiobotocore, whose class has a method of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import aiobotocore.client
import aiobotocore.session
import pytest
import wrapt
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig

import daxlite
from daxlite import Cache
from daxlite.edges.wrapping import is_of_asyncio
from tests.installing.conftest import _as_it_was, cache, client
from tests.installing.reading import NEW, answered, get, put
from tests.installing.test_run import IS_COVERED, run_program
from tests.responses import is_hit
from tests.scripted_client import ITEM, TABLE, DynamoDB, description, made
from tests.wrapping.wire import HERE, reply_of

__all__ = ["_as_it_was", "cache", "client"]
CLASS = aiobotocore.client.AioBaseClient
SESSION = aiobotocore.session.get_session()


class Reply(AioAWSResponse):
    """The reply of a scripted DynamoDB."""

    def __init__(self, body: bytes) -> None:
        plain = reply_of(body)
        super().__init__(plain.url, plain.status_code, plain.headers, plain.raw)
        self._content = body


@asynccontextmanager
async def new_client(service: str = "dynamodb", **answers: Any) -> AsyncIterator[tuple[Any, DynamoDB]]:
    """A client, and the DynamoDB that answers it."""
    scripted = {"DescribeTable": description("pk"), "GetItem": made(Item=ITEM), "PutItem": made()}
    dynamodb = DynamoDB(**{**scripted, **answers})

    def reply(request: Any, event_name: str, **_: Any) -> Reply:
        response = dynamodb(event_name.rpartition(".")[2], json.loads(request.body))
        return Reply(json.dumps({name: part for name, part in response.items() if name != "ResponseMetadata"}).encode())

    settings = {**HERE, "config": AioConfig(retries={"total_max_attempts": 1})}
    async with SESSION.create_client(service, **settings) as client:
        client.meta.events.register("before-send.dynamodb", reply)
        yield client, dynamodb


@pytest.fixture(autouse=True)
def _aiobotocore_as_it_was() -> Any:
    method = vars(CLASS)["_make_api_call"]
    yield
    daxlite.uninstall()
    assert vars(CLASS)["_make_api_call"] is method


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


@in_a_loop
async def test_its_clients_answer_from_the_cache_that_others_use(client: Any, cache: Cache) -> None:
    async with new_client() as (early, dynamodb):
        await get(early)
        installation = daxlite.install(cache)
        assert installation.classes == ("botocore.client.BaseClient", "aiobotocore.client.AioBaseClient")
        assert not is_hit(await get(early))
        assert is_hit(await get(early))
        assert dynamodb.take() == ["GetItem", "GetItem"]
        async with new_client() as (late, _):
            assert is_hit(await get(late))
            await put(late)
        answered(client)
        assert get(client)["Item"] == NEW
        put(client, item=ITEM)
        assert is_hit(found := await get(early))
        assert found["Item"] == ITEM
        assert daxlite.cache_of(early) is cache
        daxlite.uninstall()
        assert not is_hit(await get(early))
        assert "_daxlite_route" not in vars(early)


@in_a_loop
async def test_wrapped_clients_are_cached_once(cache: Cache) -> None:
    own = Cache(cache.config)
    async with new_client(ListTables=made(TableNames=[])) as (plain, dynamodb):
        daxlite.install(cache)
        wrapped = daxlite.wrap(plain, own)
        assert daxlite.cache_of(wrapped) is own
        for _ in range(2):
            await get(wrapped)
            await get(wrapped, ConsistentRead=True)
            await wrapped.list_tables()
        await put(wrapped)
        await asyncio.gather(get(wrapped), get(wrapped, "Other"), get(plain), get(plain, "Other"))
        for table in (TABLE, "Other"):
            assert is_hit(await get(plain, table))
        assert dynamodb.take().count("GetItem") == 6
        assert own.stats().total.hits == 2


@in_a_loop
async def test_it_composes_with_instrumentation(cache: Cache) -> None:
    seen: list[str] = []

    async def note(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        seen.append(args[0])
        return await wrapped(*args, **kwargs)

    def put_in() -> None:
        wrapt.wrap_function_wrapper("aiobotocore.client", "AioBaseClient._make_api_call", note)

    before = vars(CLASS)["_make_api_call"]
    async with new_client() as (client, dynamodb):
        put_in()
        daxlite.install(cache)
        put_in()
        for _ in range(2):
            assert (await get(client))["Item"] == ITEM
        assert seen == ["GetItem", "GetItem", "GetItem"], "the one on top sees the hit, too"
        assert dynamodb.take() == ["GetItem"]
        daxlite.uninstall()
        assert not is_hit(await get(client))
        assert seen == ["GetItem"] * 5
    CLASS._make_api_call = before


@in_a_loop
async def test_what_is_of_asyncio_still_looks_so(cache: Cache) -> None:
    daxlite.install(cache)
    async with new_client("sts") as (client, _), new_client() as (dynamodb, _):
        assert asyncio.iscoroutinefunction(client._make_api_call)
        daxlite.wrap(dynamodb)
        assert is_of_asyncio(type(dynamodb))


@in_a_loop
async def test_a_cancelled_write_counts_as_made(cache: Cache) -> None:
    begun = asyncio.Event()

    async def hang(**_: Any) -> None:
        begun.set()
        await asyncio.sleep(60)

    daxlite.install(cache)
    async with new_client() as (reader, _), new_client() as (writer, _):
        writer.meta.events.register_first("before-send.dynamodb.PutItem", hang)
        await get(reader)
        assert is_hit(await get(reader))
        task = asyncio.create_task(put(writer))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_hit(await get(reader))


@pytest.mark.faults_expected
@in_a_loop
async def test_what_daxlite_cannot_make_sense_of_goes_through(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    daxlite.install(cache)
    async with new_client() as (reader, _), new_client() as (other, _):
        await get(reader)
        assert is_hit(await get(reader))
        with monkeypatch.context() as patched:
            patched.setattr("daxlite.edges.async_routing.context_of", None)
            assert (await get(other))["Item"] == ITEM
        await put(other)
        assert not is_hit(await get(reader))
        assert cache.stats().faults == 1
    assert TABLE in cache.stats().tables


def test_clients_of_asyncio_are_covered_too() -> None:
    code = f"""
    import asyncio
    from aiobotocore.session import get_session
    async def main():
        async with get_session().create_client("dynamodb") as client:
            {IS_COVERED}
            import daxlite
            print(daxlite.install(share=True).classes)
    asyncio.run(main())
    """
    done = run_program(code, DAXLITE_INSTALL_SHARE="yes")
    assert done.stdout == "True\n('botocore.client.BaseClient', 'aiobotocore.client.AioBaseClient')\n", done.stderr
