"""A layer around the one method of a class in which all calls of botocore's clients end.

    client.get_item(...) -> BaseClient._make_api_call:  wrappers that were put there later
                                                        the layer: a dispatcher for each DynamoDB client
                                                        wrappers that were there before
                                                        botocore's own method

Instrumentation puts wrappers there as well, in either order. A layer is taken out if nothing lies on top of it. Else it
stays, and passes all calls on, until a later layer finds it on top and takes its place.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, TypeAlias

METHOD: Final = "_make_api_call"
ROUTE: Final = "_daxlite_route"
"""The attribute of a client where its route stands: it goes with the client, and is found at once."""
LAYER: Final = "_daxlite_layer"
"""The attribute of a layer's method where the layer stands."""

Call: TypeAlias = Callable[[str, dict[str, Any]], Any]
"""Makes a call of an operation with these parameters. A coroutine function for a client of asyncio's."""


class Route:
    """How the calls of one client are made under a layer."""

    __slots__ = ("call", "layer")

    def __init__(self, layer: "Layer", call: Call) -> None:
        self.layer = layer
        self.call = call


FindRoute: TypeAlias = Callable[["Layer", Any], Route | None]
"""Finds or makes the route of a client; None for a client whose calls are passed on."""


class Layer:
    """A layer, which is in place once it is made."""

    def __init__(self, owner: type, method_of: Callable[["Layer", FindRoute], Any], find_route: FindRoute) -> None:
        self._owner = owner
        self._is_taken_out = False
        self._below: Any = _without_layers_that_stayed(vars(owner)[METHOD])
        self._bind = getattr(type(self._below), "__get__", None)
        # Without a `__wrapped__`, which some instrumentation would take for its own as it takes itself out.
        self._method = method_of(self, find_route)
        vars(self._method)[LAYER] = self
        setattr(owner, METHOD, self._method)

    @property
    def name(self) -> str:
        """The class, with its module."""
        return f"{self._owner.__module__}.{self._owner.__qualname__}"

    def below(self, client: Any) -> Call:
        """What lies below the layer, as a method of the client: it makes calls as they are made without the layer."""
        call: Call = self._below if self._bind is None else self._bind(self._below, client, type(client))
        return call  # a mock cannot be bound, and takes no client

    def take_out(self) -> None:
        """Take the layer out, unless another wrapper lies on top of it."""
        self._is_taken_out = True
        if vars(self._owner)[METHOD] is self._method:
            setattr(self._owner, METHOD, self._below)


def _without_layers_that_stayed(method: Any) -> Any:
    """What lies below the layers on top that have been taken out: a patch of a test's puts such a one back."""
    while type(method) is FunctionType:  # no proxy, which would seem to have the attributes of what it stands for
        layer = vars(method).get(LAYER)
        # Of another function that took over the attributes of a layer's it is not the layer.
        if layer is None or layer._method is not method or not layer._is_taken_out:
            break
        method = layer._below
    return method
