"""Caches are shared, not copied: a copy would share a part of the state, and change it under a lock of its own."""

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import fakeredis
import pytest

import daxlite
from daxlite.aggregations import AggregationCache, AsyncAggregationCache

COPIES: dict[str, Callable[[Any], Any]] = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "within another object": lambda cache: copy.deepcopy({"cache": cache}),
}


@pytest.fixture(params=["Cache", "AggregationCache", "AsyncAggregationCache"])
def cache(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "Cache":
        yield daxlite.Cache()
        return
    server = fakeredis.FakeServer()
    redis: Any = fakeredis.FakeRedis(server=server)
    if request.param == "AggregationCache":
        made: Any = AggregationCache(redis, "shop")
    else:
        made = AsyncAggregationCache(fakeredis.FakeAsyncRedis(server=server), "shop", sync_client=redis)
    yield made
    made._close()


@pytest.mark.parametrize("way", COPIES)
def test_a_cache_cannot_be_copied(cache: Any, way: str) -> None:
    with pytest.raises(TypeError, match=f"cannot copy or pickle an object of {type(cache).__name__}; share it"):
        COPIES[way](cache)
