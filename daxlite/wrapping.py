"""`wrap`: a cache around what a program already has."""

import copy
import inspect
from typing import Any, Final, TypeVar, cast

import boto3
from boto3.resources.base import ServiceResource
from botocore.client import BaseClient
from botocore.credentials import Credentials

from .cache.cache import Cache
from .calls.caller import Caller
from .calls.context import Context
from .calls.dialects import dialect_of
from .calls.steps import Params, Response
from .client import CachingClient, caching_client
from .config import CacheConfig
from .core.tables import Scope
from .session import CachingSession

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
    kind = type(x)  # isinstance() would take a stand-in for what it stands for
    if issubclass(kind, CachingClient | CachingSession):
        raise TypeError("this is wrapped already")
    if inspect.iscoroutinefunction(getattr(kind, "_make_api_call", None)):
        raise TypeError(f"{x!r} is a client of asyncio; it must be {_WRAPPABLE}")
    if issubclass(kind, boto3.Session):
        shared = cache or Cache(config)
        return CachingSession(x, lambda made: wrap(made, shared))  # type: ignore[arg-type,return-value]
    if issubclass(kind, BaseClient):
        return cast(T, _wrap_client(x, cache, config))
    if issubclass(kind, ServiceResource):
        return cast(T, _wrap_resource(x, cache, config))
    raise TypeError(f"{x!r} cannot be wrapped; it must be {_WRAPPABLE}")


def _wrap_client(client: Any, cache: Cache | None, config: CacheConfig | None) -> Any:
    service = client.meta.service_model.service_name
    if service != "dynamodb":
        raise TypeError(f"this is a client of {service}; it must be {_WRAPPABLE}")

    def send(operation: str, params: Params) -> Response:
        # Looked up at each call: instrumentation replaces the method, on the class, whenever it likes.
        response: Response = client._make_api_call(operation, params)
        return response

    cache = cache or Cache(config)
    context = Context(cache, dialect_of(client), cache.names(scope_of(client)))
    return caching_client(client, Caller(context, send))


def _wrap_resource(resource: Any, cache: Cache | None, config: CacheConfig | None) -> Any:
    """boto3's resources do everything through `meta.client`, and hand it on to the resources that they make."""
    if issubclass(type(resource.meta.client), CachingClient):
        raise TypeError("this is wrapped already")
    client = _wrap_client(resource.meta.client, cache, config)
    wrapped = copy.copy(resource)
    wrapped.meta = copy.copy(resource.meta)
    wrapped.meta.client = client
    return wrapped


def scope_of(client: Any) -> Scope:
    """Where the client looks up table names."""
    # botocore has no public way to ask a client for its credentials. Refreshable ones must not be read here, for
    # that may fetch them; the object itself stands for them, and clients of one session share it.
    credentials = getattr(getattr(client, "_request_signer", None), "_credentials", None)
    token: object = credentials
    account: str | None = None
    if type(credentials) is Credentials:
        token = credentials.access_key
        account = getattr(credentials, "account_id", None)
    return Scope(client.meta.endpoint_url, client.meta.region_name, token, account)
