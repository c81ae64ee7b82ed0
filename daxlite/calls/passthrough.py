"""Calls that the cache only watches: reads that are never cached, and changes of whole tables."""

from collections.abc import Iterator
from typing import Any

from .changing import send_changing
from .context import Context
from .steps import Params, Steps


def transact_get_items(context: Context, params: Params) -> None:
    """A transaction reads one moment of several items, which entries of several moments cannot give."""
    for entry in params["TransactItems"]:
        table = context.table(entry["Get"]["TableName"])
        context.cache.count(table.counters["item"], "transaction")


def change_table(context: Context, operation: str, params: Params) -> Steps:
    """A call after which a table may hold something else, or may be another table altogether."""
    names = [name for name in _names(params) if isinstance(name, str)]
    tables = [context.table(name) for name in names]

    def apply(is_certain: bool) -> None:
        if tables:
            context.cache.forget(*tables)
        else:
            context.cache.invalidate_all()

    return send_changing(operation, params, apply)


def _names(params: Params) -> Iterator[Any]:
    for name in ("TableName", "TargetTableName", "GlobalTableName"):
        if name in params:
            yield params[name]
    nested = params.get("TableCreationParameters")
    if isinstance(nested, dict):
        yield nested.get("TableName")
