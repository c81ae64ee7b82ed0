"""Computed results in Redis or Valkey, shared by processes, fresh by what they were computed from.

It works by itself, and is at its best beside clients wrapped by `daxlite.wrap`: what a computation reads through them
becomes a dependency, what they write makes results stale. Needs the `redis` extra.
"""

from . import _requires as _requires
from .async_cache import AsyncAggregationCache, AsyncCachedFunction
from .cache import AggregationCache, CachedFunction
from .dependencies import Dependency, on_item, on_partition, on_table
from .errors import Unkeyable
from .options import AggregationOptions
from .settings import AggregationConfig
from .stats import AggregationCounts, AggregationStats

__all__ = [
    "AggregationCache",
    "AggregationConfig",
    "AggregationCounts",
    "AggregationOptions",
    "AggregationStats",
    "AsyncAggregationCache",
    "AsyncCachedFunction",
    "CachedFunction",
    "Dependency",
    "Unkeyable",
    "on_item",
    "on_partition",
    "on_table",
]
