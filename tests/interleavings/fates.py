"""What processes that share a tier do, and what happens to them, by a seed.

A *fate* is drawn with what may go wrong in it:

    calm      nothing but refusals and failed conditions; values are evicted, messages are late
    writers   processes die at any point, requests have unknown outcomes and may be carried out later
    redis     one fault of Redis, of which all writers hear the outcome: see TROUBLES
    both      all of that at once, which no promise covers: it is reported, not judged
    feed      as writers, and other programs write, of whom a feed tells: see FEEDS
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.interleavings.feed import Feed
from tests.interleavings.processes import FOLLOWER, LATE, RETRIED_LATE, Killed, Processes
from tests.interleavings.programs import KEYS, READS, TABLE, Op, item_reads
from tests.simulator import Scheduler, faults

FEEDS: Final = ("feed", "feed of new images", "feed without order", "feed of keys")
"""Other programs write, too, and a follower reads the table's stream. All write a few values again and again."""
KINDS: Final = ("calm", "writers", "redis", "both")
TROUBLES: Final = ("evict", "frozen", "deaf", "down", "flaky", "failover")
"""evict: a state is lost. frozen: a record expires though its writer lives. deaf: a subscription breaks. down: nothing
is answered for a while. flaky: some round trips of one process are lost, on their way or on their way back. failover:
what the last scripts did, up to four, is forgotten."""

REFUSALS: Final = (faults.THROTTLED, faults.ACCESS_DENIED, faults.THROUGHPUT_EXCEEDED)
UNKNOWN: Final = (
    faults.LOST_REPLY,
    faults.TIMEOUT,
    faults.CLOSED_AFTER,
    faults.SERVER_ERROR_AFTER,
    faults.SERVER_ERROR_BEFORE,
    LATE,
    LATE,
    LATE,
    RETRIED_LATE,
    RETRIED_LATE,
)


@dataclass
class Fate:
    """What is to happen in one history."""

    seed: int
    kind: str
    trouble: str = ""
    """The fault of Redis, if there is one."""
    items: list[dict[str, Any]] = field(default_factory=list)
    processes: list[dict[str, Any]] = field(default_factory=list)
    """The settings of each at the tier."""
    config: dict[str, Any] = field(default_factory=dict)
    warm: list[Op] = field(default_factory=list)
    """What every process has read before, so that it is kept for its full TTL."""
    threads: list[tuple[int, list[Op | float]]] = field(default_factory=list)
    """For each thread its process, and what it does; a number is of seconds for which it waits."""

    @property
    def is_judged(self) -> bool:
        """Whether the promises hold in it."""
        return self.kind != "both"

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {self.kind} {self.trouble}, {self.config}, processes {self.processes}"]
        return "\n".join(lines)


class _Drawn:
    """Draws calls. Each value is written once, so that an old one is known by it."""

    def __init__(
        self, random: Random, effects: Sequence[faults.Effect], rate: float, *, is_repetitive: bool = False
    ) -> None:
        self.random = random
        self.is_repetitive = is_repetitive
        self.effects = effects
        self.rate = rate
        self.number = 0
        # A few of all, so that they meet.
        self.keys = random.choice((KEYS, KEYS[:1], KEYS[1:]))
        self.reads = [
            random.choice(item_reads if random.random() < 0.4 else READS) for _ in range(random.randint(1, 3))
        ]

    def _new(self) -> dict[str, str]:
        self.number += 1
        return {"N": str(self.random.randint(1, 2) if self.is_repetitive else self.number)}

    def item(self, key: dict[str, Any] | None = None) -> dict[str, Any]:
        random = self.random
        item = {**(key or self.key()), "n": self._new()}
        if random.random() < 0.6:
            item["day"] = {"S": random.choice(("mon", "tue"))}
        if random.random() < 0.5:
            item["total"] = self._new()
        return item

    def op(self, *, is_write: bool) -> Op:
        if not is_write:
            return self.random.choice(self.reads)
        operation, request = self.random.choice(_WRITES)(self)
        if not operation.startswith(("Batch", "Transact")):
            request["TableName"] = TABLE
        effect = self.random.choice(self.effects) if self.random.random() < self.rate else None
        return Op(operation, request, effect)

    def key(self) -> dict[str, Any]:
        return self.random.choice(self.keys)


