"""Two processes, one Redis, and everything that can happen to them: every answer is one that was true, and none is
older than it may be.

A change that was made in a process counts there at once. In the other one it counts once Redis was told of it; and,
while that other process cannot hear, a moment later, when it has noticed that.
"""

from __future__ import annotations

import contextlib
from typing import Any

import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from daxlite import TableConfig
from daxlite.calls.listeners import add_change_listener, remove_change_listener
from daxlite.shared.leases import LEASE
from tests.aggregation_fixtures import check
from tests.aggregations.scripted import World
from tests.scripted_client import SCHEMA, TABLE, ScriptedClient, made
from tests.volume import amount

TTL, GRACE = 60.0, 20.0
NAMES = ["a", "b"]
KINDS = ["tag", "item", "nested"]
numbers = st.integers(0, 1)
names = st.sampled_from(NAMES)


class Source:
    """Something that results are computed from: its present value, and when each older one was replaced."""

    def __init__(self) -> None:
        self.value = 0
        self.replaced_at: list[float] = []

    def change(self, now: float) -> None:
        self.value += 1
        self.replaced_at.append(now)


class TwoProcesses(RuleBasedStateMachine):
    @initialize(near_bytes=st.sampled_from([0, 5000, 1_000_000]))
    def start(self, near_bytes: int) -> None:
        self.world = World()
        self.sources = {(kind, name): Source() for kind in ("tag", "item") for name in NAMES}
        self.processes = [self.world.process(near_bytes=near_bytes) for _ in range(2)]
        self.clients = [
            ScriptedClient(
                config={"tables": {TABLE: TableConfig(schema=SCHEMA)}},
                GetItem=lambda params: made(Item={**params["Key"], "v": {"N": str(self.item(params["Key"]).value)}}),
                PutItem=made(),
            )
            for _ in range(2)
        ]
        self.functions = []
        for process, client in zip(self.processes, self.clients, strict=True):
            remove_change_listener(process.cache)  # this process hears its own client alone, see `write`
            self.functions.append(self.functions_of(process.cache, client))
        # What a process must know by now, and what it must know from a moment on.
        self.floors: list[dict[Any, int]] = [dict.fromkeys(self.sources, 0) for _ in range(2)]
        self.later: list[list[tuple[float, Any, int]]] = [[], []]
        self.unsent: list[dict[Any, int]] = [{}, {}]

    def item(self, key: Any) -> Source:
        return self.sources["item", key["pk"]["S"]]

    def functions_of(self, cache: Any, client: ScriptedClient) -> dict[str, Any]:
        options: Any = {"ttl": TTL, "stale_while_revalidate": GRACE}

        @cache.cached(name="tag", depends_on=lambda name: [name], **options)
        def by_tag(name: str) -> int:
            return self.sources["tag", name].value

        @cache.cached(name="item", **options)
        def by_item(name: str) -> int:
            return int(client.get(Key={"pk": {"S": name}})["Item"]["v"]["N"])

        @cache.cached(name="nested", **options)
        def nested(name: str) -> tuple[int, int]:
            return by_tag(name), by_item(name)

        return {"tag": by_tag, "item": by_item, "nested": nested}

    # What happens

    @rule(
        number=numbers, kind=st.sampled_from(KINDS), name=names, refreshing=st.sampled_from([False, False, False, True])
    )
    def call(self, number: int, kind: str, name: str, refreshing: bool) -> None:
        function = self.functions[number][kind]
        result = function.refresh(name) if refreshing else function(name)
        self.learn()
        if kind == "nested":
            self.judge(number, ("tag", name), result[0], is_nested=True)
            self.judge(number, ("item", name), result[1], is_nested=True)
        else:
            self.judge(number, (kind, name), result)

    @rule(first=numbers, kinds=st.permutations(KINDS))
    def one_asks_for_everything_and_then_the_other(self, first: int, kinds: list[str]) -> None:
        for number in (first, 1 - first):
            for kind in kinds:
                for name in NAMES:
                    self.call(number, kind, name, refreshing=False)

    @rule(number=numbers)
    def one_asks_for_everything(self, number: int) -> None:
        for kind in KINDS:
            for name in NAMES:
                self.call(number, kind, name, refreshing=False)

    @rule(number=numbers, kind=st.sampled_from(KINDS), name=names)
    def peek(self, number: int, kind: str, name: str) -> None:
        result = self.functions[number][kind].peek(name)
        self.learn()
        if result is not None and kind != "nested":
            self.judge(number, (kind, name), result)

    def judge(self, number: int, key: Any, value: int, *, is_nested: bool = False) -> None:
        source = self.sources[key]
        assert self.floors[number][key] <= value <= source.value, (
            f"{key}: {value}, but {self.floors[number][key]} is known"
        )
        if value < source.value and key[0] == "tag" and not is_nested:
            assert self.world.clock() - source.replaced_at[value] < TTL + GRACE, "older than any result may be"

    @rule(number=numbers, name=names)
    def change(self, number: int, name: str) -> None:
        self.sources["tag", name].change(self.world.clock())
        self.processes[number].cache.invalidate_tags(name)
        self.changed(number, ("tag", name))

    @rule(number=numbers, name=names)
    def a_change_while_the_server_is_away_for_a_moment(self, number: int, name: str) -> None:
        with self.world.server.down():
            self.change(number, name)

    @rule(number=numbers, name=names)
    def write(self, number: int, name: str) -> None:
        self.sources["item", name].change(self.world.clock())
        cache = self.processes[number].cache
        add_change_listener(cache)
        try:
            self.clients[number].put({"pk": {"S": name}})
        finally:
            remove_change_listener(cache)
        self.changed(number, ("item", name))

    def changed(self, number: int, key: Any) -> None:
        self.floors[number][key] = self.sources[key].value
        self.unsent[number][key] = self.sources[key].value
        self.learn()

    def learn(self) -> None:
        """Once nothing is pending any more the other one knows, or will when it notices that it hears nothing."""
        for number, process in enumerate(self.processes):
            if len(process.cache._outbox):
                continue
            other = 1 - number
            for key, value in self.unsent[number].items():
                at = self.world.clock() + LEASE * self.processes[other].hearing.is_deaf
                self.later[other].append((at, key, value))
            self.unsent[number] = {}
        for floors, later in zip(self.floors, self.later, strict=True):
            for at, key, value in later:
                if at <= self.world.clock():
                    floors[key] = max(floors[key], value)

    @rule(seconds=st.sampled_from([0.3, 1.0, 2.0, 7.0, 30.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        for _ in range(int(seconds / 0.4) or 1):
            self.world.clock.advance(min(seconds, 0.4))
            for process in self.processes:
                process.hearing.pump()
        self.world.clock.advance(max(0.0, seconds - 0.4 * (int(seconds / 0.4) or 1)))
        for client in self.clients:
            client.clock.now = self.world.clock()
        self.learn()

    @rule(number=numbers)
    def background_runs(self, number: int) -> None:
        self.processes[number].run_background()

    @rule(number=st.integers(0, 50))
    def a_key_is_evicted(self, number: int) -> None:
        keys = sorted(self.world.server.data)
        if keys:
            self.world.server.evict(keys[number % len(keys)])

    @rule()
    def the_server_is_flushed(self) -> None:
        self.world.server.flush()

    @rule(error=st.sampled_from([redis.ConnectionError("down"), redis.TimeoutError("slow"), OSError("no route")]))
    def the_server_goes_down(self, error: Exception) -> None:
        self.world.server.failing = lambda command: error

    @rule()
    def the_server_is_full(self) -> None:
        full = redis.exceptions.OutOfMemoryError("full")
        self.world.server.failing = lambda command: full if command[0] == "SET" else None

    @rule(number=st.integers(0, 4))
    def one_command_fails(self, number: int) -> None:
        self.world.server.fail_at(number)

    @rule()
    def the_server_is_well(self) -> None:
        self.world.server.failing = lambda command: None

    @rule(number=numbers)
    def the_bus_hangs(self, number: int) -> None:
        self.processes[number].hearing.is_deaf = True

    @rule(number=numbers)
    def the_bus_is_heard_again(self, number: int) -> None:
        self.processes[number].hearing.is_deaf = False

    @rule(number=numbers)
    def the_bus_breaks(self, number: int) -> None:
        self.processes[number].hearing.lose()

    @rule(number=numbers, name=names)
    def somebody_clears(self, number: int, name: str) -> None:
        cache = self.processes[number].cache
        for act in (
            cache.clear,
            lambda: self.functions[number]["item"].invalidate(name),
            self.functions[number]["tag"].clear,
        ):
            act()
        self.learn()

    @precondition(lambda self: any(len(process.cache._outbox) for process in self.processes))
    @rule(number=numbers)
    def what_is_pending_is_sent(self, number: int) -> None:
        self.processes[number].cache._outbox.try_again()
        self.learn()

    @invariant()
    def nothing_is_under_way(self) -> None:
        for process in getattr(self, "processes", ()):
            assert len(process.cache._flights) == 0
            assert process.cache.stats().faults == 0

    def teardown(self) -> None:
        for process in getattr(self, "processes", ()):
            self.world.server.failing = lambda command: None
            while process.run_background():
                pass  # what runs there may begin more of it
            check(process.cache)
            with contextlib.suppress(redis.RedisError):
                process.cache._close()


TestTwoProcesses = TwoProcesses.TestCase
TestTwoProcesses.settings = settings(max_examples=amount("programs of two processes"), stateful_step_count=40)
