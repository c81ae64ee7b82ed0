"""Calls that the cache only watches: reads that are never cached, and changes of whole tables."""

from collections.abc import Iterator
from typing import Any

from ..core.changes import Change
from .context import Context
from .steps import Params, Steps
from .write_many import send_changing


def transact_get_items(context: Context, params: Params) -> None:
    """A transaction reads one moment of several items, which entries of several moments cannot give."""
    for entry in params["TransactItems"]:
        table = context.table(entry["Get"]["TableName"])
        context.cache.count(table.counters["item"], "transaction")


def change_table(context: Context, operation: str, params: Params) -> Steps:
    """A call after which a table may hold something else, or may be another table altogether."""
    names = [name for name in _names(params) if isinstance(name, str)]
    tables = [context.table(name) for name in names]

    def changes(is_certain: bool) -> Iterator[Change | None]:
        if not tables:
            yield None
        for table in tables:
            context.cache.forget(table)
            yield Change(table.id)

    return send_changing(context, operation, params, changes)


def _names(params: Params) -> Iterator[Any]:
    for name in ("TableName", "TargetTableName", "GlobalTableName"):
        if name in params:
            yield params[name]
    nested = params.get("TableCreationParameters")
    if isinstance(nested, dict):
        yield nested.get("TableName")