def _put(drawn: _Drawn) -> tuple[str, dict[str, Any]]:
    return "PutItem", {"Item": drawn.item()}


def _put_new(drawn: _Drawn) -> tuple[str, dict[str, Any]]:
    return "PutItem", {"Item": drawn.item(), "ConditionExpression": "attribute_not_exists(n)"}


def _delete(drawn: _Drawn) -> tuple[str, dict[str, Any]]:
    return "DeleteItem", {"Key": drawn.key()}


def _update(drawn: _Drawn) -> tuple[str, dict[str, Any]]:
    values = {":n": drawn._new()}
    request = {"Key": drawn.key(), "UpdateExpression": "SET n = :n", "ExpressionAttributeValues": values}
    return "UpdateItem", request | drawn.random.choice(({}, {}, {"ReturnValues": "UPDATED_NEW"}))


def _update_day(drawn: _Drawn) -> tuple[str, dict[str, Any]]:
    values = {":n": drawn._new(), ":d": {"S": drawn.random.choice(("mon", "tue"))}}
    return "UpdateItem", {
        "Key": drawn.key(),
        "UpdateExpression": "SET n = :n, #d = :d",
        "ExpressionAttributeNames": {"#d": "day"},
        "ExpressionAttributeValues": values,
    }


def _batch(drawn: _Drawn) -> tuple[str, dict[str, Any]]:
    first, second = drawn.random.sample(KEYS, 2)
    writes: list[dict[str, Any]] = [{"PutRequest": {"Item": drawn.item(first)}}]
    if drawn.random.random() < 0.5:
        writes.append({"DeleteRequest": {"Key": second}})
    else:
        writes.append({"PutRequest": {"Item": drawn.item(second)}})
    return "BatchWriteItem", {"RequestItems": {TABLE: writes}}


def _transaction(drawn: _Drawn) -> tuple[str, dict[str, Any]]:
    first, second = drawn.random.sample(KEYS, 2)
    writes: list[dict[str, Any]] = [{"Put": {"TableName": TABLE, "Item": drawn.item(first)}}]
    if drawn.random.random() < 0.5:
        writes.append({"Delete": {"TableName": TABLE, "Key": second}})
    return "TransactWriteItems", {"TransactItems": writes}


_WRITES: Final[Sequence[Callable[[_Drawn], tuple[str, dict[str, Any]]]]] = (
    _put,
    _put,
    _put_new,
    _delete,
    _update,
    _update,
    _update_day,
    _batch,
    _transaction,
)


def fate_of(seed: int, kind: str | None = None, trouble: str | None = None) -> Fate:
    """The fate with this seed, of any kind unless one is given."""
    random = Random(seed)
    kind = kind or random.choice((*KINDS, *FEEDS))
    chosen = random.choice(TROUBLES)
    fate = Fate(seed, kind, (trouble or chosen) if kind in ("redis", "both") else "")
    effects: list[faults.Effect] = [*REFUSALS, faults.unprocessed(lambda table, part: "PutRequest" in part)]
    if kind in ("writers", "both"):
        effects += UNKNOWN * 2
    if kind in FEEDS:
        effects += UNKNOWN[:5]
    drawn = _Drawn(random, effects, 0.5 if kind in ("writers", "both") else 0.25, is_repetitive=kind in FEEDS)
    fate.items = [drawn.item(key) for key in KEYS if random.random() < 0.7]
    for _ in range(random.choice((2, 2, 3))):
        fate.processes.append(random.choice(({}, {}, {}, {}, {}, {"local": False}, {"reads": False})))
    if random.random() < 0.25:
        fate.config = {"item_ttl": 8.0, "query_ttl": 6.0, "negative_ttl": 7.0}
    if random.random() < 0.7:
        fate.warm = drawn.reads
    # Few writes, so that what each of them leaves is seen, and many reads around them.
    count = random.randint(3, 5)
    kinds = [[random.random() < 0.25 for _ in range(random.randint(2, 4))] for _ in range(count)]
    for number in random.sample(range(count), random.randint(1, 2)):
        kinds[number][0] = True
    for number, is_write in enumerate(kinds):
        ops: list[Op | float] = []
        for each in is_write:
            if random.random() < 0.3:
                ops.append(random.choice((1.0, 4.0, 6.0, 10.0, 16.0)))
            ops.append(drawn.op(is_write=each))
        fate.threads.append((number % len(fate.processes), ops))
    return fate


