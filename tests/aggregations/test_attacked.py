"""What an attack found, and does not find again. The same with a real server: servers/test_attacked.py."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import dis
import pickle
import re
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import FrameType, ModuleType
from typing import Annotated, Any, cast

import fakeredis
import pytest
import redis
import redis.asyncio

from daxlite import Cache
from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache, on_partition
from daxlite.aggregations import driver as driver_module
from daxlite.aggregations.driver import Driver
from daxlite.aggregations.engine import store as store_module
from daxlite.aggregations.engine.get_or_compute import get_or_compute
from daxlite.aggregations.engine.stored_result import StoredResult
from daxlite.aggregations.functions.function import name_of
from daxlite.aggregations.serialization.canonical import canonical
from daxlite.aggregations.serialization.fingerprint import fingerprint
from daxlite.aggregations.serialization.modules import module_of
from daxlite.cache.lock import Lock, Reentered
from daxlite.shared import bus as bus_module
from daxlite.shared.breaker import Breaker
from daxlite.shared.bus import HEARTBEAT, TRUST, Bus, message
from daxlite.shared.connection import AsyncConnection, Connection, Unavailable
from daxlite.shared.tags import shared_tags
from tests.aggregations.scripted import AsyncClient, Client, Clock, Counted, Server, World, elsewhere, scripted_bus
from tests.aggregations.stage import Stage
from tests.aggregations.test_async import Counted as AsyncCounted
from tests.aggregations.test_async import Process as AsyncProcess
from tests.aggregations.test_capture import captured
from tests.aggregations.test_followers import Play
from tests.calls.test_dependencies import item, laboratory
from tests.shared.test_bus import CHANNEL, Room

SECONDS = 5.0
"""How long a test waits for what never takes so long."""


class Limit(BaseException):
    """What a signal handler raises: a time limit, say, or Ctrl-C."""


# What is kept here, and what was changed


@pytest.mark.parametrize("later", range(0, 10, 3))
@pytest.mark.parametrize("turns", range(10))
def test_p7_a_change_that_redis_refused_during_a_computation_is_not_missed_here(
    world: World, turns: int, later: int
) -> None:
    """The stamps are replaced only some time after the change: what looks true to Redis in between is not to be kept
    here, where nobody looks at the stamps again."""
    play = Play(world)
    play.process.bus.listen()
    leader = play.lead()

    def go_on(steps: int) -> None:
        for _ in range(steps):
            if not leader.is_done:
                play.stage.turn(leader)

    go_on(turns)
    play.value += 1
    with world.server.down(redis.exceptions.ReadOnlyError()):
        play.process.cache.invalidate_tags("x")
    assert play.process.cache.stats().pending_invalidations
    go_on(later)
    play.process.cache._outbox.try_again()
    play.stage.run()
    assert not play.process.cache.stats().pending_invalidations
    for _ in range(3):
        asked = play.ask()
        play.stage.run()
        assert asked.result == 2


@pytest.mark.parametrize("is_same_process", [False, True])
def test_a_refresh_is_not_undone_by_a_computation_that_began_before_it(world: World, is_same_process: bool) -> None:
    one = world.process()
    other = one if is_same_process else world.process()
    source = Counted("old")
    function = one.cache.cached(name="f", early_refresh=0)(source)
    same = other.cache.cached(name="f", early_refresh=0)(source)

    def refresh_meanwhile() -> None:
        source.takes = lambda: None
        source.value = "new"  # a change that nobody is told of: what refresh() is for
        with elsewhere():
            refreshed.append(same.refresh())

    refreshed: list[Any] = []
    source.takes = refresh_meanwhile
    assert function() == "old", "his own reading, which nobody could call wrong"
    assert refreshed == ["new"]
    assert [function(), same(), function()] == ["new"] * 3


def test_a_list_that_was_changed_after_the_call_is_not_computed_under_its_old_key(world: World) -> None:
    process = world.process()

    @process.cache.cached(name="f", ttl=1, stale_while_revalidate=60, jitter=0)
    def total(prices: list[int]) -> int:
        return sum(prices)

    basket = [1, 2]
    total(basket)
    world.clock.advance(2)
    assert total(basket) == 3, "served stale, the next one is for the background"
    basket.append(1000)
    assert process.run_background() == 1
    assert not world.server.keys(":lock"), "nobody is to wait for what is not computed"
    assert total([1, 2]) == 3
    assert process.counts.computations == 1
    assert process.run_background() == 1
    assert process.counts.computations == 2, "the one who asked with the list as it was is served"


def test_a_list_that_is_changed_during_the_computation_in_the_background_is_not_kept(world: World) -> None:
    process = world.process()
    basket = [1, 2]
    changes = iter([False, True])

    @process.cache.cached(name="f", ttl=1, stale_while_revalidate=60, jitter=0)
    def total(prices: list[int]) -> int:
        if next(changes, False):
            basket.append(1000)  # as the caller's own thread does, which has gone on
        return sum(prices)

    total(basket)
    world.clock.advance(2)
    total(basket)
    assert process.run_background()
    assert (process.counts.computations, process.counts.stored) == (2, 1)
    assert total([1, 2]) == 3
    assert process.run_background()
    assert process.counts.stored == 2


def test_p5_a_backlog_of_messages_is_no_sign_that_nothing_was_missed() -> None:
    """Who was stopped for a while finds much to read. That he could read some of it says nothing about the rest."""
    room = Room()
    bus: Bus = room.made(Bus)
    with bus._connection.client.pubsub() as subscription:
        bus._ask(subscription.subscribe, CHANNEL)
        assert bus._listen(subscription)
        assert bus.is_heard
        room.clock.advance(TRUST + 10)
        for number in range(20):
            room.server.execute(message(b"somebody", [b"%d" % number], CHANNEL))
        for number in range(20):
            assert bus._listen(subscription)
            assert room.heard[-1] == [b"%d" % number]
            assert not bus.is_heard, "a message says nothing about what is behind it"
        assert bus._listen(subscription), "the answer to the request that was asked when it went on"
        assert bus.is_heard


def test_p5_an_answer_is_as_good_as_the_moment_of_the_question() -> None:
    room = Room()
    bus: Bus = room.made(Bus)
    with bus._connection.client.pubsub() as subscription:
        bus._ask(subscription.subscribe, CHANNEL)
        bus._listen(subscription)
        room.clock.advance(HEARTBEAT)
        room.server.execute(message(b"somebody", [b"before"], CHANNEL))
        bus._listen(subscription)  # asks, and takes what was before
        asked_at = room.clock()
        room.server.execute(message(b"somebody", [b"after"], CHANNEL))
        room.clock.advance(TRUST - 0.1)
        bus._listen(subscription)  # the answer
        assert bus.is_heard
        assert room.heard == [[b"before"]], "what was said after the request is still to be read"
        room.clock.now = asked_at + TRUST
        assert not bus.is_heard


@pytest.mark.parametrize("turns", range(14))
def test_p2_who_comes_after_another_process_changed_it_is_not_given_what_was_before(world: World, turns: int) -> None:
    """Without a near cache nobody hears of changes, so a flight counts for those who came before its last look."""
    process, other, stage = world.process(near_bytes=0), world.process(near_bytes=0), Stage(world.clock)
    source = ["old"]

    def compute() -> Generator[None, None, str]:
        value = source[0]
        yield
        return value

    function: Any = process.cache.cached(name="f", tags=["x"], early_refresh=0, jitter=0.0)(compute)
    leader = stage.asks(process, function._known.request((), {}), "leader")
    stage.run_until(leader, lambda: process.counts.computations == 1)
    for _ in range(turns):
        if not leader.is_done:
            stage.turn(leader)
    source[0] = "new"
    other.cache.invalidate_tags("x")
    follower = stage.asks(process, function._known.request((), {}), "follower")
    stage.turn(follower)
    stage.run()
    assert follower.result == "new"


@pytest.mark.parametrize("near_bytes", [0, 2**20])
def test_a_result_without_the_tag_that_is_asked_for_is_no_hit(world: World, near_bytes: int) -> None:
    """The release before did not know the tag: what it stored would not hear of it."""
    process, source = world.process(near_bytes=near_bytes), Counted("old")
    process.bus.listen()
    for _ in range(3):
        assert process.cache.get_or_compute("k", source, tags=["one"]) == "old"
    assert process.counts.computations == 1
    assert bool(process.counts.near_hits) == bool(near_bytes)
    assert process.cache.get_or_compute("k", source, tags=["one", "two"]) == "old"
    assert process.counts.computations == 2
    process.cache.get_or_compute("k", source, tags=["two"])
    source.value = "new"
    process.cache.invalidate_tags("two")
    assert process.cache.get_or_compute("k", source, tags=["two"]) == "new"


def test_another_release_with_another_tag(world: World) -> None:
    before, after, source = world.process(), world.process(), Counted("old")
    before.cache.cached(name="f")(source)()
    function = after.cache.cached(name="f", tags=["rates"])(source)
    function()
    source.value = "new"
    before.cache.invalidate_tags("rates")
    assert function() == "new"
    by_hand = after.cache.cached(name="f", tags=["rates"], depends_on=["more"])(source)
    by_hand()
    source.value = "newer"
    before.cache.invalidate_tags("more")
    assert by_hand() == "newer"


def test_p1_two_caches_of_one_namespace_in_one_process_hear_each_other_at_once(world: World) -> None:
    """One for threads and one for asyncio, say: a process is to see its own changes, however long the bus takes."""
    one = world.process()
    source = Counted(0)
    client = one.cache._connection.client
    other = AggregationCache(client, "shop", clock=world.clock, wall_clock=world.clock, random=lambda: 0.0)
    bus = scripted_bus(other)
    bus.listen()
    function = other.cached(name="f", tags=["x"], early_refresh=0)(source)
    function()
    for value in range(1, 4):
        function()
        before = other.stats().total.near_hits
        function()
        assert other.stats().total.near_hits == before + 1
        bus.is_deaf = True  # what the bus brings is still on its way
        source.value = value
        one.cache.invalidate_tags("x")
        assert function() == value
        bus.is_deaf = False


# Locks and flights, and what a signal handler raises meanwhile


def interrupted(do: Callable[[], Any], concerns: Callable[[FrameType], bool], number: int) -> BaseException | None:
    """Do it, and raise Limit at the moment of this number of those at which Python lets a signal handler run in a frame
    that is concerned: as a function or a generator goes on, after a call, and where a loop goes round. None if there
    are fewer."""
    left = number
    last: dict[FrameType, str] = {}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if not concerns(frame):
            return trace
        frame.f_trace_opcodes = True
        if event == "call":
            last[frame] = "RESUME"
        elif event == "opcode":
            before, last[frame] = last.get(frame, ""), dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if INTERRUPTIBLE.match(before):
                left -= 1
                if left == -1:
                    last.clear()  # it would keep the frames
                    raise Limit
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        do()
    except Limit as error:
        return error
    finally:
        sys.settrace(before)
    return None


INTERRUPTIBLE = re.compile(r"CALL|RESUME|JUMP_BACKWARD(?!_NO_INTERRUPT)")


def is_of_the_lock(frame: FrameType) -> bool:
    """Whether it enters or leaves a Lock, or is about to, or has just done so."""
    return frame.f_code.co_filename == sys.modules[Lock.__module__].__file__ or frame.f_code.co_name == "enter"


def answers_elsewhere(do: Callable[[], Any]) -> bool:
    """Whether another thread gets through."""
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return not thread.is_alive()


def entry(tag: bytes) -> StoredResult:
    return StoredResult(b"", 0.0, 1e12, 0.0, 0.0, (tag,), (b"stamp",))


NEAR: dict[str, Callable[[Any], Any]] = {
    "get": lambda near: near.get(b"key", ()),
    "put": lambda near: near.put(b"other", entry(b"other"), near.now()),
    "bump": lambda near: near.bump([b"another"]),
    "clear": lambda near: near.clear(),
}


@pytest.mark.parametrize("name", NEAR)
def test_the_near_cache_can_be_used_after_an_interruption_at_any_moment_of_its_lock(world: World, name: str) -> None:
    process = world.process()
    process.bus.listen()
    near = process.cache._near
    assert process.bus.is_heard
    number = 0
    while True:
        near.put(b"key", entry(b"key"), near.now())
        if interrupted(lambda: NEAR[name](near), is_of_the_lock, number) is None:
            break
        assert answers_elsewhere(lambda: near.bump([b"elsewhere"])), f"moment {number} left it locked"
        with near.lock.mutex, near.lock:
            pass  # and this thread is not taken for one that is inside
        number += 1
    assert number > 2, "nothing was interrupted"


CACHE: dict[str, Callable[[Cache], Any]] = {
    "stats": Cache.stats,
    "clear": Cache.clear,
    "invalidate": lambda cache: cache.invalidate("table"),
}


@pytest.mark.parametrize("name", CACHE)
def test_the_item_cache_can_be_used_after_an_interruption_at_any_moment_of_its_lock(name: str) -> None:
    cache, number = Cache(), 0
    while interrupted(lambda: CACHE[name](cache), is_of_the_lock, number) is not None:
        assert answers_elsewhere(cache.stats), f"moment {number} left it locked"
        assert cache.stats().faults == 0
        number += 1
    assert number > 2, "nothing was interrupted"


def test_a_re_entry_is_not_forgotten_when_what_follows_from_it_is_interrupted() -> None:
    """Whoever was turned away counts on it that everything is dropped."""
    number = 0
    while True:
        told: list[int] = []
        lock = Lock(after_reentry=lambda told=told: told.append(1))  # type: ignore[misc]

        def enter_twice(lock: Lock = lock) -> None:
            with lock.mutex, lock, pytest.raises(Reentered), lock.mutex, lock:
                pass

        if interrupted(enter_twice, is_of_the_lock, number) is None:
            assert told
            break
        was_turned_away = lock._was_reentered or bool(told)
        with lock.mutex, lock:
            pass
        if was_turned_away:
            assert told
        number += 1
    assert number > 5


def test_the_lock_can_be_taken_though_the_exception_is_kept() -> None:
    """With its traceback and all frames, as who reports it does."""
    number = 0
    while True:
        lock = Lock(after_reentry=lambda: None)

        def enter(lock: Lock = lock) -> None:
            with lock.mutex, lock:
                pass

        error = interrupted(enter, is_of_the_lock, number)
        if error is None:
            break
        free: list[bool] = []

        def take(lock: Lock = lock, free: list[bool] = free) -> None:
            free.append(lock._mutex.acquire(timeout=0.1))
            if free[0]:
                lock._mutex.release()

        assert answers_elsewhere(take)
        assert free == [True], f"moment {number} left it locked"
        number += 1
    assert number > 4


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a generator that is left has no end
def test_a_flight_lands_at_whatever_moment_its_leader_is_interrupted(world: World) -> None:
    """Else each later caller would wait in vain, as long as anybody ever waits. A lock in Redis ends by itself."""
    number = 0
    while True:
        process = world.process(near_bytes=0)
        function = process.cache.cached(name=f"f{number}", max_wait=50.0, lock_ttl=1.0)(Counted(1))

        def leads(frame: FrameType) -> bool:
            return frame.f_code is get_or_compute.__code__ and frame.f_locals.get("is_leader") is True

        if interrupted(function, leads, number) is None:
            break
        assert len(process.cache._flights) == 0
        began = world.clock()
        assert answers_elsewhere(function), "it waits for a flight that never lands"
        assert world.clock() - began < (2 if number else 0.001)
        number += 1
    assert number > 2


@pytest.mark.parametrize("error", [Limit(), TimeoutError("his own"), ValueError("his own")], ids=repr)
@pytest.mark.parametrize("waits_for", ["a lock", "a flight"])
def test_p7_what_a_signal_handler_raises_while_it_waits_reaches_the_application(
    world: World, monkeypatch: pytest.MonkeyPatch, waits_for: str, error: BaseException
) -> None:
    """It is the application's own, as what its function raises: no fault of daxlite's, and no reason to compute."""
    one, other = world.process(), world.process()
    other.cache._driver = Driver(other.cache._connection, raises=False)
    function, same = Counted(1), Counted(2)

    def be_interrupted(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(driver_module.time, "sleep", be_interrupted)
    monkeypatch.setattr(driver_module, "wait", be_interrupted)

    def come() -> None:
        with elsewhere(), pytest.raises(type(error)) as raised:
            other.cache.cached(name="f")(same)()
        assert raised.value is error

    def come_as_another_thread() -> None:
        other.cache._engine.me = lambda: "another thread"
        with elsewhere(), pytest.raises(type(error)) as raised:
            led()
        assert raised.value is error
        other.cache._engine.me = threading.get_ident

    if waits_for == "a lock":
        function.takes = come
        assert one.cache.cached(name="f")(function)() == 1
    else:
        led = other.cache.cached(name="f")(same)
        same.takes = come_as_another_thread
        assert led() == 2
    assert same.calls == (waits_for == "a flight")
    assert other.cache.stats().faults == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Limit(), RuntimeError("a handler's"), SystemExit()], ids=repr)
@pytest.mark.parametrize("commands", [1, 2])
def test_connections_on_which_a_reply_may_still_come_are_given_up(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, commands: int
) -> None:
    server = Server(Clock())
    client = Client(server)
    given_up: list[bool] = []
    monkeypatch.setattr(client.connection_pool, "disconnect", lambda: given_up.append(True))
    connection = Connection(client, Breaker(server.clock))
    asks: list[Callable[[], Any]] = [
        lambda: connection.get(["a", "b"][:commands]),
        lambda: connection.run([("GET", "a"), ("GET", "b")][:commands]),
    ]
    for number, ask in enumerate(asks):
        with server.down(error), pytest.raises(type(error)):
            ask()
        assert len(given_up) == number + 1
        ask()
        with server.down(redis.exceptions.ReadOnlyError()), pytest.raises(Unavailable):
            ask()  # redis-py has seen to its connection
        assert len(given_up) == number + 1


def test_connections_to_all_nodes_of_a_cluster_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up: list[bool] = []

    class OfACluster:
        """Has no pool of its own, but one for each node."""

        def execute_command(self, *command: Any) -> None:
            raise Limit

        def disconnect_connection_pools(self) -> None:
            given_up.append(True)

    connection = Connection(cast(Any, OfACluster()), Breaker(Clock()))
    with pytest.raises(Limit):
        connection.run([("GET", "a")])
    assert given_up


def test_stats_can_be_asked_for_within_the_lock(world: World) -> None:
    """As a signal handler that reports them does, or a finaliser."""
    process = world.process()
    process.cache.get_or_compute("k", lambda: 1)
    with process.cache._near.lock.mutex, process.cache._near.lock, process.cache._counters["get_or_compute"]._lock:
        stats = process.cache.stats()
    assert stats.total.computations == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_thread_of_the_bus_survives_what_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(bus_module, "MAX_PAUSE", 0.001)
    room, wanted, faults = Room(), threading.Event(), []
    bus: Bus = room.made(Bus)
    bus.fault = faults.append
    errors: Iterator[Any] = iter([AttributeError("'NoneType' object has no attribute 'recv'"), KeyError("x"), None])
    room.server.failing = lambda command: next(errors, None)

    def hear(tags: Any) -> None:
        wanted.set()

    bus.heard = hear
    bus.listen()
    thread = bus._thread
    assert thread is not None
    for _ in range(1000):
        if wanted.wait(0.01):
            break
        if room.server.subscriptions:
            room.server.execute(message(b"somebody", [b"tag"], CHANNEL))
    assert wanted.is_set()
    assert [type(error) for error in faults] == [AttributeError, KeyError]
    assert thread is bus._thread
    bus.close()


@pytest.mark.faults_expected
def test_a_fault_of_the_bus_is_counted(world: World) -> None:
    cache = world.process().cache
    cache._bus.fault(AttributeError())
    assert cache.stats().faults == 1


# Threads and tasks


def test_an_abandoned_flight_is_flown_by_another_one_and_not_by_all(world: World) -> None:
    """One request that is cancelled, because its client hung up, is no reason for a hundred computations."""

    async def main() -> None:
        async with AsyncProcess(world) as process:
            source, go = AsyncCounted(7), asyncio.Event()
            source.takes = go.wait
            function = process.cache.cached(name="f")(source.function())
            leader = asyncio.create_task(function())
            while not source.calls:
                await asyncio.sleep(0)
            others = [asyncio.create_task(function()) for _ in range(100)]
            for _ in range(20):
                await asyncio.sleep(0)
            leader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leader
            for _ in range(20):
                await asyncio.sleep(0)
            go.set()
            assert await asyncio.gather(*others) == [7] * 100
            assert source.calls == 2
            assert not world.server.keys(":lock")

    asyncio.run(main())


def test_a_refresh_that_is_cancelled_before_its_first_step_can_be_made_later(world: World) -> None:
    async def main() -> None:
        async with AsyncProcess(world, near_bytes=0) as process:
            source = AsyncCounted(1)
            function = process.cache.cached(name="f", ttl=10, stale_while_revalidate=600, jitter=0.0, early_refresh=0)(
                source.function()
            )
            await function()
            world.clock.advance(20)
            source.value = 2
            assert await function() == 1
            assert process.driver._tasks
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()  # as code that shuts down does
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not process.cache._engine.refreshing
            assert source.calls == 1, "it was to have no time to begin"
            world.clock.advance(20)  # its lock ends
            assert await function() == 1
            for _ in range(20):
                await asyncio.sleep(0)
            assert await function() == 2

    asyncio.run(main())


def test_a_thread_that_cannot_be_started_leaves_nothing_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the end of a program, or where there are too many."""
    process = world.process()
    source = Counted(1)
    function = process.cache.cached(name="f", ttl=10, stale_while_revalidate=600, jitter=0.0, early_refresh=0)(source)
    function()
    world.clock.advance(20)
    spawn = process.driver._spawn

    def refuse(*arguments: Any) -> Any:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(process.driver, "_spawn", refuse)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process.cache._faults, "note", lambda error: None)
        assert function() == 1
    assert not process.cache._engine.refreshing
    monkeypatch.setattr(process.driver, "_spawn", spawn)


