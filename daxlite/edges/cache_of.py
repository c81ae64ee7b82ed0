"""`cache_of`: the cache behind a client, a resource, a Table or a session."""

from typing import Any

import boto3
from boto3.resources.base import ServiceResource
from botocore.client import BaseClient
from botocore.session import Session as BotocoreSession

from .cache import Cache
from .installing import installation
from .stand_in import StandIn
from .wrapping import named


def cache_of(x: object) -> Cache:
    """The cache that a client, a resource, a Table or a session answers from: that of `wrap`, or that of `install`.

    Raises TypeError for what has none.

    >>> import boto3, daxlite
    >>> client = daxlite.wrap(boto3.client("dynamodb", region_name="eu-west-1"))
    >>> daxlite.cache_of(client).stats().total.hits
    0
    """
    given: Any = x
    if issubclass(type(x), ServiceResource):  # isinstance() would take a stand-in for what it stands for
        given = given.meta.client
    if issubclass(type(given), StandIn):
        cache: Cache = given._self_cache
        return cache
    if _is_covered(given):
        installed = installation()
        if installed is not None:
            return installed.cache
        raise TypeError(f"{named(x)} has no cache: it is not wrapped, and daxlite is not installed")
    raise TypeError(f"{named(x)} has no cache; it must be a DynamoDB client, resource or Table, or a boto3.Session")


def _is_covered(given: Any) -> bool:
    """Whether `install` covers this, or what it makes."""
    if issubclass(type(given), boto3.Session | BotocoreSession):
        return True
    return issubclass(type(given), BaseClient) and given.meta.service_model.service_name == "dynamodb"
