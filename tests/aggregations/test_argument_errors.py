"""A wrong argument raises where it is written, with a message that says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Annotated, Any, cast

import fakeredis
import pytest
import redis
import redis.asyncio

from daxlite.aggregations import AggregationCache, AggregationConfig, AsyncAggregationCache, on_partition


def doubled(number: int) -> int:
    return 2 * number


async def coroutine_function() -> int:
    return 1


@pytest.fixture
def cache() -> Iterator[AggregationCache]:
    with closing(AggregationCache(fakeredis.FakeRedis(), "shop")) as made:
        yield made


def named(cache: AggregationCache, **settings: Any) -> Any:
    return cache.cached(**{"name": "f", **settings})


WRONG: dict[str, tuple[Callable[[AggregationCache], Any], type[Exception], str]] = {
    "a list of tags": (
        lambda cache: cache.invalidate_tags(cast(Any, ["orders"])),
        TypeError,
        "a list is not a tag",
    ),
    "no tag": (lambda cache: cache.invalidate_tags(cast(Any, None)), TypeError, "None is not a tag"),
    "a number as tag": (lambda cache: cache.invalidate_tags(cast(Any, 5)), TypeError, "5 is not a tag"),
    "an empty tag": (lambda cache: cache.invalidate_tags(""), TypeError, "'' is not a tag.*not empty"),
    "a bad one among tags": (
        lambda cache: cache.invalidate_tags("a", cast(Any, b"b")),
        TypeError,
        "a bytes is not a tag",
    ),
    "tags=None": (lambda cache: cache.get_or_compute("k", int, tags=cast(Any, None)), TypeError, "tags is None.*list"),
    "tags as text": (lambda cache: named(cache, tags="orders")(doubled), TypeError, "tags is 'orders'.*list"),
    "an empty tag of a function": (lambda cache: named(cache, tags=[""])(doubled), TypeError, "'' is not a tag"),
    "depends_on=5": (lambda cache: named(cache, depends_on=5)(doubled), TypeError, "depends_on is 5.*list"),
    "depends_on a text": (lambda cache: named(cache, depends_on="x")(doubled), TypeError, "depends_on is 'x'.*list"),
    "depends_on of numbers": (lambda cache: named(cache, depends_on=[5])(doubled), TypeError, "5 is not a dependency"),
    "key='day'": (lambda cache: named(cache, key="day")(doubled), TypeError, "key is 'day'.*function"),
    "name=5": (lambda cache: named(cache, name=5)(doubled), TypeError, "name is 5.*string"),
    "an empty name": (lambda cache: named(cache, name="")(doubled), TypeError, "name is ''.*not empty"),
    "version=1.5": (lambda cache: named(cache, version=1.5)(doubled), TypeError, "version is 1.5"),
    "returns as text": (lambda cache: named(cache, returns="int")(doubled), TypeError, "returns is 'int'.*type"),
    "no function": (lambda cache: named(cache)(5), TypeError, "an int is no function"),
    "a coroutine function": (
        lambda cache: named(cache)(coroutine_function),
        TypeError,
        "coroutine function.*AsyncAggregationCache",
    ),
    "compute=5": (lambda cache: cache.get_or_compute("k", cast(Any, 5)), TypeError, "compute is an int.*function"),
    "compute is a coroutine function": (
        lambda cache: cache.get_or_compute("k", coroutine_function),
        TypeError,
        "coroutine function.*AsyncAggregationCache",
    ),
    "without parentheses": (lambda cache: cache.cached(cast(Any, doubled)), TypeError, "parentheses"),
    "an unknown option": (lambda cache: named(cache, foo=1), TypeError, "foo"),
    "ttl as text": (lambda cache: cache.cached(ttl=cast(Any, "5")), ValueError, "ttl is '5'.*seconds"),
    "ttl=nan": (lambda cache: cache.cached(ttl=float("nan")), ValueError, "ttl is nan.*seconds"),
    "ttl=True": (lambda cache: cache.cached(ttl=True), ValueError, "ttl is True.*seconds"),
    "a partition with a sort key": (
        lambda cache: on_partition("T", {"pk": "a", "sk": "b"}),
        ValueError,
        r"\['pk', 'sk'\].*one partition key",
    ),
    "an index without a name": (lambda cache: on_partition("T", {"pk": "a"}, index=""), TypeError, "index is ''"),
    "the ttl of a config": (lambda cache: AggregationConfig(ttl=cast(Any, "x")), ValueError, "ttl is 'x'"),
    "encryption_keys=5": (lambda cache: AggregationConfig(encryption_keys=cast(Any, 5)), TypeError, "encryption_keys"),
    "compress_above as text": (
        lambda cache: AggregationConfig(compress_above=cast(Any, "x")),
        ValueError,
        "compress_above is 'x'",
    ),
    "a config that is none": (
        lambda cache: AggregationCache(fakeredis.FakeRedis(), "shop", cast(Any, {"ttl": 5})),
        TypeError,
        "config is .*AggregationConfig",
    ),
    "a url that decodes": (
        lambda cache: AggregationCache("redis://localhost/0?decode_responses=True", "shop"),
        ValueError,
        "decode_responses",
    ),
    "a url and a client": (
        lambda cache: AsyncAggregationCache("redis://localhost/0", "shop", sync_client=fakeredis.FakeRedis()),
        TypeError,
        "sync_client",
    ),
    "no client beside it": (
        lambda cache: AsyncAggregationCache(fakeredis.FakeAsyncRedis(), "shop"),
        TypeError,
        "give also sync_client",
    ),
    "no server for asyncio": (
        lambda cache: AsyncAggregationCache(cast(Any, None), "shop", sync_client=fakeredis.FakeRedis()),
        TypeError,
        "server is None.*redis.asyncio.Redis",
    ),
    "no server for asyncio and nothing else": (
        lambda cache: AsyncAggregationCache(cast(Any, None), "shop"),
        TypeError,
        "server is None",
    ),
    "a client of threads for asyncio": (
        lambda cache: AsyncAggregationCache(cast(Any, redis.Redis()), "shop"),
        TypeError,
        "server is a Redis.*redis.asyncio.Redis",
    ),
    "a client of asyncio for threads": (
        lambda cache: AggregationCache(cast(Any, redis.asyncio.Redis()), "shop"),
        TypeError,
        "AsyncAggregationCache",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_where_it_is_written(cache: AggregationCache, what: str) -> None:
    do, error, text = WRONG[what]
    with pytest.raises(error, match=text):
        do(cache)


def test_what_is_wrong_is_said_on_a_hit_too(cache: AggregationCache) -> None:
    """Not first on the day on which there is none."""
    cache.get_or_compute("k", lambda: 1)
    with pytest.raises(TypeError, match="compute is an int"):
        cache.get_or_compute("k", cast(Any, 5))


def test_a_tag_that_was_refused_leaves_everything_as_it_is(cache: AggregationCache) -> None:
    cache.get_or_compute("k", lambda: "old", tags=["orders", "x"])
    with pytest.raises(TypeError):
        cache.invalidate_tags("orders", cast(Any, ["x"]))
    assert cache.get_or_compute("k", lambda: "new", tags=["orders", "x"]) == "old"


def test_a_type_that_cannot_be_hashed_is_a_type(cache: AggregationCache) -> None:
    assert cache.get_or_compute("k", lambda: 1, returns=Annotated[int, []]) == 1
    assert cache.get_or_compute("k", lambda: 2, returns=Annotated[int, []]) == 1
