"""Results of computations in Redis or Valkey, shared by processes, and stale as soon as their sources change.

With clients that are wrapped by `daxlite.wrap`, dependencies are found automatically: what a computation reads through
them becomes a dependency, and what they write makes results stale. Without them, the application names dependencies and
invalidates them. Needs the `redis` extra, but for what `local` makes.
"""

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
