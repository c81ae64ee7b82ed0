"""Calls between their start and their landing, and what they leave in the cache: the verb fill.

Nothing is stored that changed while the call was in flight: a read that overlapped a change, or a write that overlapped
another one, leaves no entry (P3).

    writer A |--- sent ----------- applied second ------------ reply: changed since A began, drop ---|
    writer B      |--- sent --- applied first --- reply: store B ---|
"""

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol, Self, cast

from msgspec import Struct

from ..core.changes import ABSENT, Change
from ..core.echoes import Epoch, excuse_of
from ..core.encoding import encode_exactly
from ..core.extents import EVERYTHING, Extent
from ..core.hidden import Hidden
from ..core.not_cacheable import NotCacheable
from ..core.requests import ItemRead, PageRead, Read
from ..core.schema import TableSchema
from ..core.tags import Tag, item_tag
from ..core.ttl import lifetime
from ..core.values import Item
from ..latch import Latch
from ..place import goes_on_here, has_stopped, place
from .clock import ChangeClock, Stamps, changed_since
from .counters import Kind, KindCounters
from .entries import EntryKey
from .moment import LONG_AGO, Moment
from .peers import tell_others
from .state import MIN_AGE, State
from .table import Table

ABSENT_ITEM: Final = b""
"""The stored form of "there is no such item"; no encoded answer is empty."""

MAX_WAIT: Final = 30.0
"""Seconds after which a follower stops waiting for the leader and asks DynamoDB itself."""


class Noted(Protocol):
    """What a tier that processes share knew of a read before DynamoDB was asked; `shared.reads.SharedRead` is one."""

    @property
    def is_strong(self) -> bool: ...


class Fill(Hidden, Struct, frozen=True):
    """What a read brought, as it is stored."""

    kind: Kind
    key: EntryKey
    data: bytes
    ttl: float
    left: float
    """Seconds, from the start of the flight, until it expires in any case."""
    stamps: Stamps
    extent: Extent = EVERYTHING
    is_whole: bool = True
    """False for a part of an item."""


class _Flight(Struct, eq=False):
    """What a read's flight and a write's have in common: both watch the tags that they depend on."""

    _state: State
    table: Table
    _changes: ChangeClock | None = None
    _held: Stamps = ()
    _tick: int = 0
    _began: Moment = LONG_AGO
    _extent: Extent = EVERYTHING
    """What it reads of its partition."""
    _started: bool = False
    is_abandoned: bool = False
    """Whether it was cancelled or interrupted, which tells nothing of DynamoDB."""
    wall_now: float | None = None
    """The moment since the epoch by which items expire, where a better clock than this host's told it."""

    def __repr__(self) -> str:
        return f"<flight: {self.table.id.name}>"  # without what it brings, which is not for logs

    def _watch(self, tags: Iterable[Tag]) -> None:
        state = self._state
        self._changes = changes = state.changes
        self._held = changes.hold(tags, beside=self.table.own)
        self._tick = changes.now
        self._began = state.moment()
        self._started = True
        state.in_flight += 1

    def __exit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        if self._started:
            self.is_abandoned = kind is not None and not issubclass(kind, Exception)
            with self._state.locked():
                self._land()

    def _land(self) -> None:
        """Watch no more. What the flight leaves in the cache is there already."""
        if not self._started:
            return
        self._started = False
        state = self._state
        if self._changes is state.changes:  # else the process forked meanwhile, and began anew
            state.changes.release(self._held)
            state.in_flight -= 1

    @property
    def is_overtaken(self) -> bool:
        """Whether something that it depends on changed since it started, or may have: a flight that has landed watches
        no more, and a change may be awaited. To be asked under the cache's lock."""
        if not self._started or self._changes is not self._state.changes:
            return True
        changes, held, extent, began = self._changes, self._held, self._extent, self._began.clock
        if changes.awaited_until > began and changes.last_change(held, extent) > began:
            return True
        return changed_since(held, self._tick, extent)

    def _stored(self, item: Item | None) -> tuple[bytes, float, float]:
        """The stored form of an item, or of there being none; its TTL; and the seconds, from the start of the flight,
        until it expires."""
        settings = self.table.settings
        if item is None:
            return ABSENT_ITEM, settings.negative_ttl, math.inf
        return encode_exactly(item), *self._lifetime((item,), settings.item_ttl)

    def _lifetime(self, items: Iterable[Item], ttl: float) -> tuple[float, float]:
        """The TTL of an answer with these items, and the seconds, from the start of the flight, until the
        first of them expires.

        An item that has expired may be there for days, or be deleted at any moment: its answer gets a short TTL.
        """
        attribute = self.table.ttl_attribute
        if attribute is None:
            return ttl, math.inf
        left, has_expired = lifetime(items, attribute, self._began.wall if self.wall_now is None else self.wall_now)
        return min(ttl, self.table.settings.expired_item_ttl) if has_expired else ttl, left


