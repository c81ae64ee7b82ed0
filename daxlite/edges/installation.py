"""What `install` puts in place: a layer on each class of clients, and a route for each DynamoDB client that calls."""

import logging
import os
import weakref
from collections.abc import Callable
from threading import RLock
from typing import Any, Final, NamedTuple, TypeAlias

from botocore.client import BaseClient

from ..core.checks import is_name
from .cache import Cache
from .identity import is_of_this_process, principal_of
from .layer import ROUTE, Layer, Route
from .replies import look_at, look_away
from .routing import method_of, route_of, route_without_a_cache
from .scope import scope_of
from .wrapping import is_of_asyncio

_logger: Final = logging.getLogger("daxlite")

Principal: TypeAlias = str | Callable[[Any], str | None]
"""A name of the application's choice, or a function of the client that returns one."""

_OF_THIS_PROCESS: Final = (
    "credentials that are refreshed are known to this process alone, so other processes do not share the answers of "
    "clients that have them. Give install() a principal, or share=True"
)
_NO_PRINCIPAL: Final = "the principal of a client could not be told (%s), so it gets no answers from the cache"

_lock = RLock()


def locked() -> RLock:
    """Held while a client gets its route, and while an installation is put in place or taken out; never while DynamoDB
    or a function of the application's is called."""
    return _lock


class Arguments(NamedTuple):
    """What was asked for, but for the cache. Two calls of `install` with the same arguments are one installation."""

    tables: frozenset[str] | None
    principal: Principal | None
    share: bool

    def __repr__(self) -> str:
        return f"<arguments: answers shared by {self.sharing}>"

    @property
    def sharing(self) -> str:
        """Between which clients answers are shared, in words."""
        if self.share:
            return "all clients of an account"
        if self.principal is None:
            return "clients of the same credentials"
        return f"all clients, for {self.principal!r}" if isinstance(self.principal, str) else "clients of one principal"


class Installation:
    """What `install` put in place. It stays until `uninstall()`."""

    def __init__(self, cache: Cache, arguments: Arguments) -> None:
        self._cache = cache
        self._arguments = arguments
        self._is_in_place = True
        self._layers: list[Layer] = []
        self._clients: weakref.WeakSet[Any] = weakref.WeakSet()
        self._said: set[str] = set()

    @property
    def cache(self) -> Cache:
        """The cache that answers."""
        return self._cache

    @property
    def tables(self) -> frozenset[str] | None:
        """The names of the tables that are answered from the cache; None for all."""
        return self._arguments.tables

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes whose DynamoDB clients are covered, by name."""
        return tuple(layer.name for layer in self._layers)

    @property
    def is_in_place(self) -> bool:
        """False after `uninstall()`."""
        return self._is_in_place

    def __repr__(self) -> str:
        tables = "all tables" if self.tables is None else f"tables {', '.join(sorted(self.tables))}"
        state = "installed" if self._is_in_place else "uninstalled"
        classes = ", ".join(self.classes)
        return f"<daxlite {state}: {classes}; {tables}; answers shared by {self._arguments.sharing}; {self._cache!r}>"

    def _put_in_place(self) -> None:
        """Cover botocore's clients."""
        self._layers.append(Layer(BaseClient, method_of, self._find_route))

    def _cover_aiobotocore(self, module: Any) -> None:
        """Cover aiobotocore's clients, too. module: aiobotocore.client."""
        from .async_routing import async_method_of

        if len(self._layers) == 1:
            self._layers.append(Layer(module.AioBaseClient, async_method_of, self._find_route))

    def _take_out(self) -> None:
        """Leave nothing behind but layers on which other wrappers lie."""
        self._is_in_place = False
        for layer in self._layers:
            layer.take_out()
        for client in self._clients:
            if client.__dict__.pop(ROUTE, None) is not None:
                look_away(client)

    def _find_route(self, layer: Layer, client: Any) -> Route | None:
        if not self._is_in_place or client.meta.service_model.service_name != "dynamodb":
            return None
        # Not under the lock: the application's function may wait for a thread that makes a call of its own.
        made = self._new_route(layer, client)
        with locked():
            if not self._is_in_place:
                return None
            route = _route_under(layer, client)  # another thread, or a signal handler, may have been here first
            if route is None:
                route = client.__dict__[ROUTE] = made
                self._clients.add(client)
                look_at(client)
            return route

    def _new_route(self, layer: Layer, client: Any) -> Route:
        try:
            principal, tables = self._principal_of(client), self.tables
            if principal is not None and self._cache._tier is not None and is_of_this_process(principal):
                self._say(_OF_THIS_PROCESS)
        except Exception as error:  # noqa: BLE001 - of the application's function
            self._say(_NO_PRINCIPAL, type(error).__name__)
            principal, tables = None, frozenset()
        make, make_without = route_of, route_without_a_cache
        if is_of_asyncio(type(client)):
            from .async_routing import async_route_of, async_route_without_a_cache

            make, make_without = async_route_of, async_route_without_a_cache
        try:
            return make(layer, client, self._cache, scope_of(client, principal, tables))
        except Exception as error:  # noqa: BLE001 - a fault of daxlite's
            self._cache._memory.fault(error)
            return make_without(layer, client, self._cache._memory)

    def _principal_of(self, client: Any) -> str | None:
        """For whom a client asks; None where all clients of an account share their answers."""
        given = self._arguments.principal
        if self._arguments.share:
            return None
        name = given(client) if callable(given) else given
        if name is None:
            return principal_of(client)
        if not is_name(name):
            raise TypeError("a principal that is no name")
        return name

    def _say(self, message: str, *arguments: object) -> None:
        """Log a warning once."""
        if message not in self._said:
            self._said.add(message)
            _logger.warning(message, *arguments)


def _route_under(layer: Layer, client: Any) -> Route | None:
    route: Route | None = client.__dict__.get(ROUTE)
    return route if route is not None and route.layer is layer else None


def _begin_in_child() -> None:
    """Another thread of the parent may have held the lock."""
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_begin_in_child)
