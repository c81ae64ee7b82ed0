"""Cached functions: their names, versions, arguments, result types and settings."""

import asyncio
import copy
import dataclasses
import pickle
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import fakeredis
import pytest

from daxlite.aggregations import AggregationCache, AggregationConfig, Unkeyable
from daxlite.aggregations.functions.function import name_of
from daxlite.aggregations.serialization.canonical import canonical
from daxlite.aggregations.serialization.fingerprint import fingerprint
from daxlite.aggregations.serialization.modules import module_of
from tests.aggregations.scripted import Counted, World
from tests.aggregations.test_async import Process as AsyncProcess

if TYPE_CHECKING:
    from nowhere import Nothing  # type: ignore[import-not-found]


def test_the_same_arguments_are_one_result_however_they_are_written(world: World) -> None:
    calls = []

    @world.process().cache.cached()
    def orders(region: str, day: str = "today", *, limit: int = 10) -> list[str]:
        calls.append((region, day, limit))
        return [region, day]

    assert orders("eu") == orders(region="eu") == orders("eu", "today", limit=10) == ["eu", "today"]
    assert orders("eu", limit=11) == ["eu", "today"] != orders("us")
    assert len(calls) == 3
    assert orders.__name__ == "orders"
    assert "orders" in repr(orders)


@pytest.mark.parametrize("argument", [object(), print, lambda: 1, iter([])])
def test_an_argument_that_cannot_be_part_of_a_key_raises_at_the_call(world: World, argument: Any) -> None:
    function = world.process().cache.cached()(lambda argument: 1)
    for call in (function, function.refresh, function.peek, function.invalidate):
        with pytest.raises(Unkeyable, match="argument 'argument'"):
            call(argument)
    assert not world.server.log


def test_wrong_arguments_raise_type_error(world: World) -> None:
    function = world.process().cache.cached()(lambda argument: 1)
    with pytest.raises(TypeError, match="argument"):
        function()
    with pytest.raises(TypeError):
        function(1, 2)


def test_each_version_has_results_of_its_own_which_another_process_finds(world: World) -> None:
    function = Counted(1)
    for version, value in ((None, 1), (1, 2), ("1", 3), (2, 4)):
        function.value = value
        for _ in range(2):
            assert world.process().cache.cached(version=version)(function)() == value
    with pytest.raises(TypeError, match="version"):
        world.process().cache.cached(version=1.5)(function)  # type: ignore[arg-type]


def test_a_function_can_be_given_a_name(world: World) -> None:
    process, other = world.process(), world.process()
    assert process.cache.cached(name="total")(Counted(1))() == 1
    assert other.cache.cached(name="total")(Counted(2, name="another"))() == 1
    assert set(process.cache.stats().functions) == {"total"}
    for name in ("", 5):
        with pytest.raises(TypeError, match="name"):
            process.cache.cached(name=name)(Counted())  # type: ignore[arg-type]


def test_the_default_name_is_the_qualified_name(world: World) -> None:
    process = world.process()
    process.cache.cached()(Counted())()
    assert set(process.cache.stats().functions) == {"tests.aggregations.scripted.counted"}

    class Nameless:
        def __call__(self) -> int:
            return 1

    with pytest.raises(TypeError, match="name="):
        process.cache.cached()(Nameless())


def test_a_key_function_and_methods(world: World) -> None:
    cache = world.process().cache

    class Shop:
        def __init__(self, id: str) -> None:
            self.id, self.calls = id, 0

        @cache.cached(key=lambda self, day: (self.id, day))
        def revenue(self, day: str) -> str:
            """The revenue of a day."""
            self.calls += 1
            return f"{self.id} {day}"

        @cache.cached()
        def unkeyed(self) -> int:
            return 1

    one, other = Shop("1"), Shop("2")
    assert [one.revenue("mon"), one.revenue("mon"), other.revenue("mon")] == ["1 mon", "1 mon", "2 mon"]
    assert (one.calls, other.calls) == (1, 1)
    assert Shop("1").revenue("mon") == "1 mon"
    Shop.revenue.invalidate(Shop("1"), "mon")
    assert (one.revenue("mon"), one.calls) == ("1 mon", 2)
    assert Shop.revenue.__doc__ == "The revenue of a day."
    with pytest.raises(Unkeyable, match="'self'"):
        one.unkeyed()


