"""A DynamoDB client that answers from a cache."""

import copy
import inspect
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from botocore.client import BaseClient
from botocore.credentials import Credentials

from ..calls.context import Context
from ..calls.dialects import dialect_of
from ..core.steps import Params, Response
from ..core.tables import Scope, canonical_endpoint
from .cache import Cache
from .dispatcher import Dispatcher
from .hooks import Hooks
from .replies import attempts_of, look_at, what_was_sent
from .sending import call_checked
from .stand_in import StandIn

UNLIMITED: Final = 300.0
"""Seconds that stand for a timeout of a client that has none."""


class CachingClient(StandIn):
    """A stand-in for a boto3 client: the same attributes, methods and type, and one method of its own.

    Every operation of a client ends in `_make_api_call`, and so do the paginators and waiters that it makes. So it is
    enough to replace that method, provided that all of botocore's methods run on the stand-in and not on the client
    that it stands for; `caching_client` sees to that.
    """

    def __init__(self, client: BaseClient, dispatcher: Any) -> None:
        super().__init__(client)
        self._self_dispatcher = dispatcher


def caching_client(client: BaseClient, dispatcher: Any, kind: type[CachingClient] = CachingClient) -> Any:
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
    return type(type(client).__name__, (kind,), methods)(client, dispatcher)


def wrap_client(client: Any, cache: Cache, principal: str | None = None) -> Any:
    """A stand-in for a client that answers from this cache, what was read for this principal."""

    def plain(operation: str, params: Params) -> Response:
        # Looked up at each call: instrumentation may replace the method on the class at any time.
        response: Response = client._make_api_call(operation, params)
        return response

    context = context_of(client, cache, principal)
    dispatcher = Dispatcher(context, partial(call_checked, client), plain=plain, hooks=Hooks(client))
    return caching_client(client, dispatcher)


def context_of(client: Any, cache: Cache, principal: str | None) -> Context:
    """What plans need to know of a client, whose requests and replies are looked at from now on."""
    look_at(client)
    return Context(
        cache._memory,
        dialect_of(client),
        cache._memory.names(scope_of(client, principal)),
        what_was_sent,
        attempts_of,
        tier=cache._tier,
        record_lasts=record_lasts(client, cache.config.settle_window),
    )


def with_client(resource: Any, client: Any) -> Any:
    """A copy of a resource with another client: boto3's resources do everything through `meta.client`, and hand it on
    to the resources that they make."""
    wrapped = copy.copy(resource)
    wrapped.meta = copy.copy(resource.meta)
    wrapped.meta.client = client
    return wrapped


def record_lasts(client: Any, settle_window: float) -> float:
    """Seconds for which a record of a write of this client's lasts: as long as one attempt may take, and the window."""
    config = client.meta.config
    timeouts = [getattr(config, name, None) or UNLIMITED for name in ("connect_timeout", "read_timeout")]
    return float(sum(timeouts)) + settle_window


def scope_of(client: Any, principal: str | None = None) -> Scope:
    """Where the client looks up table names."""
    # botocore has no public way to ask a client for its credentials.
    credentials: Any = getattr(getattr(client, "_request_signer", None), "_credentials", None)
    endpoint, region = canonical_endpoint(client.meta.endpoint_url), client.meta.region_name
    if type(credentials) is Credentials or _is_static_of_asyncio(type(credentials)):
        account = getattr(credentials, "account_id", None)  # botocore has it since 1.35
        return Scope(endpoint, region, credentials.access_key, account or None, principal)
    # The account of credentials that are refreshed, if they have been fetched: the property would fetch them.
    account = getattr(credentials, "__dict__", {}).get("_account_id")
    return Scope(endpoint, region, _token_of(credentials), account or None, principal)


def _is_static_of_asyncio(kind: type) -> bool:
    """Whether it is aiobotocore's class for credentials that never change, which is not imported here."""
    return kind.__module__ == "aiobotocore.credentials" and kind.__name__ == "AioCredentials"


_tokens: WeakKeyDictionary[object, object] = WeakKeyDictionary()


def _token_of(credentials: object) -> object:
    """What stands for credentials that must not be read, for that may fetch them; clients of one session share them.

    It is not the object itself, which may refer to the client, and through it to the cache, which would never be freed.
    """
    try:
        return _tokens.setdefault(credentials, object())
    except TypeError:  # None, or an object that takes no weak references
        return credentials
