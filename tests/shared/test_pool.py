"""Connections of daxlite's own: what interrupts a command costs one connection, and never a wrong reply."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import fakeredis
import pytest
import redis
import redis.asyncio

import daxlite.shared
from daxlite.shared.async_connection import AsyncConnection
from daxlite.shared.breaker import Breaker
from daxlite.shared.clients import client_of
from daxlite.shared.connection import Connection
from daxlite.shared.endpoints import endpoint_of
from daxlite.shared.failures import Unavailable, raised_by_a_signal_handler
from daxlite.shared.pool import Pool
from tests.aggregations.scripted import Clock
from tests.interrupting import Limit, interrupted
from tests.valkey import Valkey

WAYS = (str(Path(redis.__file__).parent), str(Path(daxlite.shared.__file__).parent))
"""Where the frames lie in which a command to Redis may be interrupted."""


class TooLong(Limit):
    """A time limit that is no Exception, as gevent.Timeout is."""


struck: list[bool] = []
"""Something for each time that a handler ran."""

ERRORS: dict[str, Callable[[], BaseException]] = {
    "TooLong": TooLong,
    "TimeoutError": lambda: TimeoutError("the application's limit"),
    "OSError": lambda: OSError("the application's error"),
    "ConnectionError": lambda: ConnectionError("the application's error"),
    "redis.TimeoutError": lambda: redis.TimeoutError("of a command of the application's"),
    "redis.ResponseError": lambda: redis.ResponseError("of a command of the application's"),
}


@pytest.fixture
def handler() -> Iterator[Callable[[type[BaseException] | Callable[[], BaseException]], Callable[[], None]]]:
    """Makes a signal handler that raises."""
    before = signal.getsignal(signal.SIGUSR1)

    def make(error: Callable[[], BaseException]) -> Callable[[], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            struck.append(True)
            raise error()

        signal.signal(signal.SIGUSR1, handle)
        return lambda: handle(signal.SIGUSR1, None)

    yield make
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # where a finaliser is interrupted
@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    ("name", "commands"),
    # Several commands take another way, on which what an error is taken for does not differ.
    [*((name, 1) for name in ERRORS), ("TooLong", 2), ("TimeoutError", 2)],
)
def test_p7_a_command_that_is_interrupted_at_any_moment_leaves_no_reply_for_the_next(
    valkey: Valkey, namespace: str, handler: Any, name: str, commands: int
) -> None:
    """With one connection, which must be replaced where it is lost."""
    keys = [f"{namespace}:{number}" for number in range(4)]
    connection = Connection(client_of(f"{valkey.url}?max_connections=1", 5.0), Breaker(Clock()))
    for key in keys:
        connection.run([("SET", key, key, "PX", 100_000)])
    strike = handler(ERRORS[name])
    number, arrived = 0, 0
    struck.clear()
    while True:
        ask = lambda: connection.run([("GET", key) for key in keys[2 : 2 + commands]])  # noqa: E731
        error = interrupted(ask, lambda frame: frame.f_code.co_filename.startswith(WAYS), number, strike, BaseException)
        if not struck:
            break
        struck.clear()
        arrived += error is not None and raised_by_a_signal_handler(error) is error
        del error
        for key in keys:
            assert connection.get([key]) == [key.encode()], f"after moment {number}"
        number += 1
    assert number > 50
    # redis-py takes an OSError that strikes in a call of the socket's for the socket's, and tries again.
    assert arrived > 0.75 * number, "the application's own error does not reach it"
    connection.run([("DEL", key) for key in keys])
    connection.clients.close()


def test_an_error_that_a_handler_raised_long_before_is_not_taken_for_that_of_a_command(handler: Any) -> None:
    """A time limit was handled, and in its handling Redis fails."""
    strike = handler(lambda: TimeoutError("before"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    connection = Connection(client_of(f"redis://127.0.0.1:{port}", 1.0), Breaker(Clock()))
    try:
        strike()
    except TimeoutError:
        with pytest.raises(Unavailable):
            connection.get(["a"])


class Noted(redis.Connection):
    """Notes what becomes of it."""

    made: list["Noted"] = []  # noqa: RUF012 - emptied by each test

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.closed = 0
        self.made.append(self)

    def connect(self) -> None: ...

    def can_read(self, timeout: float = 0) -> bool:
        return False

    def disconnect(self, *arguments: Any) -> None:
        self.closed += 1


@pytest.fixture
def pool() -> Pool:
    pool = Pool(redis.Redis(connection_pool=redis.ConnectionPool(connection_class=Noted, max_connections=3)))
    Noted.made.clear()
    return pool


def test_the_trouble_of_one_caller_is_not_that_of_the_others(pool: Pool) -> None:
    one, other = pool.lease(), pool.lease()
    first, second = one.get_connection(), other.get_connection()
    one.release(first)
    third = pool.lease().get_connection()
    assert third is not first, "it is given to another caller before its outcome is known"
    one.discard()
    assert (first.closed, second.closed) == (1, 0)
    other.give_back()
    assert pool.lease().get_connection() is second
    assert second.closed == 0


def test_connections_that_are_lost_are_replaced(pool: Pool) -> None:
    for _ in range(20):
        pool.lease().get_connection()  # by an exception that strikes between two instructions
        Noted.made.clear()
    assert pool.lease().get_connection()


def test_one_caller_takes_no_second_connection(pool: Pool) -> None:
    """It would wait in vain where there is only one."""
    lease = pool.lease()
    first = lease.get_connection()
    lease.release(first)
    assert lease.get_connection() is first
    assert lease.get_connection() is not first, "the first one is in use"
    lease.give_back()
    assert len(pool._idle) == 2


def test_after_a_doubt_all_commands_go_over_new_connections(pool: Pool) -> None:
    """A primary that was cut off from the others answers, and does not know that it is none any more."""
    used, idle = pool.lease(), pool.lease()
    in_use, kept = used.get_connection(), idle.get_connection()
    idle.give_back()
    pool.doubt()
    assert (in_use.closed, kept.closed) == (0, 1)
    used.give_back()
    assert in_use.closed == 1
    assert pool.lease().get_connection() not in (in_use, kept)


def test_no_more_connections_than_the_client_allows(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    leases = [pool.lease() for _ in range(3)]
    taken = [lease.get_connection() for lease in leases]
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            leases[1].give_back()

    monkeypatch.setattr("daxlite.shared.pool.time.sleep", sleep)
    assert pool.lease().get_connection() is taken[1]
    with pytest.raises(redis.ConnectionError, match="max_connections is 3"):
        pool.lease().get_connection()
    assert len(Noted.made) == 3


def test_two_event_loops_one_after_the_other_with_a_client_of_the_applications() -> None:
    client = fakeredis.FakeAsyncRedis()
    connection = AsyncConnection(endpoint_of(client), Breaker(Clock()))

    async def main(value: bytes) -> None:
        assert await connection.run([("SET", "a", value, "PX", 1000)]) == [True]
        assert await connection.get(["a"]) == [value]
        await connection.loops.async_close()

    asyncio.run(main(b"1"))
    asyncio.run(main(b"2"))
    assert connection.breaker.errors == 0


def test_an_option_of_a_url_that_redis_py_does_not_know_is_refused() -> None:
    for option in ("nonsense=1", "max_connections=many"):
        with pytest.raises(ValueError, match=option.partition("=")[0]) as raised:
            client_of(f"redis://user:secret@localhost/0?{option}", 1.0)
        assert "secret" not in str(raised.value)
    client_of("redis://localhost/0?max_connections=1&client_name=me&health_check_interval=3", 1.0)


def test_a_thread_waits_no_longer_for_a_connection_than_for_a_moment() -> None:
    client = fakeredis.FakeRedis(max_connections=1)
    connection = Connection(client, Breaker(Clock()))
    threads = [threading.Thread(target=lambda: connection.get(["a"])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert connection.breaker.errors == 0