def test_the_result_type_is_the_annotation_or_the_given_type(world: World) -> None:
    cache = world.process(near_bytes=0).cache

    @cache.cached()
    def annotated() -> dict[str, tuple[Decimal, ...]]:
        return {"a": (Decimal("1.10"),)}

    given = cache.cached(name="given", returns=list[tuple[int, int]])(lambda: [(1, 2)])
    for function, expected in ((annotated, {"a": (Decimal("1.10"),)}), (given, [(1, 2)])):
        for _ in range(2):
            assert repr(function()) == repr(expected)  # type: ignore[operator]
    assert cache.stats().total.computations == 2


def test_an_annotation_that_cannot_be_resolved_does_not_matter(world: World) -> None:
    cache = world.process(near_bytes=0).cache

    @cache.cached()
    def function(argument: "Nothing" = None) -> "Nothing":
        return (1, [2])

    @cache.cached()
    def wrong() -> "1 +":  # type: ignore[valid-type]  # noqa: F722
        return {3}

    assert function() == function() == (1, [2])
    assert wrong() == wrong() == {3}
    assert cache.stats().total.computations == 2


def test_two_closures_of_one_name_are_refused(world: World) -> None:
    cache = world.process().cache

    def of(number: int) -> Any:
        def total() -> int:
            return number

        return total

    assert cache.cached()(of(1))() == 1
    with pytest.raises(ValueError, match="name="):
        cache.cached()(of(2))
    assert cache.cached(name="second")(of(2))() == 2


def test_a_closure_may_be_made_twice_over_the_same_objects(world: World) -> None:
    cache = world.process().cache
    calls: list[int] = []

    def of(log: list[int]) -> Any:
        def total() -> int:
            log.append(1)
            return 1

        return total

    assert cache.cached()(of(calls))() == cache.cached()(of(calls))() == 1
    assert len(calls) == 1


def test_different_functions_of_one_name_do_not_share_results(world: World) -> None:
    cache = world.process().cache

    class Shop:
        def __init__(self, number: int) -> None:
            self.number = number

        def total(self) -> int:
            return self.number

    pairs = [
        (lambda number=1: number + 1, lambda number=1: number * 10, 2, 10),
        (Shop(1).total, Shop(2).total, 1, 2),
    ]
    for pair in pairs:
        results: list[Any] = []
        for function in pair[:2]:
            try:
                results.append(cache.cached()(function)())
            except (TypeError, ValueError) as refused:
                assert "name=" in str(refused)  # noqa: PT017 - it may be refused, or work
                results.append(None)
        for result, expected in zip(results, pair[2:], strict=True):
            assert result in (None, expected)


@pytest.mark.parametrize("near_bytes", [0, 1_000_000])
def test_refresh_computes_and_replaces_the_result(world: World, near_bytes: int) -> None:
    one, other = world.process(near_bytes=near_bytes), world.process(near_bytes=near_bytes)
    function = Counted(1)
    total, total_there = (process.cache.cached()(function) for process in (one, other))
    assert total.refresh() == 1
    assert total() == total() == total_there() == 1
    function.value = 2
    assert total.refresh() == 2
    assert total() == 2
    assert function.calls == 2
    assert not world.server.keys(":lock")


def test_peek_does_not_compute(world: World) -> None:
    process, function = world.process(), Counted(5)
    total = process.cache.cached(ttl=10, jitter=0.0, stale_while_revalidate=100, tags=["x"])(function)
    assert total.peek() is None
    assert function.calls == 0
    total()
    assert total.peek() == 5
    before = process.counts
    total.peek()
    assert process.counts == before, "nor does it count"
    process.cache.invalidate_tags("x")
    assert total.peek() is None
    total()
    world.clock.advance(10)
    assert total.peek() is None, "past its TTL it is not fresh"
    assert function.calls == 2


