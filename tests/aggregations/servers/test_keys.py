"""What stands on the server: under the namespace, for a time, and at a cost that does not grow."""

import time
from collections.abc import Callable
from contextlib import closing

import pytest
import redis

from daxlite.aggregations import AggregationCache, AggregationConfig
from tests.valkey import Valkey

from .waiting import wait_until

WITHOUT_NEAR = AggregationConfig(near_bytes=0, timeout=5)


def commands_of(client: redis.Redis, work: Callable[[], object]) -> dict[str, int]:
    """How often each command was called by some work, which has the server for itself."""
    client.config_resetstat()
    work()
    calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in client.info("commandstats").items()}
    return {name: number for name, number in calls.items() if name not in ("config|resetstat", "info")}


@pytest.mark.usefixtures("only_own_keys")
def test_every_key_has_the_namespace_and_a_ttl(valkey: Valkey, namespace: str) -> None:
    """So has a lock, and what a lock leaves behind."""
    with closing(AggregationCache(valkey.url, namespace, WITHOUT_NEAR)) as cache, valkey.client() as client:

        def compute() -> bytes:
            locks = list(client.scan_iter(f"{namespace}:*:lock", count=1000))
            assert len(locks) == 1
            assert 0 < client.pttl(locks[0]) <= 10_000
            return b"x" * 10_000

        for ttl in (0.5, 60, 7200):
            cache.get_or_compute(ttl, compute, ttl=ttl, tags=["a", "b"], stale_if_error=60, stale_while_revalidate=60)
        cache.invalidate_tags("a")
        with pytest.raises(ZeroDivisionError):
            cache.get_or_compute("failing", lambda: 1 / 0)
        cache.clear()
        assert cache.get_or_compute(60, compute, ttl=60) == b"x" * 10_000
        assert cache.stats().redis_errors == 0
        assert len(list(client.scan_iter(f"{namespace}:*:value", count=1000))) == 3


class TestStates:
    """FACTS fault 7: a tag with the life of the last result that it was given to lets go of the others."""

    @pytest.mark.parametrize("lives", [(2.0, 14_400.0), (14_400.0, 2.0)], ids=["short first", "long first"])
    def test_outlive_every_result_that_they_guard(
        self, valkey: Valkey, namespace: str, lives: tuple[float, float]
    ) -> None:
        with closing(AggregationCache(valkey.url, namespace, WITHOUT_NEAR)) as cache, valkey.client() as client:
            for ttl in lives:
                cache.get_or_compute(ttl, time.time, ttl=ttl, tags=["both"], jitter=0, stale_if_error=ttl)
            results = [client.pttl(key) for key in client.scan_iter(f"{namespace}:*:value", count=1000)]
            assert len(results) == 2
            assert min(results) <= 4_000
            assert max(results) > 28_700_000
            # Two of everything and of the tag, which guard both, and one of each result.
            states = sorted(client.pttl(key) for key in client.scan_iter(f"{namespace}:*:state", count=1000))
            assert len(states) == 4
            assert states[0] > min(results)
            assert all(state > max(results) for state in states[1:]), "a state goes before the result that it guards"

    @pytest.mark.parametrize("lives", [(0.2, 60.0), (60.0, 0.2)], ids=["short first", "long first"])
    def test_invalidate_what_lives_longer(self, valkey: Valkey, namespace: str, lives: tuple[float, float]) -> None:
        with closing(AggregationCache(valkey.url, namespace, WITHOUT_NEAR)) as cache:

            def ask(ttl: float) -> float:
                return cache.get_or_compute(ttl, time.time, ttl=ttl, tags=["both"], early_refresh=0)

            before = {ttl: ask(ttl) for ttl in lives}
            wait_until("the short one has expired", lambda: ask(0.2) != before[0.2])
            assert ask(60.0) == before[60.0]
            cache.invalidate_tags("both")
            assert ask(60.0) != before[60.0]

    def test_that_are_gone_count_as_changed(self, valkey: Valkey, namespace: str) -> None:
        """Whichever of them it is."""
        with closing(AggregationCache(valkey.url, namespace, WITHOUT_NEAR)) as cache, valkey.client() as client:
            numbers = iter(range(100))

            def ask() -> int:
                return cache.get_or_compute("a", lambda: next(numbers), ttl=60, tags=["one", "another"])

            assert (ask(), ask()) == (0, 0)
            states = sorted(client.scan_iter(f"{namespace}:*:state", count=1000))
            assert len(states) == 4
            for number, state in enumerate(states):
                assert ask() == number
                client.delete(state)
                assert ask() == number + 1


class TestTheCost:
    @pytest.mark.parametrize("results", [1, 500])
    def test_of_an_invalidation_does_not_depend_on_what_hangs_on_it(
        self, own_valkey: Valkey, namespace: str, results: int
    ) -> None:
        with (
            closing(AggregationCache(own_valkey.url, namespace, WITHOUT_NEAR)) as cache,
            own_valkey.client() as client,
        ):
            square = cache.cached(ttl=60, name="square", tags=["squares"])(lambda number: number * number)
            for number in range(results):
                square(number)
            assert len(client.keys(f"{namespace}:*:value")) == results
            cache.invalidate_tags("squares")  # from here on the server has the script
            by_tag = commands_of(client, lambda: cache.invalidate_tags("squares"))
            by_function = commands_of(client, square.clear)
            everything = commands_of(client, cache.clear)
            # One script: the state changes, and the others are told.
            assert by_tag == by_function == everything
            assert by_tag["evalsha"] == by_tag["publish"] == by_tag["set"] == 1
            assert sum(by_tag.values()) <= 6

    def test_of_a_hit_is_one_command(self, own_valkey: Valkey, namespace: str) -> None:
        with (
            closing(AggregationCache(own_valkey.url, namespace, WITHOUT_NEAR)) as cache,
            own_valkey.client() as client,
        ):

            def ask() -> int:
                return cache.get_or_compute("a", lambda: 1, ttl=60, tags=["b", "c"])

            ask()
            assert commands_of(client, ask) == {"mget": 1}


def test_clear_touches_nothing_but_its_namespace(own_valkey: Valkey, namespace: str) -> None:
    """FACTS fault 9: it is no FLUSHDB. Namespaces that begin alike are two."""
    with (
        own_valkey.client() as client,
        closing(AggregationCache(own_valkey.url, namespace, WITHOUT_NEAR)) as cache,
        closing(AggregationCache(own_valkey.url, f"{namespace}.2", WITHOUT_NEAR)) as second,
        closing(AggregationCache(own_valkey.url, namespace[:-1], WITHOUT_NEAR)) as third,
    ):
        client.mset({"foreign": "kept", f"{namespace}": "kept", f"{namespace}:daxlite": "kept"})
        client.hset("sessions", mapping={"a": "b"})
        foreign = {key: client.dump(key) for key in client.scan_iter()}
        numbers = iter(range(100))
        for one in (cache, second, third):
            one.get_or_compute("a", lambda: next(numbers), ttl=60)
        cache.clear()
        assert cache.get_or_compute("a", lambda: next(numbers), ttl=60) == 3
        assert second.get_or_compute("a", lambda: next(numbers), ttl=60) == 1
        assert third.get_or_compute("a", lambda: next(numbers), ttl=60) == 2
        assert {key: client.dump(key) for key in foreign} == foreign
        assert not {name for name in client.info("commandstats") if "flush" in name}
