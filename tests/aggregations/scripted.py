"""A Redis of few words: a model of the commands that daxlite sends, with a clock that a test moves and faults on order.

`Server` is the model, `Client` and `AsyncClient` are redis-py's for it, `Process` is one process that uses it: an
aggregation cache with a near cache, a clock and a subscription of its own, in which nothing happens by itself. What
runs in the background waits until the test lets it, and the subscription is read whenever the cache looks.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fnmatch import fnmatch
from typing import Any

import lupa.lua51
import redis
import redis.asyncio

from daxlite.aggregations import AggregationCache, AggregationConfig
from daxlite.cache.indexes import hash_of
from daxlite.core.extents import EVERYTHING
from daxlite.core.steps import Command, Sleep, Steps
from daxlite.core.tags import Tag
from daxlite.drivers.asyncio import AsyncioDriver
from daxlite.drivers.threads import ThreadDriver
from daxlite.shared.hearing import Hearing
from daxlite.shared.line import Wire
from daxlite.shared.tags import EVERY_TABLE, shared_tags
from tests.calls.listening import listening


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Server:
    """What Redis holds, and what it says."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.data: dict[str, tuple[bytes, float]] = {}
        """Values, and the moments at which they expire; all have one."""
        self.log: list[tuple[Any, ...]] = []
        self.scripts: dict[str, str] = {}
        """Texts by their digests."""
        self.failing: Callable[[tuple[Any, ...]], BaseException | None] = lambda command: None
        """What a command raises instead of a reply."""
        self.refusing: Callable[[tuple[Any, ...]], str | None] = lambda command: None
        """What a command within a script is refused with."""
        self.wires: list[ScriptedWire] = []
        self.lua = Lua(self)

    # What may happen to it

    def evict(self, key: str) -> None:
        self.data.pop(key, None)

    def flush(self) -> None:
        self.data.clear()

    @contextmanager
    def down(self, error: BaseException | None = None) -> Iterator[None]:
        """No command is answered."""
        before, self.failing = self.failing, lambda command: error or redis.ConnectionError("down")
        try:
            yield
        finally:
            self.failing = before

    def fail_at(self, number: int, error: BaseException | None = None) -> None:
        """The command of this number, from now, is not answered."""
        left = number

        def fail(command: tuple[Any, ...]) -> BaseException | None:
            nonlocal left
            left -= 1
            return (error or redis.ConnectionError("down")) if left == -1 else None

        self.failing = fail

    def keys(self, kind: str = "") -> list[str]:
        """The keys that are there; of one kind: value, lock, state."""
        now = self.clock()
        return [key for key, (_, until) in self.data.items() if now < until and key.endswith(kind)]

    def take(self) -> list[str]:
        """The names of the commands since this was last asked."""
        names = [command[0] for command in self.log]
        self.log = []
        return names

    # Commands

    def execute(self, command: tuple[Any, ...]) -> Any:
        command = self._as_text(command)
        if (error := self.failing(command)) is not None:
            raise error
        self.log.append(command)
        name, *args = command
        reply = getattr(self, f"_{name.lower()}")(*args)
        if name == "EVAL" or not isinstance(reply, bool):
            return reply
        return reply or (None if name == "SET" else False)

    def _as_text(self, command: tuple[Any, ...]) -> tuple[Any, ...]:
        """A script is sent by its digest, and as text only where the server does not have it. Tests see the text."""
        if command[0] == "EVAL":
            self.scripts[hashlib.sha1(command[1].encode()).hexdigest()] = command[1]  # noqa: S324
        elif command[0] == "EVALSHA":
            if command[1] not in self.scripts:
                raise redis.exceptions.NoScriptError("No matching script.")
            return ("EVAL", self.scripts[command[1]], *command[2:])
        return command

    def _live(self, key: str) -> bytes | None:
        value, until = self.data.get(key, (None, 0.0))
        return value if self.clock() < until else None

    def _get(self, key: str) -> bytes | None:
        return self._live(key)

    def _mget(self, *keys: str) -> list[bytes | None]:
        return [self._live(key) for key in keys]

    def _set(self, key: str, value: bytes, *options: Any) -> bool:
        if "KEEPTTL" in options:
            is_there = self._live(key) is not None
            assert is_there or "XX" in options, "a key without an end"
            if is_there:
                self.data[key] = bytes(value), self.data[key][1]
            return is_there
        *flags, px, milliseconds = options
        assert px == "PX", "a key without an end"
        assert isinstance(milliseconds, int)
        assert milliseconds > 0
        if "NX" in flags and self._live(key) is not None:
            return False
        self.data[key] = bytes(value), self.clock() + milliseconds / 1000
        return True

    def _pexpire(self, key: str, milliseconds: int, *options: str) -> bool:
        value = self._live(key)
        until = self.clock() + milliseconds / 1000
        if value is None or ("GT" in options and until <= self.data[key][1]):
            return False
        self.data[key] = value, until
        return True

    def _del(self, key: str) -> int:
        is_there = self._live(key) is not None
        self.data.pop(key, None)
        return int(is_there)

    def _exists(self, key: str) -> int:
        return int(self._live(key) is not None)

    def _pttl(self, key: str) -> int:
        return -2 if self._live(key) is None else round((self.data[key][1] - self.clock()) * 1000)

    def _eval(self, script: str, keys: int, *rest: Any) -> Any:
        return self.lua.run(script, rest[:keys], rest[keys:])

    def _time(self) -> list[bytes]:
        seconds, microseconds = divmod(round(self.clock() * 1_000_000), 1_000_000)
        return [str(seconds).encode(), str(microseconds).encode()]

    def _publish(self, channel: str, data: bytes) -> int:
        heard = [each for each in self.wires if each.pattern and fnmatch(channel, each.pattern)]
        for wire in heard:
            wire.queue.append([b"pmessage", str(wire.pattern).encode(), channel.encode(), data])
        return len(heard)

    def _ping(self) -> bool:
        return True


