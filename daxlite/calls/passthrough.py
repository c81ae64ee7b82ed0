"""Calls that the cache only watches: reads that are never cached, and changes of whole tables."""

from ..cache.table import Table
from ..core.changes import Change
from ..core.extents import Extent
from ..core.snapshot import snapshot
from ..core.steps import Params, Response, Steps
from ..core.tags import Tag
from .context import Context
from .send_change import send_change
from .tables_named import tables_of_description


def transact_get_items(context: Context, params: Params) -> None:
    """A transaction reads one moment of several items, which entries of several moments cannot give."""
    for entry in params["TransactItems"]:
        table = context.table(entry["Get"]["TableName"])
        context.cache.count(table.counters["item"], "transaction")


def change_table(context: Context, params: Params, *, operation: str) -> Steps[Response]:
    """A call after which a table may hold something else, or may be another table altogether."""
    params = snapshot(params)
    tables = [context.table(name) for name in tables_of_description(params) if isinstance(name, str)]

    def apply(response: Response | None) -> dict[Tag, Extent] | None:
        return context.cache.forget(*tables) if tables else context.cache.invalidate_all()

    before: list[tuple[Table | None, Change | None]] = [(table, Change(table.place)) for table in tables]
    before = before or [(None, None)]
    return send_change(context, operation, params, apply, before, is_batch=operation.startswith("Batch"))
