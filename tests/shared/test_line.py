"""A line: the subscription on one server, and what its answers prove."""

from typing import Any

import pytest
import redis

from daxlite.shared.failures import FAILURES
from daxlite.shared.leases import LEASE
from daxlite.shared.line import HEARTBEAT, Line, Proxied
from tests.shared.wires import KEYSPACE, TABLE, Clock, ScriptedServer, ScriptedWire, told

CHANNEL = KEYSPACE.table_channel(TABLE)
SUBSCRIBE = KEYSPACE.subscription(TABLE)


class Bench:
    """A line to one server."""

    def __init__(self, **options: Any) -> None:
        self.clock, self.wall = Clock(), Clock(1e9)
        self.server = ScriptedServer()
        self.wire = ScriptedWire(self.server)
        self.line = Line(self.wire, self.clock, self.wall, **options)
        self.heard: list[bytes] = []

    def read(self) -> None:
        self.line.read(0.0, self.heard.append)

    def prove(self) -> None:
        self.line.subscribe(SUBSCRIBE)
        self.read()
        self.line.ask()
        self.read()
        assert self.line.proved_at == (self.clock(), self.wall())


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_asks_what_the_server_is_before_anything_else(bench: Bench) -> None:
    bench.prove()
    assert bench.server.asked == [("INFO", "server"), ("SUBSCRIBE", CHANNEL), ("ROLE",)]
    assert bench.line.subscriptions == {SUBSCRIBE}


def test_a_channel_is_asked_for_once(bench: Bench) -> None:
    bench.line.subscribe(SUBSCRIBE)
    bench.line.subscribe(SUBSCRIBE)
    bench.read()
    bench.line.subscribe(SUBSCRIBE)
    assert bench.server.asked.count(("SUBSCRIBE", CHANNEL)) == 1


def test_a_channel_counts_only_once_it_is_confirmed(bench: Bench) -> None:
    bench.line.subscribe(SUBSCRIBE)
    assert bench.line.subscriptions == set()
    bench.read()
    assert bench.line.subscriptions == {SUBSCRIBE}


def test_p5_messages_are_passed_on_before_the_answer_behind_them_counts(bench: Bench) -> None:
    bench.prove()
    before = bench.line.proved_at
    bench.clock.advance(HEARTBEAT)
    bench.server.publish(b"before")
    bench.line.ask()
    bench.server.publish(b"after")
    proved: list[Any] = []
    bench.line.read(0.0, lambda data: proved.append((data, bench.line.proved_at)))
    assert proved == [(b"before", before), (b"after", (bench.clock(), bench.wall()))]


def test_p5_an_answer_is_as_good_as_the_moment_of_the_question(bench: Bench) -> None:
    bench.prove()
    bench.clock.advance(HEARTBEAT)
    bench.line.ask()
    asked = bench.clock(), bench.wall()
    bench.clock.advance(1)
    bench.wall.advance(1)
    bench.read()
    assert bench.line.proved_at == asked


def test_p5_a_message_proves_nothing(bench: Bench) -> None:
    bench.prove()
    before = bench.line.proved_at
    bench.clock.advance(1)
    bench.server.publish(b"message")
    bench.read()
    assert bench.heard == [b"message"]
    assert bench.line.proved_at == before


def test_a_question_is_asked_now_and_then_and_only_one_at_a_time(bench: Bench) -> None:
    bench.prove()
    bench.server.asked.clear()
    for _ in range(100):
        bench.clock.advance(HEARTBEAT / 10)
        bench.line.ask()
        bench.line.ask()
        bench.read()
    assert 9 <= bench.server.asked.count(("ROLE",)) <= 11
    bench.server.is_silent = True
    for _ in range(3):
        bench.clock.advance(HEARTBEAT)
        bench.line.ask()
    assert 10 <= bench.server.asked.count(("ROLE",)) <= 12


@pytest.mark.parametrize("clock", ["clock", "wall"])
def test_p5_a_server_that_does_not_answer_ends_the_line(bench: Bench, clock: str) -> None:
    bench.prove()
    bench.server.is_silent = True
    bench.clock.advance(HEARTBEAT)
    bench.line.ask()
    getattr(bench, clock).advance(LEASE - 0.1)
    bench.read()
    getattr(bench, clock).advance(0.1)
    with pytest.raises(TimeoutError):
        bench.read()


def test_a_backlog_is_read_before_the_server_counts_as_silent(bench: Bench) -> None:
    """A process that was stopped finds the answer behind all that was published meanwhile."""
    bench.prove()
    bench.clock.advance(HEARTBEAT)
    for number in range(250):
        bench.server.tell(number)
    bench.line.ask()
    bench.clock.advance(LEASE + 10)
    while len(bench.heard) < 250:
        bench.read()
    bench.read()
    assert bench.heard == [told(number) for number in range(250)]
    assert bench.line.proved_at == (bench.clock() - LEASE - 10, bench.wall())


