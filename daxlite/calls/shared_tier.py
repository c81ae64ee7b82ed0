"""What plans do at the tier that processes share: look there before DynamoDB is asked, keep there what came, and begin
and finish writes. For a table that has no part in it, none of this does anything. Plans call it by `tier.py`."""

from collections.abc import Sequence
from contextlib import suppress

from msgspec.structs import replace

from ..cache.flights import ABSENT_ITEM, Fill, ReadFlight, WriteFlight
from ..cache.table import Table
from ..core.changes import Change
from ..core.echoes import excuse_of
from ..core.encoding import decode, encode_exactly
from ..core.expressions.projections import Projection
from ..core.extents import EVERYTHING
from ..core.not_cacheable import NotCacheable
from ..core.requests import PageRead
from ..core.steps import Steps, Told
from ..core.tags import Tag, item_tag
from ..shared.reads import Keeping, Limits, LoneRead, SharedRead, find, item_read, keep, lone_read, page_read
from ..shared.tier import SharedTable, Tier
from ..shared.values import Value
from ..shared.writes import (
    NewValue,
    SharedWrite,
    abandon,
    begin_writes,
    finish_applied,
    finish_refused,
    leave_open,
    shared_write,
)
from .context import Context

_WHOLE = b""
"""Stands for a whole item among projections."""


# Reads


def find_items(
    context: Context, tier: Tier, wanted: Sequence[tuple[ReadFlight, bytes, Projection | None]]
) -> Steps[list[tuple[Value, bool] | None]]:
    """What the tier has of these items, and whether that is the whole item."""
    if not tier.settings.reads:
        for flight, key, _ in wanted:
            if flight.table.settings.shared:
                _read_alone(context, tier, flight.table, flight, item_tag(flight.table.place, key))
        return [None] * len(wanted)
    reads = [
        (flight, _item_read(context, tier, flight.table, key, projection) if flight.table.settings.shared else None)
        for flight, key, projection in wanted
    ]
    yield from _find(tier, [(flight, read) for flight, read in reads if flight.table.settings.shared])
    found: list[tuple[Value, bool] | None] = []
    for (flight, key, projection), (_, read) in zip(wanted, reads, strict=True):
        if read is None or read.found is None:
            found.append(None)
            continue
        is_whole, table = read.place == 0, flight.table
        entry = table.item(key) if is_whole or projection is None else table.projected_item(key, projection.signature)
        answer = flight.found("item", entry, read.found.data, read.left, EVERYTHING)
        part = _part_of(read.found.data, projection) if is_whole else None
        flight.fill(answer, is_of_tier=True, is_kept=tier.may_keep(read.table), for_followers=part)
        found.append((read.found, is_whole))
    return found


def _part_of(data: bytes, projection: Projection | None) -> bytes | None:
    """What followers are given who wait for a part of an item, of which the whole was found."""
    return None if projection is None or data == ABSENT_ITEM else encode_exactly(projection.select(decode(data)))


def find_page(context: Context, tier: Tier, table: Table, flight: ReadFlight, page: PageRead) -> Steps[bytes | None]:
    """What the tier has of this page, encoded."""
    if page.kind == "scan":
        _watch_scan(context, tier, table, flight, page)
        return None
    if not tier.settings.reads:
        _read_alone(context, tier, table, flight, _partition(page.tags(table.place, table.schema)))
        return None
    read = _page_read(context, tier, table, page)
    yield from _find(tier, [(flight, read)])
    if read is None or read.found is None:
        return None
    value = read.found
    answer = flight.found(page.kind, table.page(page.kind, page.signature), value.data, read.left, value.extent)
    flight.fill(answer, is_of_tier=True, is_kept=tier.may_keep(read.table))
    return value.data


def _table(context: Context, tier: Tier, table: Table) -> SharedTable | None:
    shared = tier.table(table.id, table.schema)
    if shared is None and table.settings.schema is not None:
        context.warn_of_unknown_account(table)  # nothing will ever tell it
    return shared


