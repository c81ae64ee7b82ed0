"""What was sent is not sent again, and a step takes no longer than its budget, whatever the client was told (P7)."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from daxlite.shared.async_connection import AsyncConnection
from daxlite.shared.breaker import Breaker
from daxlite.shared.clients import client_of
from daxlite.shared.connection import Connection
from daxlite.shared.connections import connections_of
from daxlite.shared.endpoints import endpoint_of
from daxlite.shared.failures import Unavailable
from tests.aggregations.scripted import Clock
from tests.proxy import Mode, Proxy, bad_line, self_signed
from tests.valkey import SentinelGroup, Valkey

BUDGET = 0.25
SLACK = 0.5
"""Seconds: the machine may be busy."""
STUBBORN: dict[str, Any] = {"socket_timeout": 5.0, "socket_connect_timeout": 5.0}
COUNT = "return redis.call('INCR', KEYS[1])"
KINDS = ["url", "client", "asyncio url", "asyncio client"]


class Line:
    """A connection, for threads or for asyncio, behind a proxy."""

    def __init__(self, proxy: Proxy, kind: str, budget: float | None) -> None:
        url = f"redis://{proxy.host}:{proxy.port}/0?socket_timeout=5&socket_connect_timeout=5"
        place: dict[str, Any] = {"host": proxy.host, "port": proxy.port}
        errors = [redis.ConnectionError, redis.TimeoutError]
        self.runner = asyncio.Runner()
        self.connection: Any
        if kind.startswith("asyncio"):
            given: Any = url
            if kind.endswith("client"):
                retry: Any = AsyncRetry(NoBackoff(), 3)
                given = redis.asyncio.Redis(**place, **STUBBORN, retry=retry, retry_on_error=errors)
            source = client_of(url, 5.0) if given is url else given
            self.connection = AsyncConnection(endpoint_of(source), Breaker(Clock()), budget)
        else:
            client = redis.Redis(**place, **STUBBORN, retry=Retry(NoBackoff(), 3), retry_on_error=errors)
            given = client if kind.endswith("client") else url
            self.connection = Connection(client_of(given, 5.0), Breaker(Clock()), budget)
        self.is_async = kind.startswith("asyncio")

    def _ask(self, question: Any) -> Any:
        async def ask() -> Any:
            return await question

        return self.runner.run(ask()) if self.is_async else question

    def get(self, *keys: str) -> Any:
        return self._ask(self.connection.get(keys))

    def run(self, *commands: Any) -> Any:
        return self._ask(self.connection.run(commands))

    def close(self) -> None:
        if self.is_async:
            self.runner.run(self.connection.loops.async_close())
        else:
            self.connection.clients.close()
        self.runner.close()


@pytest.fixture
def proxy(own_valkey: Valkey) -> Iterator[Proxy]:
    with own_valkey.client() as admin:
        admin.flushall()
    with bad_line(own_valkey.host, own_valkey.port) as proxy:
        yield proxy


@pytest.fixture(params=KINDS)
def line(request: pytest.FixtureRequest, proxy: Proxy) -> Iterator[Line]:
    line = Line(proxy, request.param, BUDGET)
    yield line
    line.close()


@pytest.fixture(params=[False, True], ids=["one", "two"])
def scripts(request: pytest.FixtureRequest) -> list[Any]:
    """A script that counts how often it ran, alone or beside another."""
    return [("EVAL", COUNT, 1, key) for key in ("a", "b")[: 1 + request.param]]


def until_it_ran(own_valkey: Valkey, times: int) -> int:
    """How often the script ran in the end."""
    with own_valkey.client() as admin:
        for _ in range(200):
            if int(admin.get("a") or 0) >= times:
                break
            time.sleep(0.005)
        return int(admin.get("a") or 0)


def test_a_script_whose_reply_is_lost_ran_once(
    own_valkey: Valkey, proxy: Proxy, line: Line, scripts: list[Any]
) -> None:
    """Sent again by redis-py, a change would put its old token on top of a newer one."""
    line.run(*scripts)
    ran = 1
    for mode in ("cut", "hang"):
        proxy.mode, proxy.cuts = mode, 1  # type: ignore[assignment]
        with pytest.raises(Unavailable):  # though it would be answered now
            line.run(*scripts)
        proxy.mode = "pass"
        ran += 1
        assert until_it_ran(own_valkey, ran) == ran
        assert line.run(*scripts)[0] == ran + 1
        ran += 1


def test_a_connection_that_the_server_closed_is_replaced_before_something_is_sent(
    own_valkey: Valkey, line: Line
) -> None:
    with own_valkey.client() as admin:
        for ran in range(1, 6):
            assert line.run(("EVAL", COUNT, 1, "a")) == [ran]
            me = admin.client_id()
            for each in admin.client_list():
                if int(each["id"]) != me:
                    admin.client_kill_filter(_id=each["id"])
            time.sleep(0.05)  # until it is closed on this side of the proxy, too
    assert line.connection.breaker.errors == 0


def test_a_read_is_tried_again_once_where_an_idle_connection_was_closed_meanwhile(proxy: Proxy, line: Line) -> None:
    for cuts, fails in ((1, False), (2, True)):
        assert line.get("a") == [None]
        proxy.mode, proxy.cuts = "cut", cuts
        if fails:
            with pytest.raises(Unavailable):
                line.get("a")
        else:
            assert line.get("a") == [None]
        proxy.mode = "pass"
    assert line.connection.breaker.errors == 1


@pytest.mark.parametrize("mode", ["hang", "trickle"])
@pytest.mark.parametrize("is_connected", [True, False])
def test_p7_a_step_takes_no_longer_than_its_budget(proxy: Proxy, line: Line, mode: Mode, is_connected: bool) -> None:
    if is_connected:
        line.run(("SET", "a", b"x" * 1000))
    proxy.mode = mode
    asks: list[Callable[[], Any]] = [lambda: line.get("a", "b"), lambda: line.run(("EVAL", COUNT, 1, "c"))]
    for ask in asks:
        began = time.monotonic()
        with pytest.raises(Unavailable) as raised:
            ask()
        assert time.monotonic() - began < BUDGET + SLACK
        assert raised.value.cause is not None


def test_p7_nor_does_one_that_waits_for_a_connection() -> None:
    """The server's queue of connections is full: it answers no SYN."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        host, port = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex((host, port))
        client = redis.Redis(host=host, port=port, **STUBBORN)
        connection = Connection(client_of(client, 5.0), Breaker(Clock()), BUDGET)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            connection.get(["a"])
        assert time.monotonic() - began < BUDGET + SLACK
        for each in waiting:
            each.close()


