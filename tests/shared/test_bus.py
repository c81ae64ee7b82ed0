"""The bus: changes of other processes are heard, and a process that may have missed one does not trust its memory."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import redis
import redis.asyncio

from daxlite.core.encoding import encode
from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.core.extents import Extent
from daxlite.shared import bus as bus_module
from daxlite.shared.breaker import Breaker
from daxlite.shared.bus import HEARTBEAT, LEASE, Bus, Line, message
from daxlite.shared.connection import Connection
from daxlite.shared.tags import EVERYTHING, everything_of
from tests.aggregations.scripted import (
    Client,
    Clock,
    ScriptedBus,
    Server,
)

CHANNEL = "changes:a"
CHANNELS = "changes:*"


class BusBench:
    """A server, and a bus that reads when it is asked."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.server = Server(self.clock)
        self.heard: list[list[bytes]] = []
        self.bus: ScriptedBus = self.made(ScriptedBus)

    def made(self, kind: Any) -> Any:
        connection = Connection(Client(self.server), Breaker(self.clock))
        made = kind(connection, CHANNELS, self.clock, self.clock)
        made.on_change = self.hear
        return made

    def hear(self, changed: Mapping[bytes, Extent]) -> None:
        self.heard.append(list(changed))

    def say(self, data: bytes, channel: str = CHANNEL) -> None:
        self.server.execute(("PUBLISH", channel, data))
        self.bus.pump()

    @contextmanager
    def listening(self) -> Iterator[tuple[Bus, Line, Any]]:
        """A bus whose line the test polls."""
        bus: Bus = self.made(Bus)
        (subscription,) = bus._connection.clients.subscriptions(bus._connection.clients.servers())
        with subscription:
            bus._subscribe([subscription])
            yield bus, bus._lines[0], subscription


def told(*tags: bytes) -> bytes:
    return message(everything_of(tags))


@pytest.fixture
def bench() -> BusBench:
    return BusBench()


def test_before_it_listens_nothing_is_believed(bench: BusBench) -> None:
    assert not bench.bus.is_listening
    assert bench.bus.epoch == 0
    bench.bus.listen()
    assert bench.bus.is_listening
    assert bench.bus.epoch == 1


def test_what_is_said_on_the_channel_is_heard(bench: BusBench) -> None:
    bench.bus.listen()
    bench.say(told(b"one", b"two"))
    bench.say(told(b"other"), "another channel")
    assert bench.heard == [[b"one", b"two"]]


def test_a_tag_that_is_named_twice_changed_in_both_extents(bench: BusBench) -> None:
    """A later release may name one for the old and one for the new image."""
    bench.bus.listen()
    changes: list[Mapping[bytes, Extent]] = []
    bench.bus.on_change = changes.append
    bench.say(encode([(b"one", b"S1", b"S2"), (b"other", b"", b"\xff"), (b"one", b"S5", b"S6")]))
    assert changes == [{b"one": Extent(b"S1", b"S6"), b"other": EVERY_EXTENT}]


@pytest.mark.parametrize("data", [b"", b"text", encode(5), encode((b"a", "b")), encode((b"a", [b"b"])), encode([1])])
def test_a_message_of_an_unknown_format_may_mean_anything(bench: BusBench, data: bytes) -> None:
    bench.bus.listen()
    bench.say(data)
    assert bench.heard == [[EVERYTHING]]


def test_a_sign_of_life_is_good_for_a_moment(bench: BusBench) -> None:
    bench.bus.listen()
    assert bench.bus.is_listening
    bench.bus.is_deaf = True
    bench.clock.advance(LEASE - 0.1)
    assert bench.bus.is_listening
    bench.clock.advance(0.1)
    assert not bench.bus.is_listening


def test_a_clock_that_stood_still_is_noticed_by_the_other_one() -> None:
    """A machine that is frozen and thawed finds its monotonic clock where it was."""
    clock, wall, server = Clock(), Clock(), Server(Clock())
    bus = ScriptedBus(Connection(Client(server), Breaker(clock)), CHANNELS, clock, wall)
    bus.listen()
    assert bus.is_listening
    bus.is_deaf = True
    wall.advance(3600)
    assert not bus.is_listening


def test_a_wall_clock_that_was_set_back_is_noticed_by_the_other_one() -> None:
    clock, wall, server = Clock(), Clock(), Server(Clock())
    bus = ScriptedBus(Connection(Client(server), Breaker(clock)), CHANNELS, clock, wall)
    bus.listen()
    assert bus.is_listening
    bus.is_deaf = True
    clock.advance(LEASE)
    assert not bus.is_listening