def test_dependencies_can_be_a_function_of_the_arguments(world: World) -> None:
    process = world.process()
    calls: list[int] = []
    total = process.cache.cached(name="f", depends_on=lambda shop: [f"shop {shop}"])(lambda shop: calls.append(shop))

    assert total(1) is total(2) is total(1) is None
    process.cache.invalidate_tags("shop 1")
    total(1)
    total(2)
    assert calls == [1, 2, 1]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ttl": 0}, "ttl is 0"),
        ({"ttl": -1}, "ttl is -1"),
        ({"ttl": True}, "ttl is True"),
        ({"ttl": 31 * 86400}, r"\(30 days\)"),
        ({"ttl": lambda: 1}, "with parentheses"),
        ({"jitter": 1}, "jitter is 1"),
        ({"early_refresh": -1}, "early_refresh is -1"),
        ({"stale_if_error": float("nan")}, "stale_if_error is nan"),
        ({"stale_while_revalidate": -1}, "stale_while_revalidate is -1"),
        ({"lock_ttl": 0}, "lock_ttl is 0"),
        ({"max_wait": -1}, "max_wait is -1"),
        ({"capture": 1}, "capture is 1"),
        ({"unknown": 1}, "unknown"),
        ({"tags": "one"}, "must be a list of names"),
        ({"tags": [""]}, "is not a tag"),
        ({"depends_on": [5]}, "not a dependency"),
    ],
)
def test_a_wrong_setting_of_a_function_raises_at_the_decoration(world: World, settings: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        world.process().cache.cached(**settings)(Counted())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"near_bytes": -1}, "near_bytes is -1"),
        ({"near_bytes": 1.5}, "near_bytes is 1.5"),
        ({"max_value_bytes": 0}, "max_value_bytes is 0"),
        ({"on_error": "ignore"}, 'must be "compute" or "raise"'),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": 61}, "timeout is 61"),
        ({"encryption_keys": bytes(32)}, "must be a list"),
    ],
)
def test_a_wrong_setting_of_the_cache_raises_in_the_config(settings: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        AggregationConfig(**settings)


def test_a_wrong_ttl_of_the_cache_raises_at_once(world: World) -> None:
    with pytest.raises(ValueError, match="ttl is 0"):
        world.process(ttl=0)


def test_coroutine_functions_are_refused(world: World) -> None:
    async def function() -> int:
        return 1

    with pytest.raises(TypeError, match="AsyncAggregationCache"):
        world.process().cache.cached()(function)


def test_of_a_method_the_object_is_the_first_argument_of_everything(world: World) -> None:
    process, calls = world.process(), []

    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name

        @process.cache.cached(key=lambda self, day="today": (self.name, day))
        def revenue(self, day: str = "today") -> int:
            calls.append((self.name, day))
            return len(calls)

    one, other = Shop("one"), Shop("other")
    assert [one.revenue("monday"), one.revenue(), other.revenue("monday")] == [1, 2, 3]
    one.revenue.invalidate("monday")
    assert one.revenue.peek("monday") is None
    assert [one.revenue.peek(), other.revenue.peek(day="monday")] == [2, 3], "it was one result, and no other"
    assert one.revenue("monday") == 4
    assert other.revenue.refresh("monday") == 5
    assert [other.revenue("monday"), one.revenue("monday"), Shop.revenue(one, "monday")] == [5, 4, 4]
    assert one.revenue.__name__ == "revenue"
    assert one.revenue.__self__ is one
    one.revenue.clear()
    assert [one.revenue.peek(), other.revenue.peek("monday")] == [None, None]


def test_of_a_coroutine_method_too(world: World) -> None:
    async def main() -> None:
        async with AsyncProcess(world) as process:
            calls = []

            class Shop:
                @process.cache.cached(key=lambda self, day="today": day)
                async def revenue(self, day: str = "today") -> int:
                    calls.append(day)
                    return len(calls)

            shop = Shop()
            assert [await shop.revenue("monday"), await shop.revenue()] == [1, 2]
            await shop.revenue.invalidate("monday")
            assert [await shop.revenue.peek("monday"), await shop.revenue.peek()] == [None, 2]
            assert await shop.revenue.refresh("monday") == 3
            assert await shop.revenue("monday") == await Shop.revenue(shop, "monday") == 3
            await shop.revenue.clear()
            assert await shop.revenue.peek() is None

    asyncio.run(main())


def doubled(number: int) -> int:
    return 2 * number


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    def prefixed(self, text: str) -> str:
        return self.name + text


def test_a_cached_function_is_pickled_and_copied_as_a_function_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name, so that a pool of processes can be given it."""
    cached = world.process().cache.cached
    monkeypatch.setattr(sys.modules[__name__], "doubled", cached()(doubled))
    monkeypatch.setattr(Shop, "prefixed", cached(key=lambda self, text: (self.name, text))(Shop.prefixed))
    for function in (doubled, Shop.prefixed):
        assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301
        assert copy.copy(function) is copy.deepcopy(function) is function
    assert copy.deepcopy({"f": doubled})["f"](2) == 4
    bound = pickle.loads(pickle.dumps(Shop("a").prefixed))  # noqa: S301
    assert bound("b") == copy.deepcopy(Shop("a").prefixed)("b") == "ab"


def test_an_async_function_is_pickled_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with AsyncProcess(world) as process:

            async def tripled(number: int) -> int:
                return 3 * number

            tripled.__qualname__ = "tripled"
            function = process.cache.cached()(tripled)
            monkeypatch.setattr(sys.modules[__name__], "tripled", function, raising=False)
            assert pickle.loads(pickle.dumps(function)) is copy.deepcopy(function) is function  # noqa: S301

    asyncio.run(main())


@pytest.mark.parametrize("is_run_as_a_module", [False, True])
def test_what_a_program_defines_is_called_the_same_in_all_of_its_processes(
    monkeypatch: pytest.MonkeyPatch, is_run_as_a_module: bool
) -> None:
    """`__main__` where it is started, `__mp_main__` in what multiprocessing starts, `report` where it is imported."""
    for name in ("__main__", "__mp_main__", "report"):
        module = ModuleType(name)
        module.__file__ = "/srv/report.py"
        module.__spec__ = cast(
            Any, dataclasses.make_dataclass("Spec", ["name"])("report") if is_run_as_a_module else None
        )
        monkeypatch.setitem(sys.modules, name, module)
    if is_run_as_a_module:
        for name in ("__main__", "__mp_main__"):
            sys.modules[name].__file__ = "/srv/somewhere_else.py"
    fingerprints, keys, names = set(), set(), set()
    for name in ("__main__", "__mp_main__", "report"):
        total = dataclasses.make_dataclass("Total", [("n", int)])
        total.__module__ = name  # Python 3.12 has a parameter for that, and overrules the namespace

        def function() -> None: ...

        function.__module__ = name
        assert module_of(total) == "report"
        fingerprints.add(fingerprint(list[total]))  # type: ignore[valid-type]
        keys.add(canonical({"total": total(1)}))
        names.add(name_of(function))
    assert (len(fingerprints), len(keys), len(names)) == (1, 1, 1)


def test_the_file_of_a_program_is_its_name() -> None:
    assert module_of(Path) == Path.__module__


def test_two_caches_of_a_namespace_are_as_two_processes() -> None:
    """A factory of an application may be called twice in a process, by its tests, say, or with a cache for threads and
    one for asyncio: one name is one function in all of them, and it cannot be seen whether that is meant."""
    server = fakeredis.FakeServer()

    def application() -> tuple[AggregationCache, Any, list[int]]:
        calls: list[int] = []
        cache = AggregationCache(fakeredis.FakeRedis(server=server), "shop")

        @cache.cached(ttl=60)
        def total() -> int:
            calls.append(1)
            return 1

        with pytest.raises(ValueError, match="both called"):
            cache.cached(ttl=60, name=total._known.name)(lambda: 2)
        return cache, total, calls

    (one, first, computed), (other, second, computed_again) = application(), application()
    assert (first(), second()) == (1, 1)
    assert (len(computed), len(computed_again)) == (1, 0), "they share their results"
    one.close()
    other.close()
