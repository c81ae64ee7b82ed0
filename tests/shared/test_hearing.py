"""Hearing: what counts as heard, for how long, and what comes before (promise P5)."""

import logging
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from daxlite.shared import hearing as hearing_module
from daxlite.shared.hearing import Hearing
from daxlite.shared.leases import LEASE, NO_LEASE
from daxlite.shared.messages import UNKNOWN
from daxlite.shared.tags import EVERY_TABLE, NAMESPACE
from tests.forking import in_child
from tests.shared.wires import OTHER, TABLE, Listener, ScriptedServer, told


@pytest.fixture
def one() -> Listener:
    return Listener(ScriptedServer())


@pytest.fixture
def three() -> Listener:
    return Listener(*[ScriptedServer(name) for name in "abc"])


def test_before_it_listens_nothing_is_heard(one: Listener) -> None:
    assert not one.hears
    assert one.hearing.serves == NO_LEASE
    one.go()
    assert one.hears
    assert one.hearing.epoch == 1
    assert (one.renewals, one.lost) == (1, 0)


def test_what_is_published_is_passed_on(one: Listener) -> None:
    one.go()
    (server,) = one.servers.known
    server.tell(1)
    server.tell(2, OTHER)
    server.publish(told(3), NAMESPACE)
    server.tell(4)
    one.go()
    assert one.heard == [1, 3, 4]
    assert one.hearing.counts.messages == 3


def test_all_tables_may_be_heard_at_once() -> None:
    one = Listener(ScriptedServer(), tables=frozenset((EVERY_TABLE,)))
    one.go()
    assert one.hearing.hears(EVERY_TABLE)
    for number, table in enumerate((TABLE, OTHER, NAMESPACE)):
        one.servers.known[0].tell(number, table)
    one.go()
    assert one.heard == [0, 1, 2]


def test_p5_what_cannot_be_read_is_passed_on_as_a_change_of_everything(one: Listener) -> None:
    one.go()
    messages: list[Any] = []
    one.hearing.on_message = messages.append
    one.servers.known[0].publish(b"text")
    one.go()
    assert messages == [UNKNOWN]


def test_a_table_is_heard_once_every_primary_has_confirmed_it(three: Listener) -> None:
    three.go()
    assert three.hears
    three.hearing._tables.add(OTHER)
    three.servers.known[1].is_silent = True
    three.go()
    assert not three.hearing.hears(OTHER)
    assert three.hears, "those that were heard before still are"
    three.servers.known[1].is_silent = False
    three.go()
    assert three.hearing.hears(OTHER)
    assert three.hearing.epoch == 1
    three.servers.known[2].tell(7, OTHER)
    three.go()
    assert three.heard == [7]


# Leases


def test_p5_it_hears_for_two_seconds_after_a_question_that_was_answered(one: Listener) -> None:
    one.go()
    assert one.hearing.lease.until == one.clock() + LEASE
    one.advance(LEASE - 0.001)
    assert one.hears
    one.advance(0.001)
    assert not one.hears


def test_it_hears_for_as_long_as_it_listens(one: Listener) -> None:
    one.go()
    for _ in range(100):
        one.hear_on(0.1)
        assert one.hears
    assert one.hearing.counts.leases_lost == 0


def test_p5_all_lines_must_be_leased(three: Listener) -> None:
    three.go()
    until = three.hearing.lease.until
    three.servers.known[1].is_silent = True
    three.hear_on(1.9)
    assert three.hears
    assert three.hearing.lease.until == until, "the others answered, and that changes nothing"
    three.hear_on(0.1)
    assert not three.hears


def test_p5_a_frozen_process_believes_nothing_on_waking(one: Listener) -> None:
    """As Lambda does it: the monotonic clock stands still."""
    one.go()
    one.wall.advance(3600)
    assert not one.hears


@pytest.mark.parametrize("seconds", [-3600, -1, 3600])
def test_p5_a_wall_clock_that_is_set_prolongs_nothing(one: Listener, seconds: float) -> None:
    one.go()
    one.wall.advance(seconds)
    one.advance(LEASE)
    assert not one.hears
    one.servers.known[0].is_silent = True
    one.go()
    assert not one.hears


def test_a_wall_clock_that_is_set_ends_a_lease_for_a_moment(one: Listener) -> None:
    one.go()
    one.wall.advance(-3600)
    assert not one.hears
    one.hear_on(0.6)
    assert one.hears


