"""Which tables a request names, for each shape that a request can have."""

from typing import Any

from ..core.steps import Params


def table_of(params: Params) -> list[Any]:
    """The one table of a request."""
    return [params["TableName"]]


def tables_of_batch(params: Params) -> list[Any]:
    """The tables of a BatchGetItem or a BatchWriteItem."""
    return [*params["RequestItems"]]


def tables_of_transaction(params: Params) -> list[Any]:
    """The tables of a TransactGetItems or a TransactWriteItems."""
    return [request["TableName"] for entry in params["TransactItems"] for request in entry.values()]


def tables_of_any(params: Params) -> list[Any]:
    """The tables of a request of which the shape is not known. Raises KeyError, TypeError or AttributeError where that
    cannot be told."""
    if "TableName" in params:
        return table_of(params)
    return tables_of_batch(params) if "RequestItems" in params else tables_of_transaction(params)


def tables_of_description(params: Params) -> list[Any]:
    """The tables that a call creates, deletes or changes as a whole."""
    names = [params[name] for name in ("TableName", "TargetTableName", "GlobalTableName") if name in params]
    nested = params.get("TableCreationParameters")
    if isinstance(nested, dict):
        names.append(nested.get("TableName"))
    return names
