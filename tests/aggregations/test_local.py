"""What is particular to an aggregation cache of one process; `test_same_in_process.py` has what is not."""

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache
from daxlite.aggregations.homes.local_server import OVERHEAD
from daxlite.shared.errors import Unavailable
from tests.aggregations.local import LocalProcess, LocalWorld
from tests.aggregations.scripted import Counted
from tests.forking import in_child
from tests.interrupting import interrupted
from tests.scripted_client import ITEM, ScriptedClient, made


@pytest.fixture
def world() -> LocalWorld:
    return LocalWorld()


def reading(process: LocalProcess, client: ScriptedClient, **settings: Any) -> Callable[[], str]:
    @process.cache.cached(name="note", **settings)
    def note() -> str:
        found: str = client.get()["Item"]["note"]["S"]
        return found

    return note


def test_it_counts_as_a_near_cache_does(world: LocalWorld) -> None:
    process = world.process()
    function = process.cache.cached()(Counted())
    assert [function() for _ in range(3)] == [1, 1, 1]
    stats = process.cache.stats()
    assert (stats.total.near_hits, stats.total.shared_hits, stats.total.misses, stats.total.stored) == (2, 0, 1, 1)
    assert (stats.near_entries, stats.redis_errors, stats.skipped, stats.pending_invalidations) == (1, 0, 0, 0)
    assert stats.is_available
    assert stats.is_listening
    assert 0 < stats.near_bytes < 5000


def test_p2_what_changed_is_computed_anew(world: LocalWorld) -> None:
    process, source = world.process(), Counted()
    function = process.cache.cached(tags=["x"])(source)
    function()
    source.value = 2
    process.cache.invalidate_tags("x")
    assert function() == 2


def test_a_computation_trusts_the_cache_of_its_own_process(world: LocalWorld) -> None:
    """Which has heard of everything that a state may tell of: there is nothing to catch up with."""
    client = ScriptedClient(GetItem=made(Item=ITEM), PutItem=made())
    client.put({**ITEM, "note": {"S": "new"}})
    assert reading(world.process(), client)() == "new"
    assert client.dynamodb.take() == ["PutItem"]


def test_the_memory_is_bounded_and_what_was_used_last_stays(world: LocalWorld) -> None:
    limit = 200 * OVERHEAD
    process = world.process(near_bytes=limit)
    keep, other = (process.cache.cached(name=name)(Counted()) for name in ("keep", "other"))
    assert keep() == other() == 1
    for number in range(300):
        process.cache.get_or_compute(number, lambda: "x" * 100)
        keep()
    assert 0.9 * limit < process.cache.stats().near_bytes <= limit
    computations = process.counts.computations
    keep()
    assert process.counts.computations == computations
    other()
    assert process.counts.computations == computations + 1


def test_a_result_that_is_larger_than_everything_may_be_is_computed_each_time(world: LocalWorld) -> None:
    process = world.process(near_bytes=4 * OVERHEAD)
    function = process.cache.cached()(Counted("x" * 5 * OVERHEAD))
    assert function() == function()
    assert process.counts.computations == 2


def test_a_state_for_which_there_was_no_room_leaves_what_depended_on_it_stale(world: LocalWorld) -> None:
    process = world.process()
    function = process.cache.cached(tags=["x"])(Counted())
    function()
    server = process.cache._home.server
    server.kept.pop(next(key for key in server.kept if key.endswith(":state")))
    function()
    assert process.counts.computations == 2


def test_what_has_expired_is_not_there_any_more(world: LocalWorld) -> None:
    server = world.process().cache._home.server
    server.run([("SET", "key", b"data", "PX", 1000)])
    world.clock.advance(0.9)
    assert server.get(["key"]) == [b"data"]
    world.clock.advance(0.1)
    assert server.get(["key"]) == [None]
    assert server.run([("SET", "key", b"data", "NX", "PX", 1000)]) == [True]


def test_after_close_nothing_is_kept_as_no_change_is_heard(world: LocalWorld) -> None:
    client = ScriptedClient(GetItem=[made(Item=ITEM), made(Item={**ITEM, "note": {"S": "new"}})], PutItem=made())
    process = world.process()
    note = reading(process, client)
    before = note()
    process.cache.close()
    client.put({**ITEM, "note": {"S": "new"}})
    assert note() == "new" != before
    note()
    assert process.counts.computations == 3


