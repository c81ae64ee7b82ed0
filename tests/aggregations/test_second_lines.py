"""Guards behind which another guard stands: what each of them is for by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from daxlite.aggregations.capture.capture import Capture
from daxlite.aggregations.capture.nesting import depend_on_computation, depend_on_result
from daxlite.aggregations.capture.threads import capture_in_threads
from daxlite.aggregations.engine.near import NearCache
from daxlite.aggregations.stored_result import StoredResult, pack, unpack
from daxlite.calls.hearing import hearing, listeners_here
from daxlite.calls.listeners import remove_change_listener
from daxlite.core.extents import EVERYTHING
from daxlite.core.steps import Sleep, Spawn, Steps
from daxlite.drivers.threads import ThreadDriver
from daxlite.shared.errors import CorruptValue
from tests.aggregations.scripted import Counted, World, elsewhere
from tests.aggregations.test_capture import WITH_INDEX
from tests.aggregations.test_near import entry, near, process, put
from tests.calls.listening import listening
from tests.scripted_client import answering_client

__all__ = ["near", "process"]
PATIENCE = 10.0

# Changes


def test_p7_what_redis_was_not_told_of_during_a_computation_keeps_its_result_from_being_stored(world: World) -> None:
    """No other process is to find it, whatever becomes of this one."""
    one, other = world.process(), world.process()
    source = Counted(1)

    def change() -> None:
        source.value, source.takes = 2, lambda: None
        with world.server.down(redis.exceptions.ReadOnlyError()):
            one.cache.invalidate_tags("x")

    source.takes = change
    assert one.cache.cached(name="f", tags=["x"])(source)() == 1
    assert other.cache.cached(name="f", tags=["x"])(source)() == 2
    assert one.counts.stored == 0


def test_p2_what_changed_elsewhere_a_moment_ago_is_read_strongly(world: World) -> None:
    process = world.process()
    reader, writer = (answering_client(config={"settle_window": 5.0}) for _ in range(2))
    remove_change_listener(process.cache)
    total = process.cache.cached(name="f")(lambda: len(reader.get()["Item"]))
    writer_of_another_process = world.process()
    total()
    assert reader.dynamodb.last_params("ConsistentRead") is not True
    writer.put()
    total()
    assert reader.dynamodb.last_params("ConsistentRead") is True
    assert writer_of_another_process.cache.stats().faults == 0


def test_a_result_that_ends_because_a_replica_may_lag_is_not_refreshed_early(world: World) -> None:
    """The next one would end as early."""
    client, process = answering_client(**WITH_INDEX), world.process(random=lambda: 0.999999)

    @process.cache.cached(name="f")
    def slow() -> int:
        world.clock.advance(1)
        return len(client.by_owner("ann")["Items"])

    client.put()
    slow()
    slow()
    assert process.run_background() == 0
    assert process.counts.computations == 1


# Nested results


def test_p3_tokens_of_another_namespace_tell_nothing(world: World) -> None:
    """A change in the one does not replace those of the other."""
    engines = [world.process(namespace=name).cache._engine for name in ("outer", "inner")]
    stored = StoredResult(b"x", 0.0, 0.0, 0.0, 0.0, (b"a",), (b"s",), (EVERYTHING,))

    def capture(number: int) -> Capture:
        engine = engines[number]
        return Capture(engine.keyspace, engine.server, engine.known_tokens, engine.wall_clock)

    for number, is_storable in enumerate([True, False]):
        outer = capture(0)
        with listening(outer):
            depend_on_result(engines[number].keyspace, stored)
        assert outer.is_complete is is_storable
        outer = capture(0)
        depend_on_computation(outer, capture(number))
        assert outer.is_complete is is_storable


def test_steps_in_the_background_belong_to_no_computation_whose_threads_do(world: World) -> None:
    capture_in_threads()
    heard: list[Any] = []
    ended = threading.Event()

    def background() -> Steps[None]:
        heard.append((listeners_here(), threading.get_ident() in hearing))
        yield Sleep(0)

    def steps() -> Steps[None]:
        yield Spawn(background, ended.set)

    def compute() -> bool:
        heard.append(bool(listeners_here()))
        ThreadDriver().drive(steps())
        return ended.wait(PATIENCE)

    assert world.process().cache.cached(name="f")(compute)()
    assert heard == [True, ((), False)]


# The near cache


def test_p3_what_is_not_true_any_more_takes_the_place_of_nothing(near: NearCache) -> None:
    since = near.now()
    near.bump({b"a": EVERYTHING})
    newer = entry(b"2", b"a")
    put(near, b"one", newer)
    near.put(b"one", entry(b"1", b"a"), since)
    assert near.get(b"one", ()) == newer


def test_p2_what_a_handler_changed_within_the_lookup_is_not_given(near: NearCache) -> None:
    """The handler interrupts the lookup when it has the lock, and has not looked yet."""
    put(near, b"one", entry(b"1", b"a"))
    plain = near.lock

    class Interrupted:
        @contextmanager
        def locked(self) -> Iterator[None]:
            with plain.locked():
                near.lock = plain
                near.bump({b"a": EVERYTHING})
                yield

    near.lock = Interrupted()  # type: ignore[assignment]
    assert near.get(b"one", ()) is None


# Locks


def test_a_caller_that_did_not_get_the_lock_neither_renews_nor_releases_it(world: World) -> None:
    """It would ask Redis in vain."""
    one, other = world.process(), world.process()
    names: list[str] = []

    def slow() -> int:
        world.server.take()
        with elsewhere():
            other.cache.cached(name="f", max_wait=0.0)(Counted(2))()
        names.extend(world.server.take())
        return 1

    one.cache.cached(name="f")(slow)()
    assert "SET" in names
    assert names.count("EVAL") == 1, "the states are noted"


def test_a_result_is_refreshed_once_at_a_time_though_its_lock_has_ended(world: World) -> None:
    process = world.process()
    total = process.cache.cached(name="f", ttl=10, jitter=0.0, stale_while_revalidate=50, lock_ttl=5.0)(Counted(1))
    total()
    world.clock.advance(11)
    total()
    world.clock.advance(6)
    assert not world.server.keys(":lock")
    total()
    assert process.run_background() == 1


# Stored bytes and faults


@pytest.mark.parametrize(
    ("tags", "tokens"),
    [((), ()), ((b"a",), ()), ((b"a",), (b"1", b"2")), ((), (b"1",)), ((b"a", b"a"), (b"1", b"2"))],
)
def test_p6_a_stored_result_whose_tokens_do_not_fit_its_tags_is_corrupt(
    tags: tuple[bytes, ...], tokens: tuple[bytes, ...]
) -> None:
    with pytest.raises(CorruptValue, match="fit"):
        unpack(pack(StoredResult(b"x", 0.0, 0.0, 0.0, 0.0, tags, tokens, (EVERYTHING,) * len(tokens))))


@pytest.mark.faults_expected
def test_p7_after_a_fault_the_function_is_computed_around_the_local_caches(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, client = world.process(), answering_client()
    client.get()
    client.get()
    client.dynamodb.take()

    def fail(*arguments: Any) -> Callable[[], Any]:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(process.cache._engine.store, "fetch", fail)
    assert process.cache.cached(name="f")(lambda: len(client.get()["Item"]))()
    assert client.dynamodb.take() == ["GetItem"], "the item that is in the cache may be old"
