"""A call that changes something, and what that means to the cache."""

from collections.abc import Callable
from typing import TypeAlias

from ..core.extents import Extent
from ..core.steps import Call, Params, Response, Steps
from ..core.tags import Tag
from .context import Context
from .listeners import announce
from .outcomes import Outcome, is_missing_table

Apply: TypeAlias = Callable[[Response | None], dict[Tag, Extent] | None]
"""Applies a change to the cache and returns what that bumped; None for anything at all. It is called with the response,
or with None where the outcome is not known."""


def send_change(context: Context, operation: str, params: Params, apply: Apply, *, is_batch: bool) -> Steps[Response]:
    """Send a call, then apply what it changed.

    is_batch: the call is not one write but many.
    """
    try:
        response: Response = yield Call(operation, params)
    except GeneratorExit:
        raise  # interrupted before it was sent, and no driver takes steps any more: `rescue` sees to the rest
    except BaseException as error:
        if is_missing_table(error) or context.outcome(error, is_batch=is_batch) is not Outcome.REFUSED:
            yield from announce(context.cache, apply(None))
        raise
    yield from announce(context.cache, apply(response))
    return response
