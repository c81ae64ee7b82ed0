"""`wrap`: a cache around the client, resource, Table or Session that a program already has."""

import inspect
from typing import Any, Final, TypeVar, cast

import boto3
from boto3.resources.base import ServiceResource
from botocore.client import BaseClient

from ..config import CacheConfig
from .cache import Cache

T = TypeVar("T")

_WRAPPABLE: Final = "a boto3 DynamoDB client, a DynamoDB resource or Table, or a boto3.Session"


def wrap(x: T, cache: Cache | None = None, config: CacheConfig | None = None) -> T:
    """A drop-in replacement that answers repeated reads from a cache. What is passed in stays as it is.

    x: a boto3 DynamoDB client, a DynamoDB resource or Table, or a boto3.Session, whose DynamoDB clients and
    resources are then wrapped as they are made.
    cache: the cache to use; several wrapped objects may share one. A cache of its own unless given.
    config: the settings of a cache of its own.

    Raises TypeError for anything else, for what is wrapped already, and for a cache and settings together.

    >>> import boto3, daxlite
    >>> client = daxlite.wrap(boto3.client("dynamodb", region_name="eu-west-1"))
    >>> client.get_item
    <bound method ...
    """
    if cache is not None and config is not None:
        raise TypeError("give either a cache, which has its settings, or a config for a new one")
    if cache is not None and not isinstance(cache, Cache):
        raise TypeError(f"cache is {cache!r}; it must be a daxlite.Cache")
    # Imported here because they import wrapt, which imports asyncio: a third of the time of `import daxlite` otherwise.
    from .client import CachingClient, wrap_client, wrap_resource
    from .session import CachingSession

    kind = type(x)  # isinstance() would take a stand-in for what it stands for
    if issubclass(kind, CachingClient | CachingSession):
        raise TypeError("this is wrapped already")
    if inspect.iscoroutinefunction(getattr(kind, "_make_api_call", None)):
        raise TypeError(f"{x!r} is a client of asyncio; it must be {_WRAPPABLE}")
    if issubclass(kind, boto3.Session):
        shared = cache or Cache(config)
        return CachingSession(x, lambda made: wrap(made, shared))  # type: ignore[arg-type,return-value]
    given: Any = x
    if issubclass(kind, BaseClient):
        _check_service(given)
        return cast(T, wrap_client(given, cache or Cache(config)))
    if issubclass(kind, ServiceResource):
        client = given.meta.client
        if issubclass(type(client), CachingClient):
            raise TypeError("this is wrapped already")
        _check_service(client)
        return cast(T, wrap_resource(given, cache or Cache(config)))
    raise TypeError(f"{x!r} cannot be wrapped; it must be {_WRAPPABLE}")


def _check_service(client: Any) -> None:
    service = client.meta.service_model.service_name
    if service != "dynamodb":
        raise TypeError(f"this is a client of {service}; it must be {_WRAPPABLE}")
