"""`wrap`: a cache behind a model or a connection of PynamoDB."""

from typing import TypeVar

from pynamodb.connection import Connection, TableConnection
from pynamodb.models import Model

from ..config import CacheConfig
from ..edges.cache import Cache
from ..edges.wrapping import cache_for, named
from .connections import CachingConnection, Wrapping, wrap_connection
from .models import is_wrapped, wrap_model
from .version import check_version

T = TypeVar("T", bound=type[Model] | Connection | TableConnection)


def wrap(x: T, cache: Cache | None = None, config: CacheConfig | None = None, *, principal: str | None = None) -> T:
    """Answer repeated reads of a model or a connection from a cache, from here on. Returns what is passed in, which is
    changed in place: a program refers to its models everywhere.

    x: a model, and with it all that inherit from it, now or later; or an object of `Connection` or `TableConnection`.
    cache, config, principal: as `daxlite.wrap` has them.

    `refresh()` of a wrapped model always asks DynamoDB. What any connection of PynamoDB's in this process writes to the
    table of a wrapped model makes the model's answers stale, transactions included.

    Raises TypeError for anything else, for what is wrapped already, and for a cache and settings together; ValueError
    for a principal without a name; RuntimeError for a version of PynamoDB that is not supported.

    >>> from pynamodb.attributes import UnicodeAttribute
    >>> from pynamodb.models import Model
    >>> @wrap
    ... class Order(Model):
    ...     class Meta:
    ...         table_name = "Orders"
    ...     pk = UnicodeAttribute(hash_key=True)
    """
    chosen = cache_for(cache, config, principal)
    check_version()
    if isinstance(x, type) and issubclass(x, Model):
        if is_wrapped(x):
            raise TypeError(f"the model {x.__name__}, or one that it inherits from, is wrapped already")
        wrap_model(x, Wrapping(chosen, principal))
        return x
    connection = x.connection if isinstance(x, TableConnection) else x
    if not isinstance(connection, Connection):
        raise TypeError(
            f"{named(x)} cannot be wrapped; it must be a model of PynamoDB, which is a class, or an object of "
            "Connection or TableConnection"
        )
    if isinstance(connection, CachingConnection):
        raise TypeError("this connection is wrapped already")
    wrap_connection(connection, Wrapping(chosen, principal))
    return x
