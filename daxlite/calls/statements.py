"""PartiQL: reads are never cached, and a statement that may write drops what depends on its table."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..core.changes import Change
from ..core.expressions.partiql import Statement, read_statement
from ..core.extents import Extent
from ..core.snapshot import snapshot
from ..core.steps import Params, Response, Steps
from ..core.tags import Tag
from .context import Context
from .never_cached import PARTIQL, count_unwanted_bypass
from .send_change import send_change

_STATEMENTS: Final = {"BatchExecuteStatement": "Statements", "ExecuteTransaction": "TransactStatements"}


def statements_of(operation: str, params: Mapping[str, Any]) -> Iterator[Statement]:
    """What the statements of a request do. Raises KeyError, TypeError or AttributeError for a request that has none."""
    each = [params] if operation == "ExecuteStatement" else params[_STATEMENTS[operation]]
    return (read_statement(statement.get("Statement")) for statement in each)


def execute(context: Context, params: Params, *, operation: str) -> Steps[Response]:
    """One statement, a batch of them or a transaction."""
    params = snapshot(params)
    read = list(statements_of(operation, params))
    for statement in read:
        if statement.is_read and statement.table is not None:
            count_unwanted_bypass(context.cache, context.table(statement.table), "query", PARTIQL)
    targets = dict.fromkeys(statement.table for statement in read if not statement.is_read)

    def apply(response: Response | None) -> dict[Tag, Extent] | None:
        if None in targets:
            return context.cache.invalidate_all()
        return context.cache.apply(*[Change(context.table(name).place) for name in targets])

    before = [(None, None if name is None else Change(context.table(name).place)) for name in targets]
    return send_change(context, operation, params, apply, before, is_batch=operation == "BatchExecuteStatement")