def _item_read(
    context: Context, tier: Tier, table: Table, key: bytes, projection: Projection | None
) -> SharedRead | None:
    shared = _table(context, tier, table)
    if shared is None:
        return None
    signatures = (_WHOLE,) if projection is None else (_WHOLE, projection.signature)
    settings = table.settings
    limits = Limits(settings.item_ttl, settings.negative_ttl, table.since)
    return item_read(tier, shared, item_tag(table.place, key), EVERYTHING, signatures, limits)


def _page_read(context: Context, tier: Tier, table: Table, page: PageRead) -> SharedRead | None:
    shared = _table(context, tier, table)
    if shared is None:
        return None
    partition = _partition(page.tags(table.place, table.schema))
    if partition is None:
        return None
    limits = Limits(table.settings.query_ttl, since=table.since)
    return page_read(tier, shared, partition, page.extent(table.schema), page.signature, limits)


def _watch_scan(context: Context, tier: Tier, table: Table, flight: ReadFlight, page: PageRead) -> None:
    """Scans stay in this process's memory, and only where it is known that nobody writes to the table meanwhile."""
    flight.is_of_tier = tier.settings.reads
    shared = tier.table(table.id, table.schema)
    if shared is not None:
        for tag in page.tags(table.place, table.schema):
            tier.known.note_scan(shared.digest, tag)
        flight.may_keep = tier.may_scan(shared, context.record_lasts)


def _read_alone(context: Context, tier: Tier, table: Table, flight: ReadFlight, tag: Tag | None) -> None:
    """A process that does not ask the tier keeps what it reads in its own memory, where it knows by what it has heard
    that no write of it is under way."""
    flight.is_of_tier = True
    shared = tier.table(table.id, table.schema)
    if shared is not None and tag is not None:
        flight.noted = read = lone_read(tier, shared, tag)
        flight.is_settling = flight.is_settling or read.is_strong
        flight.may_keep = tier.may_keep_alone(shared, read.tags, context.record_lasts)


def _partition(tags: Sequence[Tag]) -> Tag | None:
    """The partition that a page is of; None for a scan, and for what depends on a table as a whole."""
    return tags[0] if tags and tags[0].kind == "partition" else None


def _find(tier: Tier, reads: Sequence[tuple[ReadFlight, SharedRead | None]]) -> Steps[None]:
    for flight, read in reads:
        flight.noted = read
        flight.is_of_tier = True
    known = [read for _, read in reads if read is not None]
    if known:
        yield from find(tier, known)
    for flight, read in reads:
        if read is not None:
            flight.wall_now = None if read.noted is None else read.noted.noted_at
            flight.is_settling = flight.is_settling or read.is_strong


def fill(context: Context, tier: Tier, *filled: tuple[ReadFlight, Fill]) -> Steps[None]:
    """Keep answers of DynamoDB's: at the tier, where the table has part in it, and in this process."""
    keepings: list[Keeping] = []
    flights: list[tuple[ReadFlight, Fill]] = []
    for flight, answer in filled:
        if not flight.is_of_tier:
            flight.fill(answer)
            continue
        read = flight.noted
        if not isinstance(read, SharedRead):
            flight.fill(answer, is_kept=_keeps_alone(context, tier, flight))
            continue
        limit, is_on_probation = read.lifetime(answer.extent, flight.is_consistent)
        seconds = min(answer.ttl, flight.limit(answer), limit)
        place = 0 if answer.is_whole else -1
        keepings.append(Keeping(read, answer.data, answer.extent, seconds, is_on_probation, place))
        flights.append((flight, answer))
    if not keepings:
        return
    taken = yield from keep(tier, keepings)
    for (flight, answer), keeping, is_taken in zip(flights, keepings, taken, strict=True):
        kept = replace(answer, ttl=min(answer.ttl, keeping.seconds), left=min(answer.left, keeping.seconds))
        flight.fill(kept, is_kept=is_taken and tier.may_keep(keeping.read.table))


def _keeps_alone(context: Context, tier: Tier, flight: ReadFlight) -> bool:
    """Whether an answer that has no place at the tier, such as one of a scan, may be kept in this process."""
    if not flight.may_keep:
        return False
    table = tier.table(flight.table.id, flight.table.schema)
    if table is None:
        return False
    if isinstance(flight.noted, LoneRead):
        return tier.may_keep_alone(table, flight.noted.tags, context.record_lasts)
    return tier.may_scan(table, context.record_lasts)


