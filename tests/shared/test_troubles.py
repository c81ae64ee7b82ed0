"""What is wrong with Redis is said once, in plain words, without an argument, a value or a password (P7)."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from redis import exceptions

from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache
from daxlite.shared.breaker import FAILURES_TO_OPEN, FIRST_PAUSE, Breaker
from daxlite.shared.connection import Connection
from daxlite.shared.failures import Unavailable
from daxlite.shared.troubles import MAX_LOGGED, QUIET, Troubles, described, names_of
from tests.aggregations.scripted import Client, Clock, Server, World
from tests.valkey import Valkey, running_valkey

PASSWORD = "pass-word-of-the-user"
FULL = [
    "~shop:daxlite:*",
    "&shop:daxlite:changes:*",
    "-@all",
    "+get",
    "+mget",
    "+set",
    "+pexpire",
    "+del",
    "+eval",
    "+time",
    "+publish",
    "+psubscribe",
    "+ping",
    "+select",
]


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    """A server whose users these tests set."""
    with running_valkey() as running:
        yield running


def as_user(server: Valkey, *changes: str) -> str:
    """The URL of a user who has all rights that daxlite needs, but for these changes."""
    with server.client() as client:
        client.flushall()  # a lock that could not be released
        client.execute_command("ACL", "SETUSER", "shop", "reset", "on", f">{PASSWORD}", *FULL, *changes)
    return f"redis://shop:{PASSWORD}@{server.host}:{server.port}/0"


def wait_for(holds: Callable[[], bool]) -> None:
    """Until what the thread of the bus does is done."""
    pause = threading.Event()
    for _ in range(1000):
        if holds():
            return
        pause.wait(0.01)
    pytest.fail("it did not happen")


def use(cache: AggregationCache) -> None:
    """A cold call, a shared hit, a change."""
    total = cache.cached(name="total", tags=["x"], returns=str, max_wait=0.01)(lambda: "value-of-the-result")
    for _ in range(3):
        assert total() == "value-of-the-result"
        cache.invalidate_tags("x")


async def use_async(cache: AsyncAggregationCache) -> None:
    async def compute() -> str:
        return "value-of-the-result"

    total = cache.cached(name="total", tags=["x"], returns=str, max_wait=0.01)(compute)
    for _ in range(3):
        assert await total() == "value-of-the-result"
        await cache.invalidate_tags("x")


@contextmanager
def used(url: str, kind: str, until: Callable[[Any], bool] = lambda cache: True) -> Iterator[Any]:
    """A cache that was used. An async one stays in an event loop that stands still meanwhile."""
    config = AggregationConfig(timeout=5.0)
    if kind == "threads":
        cache = AggregationCache(url, "shop", config)
        use(cache)
        wait_for(lambda: until(cache))
        yield cache
        cache.close()
        return
    with asyncio.Runner() as runner:
        async_cache = AsyncAggregationCache(url, "shop", config)
        runner.run(use_async(async_cache))
        wait_for(lambda: until(async_cache))
        yield async_cache
        runner.run(async_cache.close())


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    said = [record.getMessage() for record in caplog.records if record.name == "daxlite"]
    for secret in (PASSWORD, "value-of-the-result", "{", "GET', KEYS"):
        assert not any(secret in line for line in said), "a secret is logged"
    return said


KINDS = pytest.mark.parametrize("kind", ["threads", "asyncio"])
MISSING = {
    "-eval": "the user may not run EVAL; its ACL needs +eval",
    "-publish": "the user may not run PUBLISH; its ACL needs +publish",
    "-time": "the user may not run TIME; its ACL needs +time",
    "-psubscribe": "the user may not run PSUBSCRIBE; its ACL needs +psubscribe",
    "-ping": "the user may not run PING; its ACL needs +ping",
    "-set": "the user may not run SET; its ACL needs +set",
    "-mget": "the user may not run MGET; its ACL needs +mget",
    "-get": "the user may not run GET; its ACL needs +get",
    "-pexpire": "the user may not run PEXPIRE; its ACL needs +pexpire",
    "-del": "the user may not run DEL; its ACL needs +del",
    "resetkeys": "keys; its ACL needs ~<namespace>:daxlite:*",
    "resetchannels": "on the channel; its ACL needs &<namespace>:daxlite:changes:*",
}


@KINDS
@pytest.mark.parametrize("change", MISSING)
def test_p7_a_right_that_is_missing_is_named_once(
    server: Valkey, caplog: pytest.LogCaptureFixture, kind: str, change: str
) -> None:
    url = as_user(server, change)

    def is_said(cache: Any) -> bool:
        return any(MISSING[change] in line for line in lines(caplog))

    with used(url, kind, is_said) as cache:
        stats = cache.stats()
        assert not stats.is_available
        assert stats.redis_errors > 0
        assert stats.faults == 0
        said = lines(caplog)
        assert len(said) == len(set(said))
        assert len([line for line in said if MISSING[change] in line]) <= 2, "once for calls, once for the bus"


@KINDS
def test_a_user_with_all_rights_has_no_trouble(server: Valkey, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    with used(as_user(server), kind, lambda cache: bool(cache.stats().is_listening)) as cache:
        assert cache.stats().is_available
        assert cache.stats().redis_errors == 0
        assert lines(caplog) == []


@pytest.mark.parametrize("right", ["eval", "time", "publish", "psubscribe", "mget"])
def test_a_right_that_is_given_ends_the_trouble(server: Valkey, right: str) -> None:
    cache = AggregationCache(as_user(server, f"-{right}"), "shop", AggregationConfig(timeout=5.0))
    use(cache)
    wait_for(lambda: not cache.stats().is_available)
    as_user(server)

    def is_well() -> bool:
        use(cache)
        return cache.stats().is_available

    wait_for(is_well)
    cache.close()


@KINDS
@pytest.mark.parametrize("command", ["EVAL", "PUBLISH", "PSUBSCRIBE", "MGET", "PING"])
def test_p7_a_command_that_was_renamed_is_named(caplog: pytest.LogCaptureFixture, kind: str, command: str) -> None:
    expected = f"it has no command {command}, or it was renamed"
    with (
        running_valkey("--rename-command", command, "") as server,
        used(server.url, kind, lambda cache: any(expected in line for line in lines(caplog))) as cache,
    ):
        assert not cache.stats().is_available


def places(server: Valkey) -> dict[str, tuple[str, str]]:
    """URLs that lead nowhere, and what is said of them."""
    at = f"{server.host}:{server.port}"
    return {
        "password": (f"redis://shop:wrong-{PASSWORD}@{at}/0", "the password or the user name is wrong or missing"),
        "database": (f"redis://{at}/9999", "it has no database of this number"),
        "host": (f"redis://no-such-host.invalid:{server.port}/0", "its host name is not known"),
        "port": ("redis://127.0.0.1:1/0", "nothing listens at its host and port"),
        "socket": ("unix:///no/such/socket", "the connection to it fails"),
    }


@KINDS
@pytest.mark.parametrize("place", ["password", "database", "host", "port", "socket"])
def test_p7_a_url_that_leads_nowhere_is_said_once(
    server: Valkey, caplog: pytest.LogCaptureFixture, kind: str, place: str
) -> None:
    as_user(server)
    url, expected = places(server)[place]
    with used(url, kind) as cache:
        assert not cache.stats().is_available
        said = lines(caplog)
        assert any(expected in line for line in said), said
        assert len(said) == len(set(said))


def test_is_available_after_one_failure_and_again_after_one_answer(world: World) -> None:
    process = world.process()
    with world.server.down():
        process.cache.invalidate_tags("x")
    assert not process.cache.stats().is_available
    process.cache._outbox.try_again()
    assert process.cache.stats().is_available


def test_the_breaker_is_logged_once_each_way(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(Clock())
    breaker = Breaker(server.clock)
    connection = Connection(Client(server), breaker)

    def ask(times: int) -> None:
        for _ in range(times):
            try:
                connection.get(["a"])
            except Unavailable:
                continue

    for quiet in (False, True):
        with server.down(redis.TimeoutError()):
            ask(FAILURES_TO_OPEN + 2)
            server.clock.advance(FIRST_PAUSE)
            ask(2)
        server.clock.advance(2 * FIRST_PAUSE)
        ask(2)
        assert not breaker.is_open
        said = [line for line in lines(caplog) if "This is logged once" not in line]
        expected = [
            "Redis is left alone for a while, and results are computed, as without a cache: it does not answer in time",
            "Redis answers again",
        ]
        assert said == ([] if quiet else expected), "one that comes and goes fills no log"
        caplog.clear()
    server.clock.advance(QUIET)
    with server.down(redis.TimeoutError()):
        ask(FAILURES_TO_OPEN)
    assert [line[:19] for line in lines(caplog)] == ["Redis is left alone"]


# What is said

SECRET = "s3cret"
HOSTILE = [
    f"unknown command '{SECRET}', with args beginning with: '{SECRET}'",
    f"unknown command 'EVAL', with args beginning with: '{SECRET}' '{SECRET}'",
    f"User {SECRET} has no permissions to run the '{SECRET}' command",
    f"User {SECRET} has no permissions to run the 'eval' command",
    f"No permissions to access a key {SECRET}",
    f"ACL failure in script: User {SECRET} has no permissions to run the 'get' command script: {SECRET}",
    f"Error 111 connecting to redis://user:{SECRET}@host. Connection refused.",
    f"MISCONF {SECRET}",
    f"Command # 1 (SET {SECRET} {SECRET}) of pipeline caused error: {SECRET}",
    SECRET,
    f"%s %d {SECRET}",
    "",
]
ERRORS = [
    *(redis.ResponseError, redis.ConnectionError, redis.TimeoutError, OSError, exceptions.NoPermissionError),
    *(exceptions.AuthenticationError, exceptions.OutOfMemoryError, exceptions.ReadOnlyError, exceptions.DataError),
    *(exceptions.RedisClusterException, exceptions.ClusterDownError, exceptions.BusyLoadingError, UnicodeError),
]


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_an_error_is_repeated(caplog: pytest.LogCaptureFixture, kind: Any, text: str) -> None:
    error, command = kind(text), ("SET", SECRET, SECRET.encode(), "PX", 1)
    troubles = Troubles(Clock())
    for what in (command, [command, ("PUBLISH", SECRET, SECRET)]):
        assert described(error, what)
        troubles.refused(error, what)
        troubles.unanswered(error, what)
        troubles.left_alone(error, what)
    assert len(caplog.records) >= 2
    assert SECRET not in caplog.text
    assert "no permissions" not in caplog.text


def test_the_error_within_an_error_tells_more(server: Valkey) -> None:
    with pytest.raises(redis.ConnectionError) as raised:
        redis.Redis.from_url("redis://127.0.0.1:1/0").get("a")
    assert described(raised.value, ("GET", "a")) == "nothing listens at its host and port"


def test_what_is_logged_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles(Clock())
    for number in range(2 * MAX_LOGGED):
        troubles.refused(type(f"Error{number}", (Exception,), {})(), ("GET", "a"))
        troubles.refused(redis.ResponseError(), (f"COMMAND{number}", "a"))
    assert len(caplog.records) == MAX_LOGGED
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_a_trouble_ends_when_what_was_refused_is_answered() -> None:
    troubles = Troubles(Clock())
    save = [("PEXPIRE", "a", 1), ("SET", "a", b"")]
    troubles.refused(exceptions.OutOfMemoryError(), save)
    troubles.answered(("MGET", "a"))
    troubles.answered(("SET", "a", b""))
    assert troubles.are_there, "the others may still be refused"
    troubles.answered(save)
    assert not troubles.are_there
    troubles.refused(exceptions.NoPermissionError("no permissions to run the 'set' command"), save)
    troubles.answered(("SET", "a", b""))
    assert not troubles.are_there, "the one that was named is answered"
    troubles.unanswered(redis.TimeoutError(), save)
    assert troubles.are_there
    troubles.answered(("GET", "a"))
    assert not troubles.are_there, "a server that answers anything is there"


def test_a_script_that_is_refused_is_not_answered_by_another_one() -> None:
    troubles = Troubles(Clock())
    troubles.refused(exceptions.NoPermissionError("no permissions to run the 'del' command"), ("EVAL", "one", 1, "a"))
    troubles.answered(("EVAL", "another", 1, "a"))
    assert troubles.are_there
    troubles.answered([("EVAL", "another", 1, "a"), ("EVAL", "one", 1, "b")])
    assert not troubles.are_there
    troubles.refused(exceptions.NoPermissionError("no permissions to run the 'eval' command"), ("EVAL", "one", 1, "a"))
    troubles.answered(("EVAL", "another", 1, "a"))
    assert not troubles.are_there, "any script may run"


def test_names_of_commands() -> None:
    assert names_of(()) == frozenset()
    assert names_of(("GET", "a")) == {"GET"}
    assert names_of([("GET", "a"), ("GET", "b"), ("SET", "a", b"")]) == {"GET", "SET"}