class Nature:
    """What happens by itself: time passes, things are forgotten, processes die, and Redis is in trouble once."""

    def __init__(self, world: Processes, fate: Fate, random: Random) -> None:
        self.world = world
        self.fate = fate
        self.random = random
        self.troubles_left = 0 if not fate.trouble else 1 if fate.kind == "redis" else 3
        self.troubles = self.written = 0
        self.down_for = 0
        self.said: list[str] = []
        self.feed: Feed | None = None

    def act(self) -> None:
        """Do one thing."""
        world, random = self.world, self.random
        if self.fate.kind in FEEDS and random.random() < 0.15:
            self._write_outside()
            return
        if world.redis.is_down:
            self.down_for -= 1
            if self.down_for <= 0:
                world.redis.is_down = False
        chance = random.random()
        if chance < 0.45:
            self.pass_time(random.choice((0.01, 0.1, 0.6, 0.6, 1.5, 2.5, 6.0, 20.0)))
        elif chance < 0.55:
            self._forget()
        elif chance < 0.65:
            if world.ghosts:
                self.say("a request arrives late, or is lost")
                world.settle_ghost(random.randrange(len(world.ghosts)), random.random() < 0.7)
        elif chance < 0.75 and self.fate.kind in ("writers", "both"):
            if len(world.living) > 1:
                process = random.choice(world.living)
                self.say(f"process {process.number} is killed")
                world.kill(process)
        elif self.troubles_left:
            self._trouble()
        elif chance < 0.88 and self.fate.kind in ("calm", "writers"):
            self._outside()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in pieces in which most processes hear something: else all would be deaf after that."""
        world = self.world
        seconds = min(seconds, world.patience)
        pieces = max(1, int(seconds))
        for _ in range(pieces):
            world.pass_time(seconds / pieces)
            for process in world.living if pieces > 1 else ():
                if process.tier.settings.local and self.random.random() < 0.9:
                    process.listen(2)
        self.say(f"{seconds} s")

    def say(self, what: str) -> None:
        self.said.append(f"{self.world.simulator.history.now}: {what}")

    def _forget(self) -> None:
        """A value goes, at one level or the other."""
        world, random = self.world, self.random
        if random.random() < 0.5:
            values = [key for key in world.redis.data if not key.endswith(":state")]
            if values:
                world.redis.evict(random.choice(values))
            return
        state = random.choice(world.processes).cache._memory._state
        with state.locked():
            kept = [*state.entries._by_key]
            if kept:
                state.entries.discard(random.choice(kept))

    def _outside(self) -> None:
        """Another program writes, and a feed tells one of the processes later."""
        world, random = self.world, self.random
        if world.untold:
            self.say("a feed tells")
            world.tell(random.choice(world.living))
        elif random.random() < 0.5:
            self.say("another program writes")
            self.written += 1
            world.write_outside({**random.choice(KEYS), "n": {"N": f"-{self.written}"}})

    def _write_outside(self) -> None:
        """Another program writes what processes of the tier write, too."""
        random = self.random
        key = random.choice(KEYS)
        if random.random() < 0.2:
            self.say(f"another program deletes {key}")
            self.world.delete_outside(key)
            return
        item = {**key, "n": {"N": str(random.randint(1, 2))}}
        if random.random() < 0.6:
            item["day"] = {"S": random.choice(("mon", "tue"))}
        if random.random() < 0.3:
            item["total"] = {"N": str(random.randint(1, 2))}
        self.say(f"another program writes {item}")
        self.world.put_outside(item)

    def _trouble(self) -> None:
        world, random, redis = self.world, self.random, self.world.redis
        self.troubles_left -= 1
        self.troubles += 1
        self.say(self.fate.trouble)
        match self.fate.trouble:
            case "evict":
                states = redis.keys(":state")
                if states:
                    redis.evict(random.choice(states))
            case "frozen":
                writing = [event for event in world.current.values() if event.op.is_write]
                if writing:
                    world.pass_time(16.0, is_frozen=True)
                else:
                    self.troubles_left += 1
            case "failover":
                if redis.past:
                    world.fail_over(random.randint(1, len(redis.past)))
            case "deaf":
                wires = [wire for wire in redis.subscribed if not wire.process.is_dead]
                if wires:
                    wire = random.choice(wires)
                    wire.is_broken = True
                    redis.subscribed.remove(wire)
            case "down":
                redis.is_down, self.down_for = True, random.randint(1, 8)
                if random.random() < 0.5:
                    redis.cut()
            case "flaky":
                way = random.choice(world.living).way
                way.fails = [random.choice(("before", "after", "")) for _ in range(random.randint(1, 4))]


def live(world: Processes, fate: Fate) -> Nature:
    """Have a fate come true, in an order that its seed gives."""
    world.reset(fate.items, fate.processes, **fate.config)
    world.warm(fate.warm)
    random = Random(~fate.seed)
    nature = Nature(world, fate, random)
    scheduler = Scheduler(world.simulator.clock, points=("sent", "part", "applied", "replied"))
    left = len(fate.threads)

    def work(name: str, number: int, ops: Sequence[Op | float]) -> None:
        nonlocal left
        process = world.processes[number]
        try:
            for op in ops:
                if isinstance(op, Op):
                    world.call(process, name, op)
                else:
                    nature.pass_time(op)
                world.park("between calls")
        except Killed:
            pass
        finally:
            left -= 1

    def listen(number: int) -> None:
        process = world.processes[number]
        while left and not process.is_dead:
            scheduler.park("listens")
            if process.is_dead:
                return
            process.listen(random.choice((1, 1, 2, 5)))
            if random.random() < (0.3 if len(process.outbox) else 0.1):
                process.deliver()

    def be() -> None:
        while left:
            scheduler.park("is")
            if left:
                nature.act()

    for place, (number, ops) in enumerate(fate.threads):
        name = f"p{number} t{place}"
        scheduler.spawn(name, work, name, number, ops)
    for process in world.processes:
        if process.tier.settings.local:
            scheduler.spawn(f"p{process.number} ear", listen, process.number)
    scheduler.spawn("nature", be)
    if fate.kind in FEEDS:
        _follow(world, fate, nature, scheduler, lambda: left > 0)
    for process in world.processes:
        process.cache._memory._state.new_latch = scheduler.event  # type: ignore[assignment]
    world.scheduler = scheduler
    world.simulator.replicas.choose = lambda call, ticks: random.choice(ticks)

    # Some are much slower than others, and most go on for a while.
    pace = {name: random.choice((0.3, 2.0, 3.0, 4.0)) for name in [task.name for task in scheduler._tasks]}
    pace["nature"] = random.choice((0.5, 1.0, 2.0))
    last = ""

    def choose(names: Sequence[str]) -> int:
        nonlocal last
        if " t" not in last or last not in names or random.random() < 0.4:
            last = random.choices(names, [pace[name] for name in names])[0]
        return names.index(last)

    try:
        scheduler.run(choose)
    finally:
        world.scheduler = None
    return nature


def _follow(world: Processes, fate: Fate, nature: Nature, scheduler: Scheduler, goes_on: Callable[[], bool]) -> None:
    """Have a follower read the stream of the table in one of the processes."""
    random = nature.random
    views = {"feed of new images": "NEW_IMAGE", "feed of keys": random.choice(("KEYS_ONLY", "OLD_IMAGE"))}
    feed = Feed(world, views.get(fate.kind, "NEW_AND_OLD_IMAGES"), is_ordered=fate.kind != "feed without order")
    feed.announce()
    world.end_feed, world.is_fed = feed.end, True
    nature.feed = feed

    def follow() -> None:
        while goes_on():
            scheduler.park("follows")
            if goes_on():
                with suppress(Killed):
                    feed.act(random)

    scheduler.spawn(FOLLOWER, follow)
