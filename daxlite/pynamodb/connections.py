"""Connections of PynamoDB whose client answers from a cache."""

from contextvars import ContextVar
from functools import cache as remembered
from typing import Any, Final, cast

from botocore.client import BaseClient
from pynamodb.connection import Connection

from ..calls.bypass import bypass
from ..calls.responses import CACHE_HEADER
from ..core.not_cacheable import NotCacheable
from ..core.values import item_signature
from ..edges.cache import Cache
from ..edges.client import wrap_client

refreshing: Final[ContextVar[bool]] = ContextVar("daxlite_pynamodb_refreshing", default=False)
"""Whether an object is being refreshed in this context."""


class Wrapping:
    """With what a model or a connection is wrapped."""

    def __init__(self, cache: Cache, principal: str | None) -> None:
        self.cache = cache
        self.principal = principal


class CachingConnection(Connection):
    """A connection whose client answers from a cache. A connection becomes one of these in place, for models and
    transactions refer to it."""

    _daxlite_wrapping: Wrapping
    _daxlite_clients: tuple[Any, Any] = (None, None)
    """PynamoDB's client, and what stands for it."""

    @property
    def client(self) -> Any:
        """The client. PynamoDB makes it when it is first used, and anew for as long as it has no credentials."""
        plain: Any = super().client
        known, caching = self._daxlite_clients
        if known is not plain:
            wrapping = self._daxlite_wrapping
            # Else it is a client that the application has wrapped, or what a test gives in the place of one.
            is_plain = issubclass(type(plain), BaseClient)
            caching = wrap_client(plain, wrapping.cache, wrapping.principal) if is_plain else plain
            self._daxlite_clients = plain, caching
        return caching

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        """Make a request."""
        if operation_name == "GetItem" and refreshing.get():
            return self._refreshed(operation_kwargs)
        return super().dispatch(operation_name, operation_kwargs)

    def _refreshed(self, request: dict[str, Any]) -> dict[str, Any]:
        """The response to a GetItem that DynamoDB gives now.

        If the cache has another answer, the item was changed elsewhere. Then all that depends on it goes, and it is
        read once more: strongly, as after any change, so that no older state is shown than the cache had.
        """
        response = super().dispatch("GetItem", request)
        if not _is_hit(response):
            return response
        with bypass():
            present = super().dispatch("GetItem", request)
        if _is_same(response.get("Item"), present.get("Item")):
            return present
        self._daxlite_wrapping.cache.invalidate(request["TableName"], request["Key"])
        return super().dispatch("GetItem", request)


def wrap_connection(connection: Connection, wrapping: Wrapping) -> Wrapping:
    """Answer a connection from a cache from here on. Returns with what it is wrapped: it may have been before."""
    kind = type(connection)
    if not issubclass(kind, CachingConnection):
        vars(connection)["_daxlite_wrapping"] = wrapping
        connection.__class__ = _caching(kind)  # type: ignore[arg-type]  # a class is hashable
    found: Wrapping = vars(connection)["_daxlite_wrapping"]
    return found


@remembered
def _caching(kind: type[Connection]) -> type[CachingConnection]:
    if kind is Connection:
        return CachingConnection
    return cast(type[CachingConnection], type(kind.__name__, (CachingConnection, kind), {}))


def _is_hit(response: Any) -> bool:
    """Whether the cache gave a response, which may also be what a test gives in the place of one."""
    metadata = response.get("ResponseMetadata") if isinstance(response, dict) else None
    return isinstance(metadata, dict) and CACHE_HEADER in metadata.get("HTTPHeaders", ())


def _is_same(cached: Any, present: Any) -> bool:
    """Whether two items are one to DynamoDB, whatever the order of their sets. None: there is no item."""
    if cached is None or present is None or cached == present:
        return bool(cached == present)
    try:
        return item_signature(cached) == item_signature(present)
    except NotCacheable:
        return False