@given(moves=st.lists(st.tuples(st.sampled_from("cwlsa"), st.floats(-5, 5)), max_size=30))
def test_p5_a_lease_never_outlasts_its_question(moves: list[tuple[str, float]]) -> None:
    """Whatever the clocks do: what is heard was asked for less than two seconds ago, by both of them."""
    one = Listener(ScriptedServer())
    (server,) = one.servers.known
    for kind, seconds in moves:
        match kind:
            case "c":
                one.clock.advance(abs(seconds))
            case "w":
                one.wall.advance(seconds)
            case "s":
                server.is_silent = not server.is_silent
            case "a":
                one.advance(abs(seconds))
            case _:
                one.go()
        if one.hears:
            line = one.hearing._lines.all[0]
            assert line.proved_at is not None
            assert one.clock() - line.proved_at[0] < LEASE
            assert 0 <= one.wall() - line.proved_at[1] < LEASE


def test_p7_what_is_kept_may_be_served_for_longer_during_an_outage() -> None:
    one = Listener(ScriptedServer(), outage_ttl=30.0)
    assert one.hearing.serves == NO_LEASE
    one.go()
    asked = one.clock()
    one.servers.known[0].cut()
    one.servers.known[0].is_down = True
    one.go()
    assert not one.hears
    serves = one.hearing.serves
    assert serves.until == asked + LEASE + 30
    assert serves.wall_until == one.wall() + LEASE + 30
    one.advance(LEASE + 29.9)
    assert serves.holds(one.clock(), one.wall())
    one.advance(0.1)
    assert not serves.holds(one.clock(), one.wall())


def test_without_an_outage_ttl_nothing_is_served_that_is_not_heard(one: Listener) -> None:
    one.go()
    assert one.hearing.serves == one.hearing.lease
    one.servers.known[0].cut()
    one.hearing.step()
    assert one.hearing.serves == NO_LEASE


# What loses the lines


def break_it(one: Listener) -> None:
    one.servers.known[0].cut()


def demote_it(one: Listener) -> None:
    one.servers.known[0].role = b"slave"


def replace_it(one: Listener) -> None:
    one.servers.known[0].wires[0].knows_better = True


def silence_it(one: Listener) -> None:
    one.servers.known[0].is_silent = True


def add_a_primary(one: Listener) -> None:
    one.servers.known = (*one.servers.known, ScriptedServer("another"))


def name_another(one: Listener) -> None:
    """A node knows of a primary before the client does."""
    one.servers.known[-1].nodes.append(b"another")


def doubt_it(one: Listener) -> None:
    one.hearing.doubt()


TROUBLES = [break_it, demote_it, replace_it, silence_it, add_a_primary, name_another, doubt_it]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_p5_a_trouble_with_one_line_loses_all(trouble: Any, three: Listener) -> None:
    three.go()
    trouble(three)
    for _ in range(50):
        three.advance(0.1)
        if not three.hearing.step():
            break
    assert three.hearing.lease is NO_LEASE
    assert not three.hears
    assert (three.lost, three.hearing.counts.leases_lost) == (1, 1)
    assert not three.hearing._lines.all


@pytest.mark.parametrize("trouble", [name_another, add_a_primary])
def test_p5_nothing_is_heard_while_client_and_nodes_disagree_on_the_primaries(trouble: Any, three: Listener) -> None:
    three.go()
    looks = three.servers.looks
    trouble(three)
    for _ in range(100):
        three.hear_on(0.1)
        assert three.hearing.epoch == 1
    assert not three.hears
    assert three.servers.looks > looks, "the client is told to look again"
    three.servers.known = (*three.servers.known[:3], ScriptedServer("another"))
    for server in three.servers.known:
        server.nodes = [b"a", b"b", b"c", b"another"]
    three.hear_on(1)
    assert three.hears


def test_p5_a_caller_that_doubts_is_never_overruled(one: Listener) -> None:
    """It is another thread: it may doubt at any moment of a turn."""
    one.go()
    one.advance(0.5)
    original = one.hearing._publish

    def publish() -> None:
        one.hearing._is_doubted = True  # between the thread's look and its assignment
        original()

    one.hearing._publish = publish  # type: ignore[method-assign]
    one.go(1)
    assert not one.hears
    assert one.hearing.serves == NO_LEASE


def test_p5_a_doubt_holds_at_once(one: Listener) -> None:
    one.go()
    one.hearing.doubt()
    assert not one.hears
    assert one.hearing.serves == NO_LEASE
    one.go()
    assert one.hears
    assert one.hearing.epoch == 2


