"""The way to Redis, over fakeredis: commands out, replies back, Unavailable for every failure."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import fakeredis
import pytest
import redis
import redis.asyncio
from redis.exceptions import RedisClusterException
from redis.sentinel import Sentinel

from daxlite.shared.async_connection import AsyncConnection
from daxlite.shared.breaker import FAILURES_TO_OPEN, Breaker
from daxlite.shared.clients import checked_for_asyncio, client_of
from daxlite.shared.connection import Connection
from daxlite.shared.endpoints import endpoint_of
from daxlite.shared.failures import Unavailable
from tests.aggregations.scripted import AsyncClient, Client, Clock, Pipeline, Server, World


def test_commands_and_their_replies() -> None:
    connection = Connection(fakeredis.FakeRedis(), Breaker(Clock()))
    assert connection.run([("SET", "a", b"1", "PX", 1000)]) == [True]
    assert connection.run([("SET", "a", b"2", "NX", "PX", 1000), ("GET", "a"), ("DEL", "b")]) == [None, b"1", 0]
    assert connection.get(["a", "b"]) == [b"1", None]
    assert not connection.is_cluster
    assert connection.breaker.errors == 0


def test_commands_and_their_replies_over_asyncio() -> None:
    async def main() -> None:
        client = fakeredis.FakeAsyncRedis()
        connection = AsyncConnection(endpoint_of(client), Breaker(Clock()))
        assert await connection.run([("SET", "a", b"1", "PX", 1000)]) == [True]
        assert await connection.run([("SET", "a", b"2", "NX", "PX", 1000), ("GET", "a"), ("DEL", "b")]) == [
            None,
            b"1",
            0,
        ]
        assert await connection.get(["a", "b"]) == [b"1", None]
        await connection.loops.async_close()

    asyncio.run(main())


def test_one_of_several_commands_that_is_refused_is_a_failure_of_all() -> None:
    connection = Connection(fakeredis.FakeRedis(), Breaker(Clock()))
    with pytest.raises(Unavailable) as raised:
        connection.run([("SET", "a", b"1", "PX", 1000), ("NO SUCH COMMAND",), ("GET", "a")])
    assert isinstance(raised.value.cause, redis.ResponseError)
    assert connection.breaker.errors == 1
    assert connection.get(["a"]) == [b"1"]


OUTAGES = [redis.ConnectionError(), redis.TimeoutError(), OSError(), RedisClusterException(), TimeoutError()]
REFUSALS = [redis.ResponseError(), redis.exceptions.ReadOnlyError(), redis.exceptions.OutOfMemoryError()]


@pytest.mark.parametrize("error", [*OUTAGES, *REFUSALS], ids=repr)
def test_what_goes_wrong_is_unavailable_and_a_server_that_answers_is_left_alone_for_nothing(error: Exception) -> None:
    server = Server(Clock())
    connection, async_link = (
        Connection(Client(server), Breaker(server.clock)),
        AsyncConnection(endpoint_of(AsyncClient(server)), Breaker(server.clock)),
    )
    asks: list[Callable[[], Any]] = [
        lambda: connection.get(["a"]),
        lambda: connection.run([("GET", "a")]),
        lambda: connection.run([("GET", "a"), ("GET", "b")]),
        lambda: asyncio.run(async_link.get(["a"])),
        lambda: asyncio.run(async_link.run([("GET", "a")])),
        lambda: asyncio.run(async_link.run([("GET", "a"), ("GET", "b")])),
    ]
    server.failing = lambda command: error
    for ask in asks:
        with pytest.raises(Unavailable) as raised:
            ask()
        assert raised.value.cause is error
    is_outage = error in OUTAGES
    assert connection.breaker.is_open == async_link.breaker.is_open == is_outage
    server.failing = lambda command: None
    with pytest.raises(Unavailable) if is_outage else nullcontext():
        connection.get(["a"])
    assert connection.breaker.skipped == is_outage


@pytest.mark.parametrize("error", [RuntimeError("ours"), KeyboardInterrupt(), ValueError()], ids=repr)
def test_what_is_no_fault_of_redis_is_raised_as_it_is(error: BaseException) -> None:
    server = Server(Clock())
    connection = Connection(Client(server), Breaker(server.clock))
    server.failing = lambda command: error
    for _ in range(FAILURES_TO_OPEN + 1):
        with pytest.raises(type(error)):
            connection.get(["a"])
    assert connection.breaker.errors == 0
    assert not connection.breaker.is_open


def test_what_is_not_a_client() -> None:
    for server in (None, 5, object()):
        for make in (lambda server: client_of(server, 1.0), checked_for_asyncio):
            with pytest.raises(TypeError, match="it must be"):
                make(server)
    with pytest.raises(ValueError):
        client_of("http://localhost", 1.0)
    with pytest.raises(TypeError, match="AsyncAggregationCache"):
        client_of(redis.asyncio.Redis(), 1.0)
    with pytest.raises(TypeError, match="it must be"):
        checked_for_asyncio(redis.Redis())
    with pytest.raises(ValueError, match="decode_responses"):
        client_of(redis.Redis(decode_responses=True), 1.0)
    with pytest.raises(ValueError, match="decode_responses"):
        checked_for_asyncio(redis.asyncio.Redis(decode_responses=True))


def test_a_url_makes_a_client_that_waits_no_longer_than_told() -> None:
    client = client_of("rediss://user:secret@example.org:6380/2", 0.25)
    for options in (client.connection_pool.connection_kwargs, endpoint_of(client).options):  # type: ignore[union-attr]
        assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.25, 0.25)
        assert (options["username"], options["password"], options["db"]) == ("user", "secret", 2)


def test_a_client_of_the_applications_is_used_as_it_is() -> None:
    client = redis.Redis()
    assert client_of(client, 1.0) is client


def test_each_event_loop_has_connections_of_its_own(world: World) -> None:
    connection = AsyncConnection(endpoint_of(AsyncClient(world.server)), Breaker(world.clock))
    loops = [asyncio.new_event_loop() for _ in range(2)]

    async def here() -> Any:
        return connection.loops.here()

    used = [[loop.run_until_complete(here()) for loop in loops] for _ in range(5)]
    assert all(one is used[0][0] for one, _ in used)
    assert all(other is used[0][1] for _, other in used)
    assert used[0][0] is not used[0][1]
    for loop in loops:
        loop.close()


class ClusterClient(redis.RedisCluster):
    """A client of a cluster that has made no connection."""

    def __init__(self, server: Server, **attributes: Any) -> None:
        self.server = server
        self.__dict__ |= attributes

    def __del__(self) -> None:
        """There is nothing to close."""

    def get_encoder(self) -> Any:
        return redis.Redis().get_encoder()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return self.server.execute(args)

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> Any:
        return Pipeline(self.server)


@pytest.mark.parametrize("attributes", [{"read_from_replicas": True}, {"load_balancing_strategy": "round robin"}])
def test_p5_a_cluster_client_that_reads_from_replicas_is_refused(attributes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="replicas, which may be behind"):
        client_of(ClusterClient(Server(Clock()), **attributes), 1.0)


def test_p5_a_client_of_a_sentinels_replicas_is_refused() -> None:
    sentinel = Sentinel([("localhost", 1)])
    assert client_of(sentinel.master_for("main"), 1.0)
    with pytest.raises(ValueError, match="take no writes"):
        client_of(sentinel.slave_for("main"), 1.0)


@pytest.mark.parametrize("kind", ["threads", "asyncio"])
def test_p7_what_is_urgent_is_sent_though_the_breaker_is_open(kind: str) -> None:
    """A write is always announced; a read costs nothing while Redis is down."""
    server = Server(Clock())
    breaker = Breaker(server.clock)
    if kind == "threads":
        connection: Any = Connection(Client(server), breaker)
        ask: Callable[..., Any] = lambda method, *arguments: getattr(connection, method)(*arguments)  # noqa: E731
    else:
        connection = AsyncConnection(endpoint_of(AsyncClient(server)), breaker)
        ask = lambda method, *arguments: asyncio.run(getattr(connection, method)(*arguments))  # noqa: E731
    begin = [("SET", "a", b"1", "PX", 1000)]
    with server.down():
        for _ in range(FAILURES_TO_OPEN):
            with pytest.raises(Unavailable):
                ask("get", ["a"])
        errors = breaker.errors
        for arguments, is_sent in ((("run", begin), False), (("run", begin, True), True), (("get", ["a"]), False)):
            with pytest.raises(Unavailable) as raised:
                ask(*arguments)
            assert (raised.value.cause is not None) == is_sent
        assert breaker.errors == errors + 1
    with pytest.raises(Unavailable):
        ask("get", ["a"])
    assert ask("run", begin, True) == [True]
    assert ask("get", ["a"]) == [b"1"], "it was answered, so the breaker is closed"
