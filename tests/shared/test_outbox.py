"""Invalidations: sent at once, and not forgotten where Redis could not be told (P7)."""

import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
import redis

from daxlite.aggregations.engine.get_or_compute import get_or_compute
from daxlite.aggregations.stored_result import StoredResult
from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.drivers.progress import Progress
from daxlite.drivers.threads import ThreadDriver
from daxlite.shared import outbox as pending_module
from daxlite.shared.failures import Unavailable
from daxlite.shared.outbox import CHUNK, Outbox
from daxlite.shared.tags import EVERYTHING, everything_of, named_tag
from tests.aggregations.scripted import Counted, Process, World

TAGS = [named_tag(name) for name in "abc"]


def invalidate(outbox: Outbox, tags: Iterable[bytes]) -> None:
    """As a change listener does."""
    with suppress(Unavailable):
        ThreadDriver().drive(outbox.invalidate(everything_of(tags)))


def state(process: Process, tag: bytes) -> str:
    return process.cache._engine.keyspace.state(tag)


def set_states(world: World, process: Process) -> None:
    for tag in TAGS:
        world.server.execute(("SET", state(process, tag), b"1", "PX", 100_000))


def is_as_it_was(world: World, process: Process) -> list[bool]:
    return [world.server.execute(("GET", state(process, tag))) == b"1" for tag in TAGS]


def test_the_states_change_and_the_others_are_told_in_one_command(world: World) -> None:
    process = world.process()
    set_states(world, process)
    world.server.take()
    invalidate(process.cache._outbox, TAGS[:2])
    assert world.server.take() == ["EVAL"]
    assert is_as_it_was(world, process) == [False, False, True]
    assert len(process.cache._outbox) == 0


def test_p7_what_redis_was_not_told_is_kept_and_sent_with_the_next(world: World) -> None:
    process = world.process()
    set_states(world, process)
    with world.server.down():
        invalidate(process.cache._outbox, TAGS[:1])
    assert len(process.cache._outbox) == 1
    invalidate(process.cache._outbox, TAGS[1:2])
    assert is_as_it_was(world, process) == [False, False, True]
    assert len(process.cache._outbox) == 0


def test_p7_a_full_server_takes_deletions(world: World) -> None:
    process = world.process()
    set_states(world, process)
    process.hearing.listen()
    full = "OOM command not allowed when used memory > 'maxmemory'."
    world.server.refusing = lambda command: full if command[0] == "SET" else None
    invalidate(process.cache._outbox, TAGS[:2])
    assert [world.server.execute(("GET", state(process, tag))) for tag in TAGS] == [None, None, b"1"]
    assert len(process.hearing.wire.queue) == 1, "the change"
    assert len(process.cache._outbox) == 0


def test_p7_a_lost_reply_counts_as_not_sent(world: World) -> None:
    process = world.process()
    set_states(world, process)
    plain = world.server.execute

    def execute(command: tuple[Any, ...]) -> Any:
        plain(command)
        raise redis.ConnectionError("lost")

    world.server.execute = execute  # type: ignore[method-assign]
    invalidate(process.cache._outbox, TAGS[:2])
    world.server.execute = plain  # type: ignore[method-assign]
    assert is_as_it_was(world, process) == [False, False, True]
    assert len(process.cache._outbox) == 2
    process.cache._outbox.try_again()
    assert len(process.cache._outbox) == 0


def test_p7_a_tag_that_changes_again_while_it_is_being_sent_is_sent_again(world: World) -> None:
    pending = world.process().cache._outbox
    steps = pending.invalidate(everything_of(TAGS[:1]))
    step = next(steps)
    again = pending.invalidate(everything_of(TAGS[:1]))
    next(again)
    with pytest.raises(StopIteration):
        steps.send([0] * len(step.commands))
    assert len(pending) == 1, "the second change may have come after the stamp was deleted"
    with pytest.raises(StopIteration):
        again.send([0, 0])
    assert len(pending) == 0


def test_p7_too_many_to_remember_are_everything(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_module, "MAX_PENDING", 10)
    process = world.process()
    with world.server.down():
        for number in range(50):
            process.cache.invalidate_tags(f"tag {number}")
            assert len(process.cache._outbox) <= 10
    world.clock.advance(100)
    world.server.execute(("SET", state(process, EVERYTHING), b"1", "PX", 1000))
    process.cache._outbox.try_again()
    assert world.server.execute(("GET", state(process, EVERYTHING))) != b"1"


def test_a_change_of_many_tags_is_told_at_once_in_several_scripts(world: World) -> None:
    process = world.process()
    world.server.take()
    process.cache.invalidate_tags(*[f"tag {number}" for number in range(3 * CHUNK + 1)])
    assert world.server.take() == ["EVAL"] * 4
    assert len(process.cache._outbox) == 0


