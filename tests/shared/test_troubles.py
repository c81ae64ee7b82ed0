"""What is wrong with Redis is said once, in plain words, without an argument, a value or a password (P7)."""

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from redis import exceptions

from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache
from daxlite.shared.breaker import FAILURES_TO_OPEN, FIRST_PAUSE, Breaker
from daxlite.shared.clients import client_of
from daxlite.shared.connection import Connection
from daxlite.shared.failures import Unavailable
from daxlite.shared.troubles import MAX_LOGGED, QUIET, Troubles, described, names_of
from tests.aggregations.scripted import Client, Clock, Server, World
from tests.proxy import self_signed
from tests.valkey import Cluster, Valkey, running_valkey

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
    "+evalsha",
    "+time",
    "+publish",
    "+psubscribe",
    "+info",
    "+role",
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
        client.script_flush()
        client.execute_command("ACL", "SETUSER", "shop", "reset", "on", f">{PASSWORD}", *FULL, *changes)
    return f"redis://shop:{PASSWORD}@{server.host}:{server.port}/0"


def wait_for(holds: Callable[[], bool]) -> None:
    """Until what the thread that listens does is done."""
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
        assert len([line for line in said if MISSING[change] in line]) <= 2, "once for calls, once for messages"


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
@pytest.mark.parametrize("command", ["EVAL", "PUBLISH", "PSUBSCRIBE", "MGET"])
def test_p7_a_command_that_was_renamed_is_named(caplog: pytest.LogCaptureFixture, kind: str, command: str) -> None:
    expected = f"it has no command {command}, or it was renamed"
    with (
        running_valkey("--rename-command", command, "") as server,
        used(server.url, kind, lambda cache: any(expected in line for line in lines(caplog))) as cache,
    ):
        assert not cache.stats().is_available


@KINDS
def test_p7_where_it_is_not_known_what_the_server_is_nothing_is_kept_near(
    server: Valkey, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    expected = (
        "this process cannot hear what others change, and serves nothing from its memory: "
        "the user may not run INFO; its ACL needs +info"
    )
    with used(as_user(server, "-info"), kind, lambda cache: bool(lines(caplog))) as cache:
        assert lines(caplog) == [expected]
        assert cache.stats().is_available
        assert not cache.stats().is_listening


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


class Answering:
    """A server that answers anything with the same bytes, or begins TLS."""

    def __init__(self, says: bytes, tls: ssl.SSLContext | None = None) -> None:
        self._says, self._tls = says, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with suppress(OSError), client:
                    client.settimeout(1.0)
                    with self._tls.wrap_socket(client, server_side=True) if self._tls else client as line:
                        while line.recv(65536):
                            line.sendall(self._says)

    def __enter__(self) -> "Answering":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


SAID = {
    b"-LOADING Redis is loading the dataset in memory\r\n": "it is still loading its data",
    b"-CLUSTERDOWN The cluster is down\r\n": "the cluster is down",
    b"-MASTERDOWN Link with MASTER is down\r\n": "it is a replica that has lost its primary",
    b"-ERR max number of clients reached\r\n": "it takes no more connections (maxclients)",
    b"-BUSY Valkey is busy running a script\r\n": "it is busy with a script of another client (BUSY)",
    b"-NOAUTH Authentication required.\r\n": "the password or the user name is wrong or missing",
    b"HTTP/1.1 400 Bad Request\r\n": "what it says is not Redis's protocol",
}


@KINDS
@pytest.mark.parametrize("says", SAID)
def test_p7_what_a_server_says_instead_of_an_answer(caplog: pytest.LogCaptureFixture, kind: str, says: bytes) -> None:
    with Answering(says) as server, used(f"redis://127.0.0.1:{server.port}", kind):
        assert any(line.startswith(f"Redis: {SAID[says]}; ") for line in lines(caplog)), lines(caplog)


@KINDS
@pytest.mark.parametrize(
    ("scheme", "is_tls", "expected"),
    [("rediss", True, "its TLS certificate is not trusted"), ("rediss", False, "there is no TLS connection to it")],
)
def test_p7_tls_that_fails_is_said(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, kind: str, scheme: str, is_tls: bool, expected: str
) -> None:
    with (
        Answering(b"-ERR Protocol error\r\n", self_signed(tmp_path) if is_tls else None) as server,
        used(f"{scheme}://127.0.0.1:{server.port}", kind),
    ):
        assert any(line.startswith(f"Redis: {expected}; ") for line in lines(caplog)), lines(caplog)


WRITES = {
    "replica": ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "it is a replica, which takes no writes"),
    "replicas": (
        "CONFIG SET min-replicas-to-write 1",
        "CONFIG SET min-replicas-to-write 0",
        "it takes no writes, because replicas are missing (NOREPLICAS)",
    ),
    "memory": (
        "CONFIG SET maxmemory 1",
        "CONFIG SET maxmemory 0",
        "its memory is full (maxmemory), and it evicts nothing",
    ),
}


