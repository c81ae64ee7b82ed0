"""Applies records to a cache, as steps: the same for each feed.

    records  -->  echoes of own writes are left out  -->  the rest: shared tier, this process, aggregations

What a feed tells is never stored: a record may be late. It drops what it could have changed, and what is read after
that is read anew. The one answer that stays is an item that is stored just as the record shows it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from ..cache.memory import MemoryCache
from ..calls.listeners import announce, announce_elsewhere, has_change_listeners
from ..core.changes import UNKNOWN, Change, Image
from ..core.echoes import Epoch, echoes_of, is_strict
from ..core.extents import Extent, hulls
from ..core.not_cacheable import NotCacheable
from ..core.steps import Sleep, Steps
from ..core.tags import Tag, item_tag
from ..shared.errors import CorruptValue, Unavailable
from ..shared.outside import Seen, Spared, excused, find_spared, look, take
from ..shared.tier import SharedTable, Tier
from .described import FollowedTable
from .records import KNOWN_EVENTS, FeedRecord, UndecodableRecordError, record_of
from .stats import FeedCounts

CHUNK: Final = 250
"""So many records are applied at once."""


class Applier:
    """Applies the records of one table."""

    def __init__(
        self,
        table: FollowedTable,
        counts: FeedCounts,
        wall_clock: Callable[[], float],
        lose: Callable[[str], Steps[None]],
        *,
        is_json: bool = False,
        is_ordered: bool = True,
    ) -> None:
        """lose: drops everything of the table, for a reason. is_ordered: whether the records of an item come in the
        order in which they were written; where they do not, several at once do not tell how the item is now."""
        self._described = table
        self._cache: MemoryCache = table.context.cache
        self._counts = counts
        self._wall_clock = wall_clock
        self._is_json = is_json
        self._lose = lose
        self._is_ordered = is_ordered
        self.epoch: Epoch | None = None
        """The epoch whose excuses are believed; None where records may come in another order than they were written, or
        come without new images: then none is excused."""

    def apply_raw(self, raw: Sequence[Any]) -> Steps[None]:
        """Apply records as they came. A record that does not say which item changed costs everything of the table."""
        records, reason = list[FeedRecord](), ""
        for each in raw:
            try:
                records.append(record_of(each, is_json=self._is_json))
            except UndecodableRecordError as error:
                self._counts.records += 1
                reason = str(error)
        yield from self.apply(records)
        if reason:
            # Once for all of them, and last: the excuse of one of them may have stood for another record.
            yield from self._lose(reason)

    def apply(self, records: Sequence[FeedRecord]) -> Steps[None]:
        """Apply records, in the order in which they came."""
        for first in range(0, len(records), CHUNK):
            if first:
                yield Sleep(0)  # to the other tasks of an event loop many records at once would be a long time
            yield from self._apply(records[first : first + CHUNK])

    def _apply(self, records: Sequence[FeedRecord]) -> Steps[None]:
        table = self._described.table
        changed = [record for record in records if not record.is_unchanged]
        changes = [record.change(table.place) for record in changed]
        tier = self._described.tier
        if tier is None:
            excused_here = partial(self._cache.echoes.is_excused, is_strict=self._is_strict)
            is_echo = [excused_here(_item(each), partial(self._digests, each)) for each in changes]
            if rest := _others(changes, is_echo):
                # A table without a part in the tier is none of the other processes' business.
                bumped = self._cache.hear(*rest, is_ordered=self._is_ordered)
                yield from announce(self._cache, bumped, is_told=True)
        else:
            is_echo = yield from self._take_to_the_tier(tier, tier.table(table.id, table.schema), changes)
        self._count(records, len(changes), sum(is_echo))

    def _digests(self, change: Change) -> tuple[bytes, ...]:
        """The digests by which a record of a change may be excused."""
        epoch = self.epoch
        if epoch is None:
            return ()
        has_indexes = self._has_indexes
        bumped = self._cache.tags_of(change)
        blindly = bumped
        if epoch.has_old and has_indexes:
            blindly = self._cache.tags_of(replace(change, old=UNKNOWN))
        try:
            return echoes_of(epoch, change, bumped, blindly, has_indexes=has_indexes)
        except NotCacheable:  # an item that DynamoDB would not have taken
            return ()

    @property
    def _has_indexes(self) -> bool:
        schema = self._described.table.schema
        return schema is None or bool(schema.indexes)

    @property
    def _is_strict(self) -> bool:
        return self.epoch is not None and is_strict(self.epoch, has_indexes=self._has_indexes)

    def _take_to_the_tier(self, tier: Tier, shared: SharedTable | None, changes: Sequence[Change]) -> Steps[list[bool]]:
        """Apply changes at the tier and in this process. Returns which of them this namespace has made itself."""
        is_echo, spared = [False] * len(changes), list[Spared]()
        if shared is not None:
            # Where Redis fails all of them are applied, which costs reads.
            with suppress(Unavailable, CorruptValue):
                seen, epoch = yield from look(tier, shared, dict.fromkeys(map(_item, changes)))
                if epoch == self.epoch:  # else another follower has begun an epoch of its own
                    is_echo = yield from self._are_excused(tier, seen, changes)
                spared = yield from find_spared(tier, shared, seen, self._images(_others(changes, is_echo)))
        rest = _others(changes, is_echo)
        if rest:
            bumped = hulls([self._cache.tags_of(change) for change in rest])
            told = yield from take(tier, shared, bumped, spared, lambda: self._apply_here(rest, bumped))
            yield from announce(self._cache, bumped, is_told=True, told=told)
        if has_change_listeners() and (own := [each for each, is_own in zip(changes, is_echo, strict=True) if is_own]):
            # The namespace knows, but aggregations of this process may be of another one.
            bumped = hulls([self._cache.tags_of(change) for change in own])
            yield from announce_elsewhere(self._cache, bumped, tier.keyspace.identity)
        return is_echo

    def _are_excused(self, tier: Tier, seen: Mapping[Tag, Seen], changes: Sequence[Change]) -> Steps[list[bool]]:
        is_echo = [False] * len(changes)
        places = [place for place, change in enumerate(changes) if seen[_item(change)].has_excuses]
        if places and self.epoch is not None:
            asked = [(seen[_item(changes[each])].tag, b"".join(self._digests(changes[each]))) for each in places]
            for place, is_own in zip(places, (yield from excused(tier, asked, is_strict=self._is_strict)), strict=True):
                is_echo[place] = is_own
        return is_echo

    def _images(self, changes: Sequence[Change]) -> dict[Tag, Image]:
        """The items as they are after these changes, as far as that is known.

        written   A  B     the item is B
        came      B  A     a stored A must go: the record of B, which would drop it, is among these, and comes first
        """
        items: dict[Tag, Image] = {_item(each): each.new for each in changes}
        if not self._is_ordered:
            times = Counter(map(_item, changes))
            items.update({item: UNKNOWN for item, count in times.items() if count > 1})
        return items

    def _apply_here(self, changes: Sequence[Change], bumped: dict[Tag, Extent]) -> None:
        if self._cache.is_alone:  # no other cache of this process may know more of the table
            self._cache.invalidate_tags([(tag, extent, 0.0) for tag, extent in bumped.items()])
        else:
            self._cache.apply(*changes)

    def _count(self, records: Sequence[FeedRecord], changes: int, echoes: int) -> None:
        counts = self._counts
        counts.records += len(records)
        counts.unchanged += len(records) - changes
        counts.applied += changes - echoes
        counts.echoes += echoes
        counts.expiries += sum([record.is_expiry for record in records])
        counts.unknown_events += sum([record.event not in KNOWN_EVENTS for record in records])
        moment = records[-1].moment if records else None
        counts.lag = counts.lag if moment is None else max(0.0, self._wall_clock() - moment)


def _others(changes: Sequence[Change], is_echo: Sequence[bool]) -> list[Change]:
    """The changes that are no echoes."""
    return [change for change, is_own in zip(changes, is_echo, strict=True) if not is_own]


def _item(change: Change) -> Tag:
    return item_tag(change.table, change.item or b"")
