"""The change clock: what keeps an answer from outliving the state that it was read from.

    reader   |-- hold, tick 7 -------- DynamoDB answers (old) -------- fill? changed at 8 > 7: no --|
    writer            |---- PutItem ---- applied ---- bump, tick 8 ----|

One counter per cache. A change takes the next tick and leaves it on the stamp of every tag that it bumps. A reader
notes the tick at which its read *started*; its answer is stored, and later served, only while no stamp that it depends
on is newer. (What Facebook's memcache leases do: "Scaling Memcache at Facebook", NSDI 2013, section 3.2.1.)

A stamp exists for as long as something holds it: a call in flight, an entry, the table itself, or the list of recent
changes. So there are as many stamps as the cached, in-flight and settling answers need. A change costs only the few
tags that it bumps, however many entries depend on them, and no stamp is forgotten while an answer could still depend on
it.

A tag is *settling* for a while after a change: DynamoDB's replicas may not have heard of it yet.

A change is *awaited* where the request of a write may still be on its way, because its caller waits no longer. Its
moment is then the end of the settle window: no read that starts before that is kept.

    writer   |-- PutItem --(cancelled)--| bump, awaited for a window ------------|
    DynamoDB                                   applied
    reader                                |- (old) not kept -|                     |-- kept --|
"""

import math
from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct

from ..core.encoding import room_of
from ..core.extents import EVERYTHING, Extent

# So many settling tags are remembered. Beyond that number a floor rises: changes from before the moment of the floor
# may have been forgotten, so until the floor itself has settled, every tag counts as settling.
MAX_SETTLING: Final = 50_000
MAX_SETTLING_BYTES: Final = 16 << 20
"""The most that settling tags may take; the floor rises beyond it, too."""
STAMP_OVERHEAD: Final = 560
"""What Python keeps for a tag and its stamp beside the tag's value. Measured: up to 390 bytes for one that is held, 540
for one that is settling."""
RECORD_OVERHEAD: Final = 560
"""What Python keeps for a record of a stamp's log with the longest extent, and for its part of the log and the rest."""
_FORGOTTEN_BY_A_READ: Final = 100
"""So many settled tags, at most, are forgotten when a read starts."""
MAX_LOG: Final = 7
"""So many changes of a tag are remembered by what they touched. See "A stamp remembers seven changes, and
the hull of the earlier ones" in docs/decisions.md."""


class Record(Struct, frozen=True):
    """When something changed."""

    tick: int
    moment: float


_NEVER: Final = Record(0, -math.inf)


class Stamp(Struct, eq=False):
    """When a tag last changed, and what its last changes touched.

    The log has the last change of each extent, up to a number of them. When it is full, its oldest record goes into the
    rest: the hull of all that was touched earlier. A change that touched everything, or cannot tell, empties both.

        rest t1-t4: 09:00 to 11:30 | t5: 16:55 | t6: 17:00 | t9: 17:05
    """

    tag: Hashable
    tick: int = 0  # no change that a holder of this stamp has to know of
    changed_at: float = -math.inf
    holders: int = 0
    size: int = 0
    """Its bytes, with those of the tag and the log."""
    log: dict[Extent, Record] = {}
    """The latest last. Shared by all stamps while it is empty."""
    rest: tuple[Extent, Record] | None = None
    everything: Record = _NEVER
    """The last change that touched everything."""

    def note(self, record: Record, extent: Extent) -> None:
        """Note a change."""
        if record.moment < self.changed_at:
            # It came late. Earlier changes of the same extent are not remembered, so it counts as late as any of them.
            record = Record(record.tick, self.changed_at)
        self.tick, self.changed_at = record.tick, record.moment
        if extent is EVERYTHING:
            self.everything = record
            if self.log:
                self.size -= RECORD_OVERHEAD * len(self.log)
                self.log, self.rest = {}, None
        else:
            log = self.log = self.log or {}
            if log.pop(extent, None) is None:
                if len(log) < MAX_LOG:
                    self.size += RECORD_OVERHEAD
                else:
                    oldest = next(iter(log))
                    earlier, self.rest = self.rest, (oldest, log.pop(oldest))
                    if earlier is not None:
                        self.rest = (oldest.hull(earlier[0]), self.rest[1])
            log[extent] = record

    def change_since(self, tick: int, extent: Extent) -> tuple[Extent, Record] | None:
        """The last change after this tick that touched the extent, and all that it touched; None if there was none."""
        for touched, record in reversed(self.log.items()):
            if record.tick <= tick:
                break
            if touched.meets(extent):
                return touched, record
        else:
            if self.rest is not None and self.rest[1].tick > tick and self.rest[0].meets(extent):
                return self.rest
        return (EVERYTHING, self.everything) if self.everything.tick > tick else None

    def last_change(self, extent: Extent) -> float:
        """The moment of the last change that touched the extent."""
        for touched, record in reversed(self.log.items()):
            if touched.meets(extent):
                return record.moment
        if self.rest is not None and self.rest[0].meets(extent):
            return self.rest[1].moment
        return self.everything.moment


