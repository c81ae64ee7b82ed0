"""The settings of a client of redis-py, as data: asyncio and threads reach the same server by them."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel

from daxlite import Shared
from daxlite.shared.connections import Connections, async_connections_of, connections_of
from daxlite.shared.endpoints import Endpoint, endpoint_of, server_of
from tests.aggregations.scripted import Clock
from tests.proxy import bad_line, self_signed
from tests.valkey import Cluster, SentinelGroup, Valkey, running_valkey


def connected(server: Any) -> Connections:
    return connections_of(server, 5.0, Clock(), is_budget=True, takes_async=True)


def both_reach_one_server(connections: Connections, namespace: str) -> None:
    """What threads write, asyncio reads, and the other way round."""
    keys = [f"{namespace}:{number}" for number in range(20)]

    async def main() -> None:
        assert connections.asyncio is not None
        connections.threads.run([("SET", key, b"t", "PX", 60_000) for key in keys])
        assert await connections.asyncio.get(keys) == [b"t"] * 20
        await connections.asyncio.run([("SET", key, b"a", "PX", 60_000) for key in keys])
        assert connections.threads.get(keys) == [b"a"] * 20
        await connections.asyncio.run([("DEL", key) for key in keys])
        await connections.async_close()

    asyncio.run(main())
    assert connections.threads.breaker.errors == 0


MAKE: dict[str, Callable[[Valkey], Any]] = {
    "a URL": lambda server: server.url,
    "a client": lambda server: redis.Redis(host=server.host, port=server.port, db=1, client_name="shop"),
    "a client of asyncio": lambda server: redis.asyncio.Redis(host=server.host, port=server.port, db=1),
}


@pytest.mark.parametrize("given", MAKE)
def test_one_server_however_it_is_given(valkey: Valkey, namespace: str, given: str) -> None:
    both_reach_one_server(connected(MAKE[given](valkey)), namespace)


def test_a_user_over_a_socket_in_the_file_system(tmp_path: Path, namespace: str) -> None:
    path = tmp_path / "socket"
    told: dict[str, Any] = {"unix_socket_path": str(path), "username": "shop", "password": "secret"}
    with running_valkey("--unixsocket", str(path), "--user", "shop", "on", ">secret", "~*", "+@all"):
        for module in (redis, redis.asyncio):
            both_reach_one_server(connected(module.Redis(**told)), namespace)


def test_tls(valkey: Valkey, tmp_path: Path, namespace: str) -> None:
    with bad_line(valkey.host, valkey.port, self_signed(tmp_path)) as proxy:
        place: dict[str, Any] = {"host": proxy.host, "port": proxy.port, "ssl": True}
        lax: dict[str, Any] = {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
        for module in (redis, redis.asyncio):
            both_reach_one_server(connected(module.Redis(**place, **lax)), namespace)
            strict = connected(module.Redis(**place))
            for told in (strict.threads.clients.client.connection_pool.connection_kwargs, options_of(strict)):
                assert told["ssl_cert_reqs"] == "required", "no setting that protects is lost on the way"


def options_of(connections: Connections) -> Any:
    assert connections.asyncio is not None
    endpoint = connections.asyncio.loops._endpoint
    assert isinstance(endpoint, Endpoint)
    return endpoint.options


def test_a_cluster(valkey_cluster: Cluster, namespace: str) -> None:
    with valkey_cluster.client() as client:
        both_reach_one_server(connected(client), namespace)


def test_the_primary_that_sentinels_name(sentinel_group: SentinelGroup, namespace: str) -> None:
    kinds: tuple[Any, ...] = (redis.sentinel.Sentinel, redis.asyncio.sentinel.Sentinel)
    for kind in kinds:
        sentinel = kind([("127.0.0.1", sentinel_group.watcher.port)], socket_timeout=5.0)
        both_reach_one_server(connected(sentinel.master_for(sentinel_group.name, db=2)), namespace)


def test_what_a_client_was_told_is_taken_over() -> None:
    class Provider(redis.credentials.CredentialProvider):
        def get_credentials(self) -> tuple[str, str]:
            return "shop", "secret"

    provider = Provider()
    told: dict[str, Any] = {"socket_timeout": 1.5, "health_check_interval": 3, "client_name": "me", "protocol": 2}
    for module in (redis, redis.asyncio):
        made = server_of(module.Redis(host="example.org", port=1, credential_provider=provider, **told))
        assert made.connection_class is redis.asyncio.Connection
        assert {name: made.options[name] for name in told} == told
        assert made.options["credential_provider"] is provider
        assert made.new().retry.get_retries() == 0
        bounded = made.bounded(0.25)
        assert (bounded.options["socket_timeout"], bounded.options["socket_connect_timeout"]) == (0.25, 0.25)
        assert "secret" not in repr(made)


class Own(redis.Connection):
    """A connection of the application's own making."""


ONLY_BY_THREADS: dict[str, Callable[[], Any]] = {
    "connections of its own": lambda: redis.Redis(connection_pool=redis.ConnectionPool(connection_class=Own)),
    "a function to connect": lambda: redis.Redis(redis_connect_func=lambda connection: None),
    "a check of certificates": lambda: redis.Redis(ssl=True, ssl_validate_ocsp_stapled=True),
    "fakeredis": fakeredis.FakeRedis,
}


@pytest.mark.parametrize("name", ONLY_BY_THREADS)
def test_what_cannot_be_told_to_asyncio_leaves_it_to_threads(name: str) -> None:
    assert connected(ONLY_BY_THREADS[name]()).asyncio is None


def test_clients_of_asyncio_of_which_none_for_threads_can_be_made() -> None:
    for client in (
        redis.asyncio.RedisCluster(startup_nodes=[redis.asyncio.cluster.ClusterNode("127.0.0.1", 1)]),
        fakeredis.FakeAsyncRedis(),
    ):
        with pytest.raises(
            TypeError, match=r"Redis\w* whose settings are for asyncio alone; give a URL .* a redis.Redis"
        ):
            Shared(client)
    with pytest.raises(TypeError, match="give also sync_client"):
        async_connections_of(fakeredis.FakeAsyncRedis(), 1.0, Clock(), None)
    with pytest.raises(ValueError, match="decode_responses"):
        Shared(redis.asyncio.Redis(decode_responses=True))


def test_settings_are_taken_when_they_are_given() -> None:
    """What becomes of the client later does not matter."""
    client = redis.Redis(host="one.example")
    endpoint = endpoint_of(client)
    client.connection_pool.connection_kwargs["host"] = "two.example"
    assert isinstance(endpoint, Endpoint)
    assert endpoint.options["host"] == "one.example"
