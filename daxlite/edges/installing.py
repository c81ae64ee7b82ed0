"""`install`: the DynamoDB clients of this process answer from a cache, in whichever library they are made.

botocore's clients, resources and paginators all end in one method of one class, where instrumentation puts its wrappers
too:

    client.get_item(...) -> BaseClient._make_api_call:  wrappers that were put there later
                                                        the layer of `install`: a dispatcher for each client
                                                        wrappers that were there before
                                                        botocore's own method

So a client that was made before is covered as well. The layer is in place until it is taken out. Where another wrapper
lies on top of it that cannot be done, and the layer passes all calls on.
"""

import logging
import os
import weakref
from collections.abc import Callable, Iterable
from functools import update_wrapper
from threading import RLock
from typing import Any, Final, TypeAlias

from botocore.client import BaseClient

from ..core.checks import is_name, shown
from ..core.tables import NAME_RULE, is_table_name
from .cache import Cache
from .replies import is_own_call, may_be_own_call
from .routes import Route, route_of

_logger: Final = logging.getLogger("daxlite")

Principal: TypeAlias = str | Callable[[Any], str | None]
"""A name of the application's choice, or what tells it for a client."""

_METHOD: Final = "_make_api_call"
_ROUTE: Final = "_daxlite_route"
"""The attribute of a client under which its route stands. A client's own attribute goes with the client, and costs a
call less than a table of weak references."""


class Installation:
    """What `install` has done. `uninstall` undoes it.

    >>> daxlite.install(tables=["Orders"])
    <daxlite is installed: botocore.client.BaseClient; tables: Orders; answers are shared by clients of one access key \
or session>
    >>> daxlite.uninstall()
    """

    def __init__(
        self, cache: Cache, tables: frozenset[str] | None, principal: Principal | None, *, share: bool
    ) -> None:
        self._cache = cache
        self._tables = tables
        self.principal: Final = principal
        self.share: Final = share
        self.is_active = True
        self._layers: list[tuple[type, Any, Any]] = []
        self._clients: weakref.WeakSet[Any] = weakref.WeakSet()
