"""The bus: what others changed is heard, and nobody is believed who may not have heard everything."""

import threading
from collections.abc import Collection
from typing import Any

import pytest
import redis

from daxlite.core.encoding import encode
from daxlite.shared import bus as bus_module
from daxlite.shared.breaker import Breaker
from daxlite.shared.bus import HEARTBEAT, TRUST, Bus, message
from daxlite.shared.connection import Connection
from daxlite.shared.tags import EVERYTHING
from tests.aggregations.scripted import Client, Clock, ScriptedBus, Server

CHANNEL = "changes"


class Room:
    """A server, and a bus that reads when it is asked."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.server = Server(self.clock)
        self.heard: list[list[bytes]] = []
        self.bus: ScriptedBus = self.made(ScriptedBus)

    def made(self, kind: Any) -> Any:
        connection = Connection(Client(self.server), Breaker(self.clock))
        made = kind(connection, CHANNEL, self.clock, self.clock)
        made.heard = self.hear
        return made

    def hear(self, tags: Collection[bytes]) -> None:
        self.heard.append(list(tags))

    def say(self, data: bytes | tuple[Any, ...]) -> None:
        command = data if isinstance(data, tuple) else ("PUBLISH", CHANNEL, data)
        self.server.execute(command)
        self.bus.pump()


@pytest.fixture
def room() -> Room:
    return Room()


def test_before_it_listens_nothing_is_believed(room: Room) -> None:
    assert not room.bus.is_heard
    assert room.bus.epoch == 0
    room.bus.listen()
    assert room.bus.is_heard
    assert room.bus.epoch == 1


def test_what_others_change_is_heard_and_what_it_says_itself_is_not(room: Room) -> None:
    room.bus.listen()
    room.say(message(b"somebody", [b"one", b"two"], CHANNEL))
    room.say(message(room.bus.origin, [b"own"], CHANNEL))
    room.say(message(b"somebody", [b"other"], "another channel"))
    assert room.heard == [[b"one", b"two"]]


@pytest.mark.parametrize("data", [b"", b"text", encode(5), encode((b"a",)), encode((b"a", "b")), encode(("a", [1]))])
def test_a_message_that_nobody_understands_may_mean_anything(room: Room, data: bytes) -> None:
    room.bus.listen()
    room.say(data)
    assert room.heard == [[EVERYTHING]]


def test_a_sign_of_life_is_good_for_a_moment(room: Room) -> None:
    room.bus.listen()
    assert room.bus.is_heard
    room.bus.is_deaf = True
    room.clock.advance(TRUST - 0.1)
    assert room.bus.is_heard
    room.clock.advance(0.1)
    assert not room.bus.is_heard


def test_a_clock_that_stood_still_is_noticed_by_the_other_one() -> None:
    """A machine that is frozen and thawed finds its monotonic clock where it was."""
    clock, wall, server = Clock(), Clock(), Server(Clock())
    bus = ScriptedBus(Connection(Client(server), Breaker(clock)), CHANNEL, clock, wall)
    bus.listen()
    assert bus.is_heard
    bus.is_deaf = True
    wall.advance(3600)
    assert not bus.is_heard


def test_a_silent_server_is_asked_for_a_sign_of_life_now_and_then() -> None:
    room = Room()
    bus: Bus = room.made(Bus)
    with room.bus._connection.client.pubsub() as subscription:
        bus._ask(subscription.subscribe, CHANNEL)
        for _ in range(100):
            bus._listen(subscription)
            room.clock.advance(HEARTBEAT / 10)
            assert bus.is_heard
    assert 5 <= room.server.take().count("PING") <= 15


def test_no_sign_of_life_ends_the_connection() -> None:
    room = Room()
    bus: Bus = room.made(Bus)
    with room.bus._connection.client.pubsub() as subscription:
        bus._ask(subscription.subscribe, CHANNEL)
        bus._listen(subscription)
        subscription.is_deaf = True
        bus._listen(subscription)
        room.clock.advance(TRUST)
        with pytest.raises(TimeoutError):
            bus._listen(subscription)


def test_each_time_that_it_begins_to_listen_is_another_epoch(room: Room) -> None:
    for epoch in (1, 2, 3):
        room.bus.listen()
        assert room.bus.is_heard
        assert room.bus.epoch == epoch
        room.bus.lose()
        assert not room.bus.is_heard


def test_two_processes_have_two_names(room: Room) -> None:
    before = room.bus.origin
    room.bus.begin()
    assert room.bus.origin != before


# With its own thread


def test_its_thread_listens_reconnects_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "FIRST_PAUSE", 0.001)
    room, is_up, wanted = Room(), threading.Event(), threading.Event()
    bus: Bus = room.made(Bus)
    attempts = 0

    def fail(command: tuple[Any, ...]) -> BaseException | None:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            return redis.ConnectionError("down") if attempts % 2 else OSError("down")
        is_up.set()
        return None

    def hear(tags: Collection[bytes]) -> None:
        room.heard.append(list(tags))
        wanted.set()

    room.server.failing = fail
    bus.heard = hear
    assert threading.active_count() == 1 or bus._thread is None, "not before somebody wants to know"
    bus.listen()
    bus.listen()
    assert is_up.wait(10)
    while not wanted.wait(0.01):  # it may not have subscribed yet
        room.server.execute(message(b"somebody", [b"tag"], CHANNEL))
    assert room.heard[0] == [b"tag"]
    assert bus.is_heard
    thread = bus._thread
    assert thread is not None
    assert thread.daemon
    bus.close()
    assert not thread.is_alive()
    assert not bus.is_heard
    bus.listen()
    assert bus._thread is None, "closed is closed"
    bus.close()
