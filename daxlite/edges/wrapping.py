"""`wrap`: a cache around the client, resource, Table or Session that a program already has."""

import inspect
from typing import Any, Final, cast

import boto3
from boto3.resources.base import ServiceResource
from botocore.client import BaseClient
from botocore.session import Session as BotocoreSession

from ..config import CacheConfig
from ..core.checks import is_name, shown
from .cache import Cache
from .client import with_client, wrap_client
from .session import CachingBoto3Session, CachingBotocoreSession
from .stand_in import StandIn
from .wrappable import T

_WRAPPABLE: Final = "a DynamoDB client, resource or Table, or a Session, of boto3, aioboto3, botocore or aiobotocore"
_OF_ASYNCIO: Final = ("aioboto3", "aiobotocore")


def wrap(x: T, cache: Cache | None = None, config: CacheConfig | None = None, *, principal: str | None = None) -> T:
    """A drop-in replacement that answers repeated reads from a cache. What is passed in stays as it is.

    x: a DynamoDB client, resource or Table, or a Session, whose DynamoDB clients and resources are then wrapped as they
    are made; of boto3 or botocore, or for asyncio of aioboto3 or aiobotocore.
    cache: the cache to use; several wrapped objects may share one. A cache of its own unless given.
    config: the settings of a cache of its own.
    principal: a name, of the application's choice, for whom the calls are made, such as a role or a tenant whose
    policy is narrower than that of others. What was read for one principal is not answered to another, nor to a caller
    without one; what one writes the others see.

    Raises TypeError for anything else, for what is wrapped already, and for a cache and settings together; ValueError
    for a principal without a name.

    >>> import boto3, daxlite
    >>> client = daxlite.wrap(boto3.client("dynamodb", region_name="eu-west-1"))
    >>> client.get_item
    <bound method ...
    """
    return cast(T, _wrapped(x, cache_for(cache, config, principal), principal))


def cache_for(cache: Cache | None, config: CacheConfig | None, principal: str | None) -> Cache:
    """The cache that is given, or a new one with these settings. Raises TypeError or ValueError for arguments that
    `wrap` does not take."""
    if cache is not None and config is not None:
        raise TypeError("give either a cache, which has its settings, or a config for a new one")
    if isinstance(cache, CacheConfig):
        raise TypeError("cache is a CacheConfig; give it by name: wrap(..., config=...)")
    if cache is not None and not isinstance(cache, Cache):
        raise TypeError(f"cache is {shown(cache)}; it must be a daxlite.Cache")
    if principal is not None and not is_name(principal):
        wrong = ValueError if isinstance(principal, str) else TypeError
        raise wrong(f"principal is {shown(principal)}; it must be a name, which is a str of one character or more")
    return Cache(config) if cache is None else cache


def _wrapped(x: Any, cache: Cache, principal: str | None) -> Any:
    kind = type(x)  # isinstance() would take a stand-in for what it stands for
    if issubclass(kind, StandIn):
        raise TypeError("this is wrapped already")

    def wrap_made(made: Any) -> Any:
        return _wrapped(made, cache, principal)

    if issubclass(kind, BaseClient):
        is_async = is_of_asyncio(kind)
        if not is_async and inspect.iscoroutinefunction(getattr(kind, "_make_api_call", None)):
            raise TypeError(f"{named(x)} is for asyncio and of another library; it must be {_WRAPPABLE}")
        _check_service(x)
        if not is_async:
            return wrap_client(x, cache, principal)
        from .async_client import wrap_async_client

        return wrap_async_client(x, cache, principal)
    if issubclass(kind, ServiceResource):
        return with_client(x, wrap_made(x.meta.client))
    if issubclass(kind, boto3.Session):
        return CachingBoto3Session(x, cache, wrap_made)
    if issubclass(kind, BotocoreSession):
        return CachingBotocoreSession(x, cache, wrap_made)
    if is_of_asyncio(kind) and hasattr(kind, "__aenter__"):  # what their sessions return for a client or a resource
        from .async_client import CachingCreator

        return CachingCreator(x, cache, wrap_made)
    raise TypeError(f"{named(x)} cannot be wrapped; it must be {_WRAPPABLE}")


def is_of_asyncio(kind: type) -> bool:
    """Whether a class is aioboto3's or aiobotocore's, or inherits from one; neither is imported here."""
    return any(ancestor.__module__.partition(".")[0] in _OF_ASYNCIO for ancestor in kind.__mro__)


def named(x: object) -> str:
    """What something is, in a message: not its repr, which may hold a secret or an item."""
    if isinstance(x, type) or inspect.ismodule(x):
        return f"the {'class' if isinstance(x, type) else 'module'} {x.__name__}"
    return f"an object of {type(x).__module__}.{type(x).__qualname__}"


def _check_service(client: Any) -> None:
    service = client.meta.service_model.service_name
    if service != "dynamodb":
        raise TypeError(f"this is a client of {service}; it must be {_WRAPPABLE}")