def test_each_event_loop_has_one_client(world: World) -> None:
    made: list[AsyncClient] = []

    def connect() -> AsyncClient:
        made.append(AsyncClient(world.server))
        return made[-1]

    connection = AsyncConnection(cast(Any, connect()), Breaker(world.clock), connect)
    loops = [asyncio.new_event_loop() for _ in range(2)]

    async def client() -> Any:
        return connection.client

    used = [[loop.run_until_complete(client()) for loop in loops] for _ in range(5)]
    assert all(one is used[0][0] for one, _ in used)
    assert all(other is used[0][1] for _, other in used)
    assert used[0][0] is not used[0][1]
    assert len(made) == 2
    for loop in loops:
        loop.close()


def test_nobody_waits_twice_for_a_result_that_cannot_be_stored(world: World) -> None:
    one, other = world.process(), world.process()
    source = Counted(object())
    same = Counted(object())
    function, elsewhere_too = one.cache.cached(name="f")(source), other.cache.cached(name="f")(same)
    elsewhere_too()

    def come() -> None:
        source.takes = lambda: None
        with elsewhere():
            assert elsewhere_too() is same.value
        assert world.clock() == began

    source.takes = come
    began = world.clock()
    assert function() is source.value
    assert same.calls == 2
    source.value = same.value = 5
    assert function() == 5
    assert one.counts.stored == 1, "it is stored once it can be"
    assert not one.cache._engine.unstorable_keys
    assert function() == 5
    assert one.counts.computations == 2


