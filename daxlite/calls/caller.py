"""From an operation's name to its plan, and from the plan to its response."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from botocore.exceptions import ParamValidationError

from ..cache.stats import Kind
from ..core.changes import Change
from ..core.operations import meaning_of
from ..core.unrecognised import Unrecognised
from .batch_get_item import batch_get_item
from .bypass import Bypassed
from .context import Context
from .driver import run
from .get_item import get_item
from .pages import query, scan
from .steps import Params, Response, Send, Steps
from .uncached import change_table, transact_get_items
from .write_item import delete_item, put_item, update_item
from .write_many import (
    batch_execute_statement,
    batch_write_item,
    execute_statement,
    execute_transaction,
    send_changing,
    transact_write_items,
)

Plan: TypeAlias = Callable[[Context, Params], Response | Steps | None]
"""Answers a call from the cache, or plans it, or only takes note of it (None)."""

PLANS: Final[Mapping[str, Plan]] = {
    "GetItem": get_item,
    "BatchGetItem": batch_get_item,
    "Query": query,
    "Scan": scan,
    "TransactGetItems": transact_get_items,
    "PutItem": put_item,
    "UpdateItem": update_item,
    "DeleteItem": delete_item,
    "BatchWriteItem": batch_write_item,
    "TransactWriteItems": transact_write_items,
    "ExecuteStatement": execute_statement,
    "BatchExecuteStatement": batch_execute_statement,
    "ExecuteTransaction": execute_transaction,
}
_KINDS: Final[Mapping[str, Kind]] = {"GetItem": "item", "BatchGetItem": "item", "Query": "query", "Scan": "scan"}


class Caller:
    """Makes the calls of one wrapped client."""

    def __init__(self, context: Context, send: Send) -> None:
        self.context = context
        self._send = send

    def call(self, operation: str, params: Params) -> Response:
        """The response that the plain client could have given, from the cache where it has it."""
        planned = plan(self.context, operation, params)
        if planned is None:
            return self._send(operation, params)
        # A hit is here already; only what has to be sent takes steps.
        if isinstance(planned, dict):
            return planned
        return run(self.context.cache, operation, params, planned, self._send)


def plan(context: Context, operation: str, params: Params) -> Response | Steps | None:
    """The answer to a call, or the steps to it, or None for a call that is to be sent just as it is.

    Never raises: what daxlite does not understand, and what it does wrong, ends in a plain call.
    """
    planner = PLANS.get(operation)
    meaning = meaning_of(operation) if planner is None else None
    try:
        if planner is not None:
            return planner(context, params)
        return change_table(context, operation, params) if meaning == "table change" else None
    except Bypassed:
        return None
    except Unrecognised:
        _count_unrecognised(context, operation, params)
        fault = None
    except Exception as error:  # noqa: BLE001 - a fault of ours, or a request that is none
        fault = error
    return _send_anyway(context, operation, params, fault)


def _send_anyway(context: Context, operation: str, params: Params, fault: Exception | None) -> Steps:
    """Send what could not be planned. Whatever it may have changed goes."""

    def changes(is_certain: bool) -> Iterator[Change | None]:
        if meaning_of(operation) in ("write", "table change"):
            yield from _changes_of_unknown(context, params)

    try:
        response = yield from send_changing(context, operation, params, changes)
    except ParamValidationError:
        raise  # the request broke the plan because it was none
    except BaseException:
        if fault is not None:
            context.cache.fault(fault)
        raise
    if fault is not None:
        context.cache.fault(fault)
    return response


def _changes_of_unknown(context: Context, params: Params) -> Iterator[Change | None]:
    try:
        names = [params["TableName"]] if "TableName" in params else [*params["RequestItems"]]
        yield from [Change(context.names.id(name)) for name in names]
    except Exception:  # noqa: BLE001 - there is no telling which tables
        yield None


def _count_unrecognised(context: Context, operation: str, params: Params) -> None:
    kind = _KINDS.get(operation)
    if kind is None:
        return
    try:
        names = [params["TableName"]] if "TableName" in params else [*params["RequestItems"]]
        for table in [context.table(name) for name in names]:
            context.cache.count(table.counters[kind], "unrecognised")
    except Exception:  # noqa: BLE001 - a read of no table that we know
        return
