"""One computation at a time, for all threads, tasks and processes, no matter what becomes of the one that computes."""

import asyncio
import threading
import time
from contextlib import ExitStack, closing

import pytest

from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache
from tests.valkey import Valkey

from . import tasks
from .processes import Process, Processes
from .tasks import Tally
from .waiting import wait_until

WITHOUT_NEAR = AggregationConfig(near_bytes=0, timeout=5)

pytestmark = pytest.mark.usefixtures("only_own_keys")


def ready(processes: Processes, number: int, valkey: Valkey, namespace: str) -> list[Process]:
    every = processes.take(number)
    for process in every:
        process.begin(tasks.use, valkey.url, namespace)
    for process in every:
        process.end()
    return every


def locks(valkey: Valkey, namespace: str) -> dict[bytes, bytes | None]:
    """The locks that there are, with their tokens."""
    with valkey.client() as client:
        return {key: client.get(key) for key in client.scan_iter(f"{namespace}:*:lock", count=1000)}


class TestAColdKey:
    @pytest.mark.parametrize("in_tasks", [0, 8, 4], ids=["threads", "tasks", "both"])
    def test_is_computed_once_by_8_processes_of_8_callers(
        self, valkey: Valkey, namespace: str, processes: Processes, tally: Tally, in_tasks: int
    ) -> None:
        every = ready(processes, 8, valkey, namespace)
        for process in every[:in_tasks]:
            process.begin(tasks.ask_in_tasks, valkey.url, namespace, 8, 0.4)
        for process in every[in_tasks:]:
            process.begin(tasks.ask_in_threads, 8, 0.4)
        answers = [answer for process in every for answer in process.end()]
        assert tally.read("computations") == 1
        assert answers == [1] * 64
        for process in every:
            stats = process.do(tasks.stats)
            assert (stats.redis_errors, stats.faults) == (0, 0)
        assert not locks(valkey, namespace)


class TestAProcessThatComputes:
    def test_and_is_killed_delays_the_others_by_no_more_than_lock_ttl(
        self, valkey: Valkey, namespace: str, processes: Processes, tally: Tally
    ) -> None:
        holder, *others = ready(processes, 4, valkey, namespace)
        holder.begin(tasks.ask, wait_for="for ever", lock_ttl=0.8)
        wait_until("a process computes", lambda: tally.read("computations"))
        for other in others:
            other.begin(tasks.ask)
        holder.kill()
        with valkey.client() as client:
            (lock,) = locks(valkey, namespace)
            assert client.pttl(lock) <= 800, "the lock outlives its holder"
        answers = [other.end() for other in others]
        assert answers == ["computation 2 of truth 0"] * 3
        assert not locks(valkey, namespace)

    def test_and_is_slow_keeps_the_lock(
        self, valkey: Valkey, namespace: str, processes: Processes, tally: Tally
    ) -> None:
        lock_ttl = 0.6
        every = ready(processes, 3, valkey, namespace)
        every[0].begin(tasks.ask, wait_for="enough", lock_ttl=lock_ttl)
        wait_until("a process computes", lambda: tally.read("computations"))
        for other in every[1:]:
            other.begin(tasks.ask, wait_for="enough", lock_ttl=lock_ttl)
        (before,) = locks(valkey, namespace).items()
        time.sleep(3 * lock_ttl)
        assert dict([before]) == locks(valkey, namespace)
        assert not any(process.is_done() for process in every)
        tally.add("enough")
        assert [process.end() for process in every] == ["computation 1 of truth 0"] * 3
        assert tally.read("computations") == 1
        assert not locks(valkey, namespace)

    @pytest.mark.parametrize("changes", [False, True], ids=["nothing changes", "p3 something changes"])
    def test_and_was_stopped_for_longer_than_lock_ttl_does_no_harm(
        self, valkey: Valkey, namespace: str, processes: Processes, tally: Tally, changes: bool
    ) -> None:
        """It finds the lock in other hands and leaves it alone; what changed meanwhile it does not store."""
        holder, other, witness = ready(processes, 3, valkey, namespace)
        holder.begin(tasks.ask, wait_for="first", lock_ttl=0.5)
        wait_until("one computes", lambda: tally.read("computations"))
        holder.pause()
        if changes:
            tally.add("truth")
            witness.do(tasks.invalidate_tags, "truth")
        other.begin(tasks.ask, wait_for="second", lock_ttl=5.0)
        wait_until("another computes", lambda: tally.read("computations") == 2)
        (lock,) = locks(valkey, namespace).items()
        tally.add("first")
        holder.resume()
        # What it had computed was right when it asked.
        assert holder.end() == "computation 1 of truth 0"
        assert dict([lock]) == locks(valkey, namespace), "it released a lock of another process"
        assert not other.is_done()
        if changes:
            # Not an old one of truth 0: it waits for the other one.
            witness.begin(tasks.ask)
            time.sleep(0.2)
            assert not witness.is_done()
        tally.add("second")
        expected = "computation 2 of truth 1" if changes else "computation 2 of truth 0"
        assert other.end() == expected
        assert not locks(valkey, namespace)
        if changes:
            assert witness.end() == expected
        assert witness.do(tasks.ask) == expected
        assert tally.read("computations") == 2


class TestAFailingComputation:
    def test_raises_to_its_caller_and_leaves_no_lock(
        self, valkey: Valkey, namespace: str, processes: Processes, tally: Tally
    ) -> None:
        one, another = ready(processes, 2, valkey, namespace)
        assert one.do(tasks.ask_and_fail, lock_ttl=30.0) == "failure 1"
        assert not locks(valkey, namespace)
        assert another.do(tasks.ask_and_fail, lock_ttl=30.0) == "failure 2"
        assert one.do(tasks.ask) == "computation 1 of truth 0"
        assert another.do(tasks.ask) == "computation 1 of truth 0"
        assert tally.read("failures") == 2


def test_what_cannot_be_stored_is_not_computed_one_after_the_other(valkey: Valkey, namespace: str) -> None:
    with ExitStack() as stack:
        caches = [stack.enter_context(closing(AggregationCache(valkey.url, namespace, WITHOUT_NEAR))) for _ in range(4)]
        together = threading.Barrier(4)
        computed: list[object] = []

        def compute() -> object:
            if len(computed) >= len(caches):
                together.wait(10)  # raises unless all of them compute at the same time
            computed.append(object())
            return computed[-1]

        functions = [cache.cached(name="f")(compute) for cache in caches]
        for function in functions:
            function()
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(computed) == 2 * len(caches)


def test_asyncio_over_threads_of_one_url_is_stored(valkey: Valkey, namespace: str) -> None:
    with closing(AggregationCache(valkey.url, namespace, WITHOUT_NEAR)) as threads:
        calls = []
        inner = threads.cached(name="inner", tags=["inner"])(lambda: 1)

        async def main() -> None:
            cache = AsyncAggregationCache(valkey.url, namespace, WITHOUT_NEAR)

            @cache.cached(name="outer", early_refresh=0)
            async def outer() -> int:
                calls.append(1)
                return inner()

            for _ in range(3):
                await outer()
            assert len(calls) == 1
            await cache.invalidate_tags("inner")
            await outer()
            assert len(calls) == 2
            await cache.close()

        asyncio.run(main())
