"""Writes that PynamoDB makes to a wrapped model's table by other ways than the model.

A transaction runs on a connection of its own, which the model does not know, and other models may have the same table.
What they wrote past the cache, the model would not show. So each write looks whether it concerns a wrapped model.

    User.get("ann")                                cached
    with TransactWrite(connection=Connection()):   a plain connection
        transaction.save(User("ann", ...))         its request goes by way of the cache
    User.get("ann")                                the new state
"""

import copy
from contextlib import suppress
from functools import cache as once
from functools import wraps
from typing import Any, Final
from weakref import WeakValueDictionary

from pynamodb.connection import Connection

from ..calls.registry import operation_of
from .connections import CachingConnection, Wrapping, wrap_connection

_wrapping_of: Final[WeakValueDictionary[str, Wrapping]] = WeakValueDictionary()
"""With what the model of a table is wrapped, by the table's name."""


def note_table(name: str, wrapping: Wrapping) -> None:
    """Have writes to this table seen by the cache, whichever connection makes them."""
    if _wrapping_of.get(name) is not wrapping:
        _wrapping_of[name] = wrapping
        _watch()


@once
def _watch() -> None:
    plain = Connection.dispatch

    @wraps(plain)
    def dispatch(self: Connection, operation_name: str, operation_kwargs: dict[str, Any]) -> Any:
        wrapping = None if isinstance(self, CachingConnection) else _concerned(operation_name, operation_kwargs)
        connection = self if wrapping is None else _twin(self, wrapping)
        return plain(connection, operation_name, operation_kwargs)

    Connection.dispatch = dispatch  # type: ignore[method-assign]


def _concerned(operation_name: str, request: dict[str, Any]) -> Wrapping | None:
    """With what a model is wrapped to whose table this request may write; None if it writes to none."""
    operation = operation_of(operation_name)
    if operation.may_change:
        with suppress(KeyError, TypeError, AttributeError):  # DynamoDB tells what is wrong with it
            for table in operation.tables(request):
                if (wrapping := _wrapping_of.get(table)) is not None:
                    return wrapping
    return None


def _twin(connection: Connection, wrapping: Wrapping) -> Connection:
    """A connection that is wrapped, with the same client as this one, which stays as it is."""
    twin: Connection
    twin, of_wrapping = vars(connection).get("_daxlite_twin", (connection, None))
    if of_wrapping is not wrapping:
        _ = connection.client  # made now, so that both have it
        twin = copy.copy(connection)
        wrap_connection(twin, wrapping)
        vars(connection)["_daxlite_twin"] = twin, wrapping
    return twin
