"""What becomes of a call on whose way daxlite failed."""

from ..core.not_cacheable import NotCacheable
from ..core.replies import BrokenReply
from ..core.steps import Call, Params, Response, Steps
from ..shared.errors import SharedUnavailable
from .context import Context
from .listeners import announce
from .planning import tags_before
from .registry import Operation


def rescue(
    context: Context,
    operation: Operation,
    params: Params,
    fault: BaseException,
    *,
    replies: tuple[Response] | None,
    error: BaseException | None,
    is_sent: bool,
) -> Steps[Response]:
    """DynamoDB's response or error, if there was one; else the steps to send the call as the application made it.

    fault: what the steps of the call raised. replies, error, is_sent: what had come of the call by then.

    What was to be stored or dropped may not have been, so everything goes. A read that was only not understood has done
    no harm. A reply that did not arrive whole is the application's, but nothing follows from it.
    """
    if isinstance(fault, SharedUnavailable):
        raise fault  # no fault: the settings want it, and nothing was sent
    is_read = operation.effect == "cached read"
    may_have_changed = operation.may_change and is_sent
    is_awaited = may_have_changed and replies is None
    if not isinstance(fault, Exception):  # Ctrl-C, between a reply and what should have followed from it
        yield from _drop(context, operation, params, may_have_changed, is_awaited)
        raise fault
    if not isinstance(fault, NotCacheable | BrokenReply):
        context.cache.fault(fault)
    # The steps of a write have applied it already when they pass on that its reply is broken.
    if not isinstance(fault, BrokenReply) and not (is_read and isinstance(fault, NotCacheable)):
        yield from _drop(context, operation, params, may_have_changed, is_awaited)
    if error is not None:
        raise error
    # A batch that the cache answered in part has only the other part here.
    if replies is not None and operation.name != "BatchGetItem":
        return replies[0]
    if is_sent and not is_read:
        raise fault  # interrupted as the reply came: its outcome is not known, and a write must not be sent twice
    try:
        response: Response = yield Call(operation.name, params)
    except BrokenReply as broken:
        response = broken.response
    except GeneratorExit:
        raise  # interrupted before it was sent, and no driver takes steps any more
    except BaseException as failure:
        if operation.may_change:
            is_awaited = not context.outcome(failure, is_batch=operation.is_batch).is_certain
            yield from _drop(context, operation, params, True, is_awaited)
        raise
    if operation.may_change:
        is_awaited = not context.outcome(response, is_batch=operation.is_batch).is_certain
        yield from _drop(context, operation, params, True, is_awaited)
    return response


def _drop(
    context: Context, operation: Operation, params: Params, may_have_changed: bool, is_awaited: bool
) -> Steps[None]:
    """is_awaited: the request of a write may still be on its way."""
    cache = context.cache
    # A fault of a read changed nothing: the other caches of this process are as true as before.
    cache.invalidate_all(everywhere=may_have_changed)
    if not may_have_changed:
        return
    if is_awaited:
        cache.expect(None)  # not what it names: to tell that may be what failed
    if cache.tell is not None:  # the other processes lose no more than the tables that the operation names
        yield from cache.tell(tags_before(context, operation, params))
    yield from announce(cache, None, is_told=True)
