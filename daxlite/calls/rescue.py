"""What becomes of a call on whose way daxlite failed."""

from ..cache.memory import MemoryCache
from ..core.not_cacheable import NotCacheable
from ..core.replies import BrokenReply
from ..core.steps import Call, Params, Response, Steps
from .listeners import announce
from .registry import Operation


def rescue(
    cache: MemoryCache,
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
    is_read = operation.effect == "cached read"
    may_have_changed = operation.may_change and is_sent
    if not isinstance(fault, Exception):  # Ctrl-C, between a reply and what should have followed from it
        yield from _drop(cache, may_have_changed)
        raise fault
    if not isinstance(fault, NotCacheable | BrokenReply):
        cache.fault(fault)
    # The steps of a write have applied it already when they pass on that its reply is broken.
    if not isinstance(fault, BrokenReply) and not (is_read and isinstance(fault, NotCacheable)):
        yield from _drop(cache, may_have_changed)
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
    except BaseException:
        if operation.may_change:
            yield from _drop(cache, may_have_changed=True)
        raise
    if operation.may_change:
        yield from _drop(cache, may_have_changed=True)
    return response


def _drop(cache: MemoryCache, may_have_changed: bool) -> Steps[None]:
    # A fault of a read changed nothing: the other caches of this process are as true as before.
    cache.invalidate_all(everywhere=may_have_changed)
    if may_have_changed:
        yield from announce(cache, None)