def test_a_change_is_noted_here_though_redis_is_down(world: World) -> None:
    process = world.process()
    process.hearing.listen()
    assert process.hearing.hears()
    since = process.cache._near.now()
    with world.server.down(redis.exceptions.ReadOnlyError()):
        invalidate(process.cache._outbox, TAGS[:1])
    near = process.cache._near
    for tag in TAGS[:2]:
        near.put(tag, StoredResult(b"", 0.0, 0.0, 0.0, 0.0, (tag,), (b"token",), (EVERY_EXTENT,)), since)
    assert near.get(TAGS[0], ()) is None
    assert near.get(TAGS[1], ()) is not None


def test_what_was_kept_before_a_late_delivery_is_dropped_with_it(world: World) -> None:
    """The result was looked up after the change, and before Redis took it: Redis showed it as true."""
    process = world.process()
    source = Counted(1)
    total = process.cache.cached(tags=["b"])(source)
    total()
    process.cache._near.clear()

    def refuse(command: tuple[Any, ...]) -> BaseException | None:
        return redis.exceptions.ReadOnlyError() if command[0] == "EVAL" else None

    world.server.failing = refuse
    process.cache.invalidate_tags("a")
    steps = get_or_compute(process.cache._engine, total._known.request((), {}))
    delivery = next(steps)
    source.value = 2
    process.cache.invalidate_tags("b")
    world.server.failing = lambda command: None
    found = process.driver._take(steps.send(process.driver._take(delivery, Progress(), None)), Progress(), None)
    with pytest.raises(StopIteration) as finished:
        steps.send(found)
    assert finished.value.value == 1
    process.cache._outbox.try_again()
    process.hearing.wire.queue.clear()  # its own message is still on its way
    assert total() == 2


def test_nothing_to_send_is_not_sent(world: World) -> None:
    process = world.process()
    world.server.take()
    process.cache._outbox.try_again()
    invalidate(process.cache._outbox, ())
    assert world.server.take() == []


def test_p7_a_thread_sends_it_as_soon_as_redis_takes_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_module, "PAUSE", 0.001)
    process = world.process()
    pending, told, tried = process.cache._outbox, threading.Event(), threading.Event()
    del pending.retry  # the real one
    attempts = 0

    def fail(command: tuple[Any, ...]) -> BaseException | None:
        nonlocal attempts
        attempts += 1
        if attempts >= 3:
            tried.set()
        if command[0] == "EVAL" and attempts > 3:
            told.set()
        return redis.exceptions.ReadOnlyError() if attempts < 4 else None

    world.server.failing = fail
    invalidate(pending, TAGS)
    pending.retry()
    thread = pending._thread
    assert thread is not None
    assert told.wait(10)
    thread.join(10)
    assert not thread.is_alive(), "it ends when it is done"
    assert len(pending) == 0
    invalidate(pending, TAGS)
    assert pending._thread is None


def test_p7_close_ends_the_thread_and_tries_a_last_time(world: World) -> None:
    process = world.process()
    pending = process.cache._outbox
    del pending.retry
    with world.server.down():
        invalidate(pending, TAGS)
        thread = pending._thread
        assert thread is not None
        assert thread.daemon
    process.cache.close()
    assert not thread.is_alive()
    assert len(pending) == 0


def test_after_a_fork_what_was_pending_still_is(world: World) -> None:
    process = world.process()
    with world.server.down():
        invalidate(process.cache._outbox, TAGS)
    process.cache._begin()
    assert len(process.cache._outbox) == 3
    process.cache._outbox.try_again()
    assert len(process.cache._outbox) == 0


@pytest.mark.faults_expected
def test_p7_a_fault_of_ours_while_it_closes_does_not_reach_the_application(world: World) -> None:
    process = world.process()
    with world.server.down():
        process.cache.invalidate_tags("x")
    with world.server.down(RuntimeError("ours")):
        process.cache.close()


@pytest.mark.faults_expected
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_p7_a_fault_of_ours_in_the_thread_is_not_the_end_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_module, "PAUSE", 0.001)
    pending = world.process().cache._outbox
    del pending.retry
    failed = threading.Event()

    def fail(command: tuple[Any, ...]) -> BaseException | None:
        if failed.is_set():
            return None
        if threading.current_thread().name.startswith("daxlite"):
            failed.set()
            return RuntimeError("ours")
        return redis.exceptions.ReadOnlyError()

    world.server.failing = fail
    invalidate(pending, TAGS)
    assert failed.wait(10)
    thread = pending._thread
    if thread is not None:
        thread.join(0.2)
    pending.retry()
    thread = pending._thread
    if thread is not None:
        thread.join(10)
    assert len(pending) == 0