# Captured reads


POOLED: dict[str, Callable[[ThreadPool, Callable[..., Any]], Any]] = {
    "map": lambda pool, read: pool.map(read, [0]),
    "map_async": lambda pool, read: pool.map_async(read, [0]).get(SECONDS),
    "starmap": lambda pool, read: pool.starmap(read, [(0,)]),
    "apply": lambda pool, read: pool.apply(read, (0,)),
    "apply_async": lambda pool, read: pool.apply_async(read, (0,)).get(SECONDS),
    "imap": lambda pool, read: list(pool.imap(read, [0])),
    "imap_unordered": lambda pool, read: list(pool.imap_unordered(read, [0])),
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
    lab = laboratory()
    _, tags = captured(world.process(), lambda: POOLED[way](thread_pool, lambda _: lab.get() and None) and None)
    assert tags == set(shared_tags(item()))


def test_a_pool_that_one_computation_made_reads_for_the_next_one_too(world: World) -> None:
    lab, process, pools = laboratory(), world.process(), []

    def read() -> None:
        if not pools:
            pools.append(ThreadPool(1))
        pools[0].map(lambda _: lab.get() and None, [0])

    captured(process, read, version=1)
    _, tags = captured(process, read, version=2)
    assert tags == set(shared_tags(item()))
    pools[0].close()
    pools[0].join()


def test_without_capture_a_result_does_not_depend_on_those_it_is_computed_from(world: World) -> None:
    process, source, calls = world.process(), Counted(1), {"outer": 0, "peeking": 0}
    inner = process.cache.cached(name="inner", tags=["inner"])(source)

    @process.cache.cached(name="outer", capture=False)
    def outer() -> Any:
        calls["outer"] += 1
        return inner()

    @process.cache.cached(name="peeking", capture=False)
    def peeking() -> Any:
        calls["peeking"] += 1
        return process.cache.peek("nothing")

    outer()
    source.value = 2
    process.cache.invalidate_tags("inner")
    assert outer() == 1
    for _ in range(3):
        peeking()
    assert calls == {"outer": 1, "peeking": 1}
    assert process.counts.discarded == 0


def test_a_result_of_asyncio_that_is_computed_from_one_of_threads_is_stored(world: World) -> None:
    """One namespace of one server is one, whichever way it is asked."""
    threads = world.process()
    source = Counted(1)
    inner = threads.cache.cached(name="inner", tags=["inner"])(source)
    calls: list[int] = []

    async def main() -> None:
        cache = AsyncAggregationCache(
            AsyncClient(world.server),
            "shop",
            sync_client=threads.cache._connection.client,
            clock=world.clock,
            wall_clock=world.clock,
        )
        scripted_bus(cache)

        @cache.cached(name="outer")
        async def outer() -> Any:
            calls.append(1)
            return inner()

        for _ in range(3):
            assert await outer() == 1
        assert len(calls) == 1
        source.value = 2
        threads.cache.invalidate_tags("inner")
        assert await outer() == 2
        await cache.close()

    asyncio.run(main())


# Functions, methods, names


def test_of_a_method_the_object_is_the_first_argument_of_everything(world: World) -> None:
    process, calls = world.process(), []

    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name

        @process.cache.cached(key=lambda self, day="today": (self.name, day))
        def revenue(self, day: str = "today") -> int:
            calls.append((self.name, day))
            return len(calls)

    one, other = Shop("one"), Shop("other")
    assert [one.revenue("monday"), one.revenue(), other.revenue("monday")] == [1, 2, 3]
    one.revenue.invalidate("monday")
    assert one.revenue.peek("monday") is None
    assert [one.revenue.peek(), other.revenue.peek(day="monday")] == [2, 3], "it was one result, and no other"
    assert one.revenue("monday") == 4
    assert other.revenue.refresh("monday") == 5
    assert [other.revenue("monday"), one.revenue("monday"), Shop.revenue(one, "monday")] == [5, 4, 4]
    assert one.revenue.__name__ == "revenue"
    assert one.revenue.__self__ is one
    one.revenue.clear()
    assert [one.revenue.peek(), other.revenue.peek("monday")] == [None, None]


def test_of_a_coroutine_method_too(world: World) -> None:
    async def main() -> None:
        async with AsyncProcess(world) as process:
            calls = []

            class Shop:
                @process.cache.cached(key=lambda self, day="today": day)
                async def revenue(self, day: str = "today") -> int:
                    calls.append(day)
                    return len(calls)

            shop = Shop()
            assert [await shop.revenue("monday"), await shop.revenue()] == [1, 2]
            await shop.revenue.invalidate("monday")
            assert [await shop.revenue.peek("monday"), await shop.revenue.peek()] == [None, 2]
            assert await shop.revenue.refresh("monday") == 3
            assert await shop.revenue("monday") == await Shop.revenue(shop, "monday") == 3
            await shop.revenue.clear()
            assert await shop.revenue.peek() is None

    asyncio.run(main())


def doubled(number: int) -> int:
    return 2 * number


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    def prefixed(self, text: str) -> str:
        return self.name + text


def test_a_cached_function_is_pickled_and_copied_as_a_function_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name, so that a pool of processes can be given it."""
    cached = world.process().cache.cached
    monkeypatch.setattr(sys.modules[__name__], "doubled", cached()(doubled))
    monkeypatch.setattr(Shop, "prefixed", cached(key=lambda self, text: (self.name, text))(Shop.prefixed))
    for function in (doubled, Shop.prefixed):
        assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301
        assert copy.copy(function) is copy.deepcopy(function) is function
    assert copy.deepcopy({"f": doubled})["f"](2) == 4
    bound = pickle.loads(pickle.dumps(Shop("a").prefixed))  # noqa: S301
    assert bound("b") == copy.deepcopy(Shop("a").prefixed)("b") == "ab"


def test_an_async_function_is_pickled_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with AsyncProcess(world) as process:

            async def tripled(number: int) -> int:
                return 3 * number

            tripled.__qualname__ = "tripled"
            function = process.cache.cached()(tripled)
            monkeypatch.setattr(sys.modules[__name__], "tripled", function, raising=False)
            assert pickle.loads(pickle.dumps(function)) is copy.deepcopy(function) is function  # noqa: S301

    asyncio.run(main())


@pytest.mark.parametrize("is_run_as_a_module", [False, True])
def test_what_a_program_defines_is_called_the_same_in_all_of_its_processes(
    monkeypatch: pytest.MonkeyPatch, is_run_as_a_module: bool
) -> None:
    """`__main__` where it is started, `__mp_main__` in what multiprocessing starts, `report` where it is imported."""
    for name in ("__main__", "__mp_main__", "report"):
        module = ModuleType(name)
        module.__file__ = "/srv/report.py"
        module.__spec__ = cast(
            Any, dataclasses.make_dataclass("Spec", ["name"])("report") if is_run_as_a_module else None
        )
        monkeypatch.setitem(sys.modules, name, module)
    if is_run_as_a_module:
        for name in ("__main__", "__mp_main__"):
            sys.modules[name].__file__ = "/srv/somewhere_else.py"
    fingerprints, keys, names = set(), set(), set()
    for name in ("__main__", "__mp_main__", "report"):
        total = dataclasses.make_dataclass("Total", [("n", int)], namespace={"__module__": name})

        def function() -> None: ...

        function.__module__ = name
        assert module_of(total) == "report"
        fingerprints.add(fingerprint(list[total]))  # type: ignore[valid-type]
        keys.add(canonical({"total": total(1)}))
        names.add(name_of(function))
    assert (len(fingerprints), len(keys), len(names)) == (1, 1, 1)


def test_as_many_tags_are_remembered_as_hints_as_is_allowed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys may have 256 tags each: a bound on the keys would bound nothing."""
    monkeypatch.setattr(store_module, "MAX_HINTS", 1000)
    store = world.process().cache._engine.store
    tags = tuple(b"%d" % number for number in range(256))
    for number in range(100):
        store._remember(b"%d" % number, tags)
        assert store.hint(b"%d" % number) == tags
        assert sum(len(hint.tags) + 1 for hint in store._hints.values()) <= 1000 + 257


# What is wrong is said at once, and in words


async def coroutine_function() -> int:
    return 1


@pytest.fixture
def cache() -> Iterator[AggregationCache]:
    with closing(AggregationCache(fakeredis.FakeRedis(), "shop")) as made:
        yield made


def named(cache: AggregationCache, **settings: Any) -> Any:
    return cache.cached(**{"name": "f", **settings})


WRONG: dict[str, tuple[Callable[[AggregationCache], Any], type[Exception], str]] = {
    "a list of tags": (
        lambda cache: cache.invalidate_tags(cast(Any, ["orders"])),
        TypeError,
        r"\['orders'\] is no tag",
    ),
    "no tag": (lambda cache: cache.invalidate_tags(cast(Any, None)), TypeError, "None is no tag"),
    "a number as tag": (lambda cache: cache.invalidate_tags(cast(Any, 5)), TypeError, "5 is no tag"),
    "an empty tag": (lambda cache: cache.invalidate_tags(""), TypeError, "'' is no tag.*not empty"),
    "a bad one among tags": (lambda cache: cache.invalidate_tags("a", cast(Any, b"b")), TypeError, "b'b' is no tag"),
    "tags=None": (lambda cache: cache.get_or_compute("k", int, tags=cast(Any, None)), TypeError, "tags is None.*list"),
    "tags as text": (lambda cache: named(cache, tags="orders")(doubled), TypeError, "tags is 'orders'.*list"),
    "an empty tag of a function": (lambda cache: named(cache, tags=[""])(doubled), TypeError, "'' is no tag"),
    "depends_on=5": (lambda cache: named(cache, depends_on=5)(doubled), TypeError, "depends_on is 5.*list"),
    "depends_on a text": (lambda cache: named(cache, depends_on="x")(doubled), TypeError, "depends_on is 'x'.*list"),
    "depends_on of numbers": (lambda cache: named(cache, depends_on=[5])(doubled), TypeError, "5 is no dependency"),
    "key='day'": (lambda cache: named(cache, key="day")(doubled), TypeError, "key is 'day'.*function"),
    "name=5": (lambda cache: named(cache, name=5)(doubled), TypeError, "name is 5.*string"),
    "an empty name": (lambda cache: named(cache, name="")(doubled), TypeError, "name is ''.*not empty"),
    "version=1.5": (lambda cache: named(cache, version=1.5)(doubled), TypeError, "version is 1.5"),
    "returns as text": (lambda cache: named(cache, returns="int")(doubled), TypeError, "returns is 'int'.*type"),
    "no function": (lambda cache: named(cache)(5), TypeError, "5 is no function"),
    "a coroutine function": (
        lambda cache: named(cache)(coroutine_function),
        TypeError,
        "coroutine function.*AsyncAggregationCache",
    ),
    "compute=5": (lambda cache: cache.get_or_compute("k", cast(Any, 5)), TypeError, "compute is 5.*function"),
    "compute is a coroutine function": (
        lambda cache: cache.get_or_compute("k", coroutine_function),
        TypeError,
        "coroutine function.*AsyncAggregationCache",
    ),
    "without parentheses": (lambda cache: cache.cached(cast(Any, doubled)), TypeError, "parentheses"),
    "an unknown option": (lambda cache: named(cache, foo=1), TypeError, "foo"),
    "ttl as text": (lambda cache: cache.cached(ttl=cast(Any, "5")), ValueError, "ttl is '5'.*seconds"),
    "ttl=nan": (lambda cache: cache.cached(ttl=float("nan")), ValueError, "ttl is nan.*seconds"),
    "ttl=True": (lambda cache: cache.cached(ttl=True), ValueError, "ttl is True.*seconds"),
    "a partition with a sort key": (
        lambda cache: on_partition("T", {"pk": "a", "sk": "b"}),
        ValueError,
        r"\['pk', 'sk'\].*one partition key",
    ),
    "an index without a name": (lambda cache: on_partition("T", {"pk": "a"}, index=""), TypeError, "index is ''"),
    "the ttl of a config": (lambda cache: AggregationConfig(ttl=cast(Any, "x")), ValueError, "ttl is 'x'"),
    "encryption_keys=5": (lambda cache: AggregationConfig(encryption_keys=cast(Any, 5)), TypeError, "encryption_keys"),
    "compress_above as text": (
        lambda cache: AggregationConfig(compress_above=cast(Any, "x")),
        ValueError,
        "compress_above is 'x'",
    ),
    "a config that is none": (
        lambda cache: AggregationCache(fakeredis.FakeRedis(), "shop", cast(Any, {"ttl": 5})),
        TypeError,
        "config is .*AggregationConfig",
    ),
    "a url that decodes": (
        lambda cache: AggregationCache("redis://localhost/0?decode_responses=True", "shop"),
        ValueError,
        "decode_responses",
    ),
    "a url and a client": (
        lambda cache: AsyncAggregationCache("redis://localhost/0", "shop", sync_client=fakeredis.FakeRedis()),
        TypeError,
        "sync_client",
    ),
    "no client beside it": (
        lambda cache: AsyncAggregationCache(redis.asyncio.Redis(), "shop"),
        TypeError,
        "give also sync_client",
    ),
    "no server for asyncio": (
        lambda cache: AsyncAggregationCache(cast(Any, None), "shop", sync_client=fakeredis.FakeRedis()),
        TypeError,
        "server is NoneType.*redis.asyncio.Redis",
    ),
    "no server for asyncio and nothing else": (
        lambda cache: AsyncAggregationCache(cast(Any, None), "shop"),
        TypeError,
        "server is NoneType",
    ),
    "a client of threads for asyncio": (
        lambda cache: AsyncAggregationCache(cast(Any, redis.Redis()), "shop"),
        TypeError,
        "server is Redis.*redis.asyncio.Redis",
    ),
    "a client of asyncio for threads": (
        lambda cache: AggregationCache(cast(Any, redis.asyncio.Redis()), "shop"),
        TypeError,
        "AsyncAggregationCache",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_where_it_is_written(cache: AggregationCache, what: str) -> None:
    do, error, text = WRONG[what]
    with pytest.raises(error, match=text):
        do(cache)


def test_what_is_wrong_is_said_on_a_hit_too(cache: AggregationCache) -> None:
    """Not first on the day on which there is none."""
    cache.get_or_compute("k", lambda: 1)
    with pytest.raises(TypeError, match="compute is 5"):
        cache.get_or_compute("k", cast(Any, 5))


def test_a_tag_that_was_refused_leaves_everything_as_it_is(cache: AggregationCache) -> None:
    cache.get_or_compute("k", lambda: "old", tags=["orders", "x"])
    with pytest.raises(TypeError):
        cache.invalidate_tags("orders", cast(Any, ["x"]))
    assert cache.get_or_compute("k", lambda: "new", tags=["orders", "x"]) == "old"


def test_a_type_that_cannot_be_hashed_is_a_type(cache: AggregationCache) -> None:
    assert cache.get_or_compute("k", lambda: 1, returns=Annotated[int, []]) == 1
    assert cache.get_or_compute("k", lambda: 2, returns=Annotated[int, []]) == 1


def test_the_file_of_a_program_is_its_name() -> None:
    assert module_of(Path) == Path.__module__