def test_p5_no_table_is_forgotten_that_two_threads_ask_for_at_once(one: Listener) -> None:
    tables = [b"table %02d" % number for number in range(50)]
    one.hearing.stop()  # without a thread
    callers = [threading.Thread(target=one.hearing.listen, args=(table,)) for table in tables]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert set(tables) <= one.hearing._tables


def test_a_lease_that_runs_out_while_its_process_is_stopped_is_counted(one: Listener) -> None:
    """Nothing was missed: the connection is the same. But nothing counts before the next answer."""
    one.go()
    one.advance(10)
    assert not one.hears
    one.go()
    assert one.hears
    assert (one.hearing.epoch, one.lost, one.hearing.counts.leases_lost) == (1, 0, 1)


def test_a_beginning_that_fails_loses_nothing() -> None:
    one = Listener(ScriptedServer())
    one.servers.known[0].is_down = True
    one.go()
    assert (one.lost, one.hearing.counts.leases_lost) == (0, 0)


# Renewal


def test_p5_nothing_is_heard_before_the_tier_has_dropped_what_it_kept(one: Listener) -> None:
    one.renews = lambda: False
    one.go(10)
    assert one.renewals > 5
    assert (one.hears, one.hearing.epoch) == (False, 1)
    assert one.hearing.counts.renewals == 0
    one.servers.known[0].tell(1)
    one.go(1)
    assert one.heard == [1], "but what comes is passed on"
    one.renews = lambda: True
    renewals = one.renewals
    one.go()
    assert one.hears
    assert one.hearing.counts.renewals == 1
    assert one.renewals == renewals + 1, "and then it is over"


def test_p5_the_tier_is_asked_when_all_that_was_published_before_was_passed_on(three: Listener) -> None:
    three.go()
    order: list[Any] = []
    three.hearing.on_message = lambda message: order.append(int.from_bytes(message.id))
    three.hearing.on_renewed = lambda: order.append("renewed") or True  # type: ignore[func-returns-value]
    three.servers.known[0].cut()
    three.go(2)
    assert not three.hears
    for line in three.hearing._lines.all:
        assert line.subscriptions, "subscribed"
    for number, server in enumerate(three.servers.known):
        server.tell(number)
    three.go(3)
    assert order == [0, 1, 2, "renewed"]


def test_p5_only_a_question_after_all_subscriptions_proves_something(three: Listener) -> None:
    late = three.servers.known[2]
    late.is_silent = True
    three.go(3)
    assert not any(("ROLE",) in server.asked for server in three.servers.known)
    late.is_silent = False
    three.go(3)
    assert all(("ROLE",) in server.asked for server in three.servers.known)
    assert three.hears


def test_each_renewal_is_an_epoch(one: Listener) -> None:
    for epoch in (1, 2, 3):
        one.go()
        assert one.hears
        assert one.hearing.epoch == epoch
        one.servers.known[0].cut()
        one.go(1)
        assert not one.hears
        assert one.lost == epoch


def test_p5_the_epoch_is_another_before_the_tier_is_asked(one: Listener) -> None:
    epochs: list[int] = []
    one.hearing.on_renewed = lambda: epochs.append(one.hearing.epoch) or True  # type: ignore[func-returns-value]
    one.go()
    one.servers.known[0].cut()
    one.go()
    assert epochs == [1, 2]


# Copies


