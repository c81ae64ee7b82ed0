"""What decides the result of a callable is part of its key, or the decoration raises an error."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import wrapt

from daxlite.aggregations import AggregationCache, Unkeyable
from tests.aggregations.scripted import World


@pytest.fixture
def cache(world: World) -> AggregationCache:
    return world.process().cache


def of_two(world: World, make: Callable[[Any], Callable[..., Any]], one: Any, other: Any, *args: Any) -> list[Any]:
    """What the callables made of two things return, cached under one name in two processes."""
    return [world.process().cache.cached(name="f")(make(each))(*args) for each in (one, other)]


@dataclass
class Rate:
    currency: str

    def __call__(self, day: str = "today") -> str:
        return f"{self.currency} {day}"

    def on(self, day: str = "today") -> str:
        return self(day)


class Service:
    def __init__(self, currency: str) -> None:
        self.currency = currency

    def on(self, day: str = "today") -> str:
        return f"{self.currency} {day}"


def in_currency(currency: str, day: str = "today") -> str:
    return f"{currency} {day}"


def enclosed(currency: str) -> Callable[..., str]:
    def on(day: str = "today") -> str:
        return f"{currency} {day}"

    return on


def decorated(currency: str) -> Callable[..., str]:
    @functools.wraps(in_currency)
    def on(*args: Any, **kwargs: Any) -> str:
        return in_currency(currency, *args, **kwargs)

    return on


def decorated_again(currency: str) -> Callable[..., str]:
    inner = decorated(currency)

    @functools.wraps(inner)
    def on(*args: Any, **kwargs: Any) -> str:
        return inner(*args, **kwargs)

    return on


def decorated_method(currency: str) -> Callable[..., str]:
    method = Rate(currency).on

    @functools.wraps(method)
    def on(*args: Any, **kwargs: Any) -> str:
        return method(*args, **kwargs)

    return on


class Decorator:
    def __init__(self, currency: str) -> None:
        self.currency, self.__wrapped__ = currency, in_currency

    def __call__(self, day: str = "today") -> str:
        return in_currency(self.currency, day)


MAKE: dict[str, Callable[[Any], Callable[..., str]]] = {
    "method": lambda currency: Rate(currency).on,
    "object": Rate,
    "partial": lambda currency: partial(in_currency, currency),
    "partial by keyword": lambda currency: partial(in_currency, currency=currency),
    "partial of a partial": lambda currency: partial(partial(in_currency, currency)),
    "partial of a method": lambda currency: partial(Rate(currency).on),
    "closure": enclosed,
    "decorator": decorated,
    "decorator in a decorator": decorated_again,
    "decorated method": decorated_method,
    "cached method": lambda currency: functools.lru_cache(Rate(currency).on),
}


@pytest.mark.parametrize("kind", MAKE)
def test_what_a_callable_carries_is_part_of_the_key(world: World, kind: str) -> None:
    assert of_two(world, MAKE[kind], "NOK", "EUR") == ["NOK today", "EUR today"]
    process = world.process()
    process.cache.cached(name="f")(MAKE[kind]("NOK"))()
    assert process.counts.computations == 0, "and what carries the same shares its results"


def test_an_object_that_changes_has_other_results(cache: AggregationCache) -> None:
    rate = Rate("NOK")
    cached = cache.cached(name="f")(rate.on)
    assert cached() == "NOK today"
    rate.currency = "EUR"
    assert cached("today") == "EUR today"


def test_methods_of_two_objects_that_cannot_be_part_of_a_key_need_two_names(cache: AggregationCache) -> None:
    service = Service("NOK")
    assert cache.cached(name="f")(service.on)() == "NOK today"
    assert cache.cached(name="f")(service.on)() == "NOK today", "the same object"
    for other in (Service("EUR").on, partial(Service("EUR").on), functools.lru_cache(Service("EUR").on)):
        with pytest.raises(ValueError, match="name="):
            cache.cached(name="f")(other)
    assert cache.cached(name="g")(Service("EUR").on)() == "EUR today"
    assert cache.cached(name="h")(Decorator("NOK"))() == "NOK today"
    with pytest.raises(ValueError, match="name="):
        cache.cached(name="h")(Decorator("EUR"))


def test_two_objects_with_a_key_of_the_applications_need_two_names(cache: AggregationCache) -> None:
    """Whether that key tells them apart is not known."""
    assert cache.cached(name="f", key=lambda: "key")(Rate("NOK").on)() == "NOK today"
    with pytest.raises(ValueError, match="name="):
        cache.cached(name="f", key=lambda: "key")(Rate("EUR").on)


@pytest.mark.parametrize("function", ["NOK".lower, [1].count, (5).__add__, dict.fromkeys])
def test_a_method_of_a_builtin_object_is_refused(cache: AggregationCache, function: Any) -> None:
    with pytest.raises(TypeError, match="wrap it in a def"):
        cache.cached(name="f")(function)


def test_the_default_of_a_decorator_counts_and_not_that_of_the_function_below(cache: AggregationCache) -> None:
    def total(limit: int = 10) -> int:
        return limit

    @functools.wraps(total)
    def five(limit: int = 5) -> int:
        return total(limit)

    @functools.wraps(total)
    def any_five(*args: Any, **kwargs: Any) -> int:
        return total(*args, **{"limit": 5, **kwargs})

    for name, function in (("five", five), ("any", any_five)):
        cached = cache.cached(name=name)(function)
        assert [cached(), cached(limit=10), cached(limit=5)] == [5, 10, 5]
        assert [cached(), cached(limit=10), cached(limit=5)] == [5, 10, 5]


def test_an_argument_that_a_decorator_adds_is_none_of_the_calls(cache: AggregationCache) -> None:
    def revenue(tenant: str, day: str) -> str:
        return f"{tenant} {day}"

    @functools.wraps(revenue)
    def of_one(day: str, *, tenant: str = "one") -> str:
        return revenue(tenant, day)

    @wrapt.decorator
    def of_two(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return wrapped("two", *args, **kwargs)

    for name, function, tenant in (("f", of_one, "one"), ("g", of_two(revenue), "two")):
        cached = cache.cached(name=name)(function)
        assert [cached("mon"), cached("tue"), cached(day="mon")] == [f"{tenant} {day}" for day in ("mon", "tue", "mon")]


def test_a_signature_that_a_decorator_only_claims_does_not_count(cache: AggregationCache) -> None:
    def total(*args: Any, **kwargs: Any) -> list[Any]:
        return [*args, *kwargs.items()]

    total.__signature__ = __import__("inspect").signature(lambda a, b=1: None)  # type: ignore[attr-defined]
    cached = cache.cached()(total)
    assert [cached(1), cached(1, 1), cached(a=1)] == [[1], [1, 1], [("a", 1)]]


def test_a_mutable_default_is_part_of_the_key_as_it_is_at_the_call(cache: AggregationCache) -> None:
    added: list[int] = []
    cached = cache.cached()(lambda values=added: sum(values))
    assert cached() == 0
    added.append(5)
    assert cached() == 5


def test_a_cached_function_below_another_one(cache: AggregationCache) -> None:
    inner = cache.cached(name="inner")(in_currency)
    assert cache.cached(name="outer")(inner)("NOK", day="mon") == "NOK mon"


class Shop:
    """Has a class method and a static method, which are cached in `cached_shop`, as a class statement does it."""

    rate = Decimal(1)


class Outlet(Shop):
    rate = Decimal(2)


@pytest.fixture
def shop(cache: AggregationCache, monkeypatch: pytest.MonkeyPatch) -> type:
    def total(cls: Any, day: str = "today") -> Decimal:
        rate: Decimal = cls.rate
        return rate

    def double(number: int = 1) -> int:
        return 2 * number

    total.__qualname__, double.__qualname__ = "Shop.total", "Shop.double"
    monkeypatch.setattr(Shop, "total", classmethod(cache.cached()(total)), raising=False)  # type: ignore[arg-type]
    monkeypatch.setattr(Shop, "double", staticmethod(cache.cached()(double)), raising=False)
    return Shop


def test_a_classmethod_over_a_cached_function(shop: Any) -> None:
    assert [shop.total(), Outlet.total(), Outlet().total("today")] == [1, 2, 2]  # type: ignore[attr-defined]
    shop.rate = Decimal(3)
    try:
        assert shop.total() == 1, "it was cached"
        shop.total.invalidate(shop, "today")
        assert [shop.total(), Outlet.total()] == [3, 2]  # type: ignore[attr-defined]
        with pytest.raises(TypeError, match="classmethod"):
            shop.total.invalidate("today")
        with pytest.raises(TypeError, match="classmethod"):
            shop.total.invalidate()
    finally:
        shop.rate = Decimal(1)


def test_a_staticmethod_over_a_cached_function(shop: Any) -> None:
    assert [shop.double(2), shop().double(2), shop.double.peek(2)] == [4, 4, 4]


def test_a_class_that_cannot_be_found_by_its_name(cache: AggregationCache) -> None:
    class Local:
        @classmethod
        @cache.cached()
        def total(cls) -> int:
            return 1

    with pytest.raises(Unkeyable, match="by its name"):
        Local.total()


@pytest.mark.parametrize("kind", [classmethod, staticmethod, property])
def test_cached_stands_below_what_makes_a_method(cache: AggregationCache, kind: Any) -> None:
    with pytest.raises(TypeError, match=f"write @{kind.__name__} above"):
        cache.cached()(kind(in_currency))


def test_a_property_over_a_cached_function(cache: AggregationCache) -> None:
    @dataclass
    class Order:
        total: int

        @property
        @cache.cached()
        def double(self) -> int:
            return 2 * self.total

    assert [Order(1).double, Order(2).double] == [2, 4]


def test_what_a_function_wraps_is_defined_again(cache: AggregationCache) -> None:
    """As in a notebook: the decorator's closure holds another function each time."""
    for value in (1, 2):

        def plain(value: int = value) -> int:
            return value

        @functools.wraps(plain)
        def redefined(*args: Any, _plain: Any = None) -> int:
            return plain(*args)

        redefined.__qualname__, redefined.__module__ = "redefined", __name__
        globals()["redefined"] = cache.cached(key=lambda: None)(redefined)
    del globals()["redefined"]
