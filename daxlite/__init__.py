"""daxlite: DynamoDB reads in microseconds, around the boto3 client that a program already has.

>>> import boto3, daxlite
>>> client = daxlite.wrap(boto3.client("dynamodb", region_name="eu-west-1"))
"""

from .cache.stats import CacheCounts, CacheStats
from .calls.bypass import bypass
from .config import CacheConfig, TableConfig
from .core.schema import KeySchema, TableSchema
from .core.shared_stats import SharedStats
from .edges.cache import Cache
from .edges.cache_of import cache_of
from .edges.installation import Installation
from .edges.installing import install, uninstall
from .edges.shared import Shared
from .edges.wrapping import wrap
from .shared.errors import SharedUnavailable

__all__ = [
    "Cache",
    "CacheConfig",
    "CacheCounts",
    "CacheStats",
    "Installation",
    "KeySchema",
    "Shared",
    "SharedStats",
    "SharedUnavailable",
    "TableConfig",
    "TableSchema",
    "bypass",
    "cache_of",
    "install",
    "uninstall",
    "wrap",
]