def test_p5_a_server_that_is_no_primary_any_more_ends_the_line(bench: Bench) -> None:
    bench.prove()
    bench.server.role = b"slave"
    bench.clock.advance(HEARTBEAT)
    bench.line.ask()
    with pytest.raises(redis.exceptions.ReadOnlyError):
        bench.read()


def test_p5_a_primary_that_another_one_has_replaced_ends_the_line(bench: Bench) -> None:
    """As Sentinel says it to those who open a connection."""
    bench.prove()
    bench.wire.knows_better = True
    with pytest.raises(redis.exceptions.ReadOnlyError):
        bench.read()


@pytest.mark.parametrize("error", ["unknown command 'ROLE'", "NOPERM no permissions to run the 'role' command"])
def test_a_server_that_refuses_role_is_asked_for_a_sign_of_life(bench: Bench, error: str) -> None:
    bench.server.refuses["ROLE"] = redis.ResponseError(error)
    bench.prove()
    bench.clock.advance(HEARTBEAT)
    bench.line.ask()
    bench.read()
    assert bench.line.proved_at == (bench.clock(), bench.wall())
    assert bench.server.asked[-2:] == [("ROLE",), ("PING",)]


def test_an_error_is_an_answer(bench: Bench) -> None:
    """A server that cannot save its data refuses PING."""
    bench.server.refuses["ROLE"] = redis.ResponseError("unknown command 'ROLE'")
    bench.server.refuses["PING"] = redis.ResponseError("MISCONF")
    for _ in range(3):
        bench.prove()
        bench.clock.advance(HEARTBEAT)


def test_a_channel_that_is_refused_ends_the_line(bench: Bench) -> None:
    bench.server.refuses["SUBSCRIBE"] = redis.exceptions.NoPermissionError("No permissions to access a channel")
    bench.line.subscribe(SUBSCRIBE)
    with pytest.raises(redis.exceptions.NoPermissionError):
        bench.read()


@pytest.mark.parametrize("run_id", [b"", b"0", b"0" * 40])
def test_what_has_no_run_id_is_a_proxy(run_id: bytes) -> None:
    bench = Bench(asks_what_it_is=False)
    bench.server.run_id = run_id
    line = Line(bench.wire, bench.clock, bench.wall)
    with pytest.raises(Proxied, match="no run id"):
        line.read(0.0, bench.heard.append)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("unknown command 'INFO', with args", "it has no command INFO"),
        ("NOPERM User shop has no permissions to run the 'info' command", r"the user may not run INFO.* \+info"),
    ],
)
def test_what_does_not_say_what_it_is_counts_as_a_proxy(bench: Bench, error: str, words: str) -> None:
    bench = Bench(asks_what_it_is=False)
    bench.server.refuses["INFO"] = redis.ResponseError(error)
    line = Line(bench.wire, bench.clock, bench.wall)
    with pytest.raises(Proxied, match=words):
        line.read(0.0, bench.heard.append)


@pytest.mark.parametrize("reply", [b"PONG", [b"master", 0, []], [b"subscribe", b"another", 1], [], {b"a": b"b"}])
@pytest.mark.parametrize("is_asked", [True, False])
def test_answers_that_fit_no_question_end_the_line(reply: Any, is_asked: bool) -> None:
    bench = Bench(asks_what_it_is=False)
    if is_asked:
        bench.line.subscribe(SUBSCRIBE)
        bench.wire.coming.clear()
    bench.wire.coming.append(reply)
    with pytest.raises(FAILURES):
        bench.read()


@pytest.mark.parametrize("reply", [b"OK", 5, [1], [[0, 5]], [[0, 5, []]], [[0, 5, [b"host", 7000]]]])
def test_an_answer_that_lists_no_slots_ends_the_line(reply: Any) -> None:
    bench = Bench(asks_what_it_is=False, is_of_a_cluster=True)
    bench.line.ask()
    bench.wire.coming[0] = reply
    with pytest.raises(FAILURES):
        bench.read()


def test_a_node_of_a_cluster_is_asked_for_the_primaries_too() -> None:
    bench = Bench(is_of_a_cluster=True)
    bench.server.nodes = [b"one", b"two"]
    bench.prove()
    assert bench.line.primaries == {b"one", b"two"}
    bench.server.nodes = [b"two"]
    for _ in range(5):
        bench.clock.advance(HEARTBEAT)
        bench.line.ask()
        bench.read()
    assert bench.line.primaries == {b"two"}
    assert bench.server.asked.count(("CLUSTER", "SLOTS")) == 2
