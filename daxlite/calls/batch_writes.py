"""BatchWriteItem, TransactWriteItems and PartiQL: through to DynamoDB, and whatever they may have changed out of
the cache.

Nothing tells what stood there before, and a batch may be applied in part, so these leave no new state behind.
"""

from typing import Any, Final

from ..core.changes import Change
from ..core.expressions.partiql import read_statement
from ..core.requests import Request
from .changing import send_changing
from .context import Context
from .steps import Params, Steps
from .write_item import change_of

_BATCH_WRITES: Final = {"PutRequest": "PutItem", "DeleteRequest": "DeleteItem"}
_TRANSACT_WRITES: Final = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": ""}


def batch_write_item(context: Context, params: Params) -> Steps:
    """A batch. An unprocessed item counts as changed: an internal failure is one of the reasons why it may be
    unprocessed."""
    request = context.dialect.request("BatchWriteItem", params)
    writes = [
        (name, _BATCH_WRITES[kind], write)
        for name, entries in request["RequestItems"].items()
        for entry in entries
        for kind, write in entry.items()
    ]
    return _write(context, "BatchWriteItem", params, writes)


def transact_write_items(context: Context, params: Params) -> Steps:
    """A transaction. A cancelled one casts doubt on what the application had read, so that goes too."""
    request = context.dialect.request("TransactWriteItems", params)
    writes = [
        (write["TableName"], _TRANSACT_WRITES[kind], write)
        for entry in request["TransactItems"]
        for kind, write in entry.items()
    ]
    return _write(context, "TransactWriteItems", params, writes)


def _write(context: Context, operation: str, params: Params, writes: list[tuple[str, str, Request]]) -> Steps:
    for name in dict.fromkeys(name for name, _, _ in writes):
        yield from context.described(name)

    def apply(is_certain: bool) -> None:
        changed = [write for write in writes if write[1] or not is_certain]
        context.cache.apply(*[change_of(context.table(name), single, write) for name, single, write in changed])

    return (yield from send_changing(operation, params, apply))


def execute_statement(context: Context, params: Params) -> Steps:
    """One PartiQL statement."""
    return _execute(context, "ExecuteStatement", params, [params])


def batch_execute_statement(context: Context, params: Params) -> Steps:
    """A batch of PartiQL statements."""
    return _execute(context, "BatchExecuteStatement", params, params["Statements"])


def execute_transaction(context: Context, params: Params) -> Steps:
    """A transaction of PartiQL statements."""
    return _execute(context, "ExecuteTransaction", params, params["TransactStatements"])


def _execute(context: Context, operation: str, params: Params, statements: list[dict[str, Any]]) -> Steps:
    read = [read_statement(statement.get("Statement")) for statement in statements]
    for statement in read:
        if statement.is_read and statement.table is not None:
            context.cache.count(context.table(statement.table).counters["query"], "partiql")
    targets = dict.fromkeys(statement.table for statement in read if not statement.is_read)

    def apply(is_certain: bool) -> None:
        if None in targets:
            context.cache.invalidate_all()
        else:
            context.cache.apply(*[Change(context.table(name).id) for name in targets])

    return send_changing(operation, params, apply)
