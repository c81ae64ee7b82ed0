"""A call that changes something, and what that means to the cache."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ..cache.table import Table
from ..core.changes import Change
from ..core.extents import Extent
from ..core.steps import Call, Params, Response, Steps, Told
from ..core.tags import Tag
from .context import Context
from .listeners import announce
from .outcomes import Outcome, is_missing_table
from .tier import begin, finish, leave, leave_to_the_outbox, refuse

if TYPE_CHECKING:
    from ..shared.writes import SharedWrite

Apply: TypeAlias = Callable[[Response | None], dict[Tag, Extent] | None]
"""Applies a change to the cache and returns what that bumped; None for anything at all. It is called with the response,
or with None where the outcome is not known."""
Finish: TypeAlias = Callable[[Sequence["SharedWrite | None"], Response], Steps[Told | None]]
"""Finishes at the shared tier what was begun there, after a response. Returns what the others know then."""


def send_change(
    context: Context,
    operation: str,
    params: Params,
    apply: Apply,
    before: Sequence[tuple[Table | None, Change | None]],
    *,
    is_batch: bool,
    writes: "Sequence[SharedWrite | None] | None" = None,
    finish_all: Finish | None = None,
) -> Steps[Response]:
    """Send a call, then apply what it changed.

    before: what it may change, with the tables where they are known; None for anything at all. is_batch: the call is
    not one write but many. writes: those at the shared tier, where the caller has begun them. finish_all: unless given,
    nothing is known of what became of the items.
    """
    changes = [change for _, change in before]
    if writes is None:
        writes = yield from begin(context, before)
    try:
        try:
            response: Response = yield Call(operation, params)
        except GeneratorExit:
            raise  # interrupted before it was sent, and no driver takes steps any more: `rescue` sees to the rest
        except BaseException as error:
            if is_missing_table(error) or context.outcome(error, is_batch=is_batch) is not Outcome.REFUSED:
                told = yield from leave(context, writes, changes)
                bumped = apply(None)
                context.cache.expect(bumped)
                yield from announce(context.cache, bumped, is_told=bool(writes), told=told)
            else:
                yield from refuse(context, writes)
            raise
        is_certain = context.outcome(response, is_batch=is_batch).is_certain
        if not is_certain:
            told = yield from leave(context, writes, changes)
        elif finish_all is None:
            told = yield from finish(context, writes, changes)
        else:
            told = yield from finish_all(writes, response)
        bumped = apply(response)
        if not is_certain:
            context.cache.expect(bumped)
        yield from announce(context.cache, bumped, is_told=bool(writes), told=told)
        return response
    finally:
        leave_to_the_outbox(*writes)
