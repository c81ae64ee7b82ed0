"""A cluster: each command finds its server while slots move and primaries change, runs once, and ends in time (P7)."""

import asyncio
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode

import daxlite.shared
from daxlite.shared import async_cluster, cluster
from daxlite.shared.async_connection import AsyncConnection
from daxlite.shared.breaker import Breaker
from daxlite.shared.clients import checked_for_asyncio, client_of
from daxlite.shared.connection import Connection
from daxlite.shared.endpoints import endpoint_of
from daxlite.shared.failures import Unavailable, raised_by_a_signal_handler
from daxlite.shared.slots import slot_of_key
from tests.aggregations.scripted import Clock
from tests.interrupting import Limit, interrupted
from tests.proxy import bad_line
from tests.valkey import Cluster, Valkey, running_cluster

BUDGET = 0.25
SLACK = 0.4
"""Seconds: the machine may be busy."""
COUNT = "return redis.call('INCR', KEYS[1])"
COUNT_TWO = "return {redis.call('INCR', KEYS[1]), redis.call('INCR', KEYS[2])}"


class Way:
    """A connection to a cluster, for threads or for asyncio."""

    def __init__(self, kind: str, cluster: Cluster, budget: float | None = 5.0, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.connection: Any
        if kind == "threads":
            self.client: Any = cluster.client(**options)
            self.connection = Connection(client_of(self.client, 5.0), Breaker(Clock()), budget)
        else:
            nodes = [AsyncClusterNode(node.host, node.port) for node in cluster.nodes]

            async def make() -> Any:
                return redis.asyncio.RedisCluster(startup_nodes=nodes, **options)

            self.client = self.runner.run(make())
            self.connection = AsyncConnection(endpoint_of(checked_for_asyncio(self.client)), Breaker(Clock()), budget)
        self.is_async = kind != "threads"

    def _ask(self, question: Any) -> Any:
        async def ask() -> Any:
            return await question

        return self.runner.run(ask()) if self.is_async else question

    def get(self, *keys: str) -> list[bytes | None]:
        return self._ask(self.connection.get(keys))  # type: ignore[no-any-return]

    def run(self, *commands: Any) -> list[Any]:
        return self._ask(self.connection.run(commands))  # type: ignore[no-any-return]

    def close(self) -> None:
        if self.is_async:
            self.runner.run(self.connection.loops.async_close())
            self.runner.run(self.client.aclose())
        else:
            self.connection.clients.close()
            self.client.close()
        self.runner.close()


KINDS = pytest.mark.parametrize("kind", ["threads", "asyncio"])


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    """A cluster whose slots these tests move."""
    with running_cluster() as running:
        yield running


@pytest.fixture(params=["threads", "asyncio"])
def way(request: pytest.FixtureRequest, servers: Cluster) -> Iterator[Way]:
    for node in servers.nodes:
        with node.client() as admin:
            admin.flushall()
            admin.script_flush()
    way = Way(request.param, servers)
    yield way
    way.close()


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What was sent, and to which server, by round trips."""
    sent: list[tuple[str, ...]] = []
    plain, async_plain = cluster.ClusterLease._send, async_cluster.AsyncCluster._send

    def note(place: Any, commands: Any) -> None:
        if commands[0][0] != "CLUSTER":
            sent.append((str(place.port), *[command[0] for command in commands]))

    def send(self: Any, place: Any, commands: Any) -> None:
        note(place, commands)
        plain(self, place, commands)

    def async_send(self: Any, place: Any, commands: Any, budget: Any) -> Any:
        note(place, commands)
        return async_plain(self, place, commands, budget)

    monkeypatch.setattr(cluster.ClusterLease, "_send", send)
    monkeypatch.setattr(async_cluster.AsyncCluster, "_send", async_send)
    return sent


def owner(servers: Cluster, key: str) -> int:
    """The place among the nodes of the one that has this key, before any slot is moved."""
    return next(i for i in reversed(range(3)) if slot_of_key(key) >= 16384 * i // 3)


def key_on(servers: Cluster, place: int, start: str = "k") -> str:
    return next(key for key in (f"{start}{i}" for i in range(1000)) if owner(servers, key) == place)


def test_one_round_trip_to_each_server_whatever_is_asked(way: Way, rounds: list[tuple[str, ...]]) -> None:
    keys = [f"{{{tag}}}:{kind}" for tag in range(30) for kind in ("state", "value")]
    assert way.run(*[("SET", key, key) for key in keys]) == [True] * 60
    assert len(rounds) == 3
    rounds.clear()
    asked = [*reversed(keys), "none", keys[0]]
    assert way.get(*asked) == [*[key.encode() for key in reversed(keys)], None, keys[0].encode()]
    assert len(rounds) == 3
    assert sum(sent.count("MGET") for sent in rounds) == 31, "one for each slot"
    rounds.clear()
    assert way.get("{7}:state", "{7}:value") == [b"{7}:state", b"{7}:value"]
    assert [sent[1:] for sent in rounds] == [("MGET",)]
    rounds.clear()
    commands = [("EVAL", COUNT, 1, f"n{i}") for i in range(20)]
    assert way.run(*commands) == [1] * 20
    assert {sent[1] for sent in rounds} == {"EVALSHA", "EVAL"}
    assert len(rounds) == 6, "no server had the script"
    rounds.clear()
    assert way.run(*commands) == [2] * 20
    assert way.run(*commands[:1], ("PEXPIRE", "n0", 100_000, "GT"), ("DEL", "n1"), ("GET", "n2")) == [3, 0, 1, b"2"]
    assert way.connection.breaker.errors == 0


def test_an_error_is_one_of_all_and_the_others_have_run_once(way: Way) -> None:
    keys = [f"n{i}" for i in range(12)]
    for _ in range(2):
        with pytest.raises(Unavailable) as raised:
            way.run(*[("EVAL", COUNT, 1, key) for key in keys], ("NO SUCH", "a"))
        assert isinstance(raised.value.cause, redis.ResponseError)
    assert way.get(*keys) == [b"2"] * 12


def test_a_command_with_keys_of_two_slots_is_refused_and_the_next_is_not(way: Way) -> None:
    with pytest.raises(Unavailable):
        way.run(("EVAL", COUNT_TWO, 2, "a", "b"))
    assert way.run(("EVAL", COUNT_TWO, 2, "{a}1", "{a}2")) == [[1, 1]]


class Migration:
    """A slot that goes from one node to another, key by key."""

    def __init__(self, servers: Cluster, slot: int, source: Valkey, target: Valkey) -> None:
        self.slot, self.source, self.target = slot, source, target
        self.clients = [node.client() for node in servers.nodes]
        by_port = {node.port: client for node, client in zip(servers.nodes, self.clients, strict=True)}
        self.from_, self.to = by_port[source.port], by_port[target.port]
        self.target_id = self.to.execute_command("CLUSTER MYID")

    def begin(self) -> None:
        self.to.execute_command("CLUSTER SETSLOT", self.slot, "IMPORTING", self.from_.execute_command("CLUSTER MYID"))
        self.from_.execute_command("CLUSTER SETSLOT", self.slot, "MIGRATING", self.target_id)

    def move(self, *keys: str) -> None:
        self.from_.execute_command("MIGRATE", self.target.host, self.target.port, "", 0, 5000, "KEYS", *keys)

    def left(self) -> list[str]:
        keys: list[str] = self.from_.execute_command("CLUSTER GETKEYSINSLOT", self.slot, 10)
        return keys

    def end(self) -> None:
        others = [client for client in self.clients if client not in (self.from_, self.to)]
        for client in (self.to, self.from_, *others):
            client.execute_command("CLUSTER SETSLOT", self.slot, "NODE", self.target_id)

    def close(self) -> None:
        for client in self.clients:
            client.close()


@contextmanager
def migration(servers: Cluster, key: str) -> Iterator[Migration]:
    """Of the slot of a key, to the next node; afterwards it is moved back."""
    place = owner(servers, key)
    source, target = servers.nodes[place], servers.nodes[(place + 1) % 3]
    moving = Migration(servers, slot_of_key(key), source, target)
    try:
        yield moving
    finally:
        moving.end()
        moving.close()
    returning = Migration(servers, slot_of_key(key), target, source)
    returning.begin()
    while keys := returning.left():
        returning.move(*keys)
    returning.end()
    returning.close()


def test_each_moment_of_a_migration(way: Way, servers: Cluster, rounds: list[tuple[str, ...]]) -> None:
    state, value, other = "{m}state", "{m}value", "elsewhere"
    way.run(("SET", state, b"s"), ("SET", value, b"v"), ("SET", other, b"o"))

    def is_right(*more: str) -> None:
        assert way.get(state, value, other) == [b"s", b"v", b"o"]
        assert way.get(state, value) == [b"s", b"v"]
        assert way.get("{m}none", "{m}nothing", "{m}neither") == [None, None, None]
        (before,) = way.run(("EVAL", COUNT, 1, "{m}count"))
        assert way.run(("EVAL", COUNT, 1, "{m}count"), ("GET", other)) == [before + 1, b"o"]

    with migration(servers, "m") as moving:
        is_right()
        moving.begin()
        is_right()  # ASK for what is not there
        moving.move(value)
        is_right()  # TRYAGAIN for both
        moving.move(state)
        is_right()
        while keys := moving.left():
            moving.move(*keys)
        moving.end()
        rounds.clear()
        is_right()  # MOVED, once
        rounds.clear()
        assert way.get(state, value) == [b"s", b"v"]
        assert len(rounds) == 1, "the way is known"
    assert way.connection.breaker.errors == 0


def test_p7_a_script_of_two_keys_that_are_apart_waits_for_no_longer_than_the_budget(servers: Cluster, way: Way) -> None:
    short = Way("asyncio" if way.is_async else "threads", servers, BUDGET)
    one, two = "{w}1", "{w}2"
    way.run(("EVAL", COUNT_TWO, 2, one, two))
    with migration(servers, "w") as moving:
        moving.begin()
        moving.move(one)
        began = time.monotonic()
        with pytest.raises(Unavailable) as raised:
            short.run(("EVAL", COUNT_TWO, 2, one, two))
        assert time.monotonic() - began < BUDGET + SLACK
        assert isinstance(raised.value.cause, redis.exceptions.TryAgainError | redis.TimeoutError | TimeoutError)
        mover = threading.Timer(0.1, moving.move, [two])
        mover.start()
        assert way.run(("EVAL", COUNT_TWO, 2, one, two)) == [[2, 2]], "it waited until they are together again"
        mover.join()
        moving.end()
    short.close()


def test_every_script_runs_once_while_slots_move_under_load(servers: Cluster, way: Way) -> None:
    """Single keys and pairs; a pair that is apart for longer than the budget may fail, and has then not run."""
    tags = ["x", "y", "z"]
    stop = threading.Event()
    counted = {f"{{{tag}}}{i}": 0 for tag in tags for i in range(4)}
    errors: list[Any] = []

    def load(tag: str) -> None:
        mine = Way("asyncio" if way.is_async else "threads", servers, 5.0)
        keys = [key for key in counted if key.startswith(f"{{{tag}}}")]
        try:
            while not stop.is_set():
                for key in keys:
                    counted[key] += 1
                    if mine.run(("EVAL", COUNT, 1, key)) != [counted[key]]:
                        errors.append(key)
                if mine.get(*keys) != [str(counted[key]).encode() for key in keys]:
                    errors.append(keys)
                for key in keys[:2]:
                    counted[key] += 1
                if mine.run(("EVAL", COUNT_TWO, 2, *keys[:2])) != [[counted[key] for key in keys[:2]]]:
                    errors.append(keys[:2])
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)
        mine.close()

    threads = [threading.Thread(target=load, args=[tag]) for tag in tags]
    for thread in threads:
        thread.start()
    for _ in range(2):
        for tag in tags:
            with migration(servers, tag) as moving:
                moving.begin()
                while keys := moving.left():
                    moving.move(keys[0])
                    time.sleep(0.005)
                moving.end()
                time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert min(counted.values()) > 20, "too little load to show anything"
    assert way.get(*counted) == [str(number).encode() for number in counted.values()]


@KINDS
@pytest.mark.parametrize("mode", ["cut", "hang"])
def test_a_script_whose_reply_is_lost_ran_once(servers: Cluster, kind: str, mode: Any) -> None:
    with (
        bad_line(servers.nodes[0].host, servers.nodes[0].port) as one,
        bad_line(servers.nodes[1].host, servers.nodes[1].port) as two,
        bad_line(servers.nodes[2].host, servers.nodes[2].port) as three,
    ):
        lines = [one, two, three]
        proxies = {node.port: line.port for node, line in zip(servers.nodes, lines, strict=True)}
        way = Way(kind, servers, BUDGET, address_remap=lambda place: (place[0], proxies.get(place[1], place[1])))
        keys = [key_on(servers, place, f"{kind}{mode}") for place in range(3)]
        scripts = [("EVAL", COUNT, 1, key) for key in keys]
        assert way.run(*scripts) == [1, 1, 1]
        lines[1].mode, lines[1].cuts = mode, 1
        began = time.monotonic()
        with pytest.raises(Unavailable):
            way.run(*scripts)
        assert time.monotonic() - began < BUDGET + SLACK
        lines[1].mode = "pass"
        time.sleep(0.1)
        assert way.get(*keys) == [b"2", b"2", b"2"]
        assert way.run(*scripts) == [3, 3, 3]
        way.close()


def answers_within(seconds: float, ask: Callable[[], Any], expected: Any) -> None:
    """Each try ends in time, and one of them with the right answer."""
    until = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        try:
            assert ask() == expected
            return
        except Unavailable:
            assert time.monotonic() - began < BUDGET + SLACK
            assert time.monotonic() < until
            time.sleep(0.01)


@KINDS
def test_p7_a_primary_that_is_gone_costs_no_more_than_the_budget_and_the_new_one_is_found(kind: str) -> None:
    with running_cluster(with_replica=True) as servers:
        way = Way(kind, servers, BUDGET)
        way.connection.breaker.failed = lambda: False  # each call is to be sent
        lost, alive = key_on(servers, 0), key_on(servers, 1)
        way.run(("SET", lost, b"1"), ("SET", alive, b"2"))
        with servers.nodes[0].client() as admin:
            assert admin.execute_command("WAIT", 1, 5000) == 1
        servers.nodes[0].pause()  # the harder case: one that was killed refuses connections at once
        for _ in range(3):
            for ask in (lambda: way.get(lost, alive), lambda: way.run(("SET", lost, b"1"))):
                began = time.monotonic()
                with pytest.raises(Unavailable):
                    ask()
                assert time.monotonic() - began < BUDGET + SLACK
        answers_within(3.0, lambda: way.get(alive), [b"2"])
        servers.promote()
        answers_within(10.0, lambda: way.get(lost, alive), [b"1", b"2"])
        assert way.run(("EVAL", COUNT, 1, lost)) == [2]
        if kind == "threads":
            assert servers.replica is not None
            assert servers.replica.port in {place.port for place in way.connection.clients.servers()}
        way.close()
        servers.nodes[0].resume()


WAYS = (str(Path(redis.__file__).parent), str(Path(daxlite.shared.__file__).parent))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # where a finaliser is interrupted
@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("limit", [Limit, TimeoutError])
def test_p7_commands_that_are_interrupted_at_any_moment_leave_no_reply_for_the_next(
    servers: Cluster, limit: type[BaseException]
) -> None:
    way = Way("threads", servers)
    keys = [key_on(servers, place, f"i{number}-") for number in range(2) for place in range(3)]
    way.run(*[("SET", key, key) for key in keys])
    struck: list[bool] = []

    def handle(number: int, frame: FrameType | None) -> None:
        struck.append(True)
        raise limit

    def ask() -> None:
        learning = way.connection.clients._way.routing
        learning._is_stale, learning._learned_at = True, -math.inf
        way.connection.run([("GET", key) for key in keys[:3]])

    before = signal.signal(signal.SIGUSR1, handle)
    number, arrived, struck_in_all = 0, 0, 0
    while True:
        error = interrupted(
            ask,
            lambda frame: frame.f_code.co_filename.startswith(WAYS),
            number,
            lambda: handle(signal.SIGUSR1, None),
            BaseException,
        )
        if not struck:
            break
        struck.clear()
        struck_in_all += 1
        arrived += error is not None and raised_by_a_signal_handler(error) is error
        del error
        assert way.get(*keys) == [key.encode() for key in keys], f"after moment {number}"
        number += 3
    signal.signal(signal.SIGUSR1, before)
    assert struck_in_all > 50
    assert arrived > 0.75 * struck_in_all, "the application's own error does not reach it"
    way.close()


def test_a_process_that_forked_has_connections_of_its_own(servers: Cluster) -> None:
    way = Way("threads", servers)
    keys = [key_on(servers, place) for place in range(3)]
    way.get(*keys)
    parents = way.connection.clients._way
    idle = [connection for pool in parents._pools.values() for connection in pool._idle]
    assert len(idle) == 3
    way.connection.clients.begin()
    assert way.get(*keys) == [None] * 3
    own = way.connection.clients._way
    assert not {*idle} & {connection for pool in own._pools.values() for connection in pool._idle}
    assert all(connection._sock is not None for connection in idle), "the parent's are not even closed"
    parents.close()
    way.close()


def test_the_applications_own_pools_are_not_used(servers: Cluster) -> None:
    client = servers.client()
    before = [node.redis_connection.connection_pool._created_connections for node in client.get_nodes()]
    connection = Connection(client_of(client, 5.0), Breaker(Clock()))
    connection.run([("SET", f"k{i}", b"1") for i in range(20)])
    after = [node.redis_connection.connection_pool._created_connections for node in client.get_nodes()]
    assert before == after
    connection.clients.close()
    client.close()
