"""Models of PynamoDB that are answered from a cache, and so are their subclasses."""

from functools import wraps
from inspect import getattr_static
from typing import Any

from pynamodb.connection import TableConnection
from pynamodb.models import Model

from .connections import Wrapping, refreshing, wrap_connection
from .writes import note_table


def is_wrapped(model: type[Model]) -> bool:
    """Whether a model, or one that it inherits from, is wrapped."""
    return getattr(model, "_daxlite_wrapping", None) is not None


def wrap_model(model: type[Model], wrapping: Wrapping) -> None:
    """Answer a model, and what inherits from it, from a cache from here on.

    Each model asks for its connection whenever it needs it. So it does not matter when the connection was made, nor
    whether the model's table becomes another one.
    """
    connection_of = getattr_static(model, "_get_connection").__func__
    plain_refresh = model.refresh

    @wraps(connection_of)
    def _get_connection(cls: type[Model]) -> TableConnection:
        made: TableConnection = connection_of(cls)
        note_table(made.table_name, wrap_connection(made.connection, wrapping))
        return made

    @wraps(plain_refresh)
    def refresh(self: Model, *arguments: Any, **named: Any) -> None:
        token = refreshing.set(True)
        try:
            plain_refresh(self, *arguments, **named)
        finally:
            refreshing.reset(token)

    members = {"_daxlite_wrapping": wrapping, "_get_connection": classmethod(_get_connection), "refresh": refresh}
    for name, member in members.items():
        setattr(model, name, member)
