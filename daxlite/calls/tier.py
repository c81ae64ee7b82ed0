"""What plans do at the tier that processes share. Where a cache has no tier, none of this does anything.

`shared_tier.py` does it. That is imported when it is first needed, and so is all of `daxlite.shared`: a program without
a tier starts faster for it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..cache.flights import Fill, ReadFlight, WriteFlight
from ..cache.table import Table
from ..core.changes import Change
from ..core.expressions.projections import Projection
from ..core.requests import PageRead
from ..core.steps import Steps, Told
from ..core.tables import Place
from .context import Context

if TYPE_CHECKING:
    from ..shared.values import Value
    from ..shared.writes import SharedWrite

# Reads


def find_items(
    context: Context, wanted: Sequence[tuple[ReadFlight, bytes, Projection | None]]
) -> "Steps[list[tuple[Value, bool] | None]]":
    """What the tier has of these items, and whether that is the whole item."""
    if context.tier is None:
        return [None] * len(wanted)
    from . import shared_tier

    return (yield from shared_tier.find_items(context, context.tier, wanted))


def find_page(context: Context, table: Table, flight: ReadFlight, page: PageRead) -> Steps[bytes | None]:
    """What the tier has of this page, encoded."""
    tier = context.tier_of(table)
    if tier is None:
        return None
    from . import shared_tier

    return (yield from shared_tier.find_page(context, tier, table, flight, page))


def fill(context: Context, *filled: tuple[ReadFlight, Fill]) -> Steps[None]:
    """Keep answers of DynamoDB's: at the tier, where the table has part in it, and in this process."""
    if context.tier is None:
        for flight, answer in filled:
            flight.fill(answer)
        return
    from . import shared_tier

    yield from shared_tier.fill(context, context.tier, *filled)


# Writes


def begin(context: Context, changes: Sequence[tuple[Table | None, Change | None]]) -> "Steps[list[SharedWrite | None]]":
    """Begin writes at the tier, before DynamoDB is asked. None for those that have no part in it. Raises
    SharedUnavailable if the settings want that where the tier cannot be told.

    changes: None among them for anything at all.
    """
    if context.tier is None:
        return [None] * len(changes)
    from . import shared_tier

    return (yield from shared_tier.begin(context, context.tier, changes))


def leave_to_the_outbox(*writes: "SharedWrite | None") -> None:
    """The steps of these writes end. What Redis was not told of them, because they were interrupted, it is told later.
    No I/O: there may be no driver any more."""
    if begun := [write for write in writes if write is not None]:
        from . import shared_tier

        shared_tier.leave_to_the_outbox(begun)


def note_value(context: Context, write: "SharedWrite | None", flight: WriteFlight, change: Change) -> None:
    """Note what a write has left of its item, to be kept at the tier."""
    if write is not None:
        from . import shared_tier

        shared_tier.note_value(context, write, flight, change)


def is_kept(context: Context, write: "SharedWrite | None", place: Place) -> bool:
    """Whether this process may keep what a write has left of an item of a table."""
    if context.cache.is_bulk(place):
        return False
    if write is None or context.tier is None:
        return True
    return write.is_kept and write.table is not None and context.tier.may_keep(write.table)


def finish(
    context: Context, writes: "Sequence[SharedWrite | None]", changes: Sequence[Change | None]
) -> Steps[Told | None]:
    """Finish writes that DynamoDB has applied, or of which the condition failed. Returns what the others know then."""
    if context.tier is None:
        return None
    from . import shared_tier

    return (yield from shared_tier.finish(context, context.tier, writes, changes))


def refuse(context: Context, writes: "Sequence[SharedWrite | None]") -> Steps[None]:
    """Finish writes that DynamoDB has certainly refused."""
    if context.tier is not None:
        from . import shared_tier

        yield from shared_tier.refuse(context.tier, writes)


def leave(
    context: Context, writes: "Sequence[SharedWrite | None]", changes: Sequence[Change | None]
) -> Steps[Told | None]:
    """Leave writes of which the outcome is not known: they may still be applied. Returns what the others know then."""
    if context.tier is None:
        return None
    from . import shared_tier

    return (yield from shared_tier.leave(context, context.tier, writes, changes))
