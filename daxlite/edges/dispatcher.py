"""From an operation's name to its plan, and from the plan to its response."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from botocore.exceptions import ParamValidationError

from ..cache.listeners import ReadListener, read_listener
from ..cache.stats import Kind
from ..calls.batch_get_item import batch_get_item
from ..calls.batch_writes import (
    batch_execute_statement,
    batch_write_item,
    execute_statement,
    execute_transaction,
    transact_write_items,
)
from ..calls.bypass import Bypassed
from ..calls.changing import send_changing
from ..calls.context import Context, table_names
from ..calls.dependencies import reads_items, tell_read
from ..calls.driver import run
from ..calls.get_item import get_item
from ..calls.pages import query, scan
from ..calls.passthrough import change_table, transact_get_items
from ..calls.steps import Call, Params, Response, Send, Steps
from ..calls.write_item import delete_item, put_item, update_item
from ..core.changes import Change
from ..core.not_cacheable import NotCacheable
from ..core.operations import classify

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

_listener: Final = read_listener.get


class Dispatcher:
    """Makes the calls of one wrapped client."""

    def __init__(self, context: Context, send: Send) -> None:
        self.context = context
        self._send = send

    def call(self, operation: str, params: Params) -> Response:
        """The response that the plain client could have given, from the cache where it has it."""
        listener = _listener()
        if listener is not None and reads_items(operation):
            steps = watched(self.context, operation, params, listener)
            return run(self.context.cache, operation, params, steps, self._send)
        context = self.context
        try:  # as `plan`, without that call: this is the way of each hit
            planner = PLANS.get(operation)
            planned = _plan_other(context, operation, params) if planner is None else planner(context, params)
        except Exception as error:  # noqa: BLE001 - sorted out there
            planned = _unplanned(context, operation, params, error)
        if planned is None:
            return self._send(operation, params)
        # A hit is here already; only what has to be sent takes steps.
        if isinstance(planned, dict):
            return planned
        return run(context.cache, operation, params, planned, self._send)


def plan(context: Context, operation: str, params: Params) -> Response | Steps | None:
    """The answer to a call, or the steps to it, or None for a call that is to be sent just as it is.

    Never raises: what daxlite does not understand, and what it does wrong, ends in a plain call.
    """
    try:
        planner = PLANS.get(operation)
        return _plan_other(context, operation, params) if planner is None else planner(context, params)
    except Exception as error:  # noqa: BLE001 - sorted out there
        return _unplanned(context, operation, params, error)


def _plan_other(context: Context, operation: str, params: Params) -> Steps | None:
    return change_table(context, operation, params) if classify(operation) == "table change" else None


def _unplanned(context: Context, operation: str, params: Params, error: Exception) -> Steps | None:
    if isinstance(error, Bypassed):
        return None
    if isinstance(error, NotCacheable):
        _count_unrecognised(context, operation, params)
        return _send_anyway(context, operation, params, None)
    return _send_anyway(context, operation, params, error)  # a fault of ours, or a request that is none


def watched(context: Context, operation: str, params: Params, listener: ReadListener) -> Steps:
    """The steps of a read of which somebody wants to know, before it is made, what it depends on."""
    wrong = yield from tell_read(context, operation, params, listener)
    try:
        planned = plan(context, operation, params)
        if planned is None:
            return (yield Call(operation, params))
        return planned if isinstance(planned, dict) else (yield from planned)
    except ParamValidationError:
        wrong = None  # the request was none
        raise
    finally:
        if wrong is not None:
            context.cache.fault(wrong)


def _send_anyway(context: Context, operation: str, params: Params, fault: Exception | None) -> Steps:
    """Send what could not be planned. Whatever it may have changed goes."""

    def apply(is_certain: bool) -> None:
        if classify(operation) in ("write", "table change"):
            _apply_unknown(context, params)

    try:
        response = yield from send_changing(operation, params, apply)
    except ParamValidationError:
        raise  # the request broke the plan because it was none
    except BaseException:
        if fault is not None:
            context.cache.fault(fault)
        raise
    if fault is not None:
        context.cache.fault(fault)
    return response


def _apply_unknown(context: Context, params: Params) -> None:
    try:
        changes = [Change(context.names.id(name)) for name in table_names(params)]
    except Exception:  # noqa: BLE001 - there is no telling which tables
        context.cache.invalidate_all()
    else:
        context.cache.apply(*changes)


def _count_unrecognised(context: Context, operation: str, params: Params) -> None:
    kind = _KINDS.get(operation)
    if kind is None:
        return
    try:
        for table in [context.table(name) for name in table_names(params)]:
            context.cache.count(table.counters[kind], "unrecognised")
    except Exception:  # noqa: BLE001 - a read of no table that we know
        return
