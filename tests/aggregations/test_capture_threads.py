"""Threads and tasks that a computation starts belong to it; others do not."""

from __future__ import annotations

import _thread
import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from multiprocessing.pool import ThreadPool
from typing import Any

import pytest

from daxlite.aggregations import AggregationConfig
from daxlite.calls.hearing import hearing, listeners_here
from tests.aggregations.scripted import World, shared_of
from tests.aggregations.test_capture import captured
from tests.calls.test_dependencies import item
from tests.scripted_client import ScriptedClient, answering_client

SECONDS = 10.0
"""How long a test waits for what never takes so long."""


@pytest.fixture
def client() -> ScriptedClient:
    return answering_client()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """With a worker that was started long before."""
    with ThreadPoolExecutor(1) as made:
        made.submit(int).result(SECONDS)
        yield made


def in_a_thread(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    thread = threading.Thread(target=read)
    thread.start()
    thread.join(SECONDS)


def in_a_thread_of_a_thread(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    in_a_thread(lambda: in_a_thread(read, pool), pool)


def in_a_thread_of_its_own_class(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    class Worker(threading.Thread):
        def run(self) -> None:
            read()

    worker = Worker()
    worker.start()
    worker.join(SECONDS)


def by_a_timer(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    timer = threading.Timer(0, read)
    timer.start()
    timer.join(SECONDS)


def in_a_pool_made_before(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    pool.submit(read).result(SECONDS)


def in_a_pool_made_within(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    with ThreadPoolExecutor(2) as made:
        list(made.map(lambda _: read(), range(3)))


def in_a_task(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    async def task() -> None:
        read()

    async def main() -> None:
        await asyncio.gather(task(), asyncio.create_task(task()))

    asyncio.run(main())


def by_to_thread(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    async def main() -> None:
        await asyncio.to_thread(read)

    asyncio.run(main())


def by_run_in_executor(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, read)
        await loop.run_in_executor(pool, read)

    asyncio.run(main())


def in_a_copied_context(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    copy_context().run(read)


def in_a_context_of_its_own(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    Context().run(read)


def in_a_context_of_its_own_in_a_thread(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    in_a_thread(lambda: Context().run(read), pool)


def in_a_thread_that_is_started_in_another_context(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    Context().run(in_a_thread, read, pool)


def in_a_task_with_a_context_of_its_own(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    async def task() -> None:
        await asyncio.sleep(0)
        read()

    async def main() -> None:
        await asyncio.create_task(task(), context=Context())

    asyncio.run(main())


def by_start_new_thread(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    done = threading.Event()
    _thread.start_new_thread(lambda: (read(), done.set()), ())
    assert done.wait(SECONDS)


def in_the_callback_of_a_future(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    begin, done = threading.Event(), threading.Event()
    future = pool.submit(begin.wait, SECONDS)
    future.add_done_callback(lambda _: (read(), done.set()))
    begin.set()
    assert done.wait(SECONDS)


def in_an_initializer(read: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
    with ThreadPoolExecutor(1, initializer=read) as made:
        made.submit(int).result(SECONDS)
    with ThreadPoolExecutor(1, "name", read) as made:
        made.submit(int).result(SECONDS)


WAYS = [
    in_a_context_of_its_own,
    in_a_context_of_its_own_in_a_thread,
    in_a_thread_that_is_started_in_another_context,
    in_a_task_with_a_context_of_its_own,
    by_start_new_thread,
    in_the_callback_of_a_future,
    in_an_initializer,
    in_a_thread,
    in_a_thread_of_a_thread,
    in_a_thread_of_its_own_class,
    by_a_timer,
    in_a_pool_made_before,
    in_a_pool_made_within,
    in_a_task,
    by_to_thread,
    by_run_in_executor,
    in_a_copied_context,
]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_read_in_what_the_computation_starts_is_captured(
    world: World, client: ScriptedClient, pool: ThreadPoolExecutor, way: Callable[..., None]
) -> None:
    _, tags = captured(world.process(), lambda: way(lambda: client.get(), pool))
    assert tags == shared_of(item())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fails", ["before", "meanwhile"])
def test_p5_what_the_computation_starts_reads_nothing_old_where_redis_cannot_be_asked(
    world: World, client: ScriptedClient, pool: ThreadPoolExecutor, way: Callable[..., None], fails: str
) -> None:
    client.get()  # kept here, and perhaps changed by another process
    assert client.is_hit(client.get())
    client.dynamodb.take()
    process, found = world.process(), []
    down = world.server.down()

    def compute() -> None:
        if fails == "meanwhile":
            down.__enter__()
        way(lambda: found.append(client.get()), pool)

    if fails == "before":
        down.__enter__()
    process.cache.cached(name="f")(compute)()
    down.__exit__(None, None, None)
    assert found
    assert not any(client.is_hit(each) for each in found)
    assert set(client.dynamodb.take()) == {"GetItem"}
    assert process.counts.stored == 0


def test_a_thread_that_was_started_before_is_not_the_computations(world: World, client: ScriptedClient) -> None:
    ask, told = threading.Event(), threading.Event()

    def reading() -> None:
        ask.wait(SECONDS)
        client.get()
        told.set()

    thread = threading.Thread(target=reading)
    thread.start()

    def compute() -> bool:
        ask.set()
        return told.wait(SECONDS)

    assert captured(world.process(), compute) == (True, set())
    thread.join(SECONDS)


def test_a_worker_of_a_pool_made_before_keeps_nothing_afterwards(
    world: World, client: ScriptedClient, pool: ThreadPoolExecutor
) -> None:
    captured(world.process(), lambda: in_a_pool_made_before(client.get, pool))
    assert pool.submit(listeners_here).result(SECONDS) == ()


def test_a_worker_that_the_computation_had_a_pool_start_keeps_nothing_afterwards(
    world: World, client: ScriptedClient
) -> None:
    """It lives on, and what it does for others is not the computation's."""
    with ThreadPoolExecutor(1) as pool:
        captured(world.process(), lambda: pool.submit(client.get).result(SECONDS) and None)
        assert pool.submit(listeners_here).result(SECONDS) == ()
        assert [thread for thread in pool._threads if not thread.is_alive()] == []


def test_an_initializer_belongs_to_the_computation_that_has_its_worker_started(
    world: World, client: ScriptedClient
) -> None:
    process = world.process()
    with ThreadPoolExecutor(1, initializer=client.get) as pool:
        _, tags = captured(process, lambda: pool.submit(int).result(SECONDS))
        assert tags == shared_of(item())
        assert pool.submit(lambda: vars(threading.current_thread()).get("_daxlite_captures")).result(SECONDS) is None
        assert pool.submit(listeners_here).result(SECONDS) == ()
    with pytest.raises(TypeError, match="initializer"):
        ThreadPoolExecutor(1, initializer=5)  # type: ignore[arg-type]


def test_what_a_thread_reads_after_the_computation_is_over_does_not_matter(
    world: World, client: ScriptedClient
) -> None:
    begin, threads = threading.Event(), []

    def late() -> None:
        begin.wait(SECONDS)
        client.get()

    def compute() -> None:
        thread = threading.Thread(target=late)
        thread.start()
        threads.append(thread)

    process = world.process()
    assert captured(process, compute) == (None, set())
    assert not hearing, "no hit is to look for what hears it any more"
    world.server.take()
    begin.set()
    threads[0].join(SECONDS)
    assert world.server.take() == []


def test_p3_a_computation_that_waits_for_a_thread_that_asks_for_its_own_result(world: World) -> None:
    process, depth = world.process(), []

    @process.cache.cached(name="self")
    def again() -> int:
        depth.append(1)
        if len(depth) < 3:
            thread = threading.Thread(target=again)
            thread.start()
            thread.join(SECONDS)
            assert not thread.is_alive(), "it waits for itself"
        return len(depth)

    assert again() == 3


def test_the_context_of_the_application_is_left_alone(world: World, client: ScriptedClient) -> None:
    process = world.process()
    captured(process, lambda: client.get() and None)
    assert listeners_here() == ()
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(listeners_here()))
    thread.start()
    thread.join(SECONDS)
    assert done == [()]


def test_threads_outside_of_computations_are_started_as_ever(world: World) -> None:
    world.process()
    with ThreadPoolExecutor(1, initializer=int) as pool:
        assert pool.submit(lambda *args, **kwargs: (args, kwargs), 1, a=2).result(SECONDS) == ((1,), {"a": 2})
        with pytest.raises(TypeError):
            pool.submit()  # type: ignore[call-arg]
    with pytest.raises(RuntimeError):
        pool.submit(int)


def test_nothing_is_wrapped_unless_a_cache_captures_threads() -> None:
    """It is wrapped for the whole process, so that is asked in a process of its own."""
    code = """
        import threading
        from concurrent.futures import ThreadPoolExecutor
        from multiprocessing.pool import ThreadPool
        import fakeredis
        from daxlite.aggregations import AggregationCache, AggregationConfig

        def functions():
            pool = ThreadPool.apply_async, ThreadPool._map_async, ThreadPool.imap, ThreadPool.imap_unordered
            return threading.Thread.start, ThreadPoolExecutor.submit, *pool

        def wrapped():
            return [now is not plain for now, plain in zip(functions(), before, strict=True)]

        before = functions()
        AggregationCache(fakeredis.FakeRedis(), "shop", AggregationConfig(capture_threads=False)).close()
        assert not any(wrapped())
        AggregationCache(fakeredis.FakeRedis(), "shop").close()
        assert all(wrapped())
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_whether_threads_are_captured_is_true_or_false() -> None:
    with pytest.raises(TypeError, match="capture_threads is 1"):
        AggregationConfig(capture_threads=1)  # type: ignore[arg-type]


def called_back(begin: Callable[[Callable[..., Any]], Any], read: Callable[..., Any]) -> None:
    done = threading.Event()
    begin(lambda result: (read(result), done.set()))
    assert done.wait(SECONDS)


POOLED: dict[str, Callable[[ThreadPool, Callable[..., Any]], Any]] = {
    "map": lambda pool, read: pool.map(read, [0]),
    "map_async": lambda pool, read: pool.map_async(read, [0]).get(SECONDS),
    "starmap": lambda pool, read: pool.starmap(read, [(0,)]),
    "apply": lambda pool, read: pool.apply(read, (0,)),
    "apply_async": lambda pool, read: pool.apply_async(read, (0,)).get(SECONDS),
    "imap": lambda pool, read: list(pool.imap(read, [0])),
    "imap_unordered": lambda pool, read: list(pool.imap_unordered(read, [0])),
    "what imap works on": lambda pool, read: list(pool.imap(str, (read(each) for each in [0]))),
    "what imap_unordered works on": lambda pool, read: list(pool.imap_unordered(str, (read(each) for each in [0]))),
    "a callback": lambda pool, read: called_back(lambda call: pool.apply_async(int, callback=call), read),
    "a positional callback": lambda pool, read: called_back(lambda call: pool.apply_async(int, (), {}, call), read),
    "a callback of map": lambda pool, read: called_back(lambda call: pool.map_async(int, [0], callback=call), read),
    "an error callback": lambda pool, read: called_back(
        lambda call: pool.apply_async(int, ("x",), error_callback=call), read
    ),
}


@pytest.fixture
def thread_pool() -> Iterator[ThreadPool]:
    with ThreadPool(1) as pool:
        yield pool
        pool.close()
        pool.join()


@pytest.mark.parametrize("way", POOLED)
def test_what_a_pool_of_threads_of_multiprocessing_reads_is_captured(
    world: World, thread_pool: ThreadPool, way: str
) -> None:
    client = answering_client()
    _, tags = captured(world.process(), lambda: POOLED[way](thread_pool, lambda _: client.get() and None) and None)
    assert tags == shared_of(item())


def test_a_pool_that_one_computation_made_reads_for_the_next_one_too(world: World) -> None:
    client, process, pools = answering_client(), world.process(), []

    def read() -> None:
        if not pools:
            pools.append(ThreadPool(1))
        pools[0].map(lambda _: client.get() and None, [0])

    captured(process, read, version=1)
    _, tags = captured(process, read, version=2)
    assert tags == shared_of(item())
    pools[0].close()
    pools[0].join()


@pytest.mark.faults_expected
def test_a_thread_of_a_function_that_is_computed_without_the_cache_reads_nothing_old(
    world: World, client: ScriptedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get()  # kept here, and changed by another process
    client.dynamodb.take()
    process = world.process()

    def fail(*args: Any) -> Any:
        raise RuntimeError("a fault")

    monkeypatch.setattr(process.cache._engine.store, "fetch", fail)
    function = process.cache.cached(name="f")(lambda: in_a_thread(client.get, None))  # type: ignore[arg-type]
    assert function() is None
    assert client.dynamodb.take() == ["GetItem"]
    assert process.cache.stats().faults == 1
