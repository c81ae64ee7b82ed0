"""A DynamoDB client that answers from a cache."""

import copy
import inspect
from functools import partial
from typing import Any

from botocore.client import BaseClient

from .cache import Cache
from .context import context_of
from .dispatcher import Dispatcher
from .hooks import Hooks
from .replies import look_at
from .scope import scope_of
from .sending import call_checked, call_plainly
from .stand_in import StandIn


class CachingClient(StandIn):
    """A stand-in for a boto3 client: the same attributes, methods and type, and one method of its own.

    Every operation of a client ends in `_make_api_call`, and so do the paginators and waiters that it makes. So it is
    enough to replace that method, provided that all of botocore's methods run on the stand-in and not on the client
    that it stands for; `caching_client` sees to that.
    """

    def __init__(self, client: BaseClient, dispatcher: Any, cache: Cache) -> None:
        super().__init__(client, cache)
        self._self_dispatcher = dispatcher


def caching_client(client: BaseClient, dispatcher: Any, cache: Cache, kind: type[CachingClient] = CachingClient) -> Any:
    """The client with a cache around it; the client itself stays as it is. dispatcher: a Dispatcher, or one for
    asyncio, which goes with another kind of stand-in.

    botocore makes a class for each client. Its public methods, bound to the stand-in, find `_make_api_call` there:
    positional arguments are refused, documented and paginated just as botocore does it.
    """
    methods: dict[str, Any] = {
        name: method
        for name, method in inspect.getmembers(type(client), inspect.isfunction)
        if not name.startswith("_")
    }
    # Found on the class: an attribute of a stand-in is looked up in two objects, and this is each call's way.
    methods["_make_api_call"] = staticmethod(dispatcher.call)
    return type(type(client).__name__, (kind,), methods)(client, dispatcher, cache)


def wrap_client(client: Any, cache: Cache, principal: str | None = None) -> Any:
    """A stand-in for a client that answers from this cache, what was read for this principal."""
    look_at(client)
    context = context_of(client, cache, scope_of(client, principal))
    plain = partial(call_plainly, client)
    dispatcher = Dispatcher(context, partial(call_checked, client), plain=plain, hooks=Hooks(client))
    return caching_client(client, dispatcher, cache)


def with_client(resource: Any, client: Any) -> Any:
    """A copy of a resource with another client: boto3's resources do everything through `meta.client`, and hand it on
    to the resources that they make."""
    wrapped = copy.copy(resource)
    wrapped.meta = copy.copy(resource.meta)
    wrapped.meta.client = client
    return wrapped