def test_a_child_process_begins_empty(world: LocalWorld) -> None:
    process = world.process()
    source = Counted()
    function = process.cache.cached()(source)
    function()

    def check() -> None:
        assert function() == 1
        assert source.calls == 2

    in_child(check)
    function()
    assert source.calls == 1


def is_of_the_server(frame: FrameType) -> bool:
    """Whether it is in the server or in what keeps its books."""
    path = frame.f_code.co_filename
    return path.endswith(("homes/local_server.py", "cachetools/__init__.py"))


@pytest.mark.parametrize("act", ["invalidate", "compute", "hit"])
def test_p7_an_interruption_at_any_moment_leaves_it_whole_and_true(act: str) -> None:
    number = 0
    while True:
        process, source = LocalWorld().process(), Counted()
        function = process.cache.cached(name="f", tags=["x"])(source)
        function()
        source.value = 2
        do = {
            "invalidate": lambda process=process: process.cache.invalidate_tags("x"),
            "compute": function.refresh,
            "hit": function,
        }[act]
        is_over = interrupted(do, is_of_the_server, number) is None
        assert function() == (1 if act == "hit" and source.calls == 1 else 2)
        process.cache.invalidate_tags("x")
        source.value = 3
        assert function() == function() == 3
        assert source.calls <= 4
        process.cache.close()
        if is_over:
            break
        number += 1
    assert number > 5, "nothing was interrupted"


def test_a_signal_handler_within_a_command_goes_around_it_and_leaves_nothing_old(world: LocalWorld) -> None:
    process, source = world.process(), Counted()
    function = process.cache.cached(tags=["x"])(source)
    function()
    server = process.cache._home.server
    with server._lock.locked():
        with pytest.raises(Unavailable):
            server.get(["key"])
        source.value = 2
        process.cache.invalidate_tags("x")
        assert process.cache.stats().pending_invalidations == 1
    assert function() == 2
    assert process.cache.stats().pending_invalidations == 0


def test_in_asyncio_a_hit_does_not_suspend_and_a_change_is_seen() -> None:
    client = ScriptedClient(GetItem=[made(Item=ITEM), made(Item={**ITEM, "note": {"S": "new"}})], PutItem=made())

    async def main() -> None:
        aggregations = AsyncAggregationCache.local()

        @aggregations.cached(ttl=300)
        async def note() -> str:
            await asyncio.sleep(0)
            found: str = client.get()["Item"]["note"]["S"]
            return found

        assert len({*await asyncio.gather(*[note() for _ in range(20)])}) == 1
        assert aggregations.stats().total.computations == 1
        with pytest.raises(StopIteration, match=ITEM["note"]["S"]):
            note().send(None)
        client.put({**ITEM, "note": {"S": "new"}})
        assert await note() == "new"
        await aggregations.close()

    asyncio.run(main())


def test_two_of_one_namespace_have_nothing_in_common() -> None:
    one, other = AggregationCache.local("shop"), AggregationCache.local("shop")
    assert one.get_or_compute("k", lambda: 1) == 1
    assert other.get_or_compute("k", lambda: 2) == 2
    assert one.namespace == "shop"
    assert AggregationCache.local().namespace == "local"


def test_without_room_there_can_be_none() -> None:
    with pytest.raises(ValueError, match=r"near_bytes is 0; .* must be at least 1"):
        AggregationCache.local(config=AggregationConfig(near_bytes=0))


def test_a_class_of_the_applications_own_has_it_too() -> None:
    class Own(AggregationCache):
        pass

    assert type(Own.local()) is Own


def test_it_needs_no_redis_starts_no_thread_and_goes_with_its_last_reference() -> None:
    code = """
        import gc, sys, threading
        sys.modules["redis"] = None  # importing it fails, as if it were not installed
        from daxlite.aggregations import AggregationCache
        aggregations = AggregationCache.local()
        assert [aggregations.get_or_compute("k", lambda: 1) for _ in range(2)] == [1, 1]
        assert aggregations.stats().total.computations == 1
        names = [thread.name for thread in threading.enumerate() if thread.name != "daxlite"]
        assert names == ["MainThread"], names
        gc.disable()
        server = aggregations._home.server
        assert server.kept
        del aggregations
        assert not server.kept, "the last reference is gone"
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
