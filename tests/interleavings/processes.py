"""Processes that share a tier: each with a cache, threads and an ear of its own; one Redis, one DynamoDB.

The Redis is the scripted one, which runs the scripts as they are; the hearing is the real one, on wires that bring what
the test lets through. Threads are parked before and after each round trip to Redis, and at each point of a call to
DynamoDB. A process that is killed does nothing more: its threads end at the next point.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

import redis
from botocore.exceptions import BotoCoreError, ClientError

import daxlite
from daxlite import Cache, CacheConfig, TableConfig
from daxlite.core.schema import item_key
from daxlite.core.steps import Sleep
from daxlite.core.tables import Place
from daxlite.core.tags import item_tag
from daxlite.drivers.threads import ThreadDriver
from daxlite.shared.breaker import Breaker
from daxlite.shared.failures import Unavailable
from daxlite.shared.messages import Message, decode_message
from daxlite.shared.tags import EVERYTHING, shared_tag
from tests.aggregations.scripted import Client, Server
from tests.cache_fixtures import process
from tests.interleavings.interleaving import LAG, SETTLE_WINDOW, SHAPE, Event, MissError, _refuse
from tests.interleavings.programs import SCHEMA, Op
from tests.simulated_client import TABLE, SimulatedClient
from tests.simulator import Scheduler, faults
from tests.simulator.history import Call

ATTEMPT = 10.0
"""Seconds that one attempt of a write may take."""
LASTS = ATTEMPT + SETTLE_WINDOW
"""Seconds for which a record lasts."""

LATE = faults.Effect("late", 0, faults.TIMEOUT.tells)
"""The caller is told that it took too long, and it may be carried out after that."""
RETRIED_LATE = faults.Effect("retried late", 1)
"""A first attempt took too long, and may be carried out after the second one, which succeeded."""


FOLLOWER: Final = "follower"
"""The name of the thread that reads a stream, in whichever process."""


class Killed(BaseException):
    """Raised in the threads of a process that was killed."""


@dataclass
class SharedEvent(Event):
    """One call of a process."""

    process: int = 0
    began_at: float = 0.0
    ended_at: float = 0.0
    ids: set[bytes] = field(default_factory=set)
    """Of the operations that it began at the tier."""


@dataclass(frozen=True)
class Heard:
    """What a process came to know."""

    tick: int
    published: int
    """When; of a renewal, when its subscription began: what was published before is known by now."""
    by: int
    """The process that told."""
    message: Message | None
    """None for a renewal."""


class Redis(Server):
    """One server, with the wires of all processes."""

    def __init__(self, clock: Callable[[], float], tick: Callable[[], int]) -> None:
        super().__init__(clock)
        self.tick = tick
        self.subscribed: list[Wire] = []
        self.teller = -1
        """The process whose command runs."""
        self.past: deque[dict[str, tuple[bytes, float]]] = deque(maxlen=4)
        """What it held before the last scripts."""
        self.is_down = False
        self.published: dict[bytes, int] = {}
        """When an operation was first told of."""

    def reset(self) -> None:
        self.data, self.log, self.subscribed, self.is_down, self.published = {}, [], [], False, {}
        self.past.clear()

    def fail_over(self, forgets: int) -> None:
        """A replica takes its place that has not heard of the last scripts. All subscriptions break."""
        self.data = self.past[-forgets]
        self.past.clear()
        self.cut()

    def cut(self) -> None:
        """All subscriptions break."""
        for wire in self.subscribed:
            wire.is_broken = True
        self.subscribed = []

    def _eval(self, script: str, keys: int, *rest: Any) -> Any:
        self.past.append(dict(self.data))
        return super()._eval(script, keys, *rest)

    def _publish(self, channel: str, data: bytes) -> int:
        tick = self.tick()
        self.published.setdefault(decode_message(data).id, tick)
        for wire in self.subscribed:
            wire.bring(channel, data, tick, self.teller)
        return len(self.subscribed)


class Wire:
    """A subscription of one process."""

    is_current = True

    def __init__(self, process: Process) -> None:
        self.process = process
        self.redis = process.world.redis
        self.channels: set[str] = set()
        self.replies: deque[tuple[Any, tuple[int, int] | None]] = deque()
        self.is_broken = False
        self.redis.subscribed.append(self)

    def bring(self, channel: str, data: bytes, tick: int, by: int) -> None:
        for pattern in self.channels:
            if fnmatchcase(channel, pattern):
                kind: list[Any] = [b"message", channel.encode(), data]
                if pattern != channel:
                    kind = [b"pmessage", pattern.encode(), channel.encode(), data]
                self.replies.append((kind, (tick, by)))

    def send(self, command: tuple[Any, ...]) -> None:
        self._check()
        name, *args = command
        match name:
            case "INFO":
                reply: Any = b"# Server\r\nrun_id:0123456789abcdef\r\n"
            case "ROLE":
                reply = [b"master", 0, []]
            case "PING":
                reply = b"PONG"
            case "SUBSCRIBE" | "PSUBSCRIBE":
                self.channels.add(args[0])
                self.process.subscribed_at = self.redis.tick()
                reply = [name.lower().encode(), args[0].encode(), len(self.channels)]
            case _:
                raise AssertionError(f"a line asks for {name}")
        self.replies.append((reply, None))

    def receive(self, seconds: float) -> Any:
        self._check()
        if not self.process.allowed or not self.replies or self.redis.is_down:
            return None
        self.process.allowed -= 1
        reply, self.process.published = self.replies.popleft()
        return reply

    def close(self) -> None:
        self.is_broken = True
        if self in self.redis.subscribed:
            self.redis.subscribed.remove(self)

    def _check(self) -> None:
        if self.is_broken:
            raise redis.ConnectionError("broken")


class Primaries:
    """The one server that there is."""

    is_cluster = False
    may_be_proxies = False

    def __init__(self, process: Process) -> None:
        self.process = process

    def primaries(self) -> tuple[Any, ...]:
        return (None,)

    def hosts(self) -> list[str]:
        return ["localhost"]

    def open(self, primary: Any) -> Wire:
        if self.process.world.redis.is_down:
            raise redis.ConnectionError("down")
        return Wire(self.process)

    def look_again(self) -> None:
        pass

    def close(self) -> None:
        pass


class Way:
    """One process's way to Redis; as `shared.connection.Connection`."""

    is_cluster = False

    def __init__(self, process: Process, breaker: Breaker, on_broken: Callable[[], None]) -> None:
        self.process = process
        self.breaker = breaker
        self.on_broken = on_broken
        self.clients = self
        self.is_cut = False
        self.is_torn = False
        """Whether its connections broke, and it does not know yet."""
        self.fails: list[str] = []
        """What becomes of the next round trips: "before" they arrive they are lost, or "after", on the way back."""

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        if self.is_torn:  # a read is tried again, over a new connection
            self.is_torn = False
            self.on_broken()
        found: list[bytes | None] = self._ask([("MGET", *keys)])[0]
        return found

    def begin(self) -> None:
        """As the connections."""

    close = begin

    def run(self, commands: Sequence[Any], is_urgent: bool = False) -> list[Any]:
        return self._ask(commands)

    def _ask(self, commands: Sequence[Any]) -> list[Any]:
        world, server = self.process.world, self.process.world.redis
        world.park("asks Redis")
        fails = self.fails.pop(0) if self.fails else ""
        if self.is_cut:
            raise Unavailable
        if self.process.is_dead and threading.current_thread().name == FOLLOWER:
            raise Killed
        if self.is_torn or server.is_down or fails == "before":
            raise self._broken()
        replies = []
        for number, command in enumerate(commands):
            if number:
                world.park("between commands")
                if server.is_down:
                    raise self._broken()
            server.teller = self.process.number
            replies.append(server.execute(tuple(command)))
            server.teller = -1
        world.park("told by Redis")
        if fails == "after":
            raise self._broken()
        return replies

    def _broken(self) -> Unavailable:
        self.is_torn = False
        self.on_broken()
        return Unavailable()


