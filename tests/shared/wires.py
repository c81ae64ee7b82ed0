"""Servers of few words for lines: each answers at once, in order, and publishes when a test says so."""

from collections import deque
from collections.abc import Callable
from typing import Any

import redis

from daxlite.core.extents import EVERYTHING
from daxlite.shared.breaker import Breaker
from daxlite.shared.hearing import Hearing
from daxlite.shared.keyspace import Keyspace
from daxlite.shared.line import Wire
from daxlite.shared.messages import Message, encode_message
from daxlite.shared.tags import EVERY_TABLE, SIZE

TABLE = b"table 01"
OTHER = b"table 02"
KEYSPACE = Keyspace("shop")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class ScriptedServer:
    """One server."""

    def __init__(self, name: str = "node") -> None:
        self.name = name
        self.wires: list[ScriptedWire] = []
        self.asked: list[tuple[str, ...]] = []
        self.role = b"master"
        self.run_id = b"5f2d"
        self.nodes: list[bytes] = [name.encode()]
        """The ids of the primaries, as it knows them."""
        self.is_down = False
        self.is_silent = False
        """It answers nothing, and says nothing."""
        self.refuses: dict[str, redis.ResponseError] = {}

    def publish(self, data: bytes, table: bytes = TABLE) -> None:
        channel = KEYSPACE.table_channel(table).encode()
        for wire in self.wires:
            if channel in wire.channels:
                wire.coming.append([b"message", channel, data])
            if wire.pattern is not None and channel.startswith(wire.pattern):
                wire.coming.append([b"pmessage", wire.pattern + b"*", channel, data])

    def tell(self, number: int, table: bytes = TABLE) -> None:
        """Publish a message, which has this number."""
        self.publish(told(number, table), table)

    def cut(self) -> None:
        """All connections break."""
        for wire in self.wires:
            wire.coming.append(redis.ConnectionError("cut"))
        self.wires = []


def told(number: int, table: bytes = TABLE) -> bytes:
    return encode_message(number.to_bytes(16), 0.0, {table.ljust(SIZE, b"."): EVERYTHING})


class ScriptedWire(Wire):
    """A connection to one."""

    def __init__(self, server: ScriptedServer) -> None:
        if server.is_down:
            raise redis.ConnectionError("down")
        self.server = server
        self.coming: deque[Any] = deque()
        self.channels: set[bytes] = set()
        self.pattern: bytes | None = None
        self.is_closed = False
        self.knows_better = False
        server.wires.append(self)

    def send(self, command: tuple[Any, ...]) -> None:
        self.server.asked.append(command)
        self.coming.append(self._reply(command))

    def _reply(self, command: tuple[Any, ...]) -> Any:
        server = self.server
        match command:
            case (name, *_) if name in server.refuses:
                return server.refuses[name]
            case ("SUBSCRIBE", channel):
                self.channels.add(channel.encode())
                return [b"subscribe", channel.encode(), len(self.channels)]
            case ("PSUBSCRIBE", pattern):
                self.pattern = pattern.removesuffix("*").encode()
                return [b"psubscribe", pattern.encode(), 1]
            case ("ROLE",):
                return [server.role, 0, []]
            case ("PING",):
                return b"PONG"
            case ("INFO", "server"):
                return b"# Server\r\nredis_version:7.2.4\r\nrun_id:" + server.run_id + b"\r\n"
            case ("CLUSTER", "SLOTS"):
                return [[at, at, [b"127.0.0.1", 7000 + at, node, []]] for at, node in enumerate(server.nodes)]
        raise AssertionError(command)

    def receive(self, seconds: float) -> Any:
        if not self.coming or self.server.is_silent:
            return None
        reply = self.coming.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply

    @property
    def is_current(self) -> bool:
        return not self.knows_better

    def close(self) -> None:
        self.is_closed = True
        if self in self.server.wires:
            self.server.wires.remove(self)


class ScriptedServers:
    """All of them."""

    def __init__(self, *servers: ScriptedServer) -> None:
        self.known: tuple[ScriptedServer, ...] = servers
        self.looks = 0
        self.is_closed = False
        self.names = ["redis.example.com"]
        for server in servers:
            server.nodes = [each.name.encode() for each in servers]

    @property
    def is_cluster(self) -> bool:
        return len(self.known) > 1

    def primaries(self) -> tuple[ScriptedServer, ...]:
        return self.known

    def hosts(self) -> list[str]:
        return self.names

    def open(self, primary: ScriptedServer) -> ScriptedWire:
        return ScriptedWire(primary)

    def look_again(self) -> None:
        self.looks += 1

    @property
    def may_be_proxies(self) -> bool:
        return True

    def close(self) -> None:
        self.is_closed = True


class Listener:
    """A hearing without a thread: it listens for as long as a test says."""

    def __init__(self, *servers: ScriptedServer, **options: Any) -> None:
        self.clock, self.wall = Clock(), Clock(1e9)
        self.servers = ScriptedServers(*servers)
        self.breaker = Breaker(self.clock)
        self.hearing = Hearing(
            self.servers, KEYSPACE, self.breaker, clock=self.clock, wall_clock=self.wall, poll=0.0, **options
        )
        self.heard: list[int] = []
        self.lost = self.renewals = 0
        self.renews: Callable[[], bool] = lambda: True
        self.faults: list[Exception] = []
        hearing = self.hearing
        if EVERY_TABLE not in hearing._tables:
            hearing._tables.add(TABLE)
        hearing.on_message = self._hear
        hearing.on_lost = self._lose
        hearing.on_renewed = self._renew
        hearing.on_fault = self.faults.append

    def _hear(self, message: Message) -> None:
        self.heard.append(int.from_bytes(message.id))

    def _lose(self) -> None:
        self.lost += 1

    def _renew(self) -> bool:
        self.renewals += 1
        return self.renews()

    @property
    def hears(self) -> bool:
        return self.hearing.hears(TABLE)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.wall.advance(seconds)

    def go(self, steps: int = 4) -> None:
        """Listen for some steps, as the thread does."""
        for _ in range(steps):
            self.hearing.step()

    def hear_on(self, seconds: float) -> None:
        """Let time pass, and listen meanwhile."""
        for _ in range(round(seconds * 10)):
            self.advance(0.1)
            self.go(1)