def test_copies_are_dropped_before_they_are_decoded(three: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    three.go()
    decoded = []
    decode = hearing_module.decode_message
    monkeypatch.setattr(hearing_module, "decode_message", lambda data: decoded.append(data) or decode(data))
    for number in (1, 2, 2, 3):
        for server in three.servers.known:
            server.tell(number)
    three.go()
    assert three.heard == [1, 2, 2, 3]
    assert len(decoded) == 4
    assert three.hearing.counts.duplicates == 8
    assert three.hearing.counts.messages == 4


def test_p5_one_server_sends_no_copies(one: Listener) -> None:
    one.go()
    for _ in range(3):
        one.servers.known[0].tell(1)
    one.go()
    assert one.heard == [1, 1, 1]


def test_the_number_of_messages_is_told(one: Listener) -> None:
    numbers: list[int] = []
    one.hearing.on_counted = numbers.append
    one.go()
    for number in range(5):
        one.servers.known[0].tell(number)
    one.go()
    assert numbers == [5]


# Faults


def test_p7_a_fault_of_the_tier_loses_the_lines_and_is_reported(one: Listener) -> None:
    """A message that it did not take must not be forgotten."""
    one.go()
    error = KeyError("x")

    def fail(message: Any) -> None:
        raise error

    one.hearing.on_message = fail
    one.servers.known[0].tell(1)
    one.go(1)
    assert one.faults == [error]
    assert not one.hears
    one.go()
    assert one.hears
    assert one.hearing.epoch == 2


@pytest.mark.parametrize("callback", ["on_renewed", "on_lost", "on_counted"])
def test_p7_a_fault_in_any_callback_is_reported(one: Listener, callback: str) -> None:
    def fail(*arguments: Any) -> bool:
        raise KeyError

    setattr(one.hearing, callback, fail)
    one.go()
    one.servers.known[0].tell(1)
    one.go()
    one.servers.known[0].cut()
    one.go()
    assert {type(error) for error in one.faults} == {KeyError}


def test_p7_a_trouble_with_redis_is_logged_once_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    one = Listener(ScriptedServer())
    one.servers.known[0].refuses["SUBSCRIBE"] = redis.exceptions.NoPermissionError("No permissions to access a channel")
    with caplog.at_level(logging.WARNING, logger="daxlite"):
        one.go(10)
    assert len(caplog.messages) == 1
    assert "the user may not SUBSCRIBE on the channel; its ACL needs &<namespace>" in caplog.text
    assert "nothing is served from this process's memory meanwhile" in caplog.text
    assert one.breaker.troubles.are_there
    assert one.breaker.errors > 1
    del one.servers.known[0].refuses["SUBSCRIBE"]
    one.go()
    assert not one.breaker.troubles.are_there


def test_p7_an_outage_is_a_trouble_until_it_hears_again(one: Listener) -> None:
    one.servers.known[0].is_down = True
    one.go()
    assert one.breaker.troubles.are_there
    one.servers.known[0].is_down = False
    one.go()
    assert not one.breaker.troubles.are_there


# Where it is impossible


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING, logger="daxlite"):
        yield caplog


def hopeless(one: Listener, warnings: pytest.LogCaptureFixture, words: str) -> None:
    for _ in range(3):
        one.hearing.listen(TABLE)
        one.hearing.listen(OTHER)
    assert one.hearing._thread is None or not one.hearing._thread.is_alive()
    assert not one.hearing.is_possible
    assert words in str(one.hearing.obstacle)
    assert [words in message for message in warnings.messages] == [True], "it is said once"
    assert not one.hears


@pytest.mark.parametrize(
    "host",
    [
        "shop-abc123.serverless.euw1.cache.amazonaws.com",
        "shop-abc123.serverless.cnn1.cache.amazonaws.com.cn",
        "SHOP.serverless.use1.cache.amazonaws.com.",
        "shop.eastus.redis.azure.net",
        "redis-123.c1.us-east-1-2.ec2.redns.redis-cloud.com",
        "usw1-shop-1.upstash.io",
    ],
)
def test_p5_behind_an_address_of_many_servers_it_does_not_hear(host: str, warnings: pytest.LogCaptureFixture) -> None:
    one = Listener(ScriptedServer())
    one.servers.names = ["127.0.0.1", host]
    one.hearing.begin()
    hopeless(one, warnings, "several servers stand behind one address")


@pytest.mark.parametrize(
    "host",
    [
        "shop.abc123.0001.euw1.cache.amazonaws.com",
        "clustercfg.shop.abc123.euw1.cache.amazonaws.com",
        "clustercfg.shop.abc123.memorydb.eu-west-1.amazonaws.com",
        "serverless.example.com",
        "shop.redis.cache.windows.net",
        "localhost",
        "::1",
        "",
    ],
)
def test_other_names_say_nothing(host: str) -> None:
    one = Listener(ScriptedServer())
    one.servers.names = [host]
    one.hearing.begin()
    assert one.hearing.is_possible


def test_an_application_may_say_that_there_is_a_proxy(warnings: pytest.LogCaptureFixture) -> None:
    hopeless(Listener(ScriptedServer(), is_proxy=True), warnings, "proxy=True")


def test_an_application_may_say_that_there_is_none() -> None:
    one = Listener(ScriptedServer(), is_proxy=False)
    one.servers.names = ["shop-abc123.serverless.euw1.cache.amazonaws.com"]
    one.servers.known[0].run_id = b""
    one.hearing.begin()
    one.go()
    assert one.hears


