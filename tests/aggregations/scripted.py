"""A Redis of few words: a model of the commands that daxlite sends, with a clock that a test moves and faults on order.

`Server` is the model, `Client` and `AsyncClient` are redis-py's for it, `Process` is one process that uses it: an
aggregation cache with a near cache, a clock and a bus of its own, in which nothing happens by itself. What runs in the
background waits until the test lets it, and the bus is a subscription that is read whenever the cache looks.
"""

import asyncio
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
from daxlite.core.steps import Sleep, Steps
from daxlite.core.tags import Tag
from daxlite.drivers.asyncio import AsyncioDriver
from daxlite.drivers.threads import ThreadDriver
from daxlite.shared.bus import Bus
from daxlite.shared.tags import shared_tags
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
        self.failing: Callable[[tuple[Any, ...]], BaseException | None] = lambda command: None
        """What a command raises instead of a reply."""
        self.refusing: Callable[[tuple[Any, ...]], str | None] = lambda command: None
        """What a command within a script is refused with."""
        self.subscriptions: list[Subscription] = []
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
        if (error := self.failing(command)) is not None:
            raise error
        self.log.append(command)
        name, *args = command
        reply = getattr(self, f"_{name.lower()}")(*args)
        if name == "EVAL" or not isinstance(reply, bool):
            return reply
        return reply or (None if name == "SET" else False)

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

    def _eval(self, script: str, keys: int, *rest: Any) -> Any:
        return self.lua.run(script, rest[:keys], rest[keys:])

    def _time(self) -> list[bytes]:
        seconds, microseconds = divmod(round(self.clock() * 1_000_000), 1_000_000)
        return [str(seconds).encode(), str(microseconds).encode()]

    def _publish(self, channel: str, data: bytes) -> int:
        heard = [each for each in self.subscriptions if each.pattern and fnmatch(channel, each.pattern)]
        for subscription in heard:
            subscription.queue.append({"type": "pmessage", "data": data})
        return len(heard)

    def _ping(self) -> bool:
        return True


class Lua:
    """Runs the scripts that daxlite sends, as they are."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.runtime = lupa.lua51.LuaRuntime(encoding=None)

    def run(self, script: str, keys: tuple[Any, ...], arguments: tuple[Any, ...]) -> Any:
        """As EVAL."""
        body = script.removeprefix("#!lua flags=allow-oom\n")
        run = self.runtime.execute(f"return function(redis, KEYS, ARGV)\n{body}\nend".encode())
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
        name, *args = command
        match name.decode():
            case "GET" | "DEL" | "TIME":
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


class Subscription:
    """As redis-py's PubSub. Nothing waits: where there is nothing to read, get_message says so."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.queue: list[dict[str, Any]] = []
        self.pattern: str | None = None
        self.is_deaf = False
        """The connection hangs: nothing comes any more, and no error tells."""

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *exception: object) -> None:
        if self in self.server.subscriptions:
            self.server.subscriptions.remove(self)

    def psubscribe(self, pattern: str) -> None:
        self.server.execute(("PING",))
        self.pattern = pattern
        self.server.subscriptions.append(self)
        self.queue.append({"type": "psubscribe", "data": 1})

    def ping(self) -> None:
        self.server.execute(("PING",))
        if not self.is_deaf:
            self.queue.append({"type": "pong", "data": b""})

    def get_message(self, timeout: float = 0.0) -> dict[str, Any] | None:
        return self.queue.pop(0) if self.queue and not self.is_deaf else None


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

    def pubsub(self, **options: Any) -> Any:
        return Subscription(self.server)


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
        return [self.server.execute(command) for command in self.commands]


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


class ScriptedBus(Bus):
    """A bus without a thread: what the thread would do by itself is done whenever the cache looks."""

    subscription: Subscription | None = None
    is_deaf = False
    _was_deaf = False
    _is_pumping = False

    def listen(self) -> None:
        if self.subscription is None and not self.is_deaf and not self._stop.is_open:
            clients = self._connection.clients
            (subscription,) = clients.subscriptions(clients.servers())
            try:
                self._subscribe([subscription])
            except (redis.RedisError, OSError):
                return
            self.subscription = subscription

    @property
    def is_listening(self) -> bool:
        self.pump()
        return super().is_listening

    def pump(self) -> None:
        """Read everything that came, and ask for a sign of life."""
        if self.subscription is None or not self._lines or self._is_pumping:
            return
        (line,) = self._lines
        self.subscription.is_deaf, self._is_pumping, line.asked_at = self.is_deaf, True, (-math.inf, -math.inf)
        self._was_deaf |= self.is_deaf
        try:
            if line.alive_at is not None and not self._was_deaf:
                # The thread would have had signs of life all the time.
                self.subscription.server.execute(("PING",))
                line.alive_at = self._clock(), self._wall_clock()
            while self._poll(line, 0.0):
                pass
            self._poll(line, 0.0)  # the sign of life
        except (redis.RedisError, OSError):
            self.lose()
        finally:
            self._is_pumping = False

    def lose(self) -> None:
        """The connection is gone."""
        if self.subscription is not None:
            self.subscription.__exit__()
        self.subscription, self._lines, self._was_deaf = None, (), False


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
        self.bus = scripted_bus(self.cache)
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


def scripted_bus(cache: Any) -> ScriptedBus:
    """Have a cache's bus wait to be asked, instead of listening in a thread."""
    cache._bus.__class__ = ScriptedBus
    bus: ScriptedBus = cache._bus
    return bus


class ScriptedAsyncDriver(AsyncioDriver):
    """As ScriptedDriver: time is the test's."""

    clock: Clock

    async def _take(self, step: Any, progress: Any) -> Any:
        if isinstance(step, Sleep):
            task = asyncio.current_task()
            if task is not None and task.get_name() == "daxlite":
                await asyncio.Event().wait()  # in the background: until it is ended
            self.clock.advance(step.seconds)
            return None
        return await super()._take(step, progress)


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