def test_a_silent_server_is_asked_for_a_sign_of_life_now_and_then() -> None:
    bench = BusBench()
    with bench.listening() as (bus, line, _):
        for _ in range(100):
            bus._poll(line, 0.0)
            bench.clock.advance(HEARTBEAT / 10)
            assert bus.is_listening
    assert 5 <= bench.server.take().count("PING") <= 15


def test_no_sign_of_life_ends_the_connection() -> None:
    bench = BusBench()
    with bench.listening() as (bus, line, subscription):
        bus._poll(line, 0.0)
        subscription.is_deaf = True
        bus._poll(line, 0.0)
        bench.clock.advance(LEASE)
        with pytest.raises(TimeoutError):
            bus._poll(line, 0.0)


def test_each_time_that_it_begins_to_listen_is_another_epoch(bench: BusBench) -> None:
    for epoch in (1, 2, 3):
        bench.bus.listen()
        assert bench.bus.is_listening
        assert bench.bus.epoch == epoch
        bench.bus.lose()
        assert not bench.bus.is_listening


# With its own thread


def test_its_thread_listens_reconnects_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "FIRST_PAUSE", 0.001)
    bench, is_up, wanted = BusBench(), threading.Event(), threading.Event()
    bus: Bus = bench.made(Bus)
    attempts = 0

    def fail(command: tuple[Any, ...]) -> BaseException | None:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            return redis.ConnectionError("down") if attempts % 2 else OSError("down")
        is_up.set()
        return None

    def hear(changed: Mapping[bytes, Extent]) -> None:
        bench.heard.append(list(changed))
        wanted.set()

    bench.server.failing = fail
    bus.on_change = hear
    assert threading.active_count() == 1 or bus._thread is None, "not before the first call"
    bus.listen()
    bus.listen()
    assert is_up.wait(10)
    while not wanted.wait(0.01):  # it may not have subscribed yet
        bench.server.execute(("PUBLISH", CHANNEL, told(b"tag")))
    assert bench.heard[0] == [b"tag"]
    assert bus.is_listening
    thread = bus._thread
    assert thread is not None
    assert thread.daemon
    bus.close()
    assert not thread.is_alive()
    assert not bus.is_listening
    bus.listen()
    assert bus._thread is None, "closed is closed"
    bus.close()


def test_p5_a_backlog_of_messages_is_no_sign_that_nothing_was_missed() -> None:
    """A process that was stopped for a while finds much to read. That it read some says nothing about the rest."""
    bench = BusBench()
    with bench.listening() as (bus, line, _):
        assert bus._poll(line, 0.0)
        assert bus.is_listening
        bench.clock.advance(LEASE + 10)
        for number in range(20):
            bench.server.execute(("PUBLISH", CHANNEL, told(b"%d" % number)))
        for number in range(20):
            assert bus._poll(line, 0.0)
            assert bench.heard[-1] == [b"%d" % number]
            assert not bus.is_listening, "a message says nothing about what is behind it"
        assert bus._poll(line, 0.0), "the answer to the request that was asked when it went on"
        assert bus.is_listening


def test_p5_an_answer_is_as_good_as_the_moment_of_the_question() -> None:
    bench = BusBench()
    with bench.listening() as (bus, line, _):
        bus._poll(line, 0.0)
        bench.clock.advance(HEARTBEAT)
        bench.server.execute(("PUBLISH", CHANNEL, told(b"before")))
        bus._poll(line, 0.0)  # asks, and takes what was before
        asked_at = bench.clock()
        bench.server.execute(("PUBLISH", CHANNEL, told(b"after")))
        bench.clock.advance(LEASE - 0.1)
        bus._poll(line, 0.0)  # the answer
        assert bus.is_listening
        assert bench.heard == [[b"before"]], "what was said after the request is still to be read"
        bench.clock.now = asked_at + LEASE
        assert not bus.is_listening


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_thread_of_the_bus_survives_unexpected_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(bus_module, "MAX_PAUSE", 0.001)
    bench, wanted, faults = BusBench(), threading.Event(), []
    bus: Bus = bench.made(Bus)
    bus.on_fault = faults.append
    errors: Iterator[Any] = iter([AttributeError("'NoneType' object has no attribute 'recv'"), KeyError("x"), None])
    bench.server.failing = lambda command: next(errors, None)

    def hear(tags: Any) -> None:
        wanted.set()

    bus.on_change = hear
    bus.listen()
    thread = bus._thread
    assert thread is not None
    for _ in range(1000):
        if wanted.wait(0.01):
            break
        if bench.server.subscriptions:
            bench.server.execute(("PUBLISH", CHANNEL, told(b"tag")))
    assert wanted.is_set()
    assert [type(error) for error in faults] == [AttributeError, KeyError]
    assert thread is bus._thread
    bus.close()
