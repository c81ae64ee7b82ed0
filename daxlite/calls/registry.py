"""What daxlite knows of each operation of DynamoDB: one row per operation. To add an operation is to add a row.

The names are botocore's. An operation without a row, because AWS added it after this was written, goes straight
through. Whether it may have written is told by its first word, and in doubt it has.
"""

from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from ..cache.counters import Kind
from ..core.steps import Params, Response, Steps
from .context import Context
from .dependencies import (
    DependsOn,
    depends_on,
    item_of,
    items_of_batch,
    items_of_transaction,
    on_statements,
    on_whole_tables,
    query_of,
    scan_of,
)
from .get_item import get_item
from .pages import query, scan
from .passthrough import change_table, transact_get_items
from .tables_named import table_of, tables_of_any, tables_of_batch, tables_of_description, tables_of_transaction
from .write_item import write_item

Effect: TypeAlias = Literal["cached read", "uncached read", "write", "table change", "none"]
"""What a call of an operation means to a cache. A table change may replace what a table holds, or how its keys look."""
Plan: TypeAlias = Callable[[Context, Params], Response | Steps[Response] | None]
"""Answers a call from the cache, or returns the steps to its response, or only takes note of it (None)."""


class Operation(Struct, frozen=True):
    """What daxlite knows of one operation."""

    name: str
    effect: Effect
    plan: Plan | None = None
    """None: the call is sent just as it is."""
    tables: Callable[[Params], list[Any]] = tables_of_any
    """The tables that a request names. Raises KeyError, TypeError or AttributeError where that cannot be told."""
    depends_on: DependsOn | None = None
    """What its answer depends on; None if it returns no items."""
    kind: Kind | None = None
    """Under which kind its reads are counted."""
    is_batch: bool = False
    """Whether it is not one call but many, of which some may fail."""

    @property
    def may_change(self) -> bool:
        """Whether a call of it may change items or tables."""
        return self.effect in ("write", "table change")


def _of(module: str, function: str, **given: str) -> Plan:
    """A plan that is imported when it is first used, for many programs never use it: they start faster without it."""

    @cache
    def imported() -> Any:
        return getattr(import_module(f".{module}", __package__), function)

    def plan(context: Context, params: Params) -> Any:
        return imported()(context, params, **given)

    return plan


# fmt: off
_ROWS: Final = (
    # Reads that the cache answers
    Operation("GetItem", "cached read", get_item, table_of, depends_on(item_of), "item"),
    Operation("BatchGetItem", "cached read", _of("batch_get_item", "batch_get_item"), tables_of_batch,
              depends_on(items_of_batch), "item", is_batch=True),
    Operation("Query", "cached read", query, table_of, depends_on(query_of), "query"),
    Operation("Scan", "cached read", scan, table_of, depends_on(scan_of), "scan"),
    # Reads that it never answers
    Operation("TransactGetItems", "uncached read", transact_get_items, tables_of_transaction,
              depends_on(items_of_transaction, is_isolated=True)),
    Operation("SearchVectors", "uncached read", depends_on=on_whole_tables),
    # Writes
    Operation("PutItem", "write", partial(write_item, operation="PutItem"), table_of),
    Operation("UpdateItem", "write", partial(write_item, operation="UpdateItem"), table_of),
    Operation("DeleteItem", "write", partial(write_item, operation="DeleteItem"), table_of),
    Operation("BatchWriteItem", "write", _of("batch_writes", "batch_write_item"), tables_of_batch, is_batch=True),
    Operation("TransactWriteItems", "write", _of("batch_writes", "transact_write_items"), tables_of_transaction),
    # PartiQL reads and writes by the same operations; the statement tells which.
    *(Operation(name, "write", _of("statements", "execute", operation=name), depends_on=on_statements,
                is_batch=name[:5] == "Batch")
      for name in ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction")),
    # Changes of whole tables
    *(Operation(name, "table change", partial(change_table, operation=name), tables_of_description) for name in (
        "CreateTable", "DeleteTable", "UpdateTable", "RestoreTableFromBackup", "RestoreTableToPointInTime",
        "ImportTable", "StartBulkPutItems", "UpdateTimeToLive", "CreateGlobalTable", "UpdateGlobalTable",
    )),
    # What neither returns nor changes items, though its first word does not say so
    *(Operation(name, "none") for name in (
        "CancelBulkOperation", "CreateBackup", "DeleteBackup", "DeleteResourcePolicy",
        "DisableKinesisStreamingDestination", "EnableKinesisStreamingDestination", "ExportTableToPointInTime",
        "GetResourcePolicy", "PutResourcePolicy", "TagResource", "UntagResource", "UpdateContinuousBackups",
        "UpdateContributorInsights", "UpdateGlobalTableSettings", "UpdateKinesisStreamingDestination",
        "UpdateTableReplicaAutoScaling",
    )),
)
# fmt: on
REGISTRY: Final = {row.name: row for row in _ROWS}

_READING_ITEMS: Final = ("Get", "BatchGet", "TransactGet", "Query", "Scan", "Search")
_READING: Final = ("Describe", "List", "Export", *_READING_ITEMS)


def operation_of(name: str) -> Operation:
    """The row of an operation, or what its first word tells of one that has none.

    >>> operation_of("GetItem").effect, operation_of("DescribeTable").effect, operation_of("PatchItemIn2030").effect
    ('cached read', 'none', 'table change')
    """
    row = REGISTRY.get(name)
    if row is not None:
        return row
    if not name.startswith(_READING):
        return Operation(name, "table change", partial(change_table, operation=name), is_batch=name.startswith("Batch"))
    return Operation(name, "none", depends_on=on_whole_tables if name.startswith(_READING_ITEMS) else None)