class Driver(ThreadDriver):
    """Takes steps as a thread does, but sleeps by the clock of the test."""

    def __init__(self, send: Callable[[str, dict[str, Any]], Any], world: Processes) -> None:
        super().__init__(send)
        self.world = world

    def _take(self, step: Any, progress: Any, stop: Any) -> Any:
        if not isinstance(step, Sleep):
            return super()._take(step, progress, stop)
        self.world.park("sleeps")
        self.world.simulator.clock.advance(step.seconds)
        return None


class Process:
    """One process."""

    def __init__(self, world: Processes, number: int, config: CacheConfig, **shared: Any) -> None:
        self.world = world
        self.number = number
        self.is_dead = False
        self.heard: list[Heard] = []
        self.subscribed_at = 0
        self.published: tuple[int, int] | None = None
        now = world.simulator.clock.now
        with process():
            given = daxlite.Shared(world.redis_client, account="123456789012", **shared)
            self.cache = Cache(config, shared=given, clock=now, wall_clock=now, random=lambda: 0.0)
        self.client = daxlite.wrap(world.raw, cache=self.cache)
        dispatcher = self.client._self_dispatcher
        dispatcher._driver = Driver(dispatcher._driver._send, world)
        member = self.cache._joined
        self.tier, self.hearing, self.outbox = member.tier, member.hearing, member._outbox
        self.faults = member.faults
        connections = member._connections
        self.way = Way(self, connections.threads.breaker, connections.threads.on_broken)
        connections.threads = self.way
        self.allowed = 0
        """How much of what has come its ear takes."""
        self.hearing._starting.acquire()  # no thread: the test is its ear
        self.hearing._servers = Primaries(self)
        self.hearing._start_over()
        self.outbox.attend = lambda: None
        self._note_ids()
        self._note_what_is_heard()

    def _note_ids(self) -> None:
        new = self.tier.new_operation

        def noted() -> bytes:
            id: bytes = new()
            event = self.world.current.get(threading.current_thread().name)
            if event is not None:
                event.ids.add(id)
            self.world.ids.add(id)
            return id

        self.tier.new_operation = noted

    def _note_what_is_heard(self) -> None:
        hear, renew = self.hearing.on_message, self.hearing.on_renewed
        tick = self.world.simulator.history.tick

        def heard(message: Message) -> None:
            hear(message)
            assert self.published is not None
            self.heard.append(Heard(tick(), *self.published, message))

        def renewed() -> bool:
            since = self.subscribed_at
            is_done: bool = renew()
            if is_done:
                self.heard.append(Heard(tick(), since, -1, None))
            return is_done

        self.hearing.on_message, self.hearing.on_renewed = heard, renewed

    def listen(self, most: int = 1000) -> None:
        """Let the ear take so much of what has come."""
        self.allowed = most
        with suppress(Killed):
            self.hearing.step()

    def deliver(self) -> None:
        """Do what the thread of the outbox does: its duties, and send what is pending."""
        with suppress(Killed):
            self.outbox._do_duties()
            self.outbox.try_again()

    def hears(self) -> bool:
        return bool(self.hearing.lease.holds(self.world.simulator.clock.now(), self.world.simulator.clock.now()))

    def catch_up(self) -> None:
        """Hear all that there is to hear, and be believed."""
        for _ in range(12):
            self.listen()
        assert self.hears(), "it does not hear"