class Lua:
    """Runs the scripts that daxlite sends, as they are."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.runtime = lupa.lua51.LuaRuntime(encoding=None)
        self.functions: dict[str, Any] = {}
        """By the texts of scripts."""

    def run(self, script: str, keys: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
        """As EVAL."""
        run = self.functions.get(script)
        if run is None:
            body = script.removeprefix("#!lua flags=allow-oom\n")
            run = self.runtime.execute(f"return function(redis, KEYS, ARGV)\n{body}\nend".encode())
            self.functions[script] = run
        commands = self.runtime.table_from({b"call": self._call, b"pcall": self._pcall})
        return self._reply(run(commands, self._table(keys), self._table(arguments)))

    def _call(self, *command: Any) -> Any:
        if (refused := self.server.refusing(self._texts(command))) is not None:
            raise redis.ResponseError(refused)
        return self._to_lua(self._ask(command))

    def _pcall(self, *command: Any) -> Any:
        refused = self.server.refusing(self._texts(command))
        if refused is not None:
            return self.runtime.table_from({b"err": refused.encode()})
        return self._to_lua(self._ask(command))

    def _texts(self, command: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(part.decode("latin-1") if isinstance(part, bytes) else part for part in command)

    def _ask(self, command: tuple[Any, ...]) -> Any:
        # As Redis does it with a number that a script computed.
        name, *args = [part if isinstance(part, bytes) else b"%d" % part for part in command]
        match name.decode():
            case "GET" | "DEL" | "TIME" | "EXISTS":
                texts = [arg.decode() for arg in args]
                return getattr(self.server, f"_{name.decode().lower()}")(*texts)
            case "SET":
                options = [int(arg) if arg.isdigit() else arg.decode() for arg in args[2:]]
                return self.server._set(args[0].decode(), args[1], *options)
            case "PEXPIRE":
                flags = [arg.decode() for arg in args[2:]]
                return int(self.server._pexpire(args[0].decode(), int(args[1]), *flags))
            case "PUBLISH":
                return self.server._publish(args[0].decode(), args[1])
        raise AssertionError(f"a script asks for {name}")

    def _to_lua(self, reply: Any) -> Any:
        if reply is None:
            return False
        return self._table(reply) if isinstance(reply, list) else reply

    def _table(self, values: Any) -> Any:
        return self.runtime.table_from([v if isinstance(v, bytes) else str(v).encode() for v in values])

    def _reply(self, reply: Any) -> Any:
        if isinstance(reply, bytes | int) or reply is None:
            return reply
        if reply[b"err"] is not None:
            raise redis.ResponseError(reply[b"err"].decode())
        return [self._reply(part) for part in reply.values()]


class ScriptedWire(Wire):
    """As a RedisWire. Nothing waits: where there is nothing to read, it says so."""

    is_current = True

    def __init__(self, server: Server) -> None:
        self.server = server
        self.queue: list[Any] = []
        self.pattern: str | None = None
        self.is_deaf = False
        """The connection hangs: nothing comes any more, and no error tells."""

    def send(self, command: Command) -> None:
        self.server.execute(("PING",))
        match command:
            case ("PSUBSCRIBE", str(pattern)):
                self.pattern = pattern
                self.server.wires.append(self)
                self.queue.append([b"psubscribe", pattern.encode(), 1])
            case ("ROLE",):
                self.queue.append([b"master", 0, []])
            case ("PING",):
                self.queue.append(b"PONG")
            case _:
                raise AssertionError(command)

    def receive(self, seconds: float) -> Any:
        return self.queue.pop(0) if self.queue and not self.is_deaf else None

    def close(self) -> None:
        if self in self.server.wires:
            self.server.wires.remove(self)


class ScriptedServers:
    """The one server, as `wires.Servers`."""

    is_cluster = may_be_proxies = False

    def __init__(self, server: Server) -> None:
        self.server = server

    def primaries(self) -> tuple[None]:
        return (None,)

    def hosts(self) -> list[str]:
        return []

    def open(self, primary: None) -> ScriptedWire:
        return ScriptedWire(self.server)

    def look_again(self) -> None: ...

    def close(self) -> None: ...


class Client(redis.Redis):
    """redis-py's client of a scripted server."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return self.server.execute(args)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        assert not transaction
        return Pipeline(self.server)


