"""A wrong setting fails where it is written, and says what is allowed."""

import math
import sys
from contextlib import closing
from typing import Any

import fakeredis
import pytest

from daxlite import Cache, CacheConfig, TableConfig
from daxlite.aggregations import AggregationCache, AggregationConfig

SECONDS = "must be a number of seconds, 0 (never cached) or None (no limit)"
BYTES = "must be a whole number of bytes, at least 1"
FRACTION = "must be a fraction from 0 to 1"
TABLES = "must be a"
NOT_SECONDS: list[Any] = [-1, -0.001, "300", True, math.nan, [], b""]
NOT_BYTES: list[Any] = [0, -1, 1.5, "1", True, None, math.inf]
WRONG: list[tuple[str, Any, str]] = [
    *[
        (name, value, SECONDS)
        for name in ("item_ttl", "query_ttl", "negative_ttl", "expired_item_ttl")
        for value in NOT_SECONDS
    ],
    *[(name, value, BYTES) for name in ("max_bytes", "max_entry_bytes") for value in NOT_BYTES],
    *[("jitter", value, FRACTION) for value in (-0.1, 1.1, "0.1", None, True, math.nan)],
    *[("query_invalidation", value, 'must be "exact" or "ttl"') for value in ("Exact", "", None, True, ["ttl"])],
    *[("tables", value, "mapping of table names to daxlite.TableConfig") for value in (None, [], "T", 3)],
    *[
        ("tables", value, "must be a daxlite.TableConfig under a table's name")
        for value in ({"T": None}, {"T": {}}, {3: TableConfig()}, {"T": CacheConfig()})
    ],
]


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG, ids=[f"{name}={value!r}" for name, value, _ in WRONG])
def test_wrong_settings(name: str, value: Any, allowed: str) -> None:
    with pytest.raises((ValueError, TypeError)) as raised:
        CacheConfig(**{name: value})
    assert name in str(raised.value)
    assert allowed in str(raised.value)


def test_the_largest_number_of_bytes_is_what_programs_write_for_no_limit() -> None:
    assert CacheConfig(max_bytes=sys.maxsize, max_entry_bytes=sys.maxsize).max_bytes == sys.maxsize
    settings = AggregationConfig(near_bytes=sys.maxsize, max_value_bytes=sys.maxsize, compress_above=sys.maxsize)
    with closing(AggregationCache(fakeredis.FakeRedis(), "shop", config=settings)) as cache:
        assert [cache.get_or_compute("k", lambda: 1) for _ in range(2)] == [1, 1]
        assert cache.stats().total.near_hits == 1


WRONG_OF_A_TABLE: list[tuple[str, Any, str]] = [
    *[
        (name, value, SECONDS)
        for name in ("item_ttl", "query_ttl", "negative_ttl", "expired_item_ttl")
        for value in NOT_SECONDS
    ],
    *[("enabled", value, "must be True or False") for value in (0, 1, None, "no")],
    *[("schema", value, "must be a daxlite.TableSchema or None") for value in ("pk", ("pk",), {})],
]


@pytest.mark.parametrize(
    ("name", "value", "allowed"), WRONG_OF_A_TABLE, ids=[f"{name}={value!r}" for name, value, _ in WRONG_OF_A_TABLE]
)
def test_wrong_settings_of_a_table(name: str, value: Any, allowed: str) -> None:
    with pytest.raises((ValueError, TypeError)) as raised:
        TableConfig(**{name: value})
    assert name in str(raised.value)
    assert allowed in str(raised.value)


@pytest.mark.parametrize("kind", [CacheConfig, TableConfig])
def test_settings_have_names_and_stay(kind: Any) -> None:
    with pytest.raises(TypeError):
        kind(300)
    with pytest.raises(TypeError):
        kind(item_tll=300)
    with pytest.raises(AttributeError):
        kind().item_ttl = 3


@pytest.mark.parametrize("value", [0, 0.5, 300, 10**9, None, math.inf])
def test_a_ttl_may_be_any_number_of_seconds(value: Any) -> None:
    config = CacheConfig(item_ttl=value, query_ttl=value, negative_ttl=value)
    table = TableConfig(item_ttl=value, query_ttl=value, negative_ttl=value)
    expected = math.inf if value is None else value
    for settings in (config.for_table("T"), CacheConfig(tables={"T": table}).for_table("T")):
        assert (settings.item_ttl, settings.query_ttl, settings.negative_ttl) == (expected, expected, expected)


def test_the_defaults_are_those_of_the_documentation() -> None:
    config = CacheConfig()
    assert (config.item_ttl, config.query_ttl, config.query_invalidation) == (300, 300, "exact")
    settings = config.for_table("T")
    assert (settings.enabled, settings.item_ttl, settings.negative_ttl, settings.query_ttl) == (True, 300, 300, 300)


@pytest.mark.parametrize("wrong", [{}, "x", 3, TableConfig(), CacheConfig])
def test_a_cache_takes_its_settings_only(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"config is .*must be a daxlite.CacheConfig"):
        Cache(wrong)