# Writes


def begin(
    context: Context, tier: Tier, changes: Sequence[tuple[Table | None, Change | None]]
) -> Steps[list[SharedWrite | None]]:
    """Begin writes at the tier, before DynamoDB is asked. None for those that have no part in it. Raises
    SharedUnavailable if the settings want that where the tier cannot be told.

    changes: None among them for anything at all.
    """
    writes = [_shared_write(context, tier, table, change) for table, change in changes]
    if begun := [write for write in writes if write is not None]:
        yield from begin_writes(tier, begun)
        # What this process read before is dropped now, for its own threads may end before they finish; and what it read
        # from Redis before begin was answered is not kept any more.
        if any(change is None for _, change in changes):
            tier.forget_all()
        context.cache.invalidate_tags([(tag, extent, 0.0) for write in begun for tag, extent in write.early.items()])
    return writes


def leave_to_the_outbox(writes: Sequence[SharedWrite]) -> None:
    """The steps of these writes end. What Redis was not told of them, because they were interrupted, it is told later.
    No I/O: there may be no driver any more."""
    if open_ := [write for write in writes if not write.is_over]:
        abandon(open_)


def _shared_write(context: Context, tier: Tier, table: Table | None, change: Change | None) -> SharedWrite | None:
    if table is not None and not table.settings.shared:
        return None
    id, schema = (None, None) if table is None else (table.id, table.schema)
    tags = None if change is None else context.cache.tags_of(change)
    return shared_write(tier, id, schema, tags, context.record_lasts)


def note_value(context: Context, write: SharedWrite, flight: WriteFlight, change: Change) -> None:
    """Note what a write has left of its item, to be kept at the tier."""
    if not context.cache.is_bulk(change.table):
        if write.item_tag is not None:  # watched by the flight, so that it is not forgotten
            write.tier.known.note(write.item, write.item_tag)
        flight.wall_now = write.began_at or None
        new = flight.new_value(change)
        write.value = None if new is None else NewValue(*new)


def finish(
    context: Context, tier: Tier, writes: Sequence[SharedWrite | None], changes: Sequence[Change | None]
) -> Steps[Told | None]:
    """Finish writes that DynamoDB has applied, or of which the condition failed. Returns what the others know then."""
    if begun := _changed(context, writes, changes):
        for write, change in zip(writes, changes, strict=True):
            if write is not None and change is not None:
                write.excuse = _excuse(write, change)
        return (yield from finish_applied(tier, begun))
    return None


def _excuse(write: SharedWrite, change: Change) -> bytes:
    """The excuse for the record of a write, where a follower reads the table's stream; empty for none."""
    if write.epoch is None or write.table is None:
        return b""
    has_indexes = bool(write.table.schema.indexes)
    with suppress(NotCacheable):
        return excuse_of(write.epoch, change, write.changed, has_indexes=has_indexes) or b""
    return b""


def refuse(tier: Tier, writes: Sequence[SharedWrite | None]) -> Steps[None]:
    """Finish writes that DynamoDB has certainly refused."""
    if begun := [write for write in writes if write is not None]:
        yield from finish_refused(tier, begun)


def leave(
    context: Context, tier: Tier, writes: Sequence[SharedWrite | None], changes: Sequence[Change | None]
) -> Steps[Told | None]:
    """Leave writes of which the outcome is not known: they may still be applied. Returns what the others know then."""
    if begun := _changed(context, writes, changes):
        return (yield from leave_open(tier, begun))
    return None


def _changed(
    context: Context, writes: Sequence[SharedWrite | None], changes: Sequence[Change | None]
) -> list[SharedWrite]:
    """The writes that have part in the tier, each with what it changed."""
    begun: list[SharedWrite] = []
    for write, change in zip(writes, changes, strict=True):
        if write is not None:
            write.changed = {} if change is None else context.cache.tags_of(change)
            begun.append(write)
    return begun
