"""What type checkers let pass as the argument of `wrap`: the shapes of DynamoDB's clients, resources and sessions.

They are shapes, not classes, because the classes with the types are in packages of stubs that a program may not have
(mypy-boto3-dynamodb, types-aiobotocore-dynamodb). Where it has none, boto3's objects are of no type, or of its base
classes, and pass too. `wrap` itself judges objects, not shapes.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

from boto3.resources.base import ResourceMeta


class HasItems(Protocol):
    """A client of DynamoDB's, or a Table; of boto3 or of asyncio."""

    @property
    def get_item(self) -> Callable[..., Any]: ...
    @property
    def put_item(self) -> Callable[..., Any]: ...
    @property
    def query(self) -> Callable[..., Any]: ...


class HasTables(Protocol):
    """A DynamoDB resource."""

    @property
    def Table(self) -> Callable[..., Any]: ...  # noqa: N802 - boto3's name
    @property
    def batch_get_item(self) -> Callable[..., Any]: ...


class MakesBoth(Protocol):
    """A boto3.Session, or one of aioboto3's."""

    @property
    def region_name(self) -> Any: ...  # which the module boto3 has not
    @property
    def client(self) -> Callable[..., Any]: ...
    @property
    def resource(self) -> Callable[..., Any]: ...


class MakesClients(Protocol):
    """A session of botocore's, or of aiobotocore's."""

    @property
    def create_client(self) -> Callable[..., Any]: ...


class AnyClient(Protocol):
    """botocore's BaseClient, which says nothing of its service: it may be DynamoDB's.

    Stubs of a service name its own paginators and waiters, and so do not have this shape.
    """

    def get_paginator(self, operation_name: str, /) -> Any: ...
    def get_waiter(self, waiter_name: str, /) -> Any: ...


class AnyResource(Protocol):
    """boto3's ServiceResource, likewise. What can be set has exactly this type, and stubs of a service have another."""

    meta: ResourceMeta


class UntypedResource(Protocol):
    """The same, as a type checker reads it from boto3's source, which begins with None."""

    meta: ResourceMeta | None


class Opens(Protocol):
    """What the sessions of asyncio return for a client or a resource, before `async with`."""

    async def __aenter__(self) -> HasItems | HasTables | AnyClient: ...


Wrappable: TypeAlias = (
    HasItems | HasTables | MakesBoth | MakesClients | AnyClient | AnyResource | UntypedResource | Opens
)

T = TypeVar("T", bound=Wrappable)
