"""The ways to a server: through a Sentinel, as a user that may do little, and over a socket in the file system."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache
from tests.valkey import SentinelGroup, Valkey, only_keys_of, running_valkey

from .load import KEYS, Numbers, load_on
from .waiting import wait_until

WITHOUT_NEAR = AggregationConfig(near_bytes=0, timeout=5)


def test_p7_every_answer_is_right_while_a_sentinel_fails_over(sentinel_group: SentinelGroup, namespace: str) -> None:
    with (
        sentinel_group.sentinel(socket_timeout=0.5) as sentinel,
        sentinel.master_for(sentinel_group.name) as client,
        closing(AggregationCache(client, namespace)) as cache,
    ):
        numbers = Numbers(cache)
        assert numbers.are_cached()
        with load_on(numbers) as load:
            time.sleep(0.2)
            sentinel_group.fail_over()
            wait_until("the new primary is asked", lambda: cache.stats().is_available)
        load.check()
        wait_until("results are cached again", numbers.are_cached, 20.0)
        assert cache.stats().pending_invalidations == 0
        assert [numbers.ask(key) for key in range(KEYS)] == [numbers.now[key] for key in range(KEYS)]
        wait_until("it listens to the new primary", lambda: cache.stats().is_listening)
        assert cache.stats().faults == 0


class TestAUser:
    """What a user of the server has to be allowed, and nothing more."""

    @pytest.fixture
    def permissions(self, namespace: str) -> list[str]:
        # As in docs/redis.md, with the very pattern to which daxlite subscribes. +client|setinfo, by which redis-py
        # names itself, it does without.
        commands = ["get", "mget", "set", "pexpire", "del", "eval", "evalsha", "time", "publish", "psubscribe"]
        commands += ["info", "role"]
        places = f"~{namespace}:daxlite:*", f"&{namespace}:daxlite:changes:*"
        return [*places, "-@all", *[f"+{command}" for command in commands]]

    @pytest.fixture
    def server(self, permissions: list[str]) -> Iterator[Valkey]:
        with running_valkey("--user", "shop", "on", ">secret", *permissions) as server:
            yield server

    def test_that_may_touch_the_keys_and_the_channels_of_the_namespace_needs_no_more(
        self, server: Valkey, namespace: str
    ) -> None:
        url = f"redis://shop:secret@{server.host}:{server.port}/0"
        with (
            server.client() as admin,
            only_keys_of(namespace, admin),
            closing(AggregationCache(url, namespace)) as cache,
            closing(AggregationCache(url, namespace, AggregationConfig(near_bytes=0))) as other,
        ):
            numbers = Numbers(cache)
            assert numbers.are_cached()
            wait_until("it listens", lambda: cache.stats().is_listening)
            numbers.ask(0)
            numbers.now[0] = 1
            other.invalidate_tags("number 0")
            wait_until("it heard of it", lambda: numbers.ask(0) == 1)
            # Long enough for the lock to be renewed.
            assert cache.get_or_compute("slow", lambda: time.sleep(0.3), lock_ttl=0.2) is None
            other.clear()
            refused = [
                event["object"] for event in admin.acl_log() if not str(event["object"]).startswith(("client", "hello"))
            ]
            assert not refused
            assert (cache.stats().redis_errors, other.stats().redis_errors, cache.stats().faults) == (0, 0, 0)

    def test_that_may_not_touch_them_computes(self, server: Valkey) -> None:
        url = f"redis://shop:secret@{server.host}:{server.port}/0"
        with closing(AggregationCache(url, "another")) as cache:
            assert [cache.get_or_compute("a", lambda: 1, ttl=60) for _ in range(5)] == [1] * 5
            assert cache.stats().redis_errors > 0

    def test_with_the_wrong_password_computes(self, server: Valkey, namespace: str) -> None:
        url = f"redis://shop:wrong@{server.host}:{server.port}/0"
        with closing(AggregationCache(url, namespace)) as cache:
            assert [cache.get_or_compute("a", lambda: 1, ttl=60) for _ in range(5)] == [1] * 5
            cache.invalidate_tags("a")
            assert cache.stats().redis_errors > 0
            assert not cache.stats().is_available
        with (
            closing(AggregationCache(url, namespace, on_error="raise")) as cache,
            pytest.raises(redis.AuthenticationError),
        ):
            cache.get_or_compute("a", lambda: 1, ttl=60)


def test_a_socket_in_the_file_system(tmp_path: Path, namespace: str) -> None:
    path = tmp_path / "socket"
    with (
        running_valkey("--unixsocket", str(path)) as server,
        server.client() as client,
        only_keys_of(namespace, client),
        closing(AggregationCache(f"unix://{path}?db=3", namespace)) as cache,
    ):
        numbers = Numbers(cache)
        assert numbers.are_cached()
        wait_until("it listens", lambda: cache.stats().is_listening)
        assert cache.stats().redis_errors == 0
        assert not client.dbsize()
        with redis.Redis(unix_socket_path=str(path), db=3) as third, only_keys_of(namespace, third):
            assert third.dbsize() > KEYS


@pytest.mark.usefixtures("only_own_keys")
def test_two_event_loops_have_a_client_each(own_valkey: Valkey, namespace: str) -> None:
    with own_valkey.client() as admin:
        cache = AsyncAggregationCache(own_valkey.url, namespace, WITHOUT_NEAR)
        connections: Any = cache._home.connections.asyncio

        @cache.cached(ttl=60)
        async def function(number: int) -> int:
            return number

        async def ask() -> None:
            for number in range(100):
                assert await function(number % 3) == number % 3
            await connections.clients.close()  # asyncio.run does not close the connections of the loop that it ends

        before = admin.info("stats")["total_connections_received"]
        threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert admin.info("stats")["total_connections_received"] - before <= 6
        asyncio.run(cache.close())
        stats = cache.stats()
        assert (stats.total.computations, stats.redis_errors) == (3, 0)


@pytest.mark.usefixtures("only_own_keys")
def test_a_client_of_the_applications_serves_two_event_loops_one_after_the_other(
    own_valkey: Valkey, namespace: str
) -> None:
    """The connections of the first one are of no use to the second, which made each of its calls compute."""
    client = redis.asyncio.Redis.from_url(own_valkey.url)
    with own_valkey.client() as sync_client, asyncio.Runner() as first, asyncio.Runner() as second:
        cache = AsyncAggregationCache(client, namespace, WITHOUT_NEAR, sync_client=sync_client)

        @cache.cached(ttl=60)
        async def function(number: int) -> int:
            return number

        async def ask() -> None:
            for number in range(9):
                assert await function(number % 3) == number % 3

        for runner in (first, second):
            runner.run(ask())
        stats = cache.stats()
        assert (stats.total.computations, stats.total.shared_hits, stats.redis_errors) == (3, 15, 0)
        for runner in (first, second):
            runner.run(cache.close())


NUMBERS = list(range(20))
PATIENT = AggregationConfig(timeout=5)

FEW: dict[str, Callable[[Any, str], Any]] = {
    "a URL": lambda module, url: f"{url}?max_connections=1",
    "a client": lambda module, url: module.Redis.from_url(url, max_connections=1),
}


@pytest.mark.usefixtures("only_own_keys")
@pytest.mark.parametrize("given", FEW)
def test_one_connection_is_enough_for_many_threads(own_valkey: Valkey, namespace: str, given: str) -> None:
    server = FEW[given](redis, own_valkey.url)
    with closing(AggregationCache(server, namespace, PATIENT)) as cache:
        function = cache.cached(ttl=60, name="f")(lambda number: number)
        function(0)
        wait_until("it listens, with a connection of its own", lambda: cache.stats().is_listening)
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(function, NUMBERS * 3)) == NUMBERS * 3
        stats = cache.stats()
        assert (stats.total.computations, stats.redis_errors, stats.is_listening) == (20, 0, True)
    if isinstance(server, redis.Redis):
        server.close()


@pytest.mark.usefixtures("only_own_keys")
@pytest.mark.parametrize("given", FEW)
def test_one_connection_is_enough_for_many_tasks(own_valkey: Valkey, namespace: str, given: str) -> None:
    async def main() -> None:
        server = FEW[given](redis.asyncio, own_valkey.url)
        sync_client = None if given == "a URL" else FEW[given](redis, own_valkey.url)
        cache = AsyncAggregationCache(server, namespace, PATIENT, sync_client=sync_client)

        @cache.cached(ttl=60)
        async def function(number: int) -> int:
            return number

        await function(0)
        found = await asyncio.gather(*[function(number) for number in NUMBERS * 3])
        assert found == NUMBERS * 3
        stats = cache.stats()
        assert (stats.total.computations, stats.redis_errors) == (20, 0)
        await cache.close()
        if sync_client is not None:
            sync_client.close()
            await server.aclose()

    asyncio.run(main())