def test_p5_a_proxy_that_shows_itself_only_when_asked_is_not_believed(warnings: pytest.LogCaptureFixture) -> None:
    one = Listener(ScriptedServer())
    one.servers.known[0].run_id = b"0"
    one.hearing.listen(TABLE)
    assert one.hearing._thread is not None
    one.hearing._thread.join(10)
    hopeless(one, warnings, "it has no run id")
    assert one.hearing.epoch == 0


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        ({}, False),
        ({"enable-threads": b"false"}, False),
        ({"threads": b"1"}, False),
        ({"enable-threads": True}, True),
        ({b"enable-threads": b"true"}, True),
        ({"threads": b"4"}, True),
    ],
)
def test_p5_where_uwsgi_runs_no_threads_it_does_not_hear(
    options: dict[Any, Any], runs: bool, monkeypatch: pytest.MonkeyPatch, warnings: pytest.LogCaptureFixture
) -> None:
    module = types.ModuleType("uwsgi")
    module.opt = options  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    one = Listener(ScriptedServer())
    if runs:
        assert one.hearing.is_possible
    else:
        hopeless(one, warnings, "--enable-threads")


def test_p5_where_no_thread_starts_it_does_not_hear(
    monkeypatch: pytest.MonkeyPatch, warnings: pytest.LogCaptureFixture
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    one = Listener(ScriptedServer())
    monkeypatch.setattr(threading.Thread, "start", start)
    hopeless(one, warnings, "no thread can be started")


# With its own thread


def wait_for(holds: Any) -> None:
    done = threading.Event()
    for _ in range(2000):
        if holds():
            return
        done.wait(0.005)
    raise AssertionError("waited in vain")


def test_its_thread_listens_begins_anew_and_ends(one: Listener) -> None:
    (server,) = one.servers.known
    assert one.hearing._thread is None, "not before the first call"
    one.hearing.listen(TABLE)
    thread = one.hearing._thread
    assert thread is not None
    assert thread.daemon
    wait_for(lambda: one.hears)
    one.hearing.listen(OTHER)
    wait_for(lambda: one.hearing.hears(OTHER))
    assert one.hearing._thread is thread
    server.tell(1)
    wait_for(lambda: one.heard == [1])
    server.cut()
    wait_for(lambda: one.hearing.epoch == 2 and one.hears)
    wire = server.wires[0]
    one.hearing.close()
    assert not thread.is_alive()
    assert wire.is_closed
    assert one.servers.is_closed
    assert not one.hears
    assert one.hearing.serves == NO_LEASE
    assert one.lost == 1, "an end is no loss"
    one.hearing.listen(TABLE)
    assert one.hearing._thread is None, "closed is closed"
    one.hearing.close()


def test_p5_a_closed_one_serves_nothing_whatever_the_outage_ttl() -> None:
    one = Listener(ScriptedServer(), outage_ttl=30.0)
    one.hearing.listen(TABLE)
    wait_for(lambda: one.hears)
    one.hearing.close()
    assert one.hearing.serves == NO_LEASE


def test_a_server_that_hangs_does_not_keep_it_from_closing(one: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing_module, "LONGEST_CLOSE", 0.01)
    hangs, is_over = threading.Event(), threading.Event()

    def hear(message: Any) -> None:
        hangs.set()
        is_over.wait()

    one.hearing.on_message = hear
    one.hearing.listen(TABLE)
    thread = one.hearing._thread
    assert thread is not None
    wait_for(lambda: one.hears)
    one.servers.known[0].tell(1)
    hangs.wait()
    assert one.hears, "for two seconds"
    one.hearing.close()
    assert not one.hears
    is_over.set()
    thread.join()
    assert not one.hears
    assert one.hearing.serves == NO_LEASE


def test_many_callers_start_one_thread(one: Listener) -> None:
    before = threading.active_count()
    callers = [threading.Thread(target=one.hearing.listen, args=(TABLE,)) for _ in range(10)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    wait_for(lambda: one.hears)
    assert threading.active_count() == before + 1
    one.hearing.close()


def test_after_a_fork_it_begins_anew(one: Listener) -> None:
    one.hearing.listen(TABLE)
    one.hearing.listen(OTHER)
    wait_for(lambda: one.hearing.hears(OTHER))

    def check() -> None:
        hearing: Hearing = one.hearing
        hearing.begin()
        assert hearing.epoch == 0
        assert not one.hears
        assert hearing.serves == NO_LEASE
        hearing.listen(TABLE)
        wait_for(lambda: one.hears and hearing.hears(OTHER))
        hearing.close()

    in_child(check)
    assert one.hears
    one.hearing.close()
