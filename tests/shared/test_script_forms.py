"""Scripts go by their digest, and run once, whatever a server knows."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import fakeredis
import pytest
import redis

from daxlite.aggregations import AggregationCache, AggregationConfig
from daxlite.core.steps import Command
from daxlite.shared.async_connection import AsyncConnection
from daxlite.shared.breaker import Breaker
from daxlite.shared.clients import client_of
from daxlite.shared.connection import Connection
from daxlite.shared.endpoints import endpoint_of
from daxlite.shared.failures import Unavailable
from daxlite.shared.script_forms import ALLOW_OOM, ScriptForms, digest
from tests.aggregations.scripted import Clock
from tests.valkey import Valkey, running_valkey

COUNT = ALLOW_OOM + "return redis.call('INCR', KEYS[1])"
PLAIN = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
Ask = Callable[..., list[Any]]


def count(key: str) -> Command:
    return ("EVAL", COUNT, 1, key)


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    """A server whose scripts these tests flush."""
    with running_valkey() as running:
        yield running


@pytest.fixture(params=["threads", "asyncio"])
def ask(request: pytest.FixtureRequest, server: Valkey) -> Iterator[Ask]:
    """Runs commands on a server that knows no script."""
    with server.client() as admin:
        admin.flushall()
        admin.script_flush()
        admin.config_resetstat()
    if request.param == "threads":
        connection = Connection(client_of(server.url, 5.0), Breaker(Clock()))
        yield lambda *commands: connection.run(commands)
        connection.clients.close()
        return
    with asyncio.Runner() as runner:
        other = AsyncConnection(endpoint_of(client_of(server.url, 5.0)), Breaker(Clock()))
        yield lambda *commands: runner.run(other.run(commands))
        runner.run(other.loops.async_close())


def calls(server: Valkey) -> dict[str, int]:
    """How often each command for scripts was sent, refused or not."""
    with server.client() as admin:
        stats = admin.info("commandstats")
    names = ("eval", "evalsha")
    return {name: stats[f"cmdstat_{name}"]["calls"] for name in names if f"cmdstat_{name}" in stats}


def test_a_script_is_sent_as_text_once_and_then_by_its_digest(server: Valkey, ask: Ask) -> None:
    assert [ask(count("a")) for _ in range(5)] == [[1], [2], [3], [4], [5]]
    assert calls(server) == {"evalsha": 5, "eval": 1}


def test_in_a_pipeline_those_alone_are_sent_again_that_the_server_did_not_know(server: Valkey, ask: Ask) -> None:
    ask(count("a"))
    plain = ("EVAL", PLAIN, 1, "b", 10)
    assert ask(count("a"), plain, ("SET", "c", b"1"), count("a"), plain) == [2, 10, True, 3, 20]
    assert calls(server) == {"evalsha": 5, "eval": 3}
    assert ask(count("a"), plain, ("GET", "c")) == [4, 30, b"1"]
    assert calls(server) == {"evalsha": 7, "eval": 3}


def test_scripts_that_were_flushed_and_a_server_that_was_restarted_are_survived(server: Valkey, ask: Ask) -> None:
    ask(count("a"), ("EVAL", PLAIN, 1, "b", 10))
    with server.client() as admin:
        admin.script_flush()
    assert ask(count("a"), ("EVAL", PLAIN, 1, "b", 10)) == [2, 20]
    server.restart()
    assert ask(count("a")) == [1]
    assert ask(count("a"), ("EVAL", PLAIN, 1, "b", 10)) == [2, 10]


def test_an_error_of_a_script_is_final(server: Valkey, ask: Ask) -> None:
    bad = ("EVAL", "redis.call('INCR', KEYS[1]) return redis.call('NO SUCH')", 1, "a")
    for counted in (1, 2):
        with pytest.raises(Unavailable):
            ask(bad)
        assert ask(("GET", "a")) == [str(counted).encode()]


@pytest.mark.parametrize("right", ["evalsha", "eval"])
def test_a_user_who_may_run_one_of_the_two_commands(server: Valkey, right: str) -> None:
    """The other one is what ACLs were told to allow before there were digests."""
    with server.client() as admin:
        admin.flushall()
        admin.script_flush()
        admin.execute_command("ACL", "SETUSER", "one", "reset", "on", ">x", "~*", "-@all", f"+{right}", "+incr")
        connection = Connection(client_of(f"redis://one:x@{server.host}:{server.port}", 5.0), Breaker(Clock()))
        if right == "evalsha":
            with pytest.raises(Unavailable) as raised:
                connection.run([count("a")])
            assert isinstance(raised.value.cause, redis.exceptions.NoPermissionError)
            admin.script_load(COUNT)
        assert [connection.run([count("a")]) for _ in range(3)] == [[1], [2], [3]]
        connection.clients.close()


def test_fakeredis_takes_scripts_and_no_header() -> None:
    client = fakeredis.FakeRedis()
    connection = Connection(client, Breaker(Clock()))
    plain = ("EVAL", PLAIN, 1, "b", 10)
    assert connection.run([count("a")]) == [1]
    assert connection.run([count("a"), plain, count("a")]) == [2, 10, 3]
    client.script_flush()
    assert connection.run([plain, count("a")]) == [20, 4]
    assert connection.breaker.errors == 0


def test_a_server_that_keeps_a_script_which_it_cannot_run() -> None:
    """fakeredis refuses the header, and the next time its digest."""
    server = fakeredis.FakeServer()
    for number in range(1, 4):
        connection = Connection(fakeredis.FakeRedis(server=server), Breaker(Clock()))
        assert connection.run([count("a")]) == [number]
        assert connection.run([count("b"), count("b")]) == [2 * number - 1, 2 * number]


def test_a_server_that_does_not_know_the_header_gets_none_from_then_on(caplog: pytest.LogCaptureFixture) -> None:
    with closing(AggregationCache(fakeredis.FakeRedis(), "shop", AggregationConfig(near_bytes=0))) as cache:
        assert cache.get_or_compute("k", lambda: 1, tags=["a"]) == 1
        cache.invalidate_tags("a")
        assert cache.get_or_compute("k", lambda: 2, tags=["a"]) == 2
        stats = cache.stats()
        assert (stats.redis_errors, stats.pending_invalidations, stats.is_available) == (0, 0, True)
    assert not caplog.records
    forms = ScriptForms()
    first = forms.first(count("a"))
    assert first == ("EVALSHA", digest(COUNT), 1, "a")
    whole = forms.next(count("a"), first, redis.exceptions.NoScriptError())
    assert whole == count("a")
    bare = ("EVAL", COUNT.removeprefix(ALLOW_OOM), 1, "a")
    assert forms.next(count("a"), whole, redis.ResponseError("unexpected symbol near '#'")) == bare
    assert forms.next(count("a"), bare, redis.ResponseError("unexpected symbol near '#'")) is None
    assert forms.first(count("a")) == ("EVALSHA", digest(bare[1]), 1, "a")


@pytest.mark.parametrize("reply", [1, None, redis.ResponseError("wrong"), redis.exceptions.OutOfMemoryError("OOM")])
def test_any_other_reply_is_final(reply: Any) -> None:
    forms = ScriptForms()
    assert forms.next(count("a"), forms.first(count("a")), reply) is None
    assert forms.next(count("a"), count("a"), reply) is None
    assert forms.next(("GET", "a"), ("GET", "a"), redis.exceptions.NoScriptError()) is None