class Pipeline:
    """Commands in one round trip: all are sent, or none is answered."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.commands: list[tuple[Any, ...]] = []

    def __enter__(self) -> "Pipeline":
        return self

    def __exit__(self, *exception: object) -> None:
        self.commands = []

    def execute_command(self, *args: Any) -> None:
        self.commands.append(args)

    def execute(self, raise_on_error: bool = True) -> Any:
        assert not raise_on_error
        return [self._reply(command) for command in self.commands]

    def _reply(self, command: tuple[Any, ...]) -> Any:
        try:
            return self.server.execute(command)
        except redis.exceptions.NoScriptError as error:
            return error


class AsyncPipeline(Pipeline):
    async def __aenter__(self) -> "AsyncPipeline":
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.commands = []

    async def execute(self, raise_on_error: bool = True) -> Any:
        return super().execute(raise_on_error)


class AsyncClient(redis.asyncio.Redis):
    """The same for asyncio."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        return self.server.execute(args)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        assert not transaction
        return AsyncPipeline(self.server)


class ScriptedHearing(Hearing):
    """One without a thread: what the thread would do by itself is done whenever the cache looks."""

    is_deaf = False
    _is_pumping = False

    @property
    def wire(self) -> Any:
        """The connection to the server, if there is one."""
        return self._lines.all[0]._wire if self._lines.all else None

    def listen(self, table: bytes = EVERY_TABLE) -> None:
        if not self._lines.all and not self.is_deaf and not self._stop.is_open:
            self.step()

    def hears(self, table: bytes = EVERY_TABLE) -> bool:
        self.pump()
        return super().hears(table)

    def pump(self) -> None:
        """Read everything that came, and ask for a sign of life."""
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            for _ in range(3):  # what is still to be read; a new question; its answer
                if not self._lines.all:
                    return
                self.wire.is_deaf = self.is_deaf
                self._lines.all[0]._next_at = -math.inf
                self.step()
        finally:
            self._is_pumping = False

    def lose(self) -> None:
        """The connection is gone."""
        self._lose()

    def _failed(self, error: Exception) -> None:
        """What is wrong with the server is a matter of the commands."""