def test_each_address_of_a_host_has_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five of them, none of which answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        host, port = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex((host, port))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))] * 5
        monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: found)
        connection = Connection(client_of(redis.Redis(host="five.example", port=port), 5.0), Breaker(Clock()), 0.3)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            connection.get(["a"])
        assert time.monotonic() - began < 0.3 + SLACK
        for each in waiting:
            each.close()


def test_p7_nor_does_one_that_waits_until_another_thread_gives_a_connection_back(proxy: Proxy) -> None:
    connection = Connection(client_of(f"redis://{proxy.host}:{proxy.port}?max_connections=1", 5.0), Breaker(Clock()), 1)
    slow: Any = connection.clients.lease()
    held = slow.get_connection()
    hurried = Connection(connection.clients.client, Breaker(Clock()), BUDGET)
    hurried.clients = connection.clients
    began = time.monotonic()
    with pytest.raises(Unavailable):
        hurried.get(["a"])
    assert time.monotonic() - began < BUDGET + SLACK
    assert held is not None
    slow.give_back()
    connection.clients.close()


def test_a_budget_is_for_all_that_one_step_takes(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was made in the last moment has its whole budget in the next step."""
    line = Line(proxy, "client", BUDGET)
    line.run(("SET", "a", b"1"))
    (idle,) = line.connection.clients.lease()._pool._idle
    assert idle._sock.gettimeout() <= BUDGET
    for _ in range(3):
        time.sleep(BUDGET)
        assert line.get("a") == [b"1"]
    line.close()


def test_without_a_budget_the_timeouts_of_the_client_hold(proxy: Proxy) -> None:
    client = redis.Redis(host=proxy.host, port=proxy.port, socket_timeout=0.3, socket_connect_timeout=0.3)
    connections = connections_of(client, 0.01, Clock())
    connections.threads.run([("SET", "a", b"1")])
    proxy.mode = "hang"
    began = time.monotonic()
    with pytest.raises(Unavailable):
        connections.threads.get(["a"])
    assert time.monotonic() - began >= 0.3
    bounded = connections_of(client, BUDGET, Clock(), is_budget=True)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        bounded.threads.get(["a"])
    assert BUDGET <= time.monotonic() - began < BUDGET + SLACK
    connections.close()


def test_a_sentinel_that_hangs_costs_one_budget_and_then_another_one_is_asked(sentinel_group: SentinelGroup) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        addresses = [deaf.getsockname(), ("127.0.0.1", sentinel_group.watcher.port)]
        sentinel = Sentinel(addresses, sentinel_kwargs=STUBBORN, **STUBBORN)
        client = sentinel.master_for(sentinel_group.name)
        connection = Connection(client_of(client, 5.0), Breaker(Clock()), BUDGET)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            connection.get(["a"])
        assert time.monotonic() - began < BUDGET + SLACK
        assert connection.get(["a"]) == [None]
        assert client.connection_pool.master_address is None, "the application's own pool is used"
        assert sentinel.sentinels[0].connection_pool.connection_kwargs["port"] == addresses[0][1]
        connection.clients.close()


def test_threads_have_a_budget_each(proxy: Proxy) -> None:
    line = Line(proxy, "client", BUDGET)
    line.run(("SET", "a", b"1"))
    proxy.mode = "hang"
    took: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            line.get("a")
        took.append(time.monotonic() - began)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == 8
    assert max(took) < BUDGET + SLACK
    line.close()


def test_p7_over_tls_a_step_has_its_budget_too(own_valkey: Valkey, tmp_path: Path) -> None:
    with bad_line(own_valkey.host, own_valkey.port, self_signed(tmp_path)) as proxy:
        url = f"rediss://{proxy.host}:{proxy.port}/0?ssl_cert_reqs=none&ssl_check_hostname=false&socket_timeout=5"
        connection = Connection(client_of(url, 5.0), Breaker(Clock()), 2 * BUDGET)
        for number in range(1, 6):
            assert connection.run([("EVAL", COUNT, 1, "a")]) == [number]
            assert connection.get(["a", "b"]) == [str(number).encode(), None]
        assert connection.breaker.errors == 0
        with own_valkey.client() as admin:
            assert admin.info("stats")["total_connections_received"] <= 3, "connections are kept"
        proxy.mode = "trickle"
        began = time.monotonic()
        with pytest.raises(Unavailable):
            connection.get(["a"] * 100)
        assert time.monotonic() - began < 2 * BUDGET + SLACK
        connection.clients.close()
