"""A call that changes something, and what that means to the cache."""

from collections.abc import Callable
from typing import TypeAlias

from ..core.extents import Extent
from ..core.steps import Call, Params, Response, Steps
from ..core.tags import Tag
from .context import Context
from .listeners import announce
from .outcomes import changed_nothing, is_missing_table, was_never_sent

Apply: TypeAlias = Callable[[Response | None], dict[Tag, Extent] | None]
"""Applies a change to the cache and returns what that bumped; None for anything at all. It is called with the response,
or with None where the outcome is not known."""


def send_change(context: Context, operation: str, params: Params, apply: Apply, *, is_batch: bool) -> Steps[Response]:
    """Send a call, then apply what it changed.

    is_batch: the call is not one write but many. That DynamoDB refuses all of it because of one of them is not certain.
    """
    try:
        response: Response = yield Call(operation, params)
    except GeneratorExit:
        raise  # interrupted before it was sent, and no driver takes steps any more: `rescue` sees to the rest
    except BaseException as error:
        if is_missing_table(error) or not (was_never_sent(error) if is_batch else changed_nothing(error)):
            yield from announce(context.cache, apply(None))
        raise
    yield from announce(context.cache, apply(response))
    return response
