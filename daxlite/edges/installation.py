"""What `install` puts in place: a layer on each class of clients, and a route for each DynamoDB client that calls."""

import logging
import os
import weakref
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any, Final, TypeAlias

from ..core.checks import is_name, shown
from .cache import Cache
from .identity import is_of_this_process, principal_of
from .layer import ROUTE, Layer, Route
from .replies import look_away
from .route import route_of, route_without_a_cache
from .scope import scope_of

_logger: Final = logging.getLogger("daxlite")

Principal: TypeAlias = str | Callable[[Any], str | None]
"""A name of the application's choice, or a function of the client that returns one."""

_lock = RLock()
"""Held while a route is made, and while an installation is put in place or taken out; never while DynamoDB is
called."""


class Installation:
    """What `install` put in place. It stays until `uninstall()`."""

    def __init__(
        self, cache: Cache, tables: frozenset[str] | None, principal: Principal | None, *, share: bool
    ) -> None:
        self._cache = cache
        self._tables = tables
        self._principal = principal
        self._share = share
        self._is_in_place = False
        self._layers: list[Layer] = []
        self._clients: weakref.WeakSet[Any] = weakref.WeakSet()
        self._is_tier_said = False

    @property
    def cache(self) -> Cache:
        """The cache that answers."""
        return self._cache

    @property
    def tables(self) -> frozenset[str] | None:
        """The names of the tables that are answered from the cache; None for all."""
        return self._tables

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes whose DynamoDB clients are covered."""
        return tuple(layer.name for layer in self._layers)

    @property
    def is_in_place(self) -> bool:
        """Whether it is in place: False after `uninstall()`."""
        return self._is_in_place

    def __repr__(self) -> str:
        tables = "all tables" if self._tables is None else f"the tables {', '.join(sorted(self._tables))}"
        if self._share:
            sharing = "shared by all clients of an account"
        elif self._principal is None:
            sharing = "shared by clients of the same credentials"
        elif isinstance(self._principal, str):
            sharing = f"shared by all clients, as {self._principal!r}"
        else:
            sharing = "shared by clients of the same principal"
        where = ", ".join(self.classes) if self._is_in_place else "nowhere any more"
        return f"<daxlite installed in {where}: {tables}; answers are {sharing}; {self._cache!r}>"

    def put_in_place(self, classes: Sequence[type]) -> None:
        """Cover the clients of these classes."""
        self._is_in_place = True
        for each in classes:
            self._layers.append(Layer(each, self._find_route))

    def take_out(self) -> None:
        """Leave no trace of it, other than layers on which other wrappers lie."""
        self._is_in_place = False
        for layer in self._layers:
            layer.take_out()
        for client in self._clients:
            if client.__dict__.pop(ROUTE, None) is not None:
                look_away(client)

    def _find_route(self, layer: Layer, client: Any) -> Route | None:
        if not self._is_in_place or client.meta.service_model.service_name != "dynamodb":
            return None
        with _lock:
            route: Route | None = client.__dict__.get(ROUTE)
            if not self._is_in_place or (route is not None and route.layer is layer):
                return route  # of another thread's making
            try:
                route = route_of(layer, client, self._cache, scope_of(client, *self._rights_of(client)))
            except Exception as error:  # noqa: BLE001 - a fault of daxlite's
                self._cache.fault(error)
                route = route_without_a_cache(layer, client, self._cache)
            client.__dict__[ROUTE] = route
            self._clients.add(client)
            return route
