"""What a signal handler raises, and what it calls, leaves aggregations as they should be."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import pytest

from daxlite.aggregations.capture import threads
from daxlite.aggregations.engine.flights import ComputeFlights
from daxlite.aggregations.engine.get_or_compute import get_or_compute
from daxlite.aggregations.engine.near import Moment
from daxlite.aggregations.stored_result import StoredResult
from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.core.steps import Steps
from daxlite.drivers import threads as driver_module
from daxlite.drivers.threads import ThreadDriver
from daxlite.latch import Latch
from daxlite.shared.tags import EVERYTHING
from tests.aggregation_fixtures import check
from tests.aggregations.scripted import Counted, World, elsewhere, shared_of
from tests.aggregations.test_capture import captured
from tests.calls.test_dependencies import item
from tests.interrupting import Limit, answers_elsewhere, interrupted, is_of_the_lock
from tests.scripted_client import answering_client


def entry(tag: bytes) -> StoredResult:
    return StoredResult(b"", 0.0, 1e12, 0.0, 0.0, (EVERYTHING, tag), (b"token",) * 2, (EVERY_EXTENT,) * 2)


NEAR: dict[str, Callable[[Any], Any]] = {
    "get": lambda near: near.get(b"key", ()),
    "put": lambda near: near.put(b"other", entry(b"other"), near.now()),
    "bump": lambda near: near.bump({b"another": EVERY_EXTENT}),
    "clear": lambda near: near.clear(),
}


@pytest.mark.parametrize("name", NEAR)
def test_the_near_cache_can_be_used_after_an_interruption_at_any_moment_of_its_lock(world: World, name: str) -> None:
    process = world.process()
    process.hearing.listen()
    near = process.cache._near
    assert process.hearing.hears()
    number = 0
    while True:
        near.put(b"key", entry(b"key"), near.now())
        if interrupted(lambda: NEAR[name](near), is_of_the_lock, number) is None:
            break
        assert answers_elsewhere(lambda: near.bump({b"elsewhere": EVERY_EXTENT})), f"moment {number} left it locked"
        with near.lock.locked():
            pass  # and this thread is not taken for one that is inside
        number += 1
    assert number > 2, "nothing was interrupted"


CHANGES: dict[str, Callable[[Any], Any]] = {
    **NEAR,
    "get of what changed": lambda near: near.get(b"stale", ()),
    "put in place": lambda near: near.put(b"key", entry(b"other"), near.now()),
    "put of what changed": lambda near: near.put(
        b"stale", entry(b"changed"), Moment(0, near.now().at, near.now().epoch)
    ),
    "put that makes room": lambda near: near.put(b"large", large(), near.now()),
}


def large() -> StoredResult:
    return StoredResult(b"x" * 3000, 0.0, 1e12, 0.0, 0.0, (EVERYTHING, b"large"), (b"token",) * 2, (EVERY_EXTENT,) * 2)


def is_of_the_near_cache(frame: FrameType) -> bool:
    """Whether it is in the near cache or in what keeps its books: cachetools and the change clock."""
    return any(frame.f_code.co_filename.endswith(path) for path in ("engine/near.py", "cache/clock.py", "__init__.py"))


@pytest.mark.parametrize("name", CHANGES)
def test_the_near_cache_is_whole_and_true_after_an_interruption_at_any_moment_of_a_change(
    world: World, name: str
) -> None:
    process = world.process(near_bytes=5000)
    process.hearing.listen()
    near = process.cache._near
    assert process.hearing.hears()
    number = 0
    while True:
        near.put(b"key", entry(b"tag"), near.now())
        near.put(b"stale", entry(b"changed"), near.now())
        since = near.now()
        near.bump({b"changed": EVERY_EXTENT})
        is_over = interrupted(lambda: CHANGES[name](near), is_of_the_near_cache, number) is None
        assert near.get(b"stale", ()) is None
        near.put(b"since", entry(b"changed"), since)
        assert near.get(b"since", ()) is None, "it changed since"
        near.bump({b"tag": EVERY_EXTENT})
        assert near.get(b"key", ()) is None or name == "put in place", "its tag changed"
        for more in range(9):  # enough that all others leave
            near.put(b"%d" % more, entry(b"more"), near.now())
        assert near.get(b"8", ()) is not None
        check(process.cache)
        near.clear()
        if is_over:
            break
        number += 1
    assert number > 5, "nothing was interrupted"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a generator that is left has no end
def test_a_flight_lands_at_any_moment_at_which_its_leader_is_interrupted(world: World) -> None:
    """Else each later caller would wait in vain, for as long as callers ever wait. A lock in Redis ends by itself."""
    number = 0
    while True:
        process = world.process(near_bytes=0)
        function = process.cache.cached(name=f"f{number}", max_wait=50.0, lock_ttl=1.0)(Counted(1))

        def is_of_the_flight(frame: FrameType) -> bool:
            return frame.f_code in (get_or_compute.__code__, ComputeFlights.start_or_join.__code__)

        if interrupted(function, is_of_the_flight, number) is None:
            break
        assert len(process.cache._flights) == 0
        began = world.clock()
        assert answers_elsewhere(function), "it waits for a flight that never lands"
        assert world.clock() - began < 2
        number += 1
    assert number > 20


@pytest.mark.parametrize("error", [Limit(), TimeoutError("the handler's"), ValueError("the handler's")], ids=repr)
@pytest.mark.parametrize("waits_for", ["a lock", "a flight"])
def test_p7_what_a_signal_handler_raises_while_it_waits_reaches_the_application(
    world: World, monkeypatch: pytest.MonkeyPatch, waits_for: str, error: BaseException
) -> None:
    """It is the application's own, as what its function raises: no fault of daxlite's, and no reason to compute."""
    one, other = world.process(), world.process()
    other.cache._driver = ThreadDriver()
    function, same = Counted(1), Counted(2)

    def be_interrupted(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(driver_module.time, "sleep", be_interrupted)
    monkeypatch.setattr(Latch, "wait", be_interrupted)

    def come() -> None:
        with elsewhere(), pytest.raises(type(error)) as raised:
            other.cache.cached(name="f")(same)()
        assert raised.value is error

    def come_as_another_thread() -> None:
        other.cache._engine.current_caller = lambda: "another thread"
        with elsewhere(), pytest.raises(type(error)) as raised:
            led()
        assert raised.value is error
        other.cache._engine.current_caller = threading.get_ident

    if waits_for == "a lock":
        function.takes = come
        assert one.cache.cached(name="f")(function)() == 1
    else:
        led = other.cache.cached(name="f")(same)
        same.takes = come_as_another_thread
        assert led() == 2
    assert same.calls == (waits_for == "a flight")
    assert other.cache.stats().faults == 0


@pytest.mark.parametrize("error", [TimeoutError("the handler's"), ValueError("the handler's")], ids=repr)
@pytest.mark.parametrize("number", range(8))
def test_p7_what_a_signal_handler_raises_in_a_command_to_redis_reaches_the_application(
    world: World, error: Exception, number: int
) -> None:
    """A time limit, say: it is no failure of Redis's, and no fault of daxlite's."""
    process = world.process()

    def handle(number: int, frame: FrameType | None) -> None:
        raise error

    before = signal.signal(signal.SIGUSR1, handle)
    left = number
    function = process.cache.cached(name="f")(Counted(1))
    process.hearing.listen()

    def interrupt(command: Any) -> None:
        nonlocal left
        if command[0] in ("PING", "SUBSCRIBE"):
            return  # of the thread that listens
        left -= 1
        if left == -1:
            handle(signal.SIGUSR1, None)

    world.server.failing = interrupt
    try:
        with pytest.raises(type(error)) as raised:
            function()
        assert raised.value is error
    finally:
        signal.signal(signal.SIGUSR1, before)
    world.server.failing = lambda command: None
    assert (process.cache.stats().faults, process.cache.stats().redis_errors) == (0, 0)
    assert function() == 1


def test_stats_can_be_asked_for_within_the_lock(world: World) -> None:
    """As a signal handler that reports them does, or a finaliser."""
    process = world.process()
    process.cache.get_or_compute("k", lambda: 1)
    with process.cache._near.lock.locked(), process.cache._counters["get_or_compute"]._lock:
        stats = process.cache.stats()
    assert stats.total.computations == 1


PASSED_ON: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "a pool's worker": (threads._submit, lambda pool: pool.submit(int).result()),
    "a thread of the driver's": (ThreadDriver._spawn, lambda pool: ThreadDriver()._spawn(no_steps, bool)),
}


def no_steps() -> Steps[None]:
    yield from ()


@pytest.mark.parametrize("what", PASSED_ON)
def test_what_is_read_after_an_interruption_as_something_is_started_is_captured(world: World, what: str) -> None:
    process, client = world.process(), answering_client()
    function, start = PASSED_ON[what]
    number = 0

    def computes() -> bool:
        error = interrupted(lambda: start(pool), lambda frame: frame.f_code is function.__code__, number)
        client.get()  # the function goes on without what took too long
        return error is not None

    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        while True:
            was_interrupted, tags = captured(process, computes, key=lambda: number)
            assert tags == shared_of(item()), f"moment {number}"
            if not was_interrupted:
                break
            number += 1
    assert number > 2, "nothing was interrupted"