class ScriptedDriver(ThreadDriver):
    """Takes steps as a thread does, but sleeps by the clock, and keeps for later what is for the background."""

    clock: Clock
    asleep: Callable[[], None]
    """What others do while this one sleeps."""
    background: list[Callable[[], Steps[Any]]]

    def _take(self, step: Any, progress: Any, stop: Any) -> Any:
        if isinstance(step, Sleep):
            self.clock.advance(step.seconds)
            self.asleep()
            return None
        return super()._take(step, progress, stop)

    def _spawn(self, steps: Callable[[], Steps[Any]], when_over: Callable[[], Any]) -> Callable[[], None]:
        def to_the_end() -> Steps[Any]:
            try:
                return (yield from steps())
            finally:
                when_over()

        self.background.append(to_the_end)

        def end() -> None:
            if to_the_end in self.background:
                self.background.remove(to_the_end)
                when_over()

        return end


class Process:
    """One process that uses a server."""

    def __init__(
        self,
        server: Server,
        clock: Clock,
        namespace: str = "shop",
        *,
        random: Callable[[], float] = lambda: 0.0,
        **config: Any,
    ) -> None:
        self.server = server
        self.clock = clock
        self.cache = AggregationCache(
            Client(server), namespace, AggregationConfig(**config), clock=clock, wall_clock=clock, random=random
        )
        self.hearing = scripted_hearing(self.cache)
        self.driver = ScriptedDriver()
        self.driver.clock, self.driver.asleep, self.driver.background = clock, lambda: None, []
        self.cache._driver = self.driver
        self.cache._outbox.retry = lambda: None  # type: ignore[method-assign]
        # No thread: what is pending is sent when the process asks Redis for something, or when the test says so.

    @property
    def counts(self) -> Any:
        return self.cache.stats().total

    def run_background(self) -> int:
        """Do now what was for the background; returns how much that was."""
        waiting, self.driver.background = self.driver.background, []
        for steps in waiting:
            try:
                self.driver.drive(steps())
            except Exception:  # noqa: BLE001, S112 - no caller waits for it
                continue
        return len(waiting)


def scripted_hearing(cache: Any) -> ScriptedHearing:
    """Have a cache listen when it is asked, instead of in a thread."""
    hearing: ScriptedHearing = cache._home.hearing
    hearing.__class__ = ScriptedHearing
    hearing._servers = ScriptedServers(cache._home.connections.threads.clients.client.server)
    hearing.begin()
    return hearing


class ScriptedAsyncDriver(AsyncioDriver):
    """As ScriptedDriver: time is the test's."""

    clock: Clock

    async def _take(self, step: Any, *arguments: Any) -> Any:
        if isinstance(step, Sleep):
            task = asyncio.current_task()
            if task is not None and task.get_name() == "daxlite":
                await asyncio.Event().wait()  # in the background: until it is ended
            self.clock.advance(step.seconds)
            return None
        return await super()._take(step, *arguments)


class World:
    """A server, its clock, and as many processes as a test wants."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.server = Server(self.clock)

    def process(self, **settings: Any) -> Process:
        settings.setdefault("random", lambda: 0.0)
        return Process(self.server, self.clock, **settings)


class Counted:
    """A function that counts its calls, and returns what a test last said."""

    value: Any
    calls: int
    takes: Callable[[], Any]

    def __new__(cls, value: Any = 1, takes: Callable[[], Any] = lambda: None, name: str = "counted") -> "Counted":
        def counted() -> Any:
            it.calls += 1
            value = it.value
            it.takes()
            return value

        it: Any = counted  # a function, because an object would have to be part of the key
        it.__qualname__ = name
        it.value, it.calls, it.takes = value, 0, takes
        made: Counted = it
        return made

    def __call__(self) -> Any:
        """As the function."""


def elsewhere() -> AbstractContextManager[None]:
    """What is done within is done by another process, though it happens to run inside of a computation of this one."""
    return listening(None)


def shared_of(tags: Iterable[Tag]) -> set[bytes]:
    """Tags as processes share them."""
    return set(shared_tags(dict.fromkeys(tags, EVERYTHING), hash_of))
