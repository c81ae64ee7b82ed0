"""A layer around the one method of a class in which all calls of botocore's clients end.

    client.get_item(...) -> BaseClient._make_api_call:  wrappers that were put there later
                                                        the layer: a dispatcher for each DynamoDB client
                                                        wrappers that were there before
                                                        botocore's own method

Instrumentation puts wrappers there as well, in either order. A layer is taken out if nothing lies on top of it. Else it
stays, and passes all calls on.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ..core.steps import Params, Response
from .replies import Make, call_under_way, is_own_call

METHOD: Final = "_make_api_call"
ROUTE: Final = "_daxlite_route"
"""The attribute of a client where its route stands: it goes with the client, and is found at once."""


class Route:
    """How the calls of one client are made under a layer."""

    __slots__ = ("call", "layer")

    def __init__(self, layer: "Layer", call: Make) -> None:
        self.layer = layer
        self.call = call


FindRoute: TypeAlias = Callable[["Layer", Any], Route | None]
"""Finds or makes the route of a client; None for a client whose calls are passed on."""


class Layer:
    """A layer that is in place once it is made."""

    def __init__(self, owner: type, find_route: FindRoute) -> None:
        self._owner = owner
        self._below: Any = vars(owner)[METHOD]
        self._bind = getattr(type(self._below), "__get__", None)
        self._method = _method(self, find_route)
        setattr(owner, METHOD, self._method)

    @property
    def name(self) -> str:
        """The class, with its module."""
        return f"{self._owner.__module__}.{self._owner.__qualname__}"

    def below(self, client: Any) -> Make:
        """What lies below the layer, as a method of the client: it makes calls as they are made without the layer."""
        make: Make = self._below if self._bind is None else self._bind(self._below, client, type(client))
        return make  # a mock cannot be bound, and takes no client

    def take_out(self) -> None:
        """Take the layer out, unless another wrapper lies on top of it."""
        if vars(self._owner)[METHOD] is self._method:
            setattr(self._owner, METHOD, self._below)


def _method(layer: Layer, find_route: FindRoute) -> Callable[[Any, str, Params], Response]:
    # Without a `__wrapped__`, which some instrumentation would take for its own as it takes itself out.
    def _make_api_call(self: Any, operation_name: str, api_params: Params) -> Response:
        # The way of each hit, and of each call of another service.
        route: Route | None = self.__dict__.get(ROUTE)
        if route is None or route.layer is not layer:
            route = find_route(layer, self)
        if route is None or (call_under_way() is not None and is_own_call(self, operation_name, api_params)):
            return layer.below(self)(operation_name, api_params)
        return route.call(operation_name, api_params)

    return _make_api_call