@KINDS
@pytest.mark.parametrize("case", WRITES)
def test_p7_a_server_that_takes_no_writes_is_said_once_each_way(
    server: Valkey, caplog: pytest.LogCaptureFixture, kind: str, case: str
) -> None:
    begin, end, expected = WRITES[case]
    url = as_user(server)
    with server.client() as admin:
        admin.execute_command(*begin.split(" "))
        try:
            with used(url, kind) as cache:
                # The thread that listens may be the first to meet it.
                (line,) = [line for line in lines(caplog) if expected in line]
                assert line.startswith(f"Redis: {expected}; ")
                assert not cache.stats().is_available
        finally:
            admin.execute_command(*end.split(" "))


def test_p7_a_password_that_was_changed_is_said_once_each_way(server: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    connection = Connection(client_of(as_user(server), 5.0), Breaker(clock))
    connection.run([("SET", "shop:daxlite:a", b"1")])
    expected = "the password or the user name is wrong or missing"
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "shop", "resetpass", ">another")
        connection.get(["shop:daxlite:a"])  # who was let in stays in
        for each in admin.client_list():
            if each["user"] == "shop":
                admin.client_kill_filter(_id=each["id"])
        for _ in range(5):
            with pytest.raises(Unavailable):
                connection.get(["shop:daxlite:a"])
        assert lines(caplog) == [f"Redis: {expected}; calls go on as without it"]
        assert connection.breaker.is_open
        admin.execute_command("ACL", "SETUSER", "shop", "resetpass", f">{PASSWORD}")
    clock.advance(FIRST_PAUSE)
    assert connection.get(["shop:daxlite:a"]) == [b"1"]
    assert lines(caplog)[1:] == [f"Redis: this has ended: {expected}"]
    connection.clients.close()


def test_p7_a_server_that_cannot_save_is_said_once_each_way(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()  # under the name that the file would get
    with running_valkey("--enable-protected-configs", "yes") as server, server.client() as admin:
        admin.config_set("dir", str(tmp_path))
        admin.config_set("dbfilename", "taken")
        admin.config_set("save", "3600 100000")
        admin.bgsave()
        wait_for(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err")
        connection = Connection(client_of(server.url, 5.0), Breaker(Clock()))
        for commands in ([("SET", "a", b"1")], [("EVAL", "return redis.call('SET', KEYS[1], '1')", 1, "a")]):
            with pytest.raises(Unavailable):
                connection.run(commands)
        assert connection.get(["a"]) == [None]
        expected = "it takes no writes, because it cannot save its data (MISCONF)"
        assert lines(caplog) == [f"Redis: {expected}; calls go on as without it"]
        admin.config_set("save", "")
        connection.run([("SET", "a", b"1")])
        assert lines(caplog)[1:] == [f"Redis: this has ended: {expected}"]
        connection.clients.close()


def test_p7_a_client_of_the_wrong_kind_is_named(
    server: Valkey, valkey_cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    url = Connection(client_of(valkey_cluster.url, 5.0), Breaker(Clock()))
    for key in "abcdef":
        with suppress(Unavailable):
            url.get([key])
    said = "it is one of a cluster; a redis.RedisCluster must be given for it"
    assert lines(caplog)[:1] == [f"Redis: {said}; calls go on as without it"]
    url.clients.close()


def test_is_available_after_one_failure_and_again_after_one_answer(world: World) -> None:
    process = world.process()
    with world.server.down():
        process.cache.invalidate_tags("x")
    assert not process.cache.stats().is_available
    process.cache._outbox.try_again()
    assert process.cache.stats().is_available


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(Clock())
    breaker = Breaker(server.clock)
    connection = Connection(Client(server), breaker)

    def ask(times: int) -> None:
        for _ in range(times):
            try:
                connection.get(["a"])
            except Unavailable:
                continue

    expected = [
        "Redis: it does not answer in time; calls go on as without it",
        "Redis: this has ended: it does not answer in time",
    ]
    for is_quiet in (False, True, False):
        with server.down(redis.TimeoutError()):
            ask(FAILURES_TO_OPEN + 2)
            assert breaker.is_open
            assert lines(caplog) == ([] if is_quiet else expected[:1])
            server.clock.advance(FIRST_PAUSE)
            ask(2)
        server.clock.advance(2 * FIRST_PAUSE)
        ask(2)
        assert not breaker.is_open
        assert lines(caplog) == ([] if is_quiet else expected), "one that comes and goes fills no log"
        caplog.clear()
        if is_quiet:
            server.clock.advance(QUIET)


def test_a_trouble_that_began_quietly_is_said_if_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    troubles = Troubles(clock)
    for _ in range(3):
        troubles.unanswered(redis.TimeoutError(), ("GET", "a"))
        troubles.answered(("GET", "a"))
    assert len(lines(caplog)) == 2
    for _ in range(10):
        troubles.unanswered(redis.TimeoutError(), ("GET", "a"))
        clock.advance(QUIET / 5)
    assert len(lines(caplog)) == 3
    troubles.answered(("GET", "a"))
    assert len(lines(caplog)) == 4


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
        troubles.answered(what)
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
