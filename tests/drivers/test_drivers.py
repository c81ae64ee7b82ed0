"""Both drivers take the same steps: what a client's call and an aggregation need, in threads and in tasks."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from daxlite.cache.memory import MemoryCache
from daxlite.calls.hearing import listeners_here
from daxlite.calls.listeners import add_change_listener
from daxlite.calls.planning import plan, plan_heard
from daxlite.calls.registry import operation_of
from daxlite.core.steps import AboutToRead, Call, Compute, Get, Notify, Run, Sleep, Spawn, Steps, Wait
from daxlite.drivers.asyncio import AsyncioDriver
from daxlite.drivers.progress import Progress
from daxlite.drivers.threads import ThreadDriver
from daxlite.latch import Latch
from daxlite.shared.errors import Unavailable
from tests.calls.listening import ChangeRecorder, ReadRecorder, listening
from tests.scripted_client import ITEM, KEY, TABLE, ScriptedClient, made, refused

PATIENCE = 10.0
Take = Callable[..., Any]
"""Takes steps, with what DynamoDB answers and the progress to write to."""


def in_a_thread(steps: Steps[Any], send: Callable[..., Any] | None = None, progress: Progress | None = None) -> Any:
    return (ThreadDriver() if send is None else ThreadDriver(send)).drive(steps, progress)


def in_a_task(steps: Steps[Any], send: Callable[..., Any] | None = None, progress: Progress | None = None) -> Any:
    async def send_later(operation: str, params: dict[str, Any]) -> Any:
        assert send is not None
        await asyncio.sleep(0)
        return send(operation, params)

    async def main() -> Any:
        driver = AsyncioDriver() if send is None else AsyncioDriver(send_later)
        result = await driver.drive(steps, progress)
        await driver.close()
        return result

    return asyncio.run(main())


@pytest.fixture(params=[in_a_thread, in_a_task], ids=["threads", "asyncio"])
def take(request: pytest.FixtureRequest) -> Take:
    made: Take = request.param
    return made


class Server:
    """A Redis that echoes what it is asked, to threads or to tasks."""

    def __init__(self, *, is_for_threads_only: bool) -> None:
        self.threads = self
        self.asyncio = None if is_for_threads_only else self.Echo()

    def get(self, keys: Any) -> Any:
        return ["got", *keys]

    def run(self, commands: Any, is_urgent: bool) -> Any:
        return ["ran", *commands, is_urgent]

    class Echo:
        async def get(self, keys: Any) -> Any:
            return ["got", *keys]

        async def run(self, commands: Any, is_urgent: bool) -> Any:
            return ["ran", *commands, is_urgent]


@pytest.mark.parametrize("is_for_threads_only", [True, False])
def test_each_step_has_its_reply(take: Take, is_for_threads_only: bool) -> None:
    server, latch, ended = Server(is_for_threads_only=is_for_threads_only), Latch(), threading.Event()
    latch.open()

    def background() -> Steps[None]:
        yield Sleep(0)

    def compute() -> Any:
        return 42 if take is in_a_thread else later(42)

    def steps() -> Steps[list[Any]]:
        return [
            (yield Call("GetItem", {"TableName": "T"})),
            (yield Get(server, ("a", "b"))),
            (yield Run(server, (("PING",),))),
            (yield Run(server, (("PING",),), is_urgent=True)),
            (yield Sleep(0)),
            (yield Wait(latch, PATIENCE)),
            (yield Compute(compute, None)),
            callable((yield Spawn(background, ended.set))),
        ]

    taken = take(steps(), lambda operation, params: (operation, params))
    called, *asked = ("GetItem", {"TableName": "T"}), ["got", "a", "b"], ["ran", ("PING",), False]
    assert taken == [called, *asked, ["ran", ("PING",), True], None, None, 42, True]
    assert ended.wait(PATIENCE)


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def test_an_error_is_raised_inside_of_the_steps(take: Take) -> None:
    error = refused("ValidationException")

    def steps() -> Steps[str]:
        try:
            yield Call("PutItem", {})
        except type(error) as raised:
            return "caught" if raised is error else "another error"
        return "missed"

    def send(operation: str, params: Any) -> Any:
        raise error

    progress = Progress("PutItem")
    assert take(steps(), send, progress) == "caught"
    assert progress.error is error, "it is DynamoDB's, and so the application's own"
    assert progress.is_sent


def test_only_the_applications_own_operation_is_its_progress(take: Take) -> None:
    def steps() -> Steps[str]:
        yield Call("PutItem", {})
        yield Call("DescribeTable", {})
        return "done"

    progress = Progress("PutItem")
    take(steps(), lambda operation, params: {"from": operation}, progress)
    assert progress.replies == ({"from": "PutItem"},)
    assert "PutItem" in repr(progress)
    assert "from" not in repr(progress), "what DynamoDB answered is not for logs"


def test_listeners_are_told_by_steps_of_their_own(take: Take) -> None:
    changes, reads, cache = ChangeRecorder(), ReadRecorder(), MemoryCache()
    add_change_listener(changes)

    def steps() -> Steps[None]:
        yield AboutToRead(cache, [], [])
        yield Notify(cache, None)

    with listening(reads):
        take(steps())
    assert (changes.take(), reads.take()) == ([None], [set()])


@pytest.mark.faults_expected
def test_p7_what_a_listener_raises_is_a_fault_of_ours(take: Take) -> None:
    recorders, cache = [ChangeRecorder(lambda: 1 / 0), ChangeRecorder()], MemoryCache()
    for changes in recorders:
        add_change_listener(changes)

    def steps() -> Steps[str]:
        yield AboutToRead(cache, [], [])
        yield Notify(cache, None)
        return "done"

    with listening(ReadRecorder(lambda: 1 / 0)):
        assert take(steps()) == "done"
    assert recorders[1].take() == [None]
    assert cache.stats().faults == 2


def test_what_a_function_reads_is_heard_by_its_own_listener_alone(take: Take) -> None:
    outer, inner = ReadRecorder(), ReadRecorder()

    def note() -> Any:
        assert listeners_here() == (inner,)
        return 1 if take is in_a_thread else later(1)

    def steps() -> Steps[Any]:
        return (yield Compute(note, inner))

    with listening(outer):
        assert take(steps()) == 1
        assert listeners_here() == (outer,)


def test_steps_in_the_background_belong_to_no_computation(take: Take) -> None:
    heard: list[Any] = []
    ended = threading.Event()

    def background() -> Steps[None]:
        heard.append(listeners_here())
        yield Sleep(0)

    def steps() -> Steps[None]:
        yield Spawn(background, ended.set)
        yield Sleep(0.01)

    with listening(ReadRecorder()):
        take(steps())
    assert ended.wait(PATIENCE)
    assert heard == [()]


# A client's calls, taken by either driver


def test_a_clients_call_is_the_same_plan_for_threads_and_for_tasks(take: Take) -> None:
    client = ScriptedClient(GetItem=made(Item=ITEM), PutItem=made())
    context, params = client.dispatcher.context, {"TableName": TABLE, "Key": KEY}

    def call(operation: str, params: Any) -> Any:
        planned = plan(context, operation_of(operation), params)
        return planned if isinstance(planned, dict) else take(planned, client.dynamodb, Progress(operation))

    assert not client.is_hit(call("GetItem", params))
    assert client.is_hit(call("GetItem", params))
    call("PutItem", {"TableName": TABLE, "Item": ITEM | {"note": {"S": "new"}}})
    response = call("GetItem", params)
    assert client.is_hit(response)
    assert response["Item"]["note"] == {"S": "new"}


def test_a_read_under_a_listener_is_announced_before_it_is_sent(take: Take) -> None:
    client = ScriptedClient(GetItem=made(Item=ITEM))
    reads = ReadRecorder(lambda: list(client.dynamodb.sent))
    steps = plan_heard(client.dispatcher.context, operation_of("GetItem"), {"TableName": TABLE, "Key": KEY})
    with listening(reads):
        take(steps, client.dynamodb, Progress("GetItem"))
    assert reads.seen == [[]]
    assert client.dynamodb.take() == ["GetItem"]


# Threads and tasks follow each other's flights


class Asked:
    """A DynamoDB that answers once it is told to."""

    def __init__(self) -> None:
        self.count = 0
        self.asked = threading.Event()
        self.enough = threading.Event()

    def __call__(self, operation: str, params: dict[str, Any]) -> Any:
        self.count += 1
        self.asked.set()
        assert self.enough.wait(PATIENCE)
        return made(Item=ITEM) if operation == "GetItem" else made(Responses={TABLE: [ITEM]}, UnprocessedKeys={})

    async def later(self, operation: str, params: dict[str, Any]) -> Any:
        return await asyncio.to_thread(self, operation, params)


def reading(client: ScriptedClient, operation: str = "GetItem") -> Steps[Any]:
    key = {"TableName": TABLE, "Key": KEY}
    params = key if operation == "GetItem" else {"RequestItems": {TABLE: {"Keys": [KEY]}}}
    planned = plan(client.dispatcher.context, operation_of(operation), params)
    assert planned is not None
    assert not isinstance(planned, dict)
    return planned


async def followed(client: ScriptedClient) -> None:
    """Until the read in flight has a follower."""
    async with asyncio.timeout(PATIENCE):
        await _followed(client)


async def _followed(client: ScriptedClient) -> None:
    while not any(getattr(leader, "latch", None) for leader in client.memory._state.leaders.values()):
        await asyncio.sleep(0.001)


def test_a_task_follows_a_thread() -> None:
    client, dynamodb, results = ScriptedClient(), Asked(), []
    leader = threading.Thread(target=lambda: results.append(in_a_thread(reading(client), dynamodb)))
    leader.start()
    assert dynamodb.asked.wait(PATIENCE)

    async def follow() -> Any:
        follower = asyncio.ensure_future(AsyncioDriver(dynamodb.later).drive(reading(client)))
        await followed(client)
        dynamodb.enough.set()
        return await follower

    assert asyncio.run(follow())["Item"] == ITEM
    leader.join(PATIENCE)
    assert results[0]["Item"] == ITEM
    assert dynamodb.count == 1


def test_a_thread_follows_a_task() -> None:
    client, dynamodb = ScriptedClient(), Asked()

    async def main() -> tuple[Any, Any]:
        leader = asyncio.ensure_future(AsyncioDriver(dynamodb.later).drive(reading(client)))
        await asyncio.to_thread(dynamodb.asked.wait, PATIENCE)
        follower = asyncio.ensure_future(asyncio.to_thread(in_a_thread, reading(client), dynamodb))
        await followed(client)
        dynamodb.enough.set()
        return await leader, await follower

    assert [each["Item"] for each in asyncio.run(main())] == [ITEM, ITEM]
    assert dynamodb.count == 1


@pytest.mark.parametrize("cancelled", ["leader", "follower"])
def test_one_of_two_tasks_that_is_cancelled_does_not_take_the_other_along(cancelled: str) -> None:
    client, dynamodb = ScriptedClient(), Asked()
    client.dispatcher.context.is_blocking = False

    async def main() -> Any:
        driver = AsyncioDriver(dynamodb.later)
        tasks = {"leader": asyncio.ensure_future(driver.drive(reading(client)))}
        await asyncio.to_thread(dynamodb.asked.wait, PATIENCE)
        tasks["follower"] = asyncio.ensure_future(driver.drive(reading(client)))
        await followed(client)
        tasks.pop(cancelled).cancel()
        dynamodb.enough.set()
        [left] = tasks.values()
        return await left

    assert asyncio.run(main())["Item"] == ITEM
    assert client.cache.stats().in_flight == 0


@pytest.mark.parametrize("operation", ["GetItem", "BatchGetItem"])
def test_followers_of_a_leader_that_was_cancelled_ask_once_again(operation: str) -> None:
    client, dynamodb = ScriptedClient(), Asked()
    client.dispatcher.context.is_blocking = False

    async def main() -> list[Any]:
        driver = AsyncioDriver(dynamodb.later)
        leader = asyncio.ensure_future(driver.drive(reading(client, operation)))
        await asyncio.to_thread(dynamodb.asked.wait, PATIENCE)
        followers = [asyncio.ensure_future(driver.drive(reading(client, operation))) for _ in range(20)]
        await followed(client)
        leader.cancel()
        await asyncio.wait([leader])
        await followed(client)  # one of them leads
        dynamodb.enough.set()
        return await asyncio.gather(*followers)

    found = [each.get("Item") or each["Responses"][TABLE][0] for each in asyncio.run(main())]
    assert found == [ITEM] * 20
    assert dynamodb.count == 2
    assert client.cache.stats().total.joined == 19


def test_a_call_that_blocks_an_event_loop_does_not_wait_for_a_task_of_that_loop() -> None:
    client, dynamodb = ScriptedClient(), Asked()

    async def main() -> Any:
        leader = asyncio.ensure_future(AsyncioDriver(dynamodb.later).drive(reading(client)))
        await asyncio.to_thread(dynamodb.asked.wait, PATIENCE)
        steps = reading(client)
        first = next(steps)
        steps.close()
        dynamodb.enough.set()
        await leader
        return first

    assert isinstance(asyncio.run(main()), Call), "the two would wait for each other"


def test_a_follower_whose_loop_is_gone_harms_no_leader() -> None:
    latch = Latch()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(AsyncioDriver().drive(waiting(latch)), 0.01)

    asyncio.run(give_up())
    latch.open()


def waiting(latch: Latch) -> Steps[None]:
    yield Wait(latch, PATIENCE)


def test_an_awaitable_send_is_what_the_asyncio_driver_takes() -> None:
    async def send(operation: str, params: dict[str, Any]) -> str:
        return operation

    def steps() -> Steps[Any]:
        return (yield Call("ListTables", {}))

    sent: Awaitable[Any] = AsyncioDriver(send).drive(steps())

    async def main() -> Any:
        return await sent

    assert asyncio.run(main()) == "ListTables"
    with pytest.raises(TypeError, match="not expected to call DynamoDB"):
        ThreadDriver().drive(steps())


def test_steps_in_the_background_can_be_ended_after_their_loop_was_closed() -> None:
    """As a computation does when its coroutine is closed with the loop."""

    def background() -> Steps[None]:
        yield Sleep(PATIENCE)

    def steps() -> Steps[Any]:
        return (yield Spawn(background, lambda: None))

    driver = AsyncioDriver()
    loop = asyncio.new_event_loop()
    stop = loop.run_until_complete(driver.drive(steps()))
    (task,) = driver._tasks
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    stop()


def test_what_is_still_sent_as_a_loop_ends_keeps_nobody_from_closing(caplog: pytest.LogCaptureFixture) -> None:
    class Silent:
        @property
        def asyncio(self) -> Any:
            return self

        async def run(self, commands: Any, is_urgent: bool) -> Any:
            asked.append(commands)
            await asyncio.get_running_loop().create_future()

    def steps() -> Steps[None]:
        try:
            yield Sleep(60)
        finally:
            with suppress(Unavailable):
                yield Run(Silent(), (("DEL", "a"),), needs_no_reply=True)

    def over() -> None:
        ended.append(True)

    def background() -> Steps[None]:
        yield Spawn(steps, over)

    async def main() -> None:
        task = asyncio.create_task(driver.drive(steps()))
        await asyncio.sleep(0)
        assert not task.done()

    async def other() -> None:
        await driver.drive(background())
        await asyncio.sleep(0)
        closing = asyncio.create_task(driver.close())
        while len(asked) < 2:
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)

    driver, asked, ended = AsyncioDriver(), list[Any](), list[bool]()
    asyncio.run(main())
    asyncio.run(other())
    assert ended == [True]
    asyncio.run(driver.close())
    assert not driver._tasks
    gc.collect()
    assert (asked, caplog.messages) == ([(("DEL", "a"),)] * 2, [])
