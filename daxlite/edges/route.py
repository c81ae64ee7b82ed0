"""The route of one client under a layer: a dispatcher of its own.

A client refers to its route, and the route to the client by a weak reference alone: a client goes with the last
reference to it. What takes the route is a call of the client, so the client is there.
"""

import weakref
from typing import Any

from ..cache.memory import MemoryCache
from ..calls.listeners import announce
from ..calls.registry import operation_of
from ..core.steps import Params, Response
from ..core.tables import Scope
from ..drivers.threads import ThreadDriver
from .cache import Cache
from .context import context_of
from .dispatcher import Dispatcher
from .hooks import Hooks
from .layer import Layer, Route
from .replies import call_checked, look_at


def route_of(layer: Layer, client: Any, cache: Cache, scope: Scope) -> Route:
    """The route of a client that answers from this cache what was read in this scope. From here on the client's
    requests and replies are looked at."""
    its_client = weakref.ref(client)

    def send(operation: str, params: Params) -> Response:
        client = its_client()
        return call_checked(client, operation, params, layer.below(client))

    def plain(operation: str, params: Params) -> Response:
        return layer.below(its_client())(operation, params)

    dispatcher = Dispatcher(context_of(client, cache, scope), send, plain=plain, hooks=Hooks(client))
    look_at(client)
    return Route(layer, dispatcher.call)


def route_without_a_cache(layer: Layer, client: Any, memory: MemoryCache) -> Route:
    """The route of a client that daxlite cannot make sense of: its calls go through, and what it writes may be
    anything."""
    its_client = weakref.ref(client)

    def call(operation: str, params: Params) -> Response:
        try:
            return layer.below(its_client())(operation, params)
        finally:
            if operation_of(operation).may_change:
                ThreadDriver().drive(announce(memory, memory.invalidate_all()))

    return Route(layer, call)
