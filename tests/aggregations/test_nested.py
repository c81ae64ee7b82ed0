"""Results computed from other results depend on everything that those depend on, wherever those came from."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from daxlite.aggregations import AsyncAggregationCache
from tests.aggregations.scripted import (
    AsyncClient,
    Counted,
    Process,
    World,
    scripted_hearing,
)
from tests.aggregations.test_capture import WITH_INDEX
from tests.scripted_client import answering_client


class Nest:
    """A process with an inner function, which depends on the tag "inner", and an outer one that is computed from it."""

    def __init__(self, process: Process, source: Counted, **options: Any) -> None:
        self.process = process
        self.source = source
        self.outer_calls = 0
        cached = process.cache.cached
        self.inner = cached(name="inner", tags=["inner"], **options)(source)
        self.use: Callable[[], Any] = self.inner
        self.outer = cached(name="outer", early_refresh=0)(self._outer)

    def _outer(self) -> Any:
        self.outer_calls += 1
        return "outer", self.use()

    def change(self) -> None:
        self.source.value += 1
        self.process.cache.invalidate_tags("inner")


@pytest.fixture
def source() -> Counted:
    return Counted(1)


def from_a_computation(nest: Nest, other: Nest) -> None:
    """Nothing is there yet."""


def from_the_near_cache(nest: Nest, other: Nest) -> None:
    nest.inner()
    nest.inner()
    nest.inner()
    assert nest.process.counts.near_hits


def from_redis(nest: Nest, other: Nest) -> None:
    other.inner()


def from_redis_with_hints(nest: Nest, other: Nest) -> None:
    nest.inner()
    nest.process.cache._near.clear()


WAYS = pytest.mark.parametrize("way", [from_a_computation, from_the_near_cache, from_redis, from_redis_with_hints])


@WAYS
@pytest.mark.parametrize("near_bytes", [0, 1_000_000])
def test_the_outer_one_is_stale_when_the_inner_one_is(
    world: World, source: Counted, way: Callable[[Nest, Nest], None], near_bytes: int
) -> None:
    nest, other = (Nest(world.process(near_bytes=near_bytes), source) for _ in range(2))
    if near_bytes or way is not from_the_near_cache:
        way(nest, other)
    assert nest.outer() == nest.outer() == ("outer", 1)
    assert other.outer() == ("outer", 1)
    assert nest.outer_calls + other.outer_calls == 1
    nest.change()
    assert nest.outer() == other.outer() == ("outer", 2)
    other.change()
    assert nest.outer() == other.outer() == ("outer", 3)


@WAYS
def test_p3_a_change_of_the_inner_one_while_the_outer_one_is_computed(
    world: World, source: Counted, way: Callable[[Nest, Nest], None]
) -> None:
    nest, other = (Nest(world.process(), source) for _ in range(2))
    way(nest, other)

    def use() -> Any:
        result = nest.inner()
        nest.use = nest.inner
        other.change()
        return result

    nest.use = use
    assert nest.outer() == ("outer", 1)
    assert nest.outer() == ("outer", 2)


def test_p3_an_outer_one_that_saw_two_states_of_the_inner_one_is_not_stored(world: World, source: Counted) -> None:
    nest = Nest(world.process(), source)

    def use() -> Any:
        before = nest.inner()
        nest.change()
        return before, nest.inner()

    nest.use = use
    assert nest.outer() == ("outer", (1, 2))
    assert nest.outer() == ("outer", (2, 3))


def test_p3_an_outer_one_that_has_a_newer_token_than_the_inner_one_is_not_stored(world: World, source: Counted) -> None:
    """The outer one asks Redis for the stamps that it expects; the near cache, which has the inner one, has not heard
    of the change yet."""
    nest, other = (Nest(world.process(), source) for _ in range(2))
    nest.inner()
    nest.outer()
    nest.outer.invalidate()
    nest.process.hearing.is_deaf = True
    other.change()
    assert nest.outer() == ("outer", 1)
    nest.process.hearing.is_deaf = False
    assert nest.outer() == ("outer", 2)


def test_an_inner_result_served_after_its_ttl(world: World, source: Counted) -> None:
    nest = Nest(world.process(), source, ttl=10, stale_while_revalidate=50)
    nest.inner()
    world.clock.advance(20)
    assert nest.outer() == ("outer", 1)
    assert nest.process.counts.stale_hits == 1
    nest.change()
    assert nest.outer() == ("outer", 2)
    nest.process.driver.background.clear()
    nest.process.cache._engine.refreshing.clear()


def test_an_old_inner_result_served_for_an_error_is_not_stored_in_an_outer_one(world: World, source: Counted) -> None:
    nest = Nest(world.process(), source, stale_if_error=50)
    nest.inner()
    nest.change()

    def fail() -> None:
        raise LookupError

    source.takes = fail
    assert nest.outer() == ("outer", 1)
    source.takes = lambda: None
    assert nest.outer() == ("outer", 2)


def test_an_expired_inner_result_served_for_an_error_is_not_stored_in_an_outer_one(
    world: World, source: Counted
) -> None:
    nest = Nest(world.process(), source, ttl=10, stale_if_error=50)
    nest.inner()
    world.clock.advance(20)

    def fail() -> None:
        raise LookupError

    source.takes = fail
    assert nest.outer() == ("outer", 1)
    source.takes, source.value = lambda: None, 2
    assert nest.outer() == ("outer", 2)


def test_the_ages_of_nested_results_do_not_add_up(world: World, source: Counted) -> None:
    nest = Nest(world.process(), source, ttl=100, jitter=0.0, early_refresh=0)
    nest.inner()
    world.clock.advance(90)
    assert nest.outer() == ("outer", 1)
    source.value = 2
    world.clock.advance(209)
    assert nest.outer() == ("outer", 1), "its own TTL is 300 s"
    world.clock.advance(1)
    assert nest.outer() == ("outer", 2)


def test_an_inner_result_that_cannot_be_stored(world: World) -> None:
    thing = object()
    nest = Nest(world.process(), Counted(thing))
    shown: list[Any] = []

    def use() -> int:
        shown.append(nest.inner())
        return len(shown)

    nest.use = use
    assert nest.outer() == nest.outer() == ("outer", 1)
    assert shown == [thing]
    nest.process.cache.invalidate_tags("inner")
    assert nest.outer() == ("outer", 2)


@WAYS
def test_a_refresh_of_the_inner_one(world: World, source: Counted, way: Callable[[Nest, Nest], None]) -> None:
    nest, other = (Nest(world.process(), source) for _ in range(2))
    way(nest, other)
    nest.use = nest.inner.refresh
    assert nest.outer() == nest.outer() == ("outer", 1)
    nest.change()
    assert nest.outer() == ("outer", 2)


@WAYS
def test_a_peek_at_the_inner_one(world: World, source: Counted, way: Callable[[Nest, Nest], None]) -> None:
    nest, other = (Nest(world.process(), source) for _ in range(2))
    way(nest, other)
    nest.use = nest.inner.peek
    found = None if way is from_a_computation else 1
    assert nest.outer() == ("outer", found)
    nest.change()
    nest.inner()
    assert nest.outer() == ("outer", 2)


def test_what_an_inner_computation_depends_on_counts_though_it_fails(world: World, source: Counted) -> None:
    nest = Nest(world.process(), source)

    def fail() -> None:
        raise LookupError

    def use() -> Any:
        try:
            return nest.inner()
        except LookupError:
            return "none yet"

    source.takes, nest.use = fail, use
    assert nest.outer() == ("outer", "none yet")
    source.takes = lambda: None
    nest.change()
    assert nest.outer() == ("outer", 2)


def test_an_inner_result_of_another_namespace_keeps_the_outer_one_from_being_stored(world: World) -> None:
    """Its stamps are not to be had here."""
    inner, outer = Counted(1), world.process(namespace="outer").cache
    total = world.process(namespace="inner").cache.cached(name="inner", tags=["inner"])(inner)

    @outer.cached(name="outer")
    def whole() -> Any:
        return total()

    for value in (1, 2, 3):
        inner.value = value
        total._cache.invalidate_tags("inner")
        assert [whole(), whole()] == [value, value]
    assert inner.calls == 3
    assert outer.stats().total.stored == 0


def test_three_deep(world: World, source: Counted) -> None:
    nest = Nest(world.process(), source)

    @nest.process.cache.cached(name="top")
    def top() -> Any:
        return "top", nest.outer()

    assert top() == top() == ("top", ("outer", 1))
    nest.change()
    assert top() == ("top", ("outer", 2))
    assert nest.outer() == ("outer", 2)
    assert nest.outer_calls == 2


def test_a_function_that_asks_for_its_own_result_does_not_wait_for_itself(world: World) -> None:
    process, depth = world.process(), 0

    @process.cache.cached(name="self")
    def again() -> int:
        nonlocal depth
        depth += 1
        return depth if depth == 3 else again()

    began = world.clock()
    assert again() == 3
    assert world.clock() == began
    assert not world.server.keys(":lock")


def test_two_functions_that_ask_for_each_other_do_not_wait(world: World) -> None:
    cache = world.process().cache

    @cache.cached(name="even")
    def even(number: int) -> bool:
        return True if number == 0 else odd(number - 1)

    @cache.cached(name="odd")
    def odd(number: int) -> bool:
        return False if number == 0 else even(number - 1)

    assert even(10)
    assert not even(7)
    assert cache.stats().total.computations == 11 + 8


def test_recursion_over_other_arguments_computes_each_once(world: World) -> None:
    cache = world.process().cache

    @cache.cached(name="fib")
    def fib(number: int) -> int:
        return number if number < 2 else fib(number - 1) + fib(number - 2)

    assert fib(20) == 6765
    assert cache.stats().total.computations == 21


@pytest.mark.parametrize("beside", [0, 1])
def test_a_result_that_may_lag_keeps_what_is_computed_from_it_short_lived(world: World, beside: int) -> None:
    """A read of an index soon after a change may be of before; so it is kept only until the index has settled."""
    client = answering_client(**WITH_INDEX)
    process = world.process()
    inner = process.cache.cached(name="inner")(lambda: len(client.by_owner("ann")["Items"]))
    outer = process.cache.cached(name="outer")(lambda: inner())
    client.put()
    if beside:
        inner()
        inner()
    outer()
    before = client.dynamodb.take().count("Query")
    world.clock.advance(5.1)
    client.clock.now += 5.1
    outer()
    assert client.dynamodb.take().count("Query") > 0, before


def test_without_capture_a_result_does_not_depend_on_those_it_is_computed_from(world: World) -> None:
    process, source, calls = world.process(), Counted(1), {"outer": 0, "peeking": 0}
    inner = process.cache.cached(name="inner", tags=["inner"])(source)

    @process.cache.cached(name="outer", capture=False)
    def outer() -> Any:
        calls["outer"] += 1
        return inner()

    @process.cache.cached(name="peeking", capture=False)
    def peeking() -> Any:
        calls["peeking"] += 1
        return process.cache.peek("nothing")

    outer()
    source.value = 2
    process.cache.invalidate_tags("inner")
    assert outer() == 1
    for _ in range(3):
        peeking()
    assert calls == {"outer": 1, "peeking": 1}
    assert process.counts.discarded == 0


def test_a_result_of_asyncio_that_is_computed_from_one_of_threads_is_stored(world: World) -> None:
    """One namespace of one server is one, whichever way it is asked."""
    threads = world.process()
    source = Counted(1)
    inner = threads.cache.cached(name="inner", tags=["inner"])(source)
    calls: list[int] = []

    async def main() -> None:
        cache = AsyncAggregationCache(
            AsyncClient(world.server),
            "shop",
            sync_client=threads.cache._home.connections.given,
            clock=world.clock,
            wall_clock=world.clock,
        )
        scripted_hearing(cache)

        @cache.cached(name="outer")
        async def outer() -> Any:
            calls.append(1)
            return inner()

        for _ in range(3):
            assert await outer() == 1
        assert len(calls) == 1
        source.value = 2
        threads.cache.invalidate_tags("inner")
        assert await outer() == 2
        await cache.close()

    asyncio.run(main())