class Processes(SimulatedClient):
    """Processes on one DynamoDB and one Redis."""

    def __init__(self) -> None:
        super().__init__()
        self.raw.meta.config.connect_timeout = self.raw.meta.config.read_timeout = ATTEMPT / 2
        exchange = self.raw._make_request

        def tell_of_attempts(model: Any, request: Any, context: Any) -> Any:
            http, parsed = exchange(model, request, context)
            event = self.current.get(threading.current_thread().name)
            if event is not None and event.op.effect is RETRIED_LATE:
                parsed["ResponseMetadata"]["RetryAttempts"] = 1
            return http, parsed

        self.raw._make_request = tell_of_attempts
        self.redis = Redis(lambda: self.simulator.clock.now(), lambda: self.simulator.history.tick())
        self.redis_client = Client(self.redis)
        self.scheduler: Scheduler | None = None
        self.current: dict[str, SharedEvent] = {}

    def reset(  # type: ignore[override]
        self,
        items: Sequence[Any] = (),
        processes: Sequence[dict[str, Any]] = ({}, {}),
        **config: Any,
    ) -> None:
        """Make the table anew, with these items that have settled, and processes that hear and know nothing else."""
        self.simulator.__dict__.pop("_store", None)  # a feed's, of the world before
        self.simulator.reset()
        self.raw.create_table(TableName=TABLE, **SHAPE)
        for item in items:
            self.raw.put_item(TableName=TABLE, Item=item)
        self.simulator.replicas.base_lag = self.simulator.replicas.index_lag = LAG
        self.simulator.settle()
        self.simulator.clock.advance(SETTLE_WINDOW)
        self.redis.reset()
        self.scheduler = None
        self.events: list[SharedEvent] = []
        self.left = self.late = 0
        """How many answers were left at rest, and were judged; how many requests may have arrived late."""
        self.current = {}
        self.ids: set[bytes] = set()
        """Of all operations of writes."""
        self.ghosts: list[tuple[Call, float]] = []
        """Requests that may still be applied, and the moments until which."""
        self.untold: list[dict[str, Any]] = []
        """The items that other programs wrote, and of which no feed has told yet."""
        self.end_feed: Callable[[], None] = lambda: None
        """Has a feed tell all that there is to tell."""
        self.is_fed = False
        """Whether other programs write whatever they like, and a feed tells."""
        self.config = CacheConfig(settle_window=SETTLE_WINDOW, tables={TABLE: TableConfig(schema=SCHEMA)}, **config)
        self.processes = [Process(self, number, self.config, **each) for number, each in enumerate(processes)]
        self.simulator.faults.append(self._effect)
        self.simulator.at = self._at
        self.place = Place("us-east-1", TABLE)
        for each in self.processes:
            context = each.client._self_dispatcher.context
            table = context.names.table(TABLE)
            self.place = table.place
            each.tier.table(table.id, table.schema)
            if each.tier.settings.local:
                each.catch_up()

    def warm(self, reads: Sequence[Op]) -> None:
        """Have each process read something, and again when it is not on probation any more."""
        for _ in range(2):
            for each in self.processes:
                for op in reads:
                    self.call(each, f"p{each.number}", op)
            self.simulator.clock.advance(SETTLE_WINDOW)
            for each in self.processes:
                if each.tier.settings.local:
                    each.catch_up()
            if not reads:
                return

    @property
    def living(self) -> list[Process]:
        return [each for each in self.processes if not each.is_dead]

    def process_here(self) -> Process | None:
        """The process of the calling thread."""
        name = threading.current_thread().name
        return self.processes[int(name[1])] if name[:1] == "p" and name[1:2].isdigit() else None

    def park(self, point: str) -> None:
        """Let the others have their turn."""
        if self.scheduler is not None:
            self.scheduler.park(point)
        here = self.process_here()
        if here is not None and here.is_dead:
            raise Killed

    def kill(self, process: Process) -> None:
        """End a process, wherever it is."""
        process.is_dead = True
        process.hearing._lose()

    def _at(self, point: str, call: Call) -> None:
        try:
            self.park(point)
        except Killed:
            if point == "sent":
                self._leave(call)
            raise

    def _effect(self, call: Call) -> faults.Effect | None:
        event = self.current.get(call.thread)
        effect = None if event is None else event.op.effect
        if effect is LATE or effect is RETRIED_LATE:
            self._leave(call)
        return effect

    def _leave(self, call: Call) -> None:
        event = self.current.get(call.thread)
        if event is not None and event.op.is_write:
            left = Call(call.number, call.operation, call.request, "late")
            self.late += 1
            self.ghosts.append((left, event.began_at + ATTEMPT))

    def settle_ghost(self, number: int, is_applied: bool) -> None:
        """A request of which nobody knows arrives, or is lost."""
        call, _ = self.ghosts.pop(number)
        if is_applied:
            self.simulator._apply(call, faults.NO_FAULT)

    @property
    def patience(self) -> float:
        """For how many seconds nothing that is under way takes too long."""
        now = self.simulator.clock.now()
        moments = [event.began_at + ATTEMPT for event in self.current.values() if event.op.is_write]
        moments += [until for _, until in self.ghosts]
        return max(0.0, min(moments, default=now + 1e6) - now)

    def pass_time(self, seconds: float, *, is_frozen: bool = False) -> None:
        """Let time pass, but for no longer than requests may take."""
        self.simulator.clock.advance(seconds if is_frozen else min(seconds, self.patience))

    def fail_over(self, forgets: int) -> None:
        """Another server takes Redis's place, and all connections break."""
        self.redis.fail_over(forgets)
        for each in self.processes:
            each.way.is_torn = True

    def write_outside(self, item: dict[str, Any]) -> None:
        """A write of another program, of which a feed is yet to tell."""
        self.put_outside(item)
        self.untold.append({name: item[name] for name in ("pk", "sk")})

    def put_outside(self, item: dict[str, Any]) -> None:
        """A write of another program; the stream has a record of it."""
        call = Call(-1, "PutItem", {"TableName": TABLE, "Item": item}, "outside")
        self.simulator._apply(call, faults.NO_FAULT)

    def delete_outside(self, key: dict[str, Any]) -> None:
        """The same, of a deletion."""
        call = Call(-1, "DeleteItem", {"TableName": TABLE, "Key": key}, "outside")
        self.simulator._apply(call, faults.NO_FAULT)

    def tell(self, process: Process) -> None:
        """A feed tells a process of the oldest of these writes."""
        process.cache.invalidate(TABLE, self.untold.pop(0))

    def call(self, process: Process, thread: str, op: Op) -> SharedEvent:
        """Make one call, and note it."""
        history, clock = self.simulator.history, self.simulator.clock
        event = SharedEvent(thread, op, history.tick(), process=process.number, began_at=clock.now())
        known = len(history.calls)
        self.current[threading.current_thread().name] = event
        try:
            event.response = process.client._make_api_call(op.operation, op.request)
        except (ClientError, BotoCoreError) as error:
            event.error = error
        finally:
            del self.current[threading.current_thread().name]
        event.ended, event.ended_at = history.tick(), clock.now()
        here = threading.current_thread().name
        event.sent = [call for call in history.calls[known:] if call.thread == here]
        self.events.append(event)
        return event

    def hits(self, process: Process, ops: Sequence[Op], *, is_local: bool) -> list[dict[str, Any] | None]:
        """What a process answers to each read without DynamoDB; None where it has to ask it. is_local: without Redis,
        either."""
        found: list[dict[str, Any] | None] = []
        self.raw._make_api_call = _refuse
        process.way.is_cut = is_local
        try:
            for op in ops:
                try:
                    found.append(process.client._make_api_call(op.operation, op.request))
                except MissError:
                    found.append(None)
        finally:
            process.way.is_cut = False
            del self.raw._make_api_call
        return found

    def witness(self) -> Process:
        """A process that keeps nothing, and asks Redis for all."""
        self.processes.append(Process(self, len(self.processes), self.config, local=False))
        return self.processes[-1]

    def rest(self) -> None:
        """All is over: nothing is under way, records have expired, and so has the window."""
        self.redis.is_down = False
        while self.ghosts:
            self.settle_ghost(0, is_applied=True)
        while self.untold:
            self.tell(self.living[0])
        self.end_feed()
        self.simulator.clock.advance(LASTS)
        for _ in range(2):
            for each in self.living:
                each.way.fails = []
                each.deliver()
            for each in self.living:
                if each.tier.settings.local:
                    each.catch_up()
        self.simulator.clock.advance(SETTLE_WINDOW)
        for each in self.living:
            if each.tier.settings.local:
                each.catch_up()

    def tag_of(self, key: dict[str, Any]) -> bytes:
        """The shared tag of an item."""
        tag = item_tag(self.place, item_key(key))
        return shared_tag(tag, lambda place: "pk")[0]

    def was_told(self, process: int, write: SharedEvent, key: dict[str, Any], tick: int) -> bool:
        """Whether a process knew of a write of an item at a moment."""
        if write.process == process:
            return write.ended <= tick
        if not self.processes[process].tier.settings.reads:
            return False  # it tells the others, and keeps what it read as without a tier
        tag, published = self.tag_of(key), self.redis.published
        for heard in self.processes[process].heard:
            if heard.tick > tick:
                break
            message = heard.message
            if message is None:
                if any(published.get(id, heard.published) < heard.published for id in write.ids):
                    return True
            elif tag in message.changed or EVERYTHING in message.changed:
                # What an outbox delivered has an id of which no write knows.
                is_later = heard.by == write.process and heard.published > write.ended
                if message.id in write.ids or (is_later and message.id not in self.ids):
                    return True
        return False