class ReadFlight(_Flight, eq=False, kw_only=True):
    """A read of an item or a page.

    A reader that finds another read of the same answer in flight joins it instead of asking twice (single flight),
    unless something changed since that one started: its answer would be older than what the reader may have seen.

        leader   |--- sent --------------------- reply ---|
        follower      |- joins, waits -----------------|- the same answer
        writer                  |- put -|
        reader                             |- does not join: the leader may have read before the put
    """

    _read: Read | None
    _key: EntryKey | None
    _schema: TableSchema | None = None
    """The schema by which it watches."""
    answer: bytes | None = None
    """What came of it, encoded, for the followers; None if nothing did."""
    is_settling: bool = False
    """Whether a replica that answers it may not have heard of a change that was made before it started."""
    is_consistent: bool = False
    """Whether it was sent as a strongly consistent read."""
    latch: Latch | None = None
    """Where its followers wait."""
    noted: Noted | None = None
    """What the shared tier knew of it; None if that is nothing."""
    is_of_tier: bool = False
    """Whether a tier has part in this read, so that this process keeps only what is there too."""
    may_keep: bool = False
    """Whether it is one without a place there, such as a scan, that this process may keep all the same."""
    _place: object = None
    """Where it runs."""

    @property
    def goes_on_here(self) -> bool:
        """Whether it goes on only once the caller's thread is back in its event loop."""
        return goes_on_here(self._place)

    @property
    def counters(self) -> KindCounters:
        """Where the read is counted."""
        read = self._read
        return self.table.counters["item" if read is None or isinstance(read, ItemRead) else read.kind]

    # Start, follow, land

    def __enter__(self) -> Self:
        # A read that has a key may follow another instead: it starts, or not, by `start_or_follow`.
        if self._key is None:
            self.start()
        return self

    def start(self) -> None:
        """Watch from here on what the answer depends on."""
        with self._state.locked():
            self._start()

    def start_or_follow(self) -> "ReadFlight | None":
        """Start, unless another flight will bring the same answer: then returns that leader, to wait for."""
        state = self._state
        with state.locked():
            leader = None if self._key is None else cast("ReadFlight | None", state.leaders.get(self._key))
            if leader is None or not leader._may_be_joined(state.moment()):
                self._start()
                return None
            if leader.latch is None:
                leader.latch = state.new_latch()
            return leader

    def catch_up(self, table: Table, key: EntryKey) -> None:
        """Watch what the table's description tells, which came after the start; followers may be waiting already.

        Nothing of the read itself may have been sent: what changed until now, its answer will show.
        """
        with self._state.locked():
            if table is self.table and table.schema is self._schema and not self.is_overtaken:
                return
            self._leave()
            self.table, self._key = table, key
            if self._changes is not self._state.changes:  # everything was dropped, and the followers were released
                self.latch = None
            self._start()

    def _may_be_joined(self, now: Moment) -> bool:
        """Whether another reader may wait for the answer. To be asked under the cache's lock."""
        # A signal handler that reads what the frame below it is reading would wait for itself.
        if self._place == place() or self._is_over(now) or not self._state.may_keep(self.table):
            return False
        if has_stopped(self._place):
            return False
        return not changed_since(self._held, self._tick, self._extent)

    def _is_over(self, now: Moment) -> bool:
        """Whether this began too long ago to be joined: the machine may have been frozen since DynamoDB answered."""
        settings = self.table.settings
        is_page = self._read is not None and not isinstance(self._read, ItemRead)
        ttl = settings.query_ttl if is_page else max(settings.item_ttl, settings.negative_ttl)
        if self.is_settling and self._is_of_global_index:
            ttl = min(ttl, max(self._ages_for(), MIN_AGE))
        return self._began.after(min(ttl, MAX_WAIT)).is_over(now)

    def release_followers(self) -> None:
        """Let the followers go: what this flight brings, if anything, is not for them."""
        if self.latch is not None:
            self.latch.open()

    def _start(self) -> None:
        state, read, table = self._state, self._read, self.table
        # Under the lock, for the schema must not change between the choice of tags and the watch on them.
        self._schema = table.schema
        tags: tuple[Tag, ...] = ()
        if read is not None and (table.settings.exact or isinstance(read, ItemRead)):
            tags = read.tags(table.place, table.schema)
        if isinstance(read, PageRead):
            self._extent = read.extent(table.schema)
        self._watch(tags)
        self.is_settling = state.changes.is_settling(self._held, self._began.clock, self._extent)
        if self._key is not None:
            self._place = place()
            state.leaders[self._key] = self

    def _land(self) -> None:
        if self._started:
            self._leave()
            self.release_followers()

    def _leave(self) -> None:
        """Watch no more, and let nobody else join."""
        leaders = self._state.leaders
        if self._key is not None and leaders.get(self._key) is self:
            del leaders[self._key]
        _Flight._land(self)

    # Fill

    def item(self, key: bytes, item: Item | None) -> Fill:
        """A whole item as it is stored, or that there is none."""
        data, ttl, left = self._stored(item)
        # A whole item is found and dropped by its key alone, so it depends on no stamp but its table's.
        return Fill("item", self.table.item(key), data, ttl, left, self.table.own)

    @property
    def _is_of_global_index(self) -> bool:
        index = None if isinstance(self._read, ItemRead | None) else self._read.index
        return index is not None and self._schema is not None and index in self._schema.global_indexes

    @property
    def _covers_what_settles(self) -> bool:
        return self._state.changes.is_settling(self._held, self._began.clock, self._extent)

    def _ages_for(self) -> float:
        """Seconds, from its start, for which a page of a settling index may be kept."""
        return self._state.ages_for(self._held, self._extent, self._began.clock)

    def projection(self, key: bytes, projection: bytes, item: Item | None) -> Fill:
        """A part of an item as it is stored. That there is no such item holds for all of its parts."""
        if item is None:
            return self.item(key, None)
        data, ttl, left = self._stored(item)
        return Fill("item", self.table.projected_item(key, projection), data, ttl, left, self._held, is_whole=False)

    def page(self, kind: Kind, signature: bytes, page: Mapping[str, Any]) -> Fill:
        """A page of a Query or a Scan as it is stored."""
        last = page.get("LastEvaluatedKey")
        if last is not None and isinstance(self._read, PageRead):
            # What lies beyond the page cannot alter it, even if it changed while the page was read.
            self._extent = self._read.extent(self._schema, last)
        ttl, left = self._lifetime(page.get("Items", ()), self.table.settings.query_ttl)
        key, extent = self.table.page(kind, signature), self._extent
        return Fill(kind, key, encode_exactly(page), ttl, left, self._held, extent)

    def found(self, kind: Kind, key: EntryKey, data: bytes, seconds: float, extent: Extent) -> Fill:
        """What was found at the shared tier, and may be kept for so many seconds from the start of the flight."""
        self._extent = extent
        is_whole = len(key) == 2
        stamps = self.table.own if is_whole else self._held
        return Fill(kind, key, data, seconds, seconds, stamps, extent, is_whole)

    def limit(self, answer: Fill) -> float:
        """Seconds, from the start of the flight, for which an answer of DynamoDB's may be kept, by what this process
        knows of changes."""
        with self._state.locked():
            return self._limit(answer)[0]

    def _limit(self, answer: Fill) -> tuple[float, bool]:
        """The same, and whether what it covers is settling."""
        # Asked anew, for a page may cover less than its request did.
        is_settling = self.is_settling and not self.is_consistent and self._covers_what_settles
        left = answer.left
        if is_settling:
            left = min(left, self._ages_for() if self._is_of_global_index else 0.0)
        return left, is_settling

    def fill(
        self, answer: Fill, *, is_of_tier: bool = False, is_kept: bool = True, for_followers: bytes | None = None
    ) -> None:
        """Store an answer if nothing changed, and land, all under the lock once.

        is_of_tier: it was found there. is_kept: False for one that is for the followers alone. for_followers: what they
        asked for, where that is not the whole of it.
        """
        state = self._state
        self.answer = answer.data if for_followers is None else for_followers
        with state.locked():
            left, is_settling = (answer.left, False) if is_of_tier else self._limit(answer)
            if left <= 0 or not is_kept or self.is_overtaken:
                self.table.counters[answer.kind].discarded_fills += 1
            else:
                if is_settling:
                    self.table.counters[answer.kind].settling_fills += 1
                # The time that the read took counts: what it saw may be as old as its start.
                state.store(
                    self.table,
                    answer.kind,
                    answer.key,
                    answer.data,
                    ttl=answer.ttl,
                    since=self._began,
                    left=left,
                    tick=self._tick,
                    stamps=answer.stamps,
                    extent=answer.extent,
                )
            self._land()


