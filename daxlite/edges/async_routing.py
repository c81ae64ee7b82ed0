"""The method of a layer, and the routes of clients under it: a dispatcher for each, for asyncio.

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
from ..drivers.asyncio import AsyncioDriver
from .async_dispatcher import AsyncDispatcher
from .async_sending import async_call_checked
from .cache import Cache
from .context import context_of
from .hooks import Hooks
from .layer import ROUTE, FindRoute, Layer, Route
from .replies import call_under_way, is_own_call


def async_method_of(layer: Layer, find_route: FindRoute) -> Any:
    """The method that a layer puts in the place of the class's own."""

    async def _make_api_call(self: Any, operation_name: str, api_params: Params) -> Response:
        # The way of each hit, and of each call of another service.
        route = self.__dict__.get(ROUTE)
        if route is None or route.layer is not layer:
            route = find_route(layer, self)
        if route is None or (call_under_way() is not None and is_own_call(self, operation_name, api_params)):
            response: Response = await layer.below(self)(operation_name, api_params)
        else:
            response = await route.call(operation_name, api_params)
        return response

    return _make_api_call


def async_route_of(layer: Layer, client: Any, cache: Cache, scope: Scope) -> Route:
    """The route of a client that answers from this cache what was read in this scope."""
    its_client = weakref.ref(client)

    async def send(operation: str, params: Params) -> Response:
        client = its_client()
        return await async_call_checked(client, operation, params, layer.below(client))

    async def plain(operation: str, params: Params) -> Response:
        response: Response = await layer.below(its_client())(operation, params)
        return response

    context = context_of(client, cache, scope)
    # twin: leave out
    context.is_blocking = False
    # twin: end
    dispatcher = AsyncDispatcher(context, send, plain=plain, hooks=Hooks(client))
    return Route(layer, dispatcher.call)


def async_route_without_a_cache(layer: Layer, client: Any, memory: MemoryCache) -> Route:
    """The route of a client that daxlite cannot make sense of: its calls go through, and a write may have changed
    anything."""
    its_client = weakref.ref(client)

    async def call(operation: str, params: Params) -> Response:
        try:
            response: Response = await layer.below(its_client())(operation, params)
            return response
        finally:
            if operation_of(operation).may_change:
                await AsyncioDriver().drive(announce(memory, memory.invalidate_all()))

    return Route(layer, call)