Stamps: TypeAlias = tuple[Stamp, ...]


class ChangeClock:
    """Ticks and stamps. Not thread-safe: the cache's lock guards it."""

    def __init__(self, settle_window: float = 0.0, most_settling: int = MAX_SETTLING, floor: float = -math.inf) -> None:
        self.now = 0
        self.bytes = 0
        """Those of all stamps but the settling ones, whose bound is their own."""
        self._settling_bytes = 0
        self.latest = floor
        """The moment of the last change."""
        self.awaited_until = floor
        """No change is awaited after this moment."""
        self.stamps: dict[Hashable, Stamp] = {}
        self.settling: OrderedDict[Hashable, Stamp] = OrderedDict()
        """What changed within the settle window, the latest last. It holds its stamps."""
        self.window = settle_window
        self._most_settling = most_settling
        self._floor = floor

    def hold(self, tags: Iterable[Hashable], beside: Stamps = ()) -> Stamps:
        """Hold the stamps of these tags until they are released. beside: stamps that are held already, to be held
        again."""
        held = list(beside)
        for tag in tags:
            stamp = self.stamps.get(tag)
            if stamp is None:
                stamp = self.stamps[tag] = Stamp(tag, size=_size_of(tag))
                self.bytes += stamp.size
            held.append(stamp)
        for stamp in held:
            stamp.holders += 1
        return tuple(held)

    def hold_again(self, held: Stamps) -> None:
        """Hold stamps again that are held already."""
        for stamp in held:
            stamp.holders += 1

    def release(self, held: Stamps) -> None:
        """Release stamps, once for each hold."""
        for stamp in held:
            stamp.holders -= 1
            if not stamp.holders:
                del self.stamps[stamp.tag]
                self.bytes -= stamp.size

    def bump(
        self,
        tags: Iterable[Hashable],
        moment: float,
        age: float = 0.0,
        extents: Mapping[Any, Extent] | None = None,
    ) -> int:
        """Note, at this moment, a change of these tags so many seconds ago; returns its tick. age: less than 0 for one
        that is awaited.

        extents: what the change touched of each tag; None if it touched everything.
        """
        self.now += 1
        changed_at = moment - age
        if age < 0:
            self.awaited_until = max(self.awaited_until, changed_at)
        self.latest = max(self.latest, changed_at)
        is_settling = age < self.window
        record = Record(self.now, changed_at)
        for tag in tags:
            stamp = self.stamps.get(tag)
            if stamp is None:
                if not is_settling:
                    continue  # no answer depends on it
                stamp = self.stamps[tag] = Stamp(tag, size=_size_of(tag))
                self.bytes += stamp.size
            extent = EVERYTHING if extents is None else extents[tag]
            # Most of them, without a call.
            if extent is EVERYTHING and not stamp.log and stamp.changed_at <= changed_at:
                stamp.everything, stamp.tick, stamp.changed_at = record, self.now, changed_at
            else:
                self._note(stamp, record, extent)
            if is_settling:
                if tag in self.settling:
                    self.settling.move_to_end(tag)
                else:
                    stamp.holders += 1
                    self.settling[tag] = stamp
                    self.bytes -= stamp.size
                    self._settling_bytes += stamp.size
        self._forget_settled(moment)
        return self.now

    def _note(self, stamp: Stamp, record: Record, extent: Extent) -> None:
        """Note a change that makes the stamp larger or smaller."""
        size = stamp.size
        stamp.note(record, extent)
        if stamp.tag in self.settling:
            self._settling_bytes += stamp.size - size
        else:
            self.bytes += stamp.size - size

    def is_settling(self, held: Stamps, moment: float, extent: Extent = EVERYTHING) -> bool:
        """Whether a replica may not have heard of the last change that touched this extent of one of these tags."""
        if not self.window:
            return False
        if self.settling:
            self._forget_settled(moment, _FORGOTTEN_BY_A_READ)
        earliest = moment - self.window
        if self._floor > earliest:
            return True
        for stamp in held:
            if stamp.changed_at > earliest and (extent is EVERYTHING or stamp.last_change(extent) > earliest):
                return True
        return False

    def last_change(self, held: Stamps, extent: Extent = EVERYTHING) -> float:
        """The moment of the last change that touched this extent of one of these tags, or may have."""
        return max([self._floor, *[stamp.last_change(extent) for stamp in held]])

    def settles_for(self, tags: Collection[Hashable], moment: float) -> float:
        """The seconds until every replica has heard of the last change of these tags."""
        if not self.window or not tags:
            return 0.0
        changed_at = [stamp.changed_at for tag in tags if (stamp := self.stamps.get(tag)) is not None]
        return max(0.0, max([self._floor, *changed_at]) + self.window - moment)

    def recent(self, window: float) -> tuple[list[Stamp], float]:
        """What changed within the last so many seconds: the stamps of tags, and a moment until which any tag may
        have."""
        if window > self.window:  # what settled here may not have settled there
            return [], self.latest
        return list(self.settling.values()), self._floor

    def may_have_missed(self, since: float, now: float) -> bool:
        """Whether a change made after that moment, of a tag that was not held, may be forgotten by now."""
        return self._floor >= since or now - since >= self.window

    def raise_floor(self, moment: float) -> None:
        """Let every tag count as settling for a window from this moment on: any of them may have changed, or may yet
        change if it is to come."""
        self.awaited_until = max(self.awaited_until, moment)
        self._floor = max(self._floor, moment)
        self.latest = max(self.latest, moment)

    def _forget_settled(self, moment: float, most: float = math.inf) -> None:
        settled_before = moment - self.window
        while self.settling and most:
            most -= 1
            oldest = next(iter(self.settling.values()))
            if len(self.settling) > self._most_settling or self._settling_bytes > MAX_SETTLING_BYTES:
                self._floor = max(self._floor, oldest.changed_at)
            elif oldest.changed_at > settled_before:
                return
            del self.settling[oldest.tag]
            self._settling_bytes -= oldest.size
            self.bytes += oldest.size
            self.release((oldest,))


def _size_of(tag: Hashable) -> int:
    value = getattr(tag, "value", None)
    return STAMP_OVERHEAD if value is None else STAMP_OVERHEAD + room_of(value)


def changed_since(held: Stamps, tick: int, extent: Extent = EVERYTHING) -> bool:
    """Whether a change after the tick touched this extent of any of these tags."""
    # The hot path of every cached query: a plain loop costs half of any() over a generator.
    for stamp in held:
        if stamp.tick > tick and (extent is EVERYTHING or stamp.change_since(tick, extent) is not None):
            return True
    return False
