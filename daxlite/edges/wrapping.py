"""`wrap`: a cache around the client, resource, Table or Session that a program already has."""

import inspect
from typing import Any, Final, cast

import boto3
from boto3.resources.base import ServiceResource
from botocore.client import BaseClient

from ..config import CacheConfig
from ..core.checks import is_name, shown
from .cache import Cache
from .wrappable import T

_WRAPPABLE: Final = "a boto3 DynamoDB client, a DynamoDB resource or Table, or a boto3.Session"
_OF_ASYNCIO: Final = ("aioboto3", "aiobotocore")


def wrap(x: T, cache: Cache | None = None, config: CacheConfig | None = None, *, principal: str | None = None) -> T:
    """A drop-in replacement that answers repeated reads from a cache. What is passed in stays as it is.

    x: a boto3 DynamoDB client, a DynamoDB resource or Table, or a boto3.Session, whose DynamoDB clients and
    resources are then wrapped as they are made.
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
    if cache is not None and config is not None:
        raise TypeError("give either a cache, which has its settings, or a config for a new one")
    if isinstance(cache, CacheConfig):
        raise TypeError("cache is a CacheConfig; give it by name: wrap(..., config=...)")
    if cache is not None and not isinstance(cache, Cache):
        raise TypeError(f"cache is {shown(cache)}; it must be a daxlite.Cache")
    if principal is not None and not is_name(principal):
        wrong = ValueError if isinstance(principal, str) else TypeError
        raise wrong(f"principal is {shown(principal)}; it must be a name, which is a str of one character or more")
    # Imported here because they import wrapt, which imports asyncio: a third of the time of `import daxlite` otherwise.
    from .client import CachingClient, wrap_client, wrap_resource
    from .session import CachingSession

    kind = type(x)  # isinstance() would take a stand-in for what it stands for
    if issubclass(kind, CachingClient | CachingSession):
        raise TypeError("this is wrapped already")
    check_synchronous(x)
    if issubclass(kind, boto3.Session):
        check_synchronous(getattr(x, "_session", None))
        shared = cache or Cache(config)
        return CachingSession(x, lambda made: wrap(made, shared, principal=principal))  # type: ignore[arg-type,return-value]
    given: Any = x
    if issubclass(kind, BaseClient):
        _check_service(given)
        return cast(T, wrap_client(given, cache or Cache(config), principal))
    if issubclass(kind, ServiceResource):
        client = given.meta.client
        if issubclass(type(client), CachingClient):
            raise TypeError("this is wrapped already")
        check_synchronous(client)
        _check_service(client)
        return cast(T, wrap_resource(given, cache or Cache(config), principal))
    raise TypeError(f"{_named(x)} cannot be wrapped; it must be {_WRAPPABLE}")


def check_synchronous(x: object) -> None:
    """Refuse what aioboto3 and aiobotocore make: by inheritance it is boto3's, but its calls are coroutines."""
    for ancestor in type(x).__mro__:
        library = ancestor.__module__.partition(".")[0]
        if library in _OF_ASYNCIO:
            raise TypeError(f"{_named(x)} is {library}'s, for asyncio, which is not supported; it must be {_WRAPPABLE}")
    if inspect.iscoroutinefunction(getattr(type(x), "_make_api_call", None)):
        raise TypeError(f"{_named(x)} is for asyncio, which is not supported; it must be {_WRAPPABLE}")


def _named(x: object) -> str:
    """What something is, in a message: not its repr, which may hold a secret or an item."""
    if isinstance(x, type) or inspect.ismodule(x):
        return f"the {'class' if isinstance(x, type) else 'module'} {x.__name__}"
    return f"an object of {type(x).__module__}.{type(x).__qualname__}"


def _check_service(client: Any) -> None:
    service = client.meta.service_model.service_name
    if service != "dynamodb":
        raise TypeError(f"this is a client of {service}; it must be {_WRAPPABLE}")
