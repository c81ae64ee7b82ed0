"""daxlite: DynamoDB reads in microseconds, around the boto3 client that a program already has.

>>> import boto3, daxlite
>>> client = daxlite.wrap(boto3.client("dynamodb", region_name="eu-west-1"))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from .calls.bypass import bypass
from .config import CacheConfig, TableConfig
from .core.schema import KeySchema, TableSchema
from .edges.cache import Cache
from .edges.wrapping import wrap

if TYPE_CHECKING:
    from .cache.stats import CacheCounts, CacheStats
    from .core.shared_stats import SharedStats
    from .edges.cache_of import cache_of
    from .edges.installation import Installation
    from .edges.installing import install, uninstall
    from .edges.shared import Shared
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

_IMPORTED_ON_USE: Final = {
    "CacheCounts": ".cache.stats",
    "CacheStats": ".cache.stats",
    "Installation": ".edges.installation",
    "Shared": ".edges.shared",
    "SharedStats": ".core.shared_stats",
    "SharedUnavailable": ".shared.errors",
    "cache_of": ".edges.cache_of",
    "install": ".edges.installing",
    "uninstall": ".edges.installing",
}
"""Where the names are that many programs do not need: without them a program starts faster."""


def __getattr__(name: str) -> Any:
    module = _IMPORTED_ON_USE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module, __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