class WriteFlight(_Flight, eq=False, kw_only=True):
    """A write of one item."""

    _key: bytes | None
    """The canonical key of the item; None where it cannot be told."""
    _epoch: Epoch | None = None
    """That of the follower of the table's stream, as it was before DynamoDB was asked."""

    def __enter__(self) -> Self:
        place = self.table.place
        with self._state.locked():
            if self._state.echoes.epochs:
                self._epoch = self._state.echoes.epoch(self.table.id)
            self._watch(() if self._key is None else ItemRead(self._key).tags(place, None))
        return self

    def new_value(self, change: Change) -> tuple[bytes, float] | None:
        """What a write has left of its item, encoded, and the seconds for which it may be kept; None if that is not
        known."""
        stored = self._of(change)
        return None if stored is None else (stored[0], min(stored[1:]))

    def _of(self, change: Change) -> tuple[bytes, float, float] | None:
        new = None if change.new is ABSENT else change.new
        return self._stored(new) if new is None or isinstance(new, dict) else None

    def apply(self, change: Change, *, is_kept: bool = True) -> dict[Tag, Extent]:
        """Make every answer of this process true again after this write, and store the new item if it is known. Returns
        what the change bumped. is_kept: False if the new item must not be stored."""
        state, table = self._state, self.table
        stored = self._of(change) if is_kept else None
        with state.locked():
            is_overtaken = self.is_overtaken
            bumped = state.apply(change)
            if state.echoes.epochs and not is_overtaken:
                self._leave_excuse(change, bumped)
            if stored is not None and self._key is not None:
                if is_overtaken:
                    # The order in which DynamoDB applied the two writes is not known.
                    table.counters["item"].discarded_fills += 1
                else:
                    data, ttl, left = stored
                    key, since, tick = table.item(self._key), self._began, state.changes.now
                    state.store(table, "item", key, data, ttl=ttl, since=since, left=left, tick=tick, stamps=table.own)
            self._land()
        return tell_others(state, bumped, lambda other: other.apply(change, is_own=False))

    def _leave_excuse(self, change: Change, bumped: Mapping[Tag, Extent]) -> None:
        """Leave an excuse for the record of this write, where a follower of this process reads the table's stream."""
        epoch, schema = self._epoch, self.table.schema
        if epoch is None or schema is None or change.item is None:
            return
        with suppress(NotCacheable):
            excuse = excuse_of(epoch, change, bumped, has_indexes=bool(schema.indexes))
            if excuse is not None:
                self._state.echoes.excuse(item_tag(change.table, change.item), excuse)
