"""From a call to its plan: an answer from the cache, or the steps to the response.

Nothing that goes wrong while a call is planned reaches the application: the call is sent as it is.
"""

from botocore.exceptions import ParamValidationError

from ..cache.state import TooManyTables
from ..core.changes import Change
from ..core.extents import Extent, hulls
from ..core.not_cacheable import NotCacheable
from ..core.steps import AboutToRead, Call, Params, Response, Steps
from ..core.tags import Tag
from .bypass import Bypassed
from .context import Context
from .dependencies import UNKNOWN
from .never_cached import HOOKS, UNRECOGNISED, count_unwanted_bypass, warn_of_too_many_tables
from .registry import Operation
from .send_change import send_change


def plan(context: Context, operation: Operation, params: Params) -> Response | Steps[Response] | None:
    """The answer to a call, or the steps to its response, or None for a call that is to be sent just as it is.

    Never raises: a request that daxlite does not understand, and a fault of daxlite's, end in a plain call.
    """
    if operation.plan is None:
        return None
    try:
        return operation.plan(context, params)
    except Exception as error:  # noqa: BLE001 - sorted out there
        return unplanned(context, operation, params, error)


def unplanned(context: Context, operation: Operation, params: Params, error: Exception) -> Steps[Response] | None:
    """The steps of a call of which the plan raised an error."""
    if isinstance(error, Bypassed):
        return None
    if isinstance(error, NotCacheable):
        _count_bypass(context, operation, params, UNRECOGNISED, error)
        return _send_anyway(context, operation, params, None)
    return _send_anyway(context, operation, params, error)  # a fault of daxlite's, or a request that is none


def plan_heard(context: Context, operation: Operation, params: Params) -> Steps[Response]:
    """The steps of a call under a read listener, which hears beforehand what the answer depends on."""
    fault = yield from _announce_read(context, operation, params)
    try:
        planned = plan(context, operation, params)
        if planned is None:
            response: Response = yield Call(operation.name, params)
            return response
        return planned if isinstance(planned, dict) else (yield from planned)
    except ParamValidationError:
        fault = None  # the request was none
        raise
    finally:
        if fault is not None:
            context.cache.fault(fault)


def plan_rewritten(context: Context, operation: Operation, params: Params) -> Steps[Response]:
    """The steps of a call that a hook of the application's may rewrite: it bypasses the cache. What it may have changed
    follows from what was sent."""
    if operation.depends_on is not None:
        yield AboutToRead(context.cache, None, ())
    if not operation.may_change:
        _count_bypass(context, operation, params, HOOKS)
        response: Response = yield Call(operation.name, params)
        return response

    def apply(response: Response | None) -> dict[Tag, Extent] | None:
        try:
            sent = context.sent()
        except ValueError:
            return context.cache.invalidate_all()
        return _apply_unknown(context, operation, sent)

    before = _before(context, operation, params)
    return (yield from send_change(context, operation.name, params, apply, before, is_batch=operation.is_batch))


def _announce_read(context: Context, operation: Operation, params: Params) -> Steps[Exception | None]:
    """Announce what the answer of a read depends on. Returns the error, if any, because of which that is not known: a
    fault of daxlite's, or of the request's."""
    read, error = UNKNOWN, None
    try:
        if operation.depends_on is not None:
            read = yield from operation.depends_on(context, operation.name, params)
            if context.names.is_mocked:  # what is computed from it must not outlive the mock, of whose end nobody tells
                read = UNKNOWN
    except Exception as raised:  # noqa: BLE001 - the caller sees what it was
        error = raised
    if read.tags is None or read.tags:
        yield AboutToRead(context.cache, read.tags, read.lagging)
    return error


def _send_anyway(context: Context, operation: Operation, params: Params, fault: Exception | None) -> Steps[Response]:
    """Send what could not be planned. Everything that it may have changed goes."""

    def apply(response: Response | None) -> dict[Tag, Extent] | None:
        return _apply_unknown(context, operation, params) if operation.may_change else {}

    try:
        before = _before(context, operation, params)
        response = yield from send_change(context, operation.name, params, apply, before, is_batch=operation.is_batch)
    except ParamValidationError:
        raise  # the request broke the plan because it was none
    except BaseException:
        if fault is not None:
            context.cache.fault(fault)
        raise
    if fault is not None:
        context.cache.fault(fault)
    return response


def tags_before(context: Context, operation: Operation, params: Params) -> dict[Tag, Extent] | None:
    """What a call may change, by the tables that it names; None for anything at all."""
    changes = [change for _, change in _before(context, operation, params)]
    if None in changes:
        return None
    return hulls([context.cache.tags_of(change) for change in changes if change is not None])


def _before(context: Context, operation: Operation, params: Params) -> list[tuple[None, Change | None]]:
    """What a call may change of which only the tables are known; None among it if they are not."""
    if not operation.may_change:
        return []
    try:
        return [(None, Change(context.names.place(name))) for name in operation.tables(params)] or [(None, None)]
    except Exception:  # noqa: BLE001 - it cannot be told which tables
        return [(None, None)]


def _apply_unknown(context: Context, operation: Operation, params: Params) -> dict[Tag, Extent] | None:
    try:
        changes = [Change(context.names.place(name)) for name in operation.tables(params)]
    except Exception:  # noqa: BLE001 - it cannot be told which tables
        return context.cache.invalidate_all()
    return context.cache.apply(*changes)


def _count_bypass(
    context: Context, operation: Operation, params: Params, reason: str, error: Exception | None = None
) -> None:
    if operation.kind is None or operation.effect != "cached read":
        return
    try:
        for table in [context.table(name) for name in operation.tables(params)]:
            count_unwanted_bypass(context.cache, table, operation.kind, reason, error)
    except TooManyTables:
        warn_of_too_many_tables(context.cache)
    except Exception:  # noqa: BLE001 - a read of no table that is known
        return
