"""A cluster: results, states and locks lie on all of its nodes, and no command asks for two of them at a time."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import redis
from redis.asyncio.cluster import ClusterNode as AsyncClusterNode

from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache
from tests.conftest import MakeTable
from tests.valkey import Cluster, only_keys_of, running_cluster

from . import shop
from .load import KEYS, Numbers, load_on
from .waiting import wait_until

WITHOUT_NEAR = AggregationConfig(near_bytes=0)


@pytest.fixture
def client(valkey_cluster: Cluster, namespace: str) -> Iterator[redis.RedisCluster]:
    with valkey_cluster.client() as client, only_keys_of(namespace, client):
        yield client


def test_results_are_cached_invalidated_refreshed_and_cleared(client: redis.RedisCluster, namespace: str) -> None:
    with closing(AggregationCache(client, namespace, WITHOUT_NEAR)) as cache:
        computed: Counter[int] = Counter()

        @cache.cached(ttl=60, tags=["squares"])
        def square(number: int) -> tuple[int, int]:
            computed[number] += 1
            return number * number, computed[number]

        for number in range(30):
            assert square(number) == (number**2, 1)
            assert square(number) == (number**2, 1)
        square.invalidate(1)
        assert (square(1), square(2)) == ((1, 2), (4, 1))
        assert square.refresh(2) == (4, 2)
        assert square.peek(2) == (4, 2)
        drops: list[Callable[[], None]] = [lambda: cache.invalidate_tags("squares"), square.clear, cache.clear]
        for drop in drops:
            drop()
            assert square.peek(3) is None
            before = computed[3]
            assert square(3) == (9, before + 1)
        assert (cache.stats().redis_errors, cache.stats().faults) == (0, 0)


def test_keys_are_spread_over_the_nodes(client: redis.RedisCluster, valkey_cluster: Cluster, namespace: str) -> None:
    with closing(AggregationCache(client, namespace, WITHOUT_NEAR)) as cache:
        for number in range(60):
            cache.get_or_compute(number, lambda: 0, ttl=60)
        found = []
        for node in valkey_cluster.nodes:
            with node.client() as one:
                found.append(len(one.keys(f"{namespace}:*:value")))
        assert sum(found) == 60
        # Of 60 digests a third each; that one node has fewer than 5 happens once in a million times.
        assert min(found) >= 5
        assert cache.stats().redis_errors == 0


def test_p5_near_caches_hear_each_other(client: redis.RedisCluster, namespace: str) -> None:
    with (
        closing(AggregationCache(client, namespace)) as cache,
        closing(AggregationCache(client, namespace, WITHOUT_NEAR)) as other,
    ):
        numbers = Numbers(cache)
        numbers.ask(0)
        wait_until("it listens", lambda: cache.stats().is_listening)
        for change in range(1, 6):
            numbers.ask(0)
            numbers.ask(0)
            assert cache.stats().total.near_hits >= change
            numbers.now[0] = change
            other.invalidate_tags("number 0")
            wait_until("it heard of it", numbers.is_known, 1.0)
        assert (cache.stats().redis_errors, other.stats().redis_errors) == (0, 0)


def test_p5_a_process_listens_only_while_every_primary_answers(namespace: str) -> None:
    """What one server published before it was asked, its own answer alone tells."""
    with (
        running_cluster() as cluster,
        cluster.client() as client,
        closing(AggregationCache(client, namespace)) as cache,
    ):
        cache.get_or_compute("a", lambda: 1)
        wait_until("it listens", lambda: cache.stats().is_listening)
        assert len(cache._home.hearing._lines.all) == len(cluster.nodes)
        for node in cluster.nodes:
            node.pause()
            wait_until("it trusts nothing that it keeps", lambda: not cache.stats().is_listening)
            node.resume()
            wait_until("it listens again", lambda: cache.stats().is_listening)


def test_p5_what_is_read_through_a_wrapped_client_is_captured(
    client: redis.RedisCluster, namespace: str, endpoint: str, make_table: MakeTable
) -> None:
    table = make_table("orders", **shop.TABLE)
    with (
        closing(shop.Shop(endpoint, table, AggregationCache(client, namespace, WITHOUT_NEAR))) as reader,
        closing(shop.Shop(endpoint, table, AggregationCache(client, f"{namespace}.2", WITHOUT_NEAR))) as writer,
    ):
        writer.read_day("no day")
        for number, day in enumerate("1122"):
            writer.put(f"o{number}", day, 2**number)
        assert (reader.of_day("1"), reader.of_day("2"), reader.of_all()) == (3, 12, 15)
        writer.put("o0", "1", 101)
        assert (reader.of_day("1"), reader.of_day("2"), reader.of_all()) == (103, 12, 115)
        assert reader.computed == ["day 1", "day 2", "all", "day 1", "all"]
        assert reader.aggregations.stats().redis_errors == 0


def test_asyncio(client: redis.RedisCluster, valkey_cluster: Cluster, namespace: str) -> None:
    async def main() -> None:
        nodes = [AsyncClusterNode(node.host, node.port) for node in valkey_cluster.nodes]
        async with redis.asyncio.RedisCluster(startup_nodes=nodes) as server:
            cache = AsyncAggregationCache(server, namespace, sync_client=client)
            try:
                computed: Counter[int] = Counter()

                @cache.cached(ttl=60, tags=["squares"])
                async def square(number: int) -> tuple[int, int]:
                    computed[number] += 1
                    return number * number, computed[number]

                for number in range(20):
                    assert await square(number) == (number**2, 1)
                    assert await square(number) == (number**2, 1)
                assert await square.refresh(1) == (1, 2)
                await square.invalidate(2)
                assert (await square(1), await square(2), await square(3)) == ((1, 2), (4, 2), (9, 1))
                await cache.invalidate_tags("squares")
                assert (await square(1), await square(2), await square(3)) == ((1, 3), (4, 3), (9, 2))
                await cache.clear()
                assert await square.peek(3) is None
                assert (cache.stats().redis_errors, cache.stats().faults) == (0, 0)
            finally:
                await cache.close()

    asyncio.run(main())


def test_p7_every_answer_is_right_when_a_node_dies(namespace: str) -> None:
    """With it a third of the keys, and as it has no replica, all that the others would answer.

    The clock goes ten times as fast as any other, so that the circuit breaker does not keep the test waiting.
    """
    with (
        running_cluster() as cluster,
        cluster.client(socket_timeout=0.3, socket_connect_timeout=0.3) as client,
        closing(AggregationCache(client, namespace, WITHOUT_NEAR, clock=lambda: 10 * time.monotonic())) as cache,
    ):
        numbers = Numbers(cache)
        assert numbers.are_cached()
        with load_on(numbers) as load:
            time.sleep(0.1)
            cluster.nodes[1].kill()
            time.sleep(0.3)
            cluster.nodes[1].restart()
            wait_until("the cluster is asked again", lambda: cache.stats().is_available)
        load.check()
        assert cache.stats().redis_errors > 0, "it was not noticed; so this shows nothing"
        wait_until("results are cached again", numbers.are_cached)
        assert cache.stats().pending_invalidations == 0
        assert [numbers.ask(key) for key in range(KEYS)] == [numbers.now[key] for key in range(KEYS)]
        assert cache.stats().faults == 0
