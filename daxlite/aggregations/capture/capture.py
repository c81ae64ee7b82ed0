"""Captured dependencies: what a computation reads through wrapped clients is noted as it reads it.

    computation   |-- A's state -- reads A -- B's state -- reads B -- done: still true? no: not stored --|
    writer                              |-- PutItem in A -- a new top for A --|

The state of a tag is always noted before the first read that depends on the tag. So a change that the read could have
missed puts a new token on top of what was noted, whenever it comes, and the result is found to be stale, if the change
meets what was read.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from operator import attrgetter
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from ...cache.indexes import hash_of
from ...cache.memory import MemoryCache
from ...calls.hearing import hear_no_more, listeners_here
from ...core.extents import EVERYTHING, Extent
from ...core.steps import Run, Server, Steps
from ...core.tags import Tag, scan_tag, table_tag
from ...shared.errors import CorruptValue, Unavailable
from ...shared.keyspace import Keyspace
from ...shared.scripts import MAX_COMPUTATION, NotedState, note, noted
from ...shared.tags import shared_tag
from ..stored_result import StoredResult

MAX_TAGS: Final = 256
"""So many tags are noted one by one for a result. A result of more reads depends on whole tables: each hit has to look
at every state, and a result of so many parts is rarely unchanged for long."""

MAX_EXTENTS: Final = 100
"""So many extents of a tag are told apart while a computation reads them; what comes after counts as everything."""

MAX_KNOWN: Final = 200_000
"""So many tokens are known for a cache. Beyond, all are forgotten: what is not known is read anew."""

_keys: Final = attrgetter("keys")


class SeenState(NamedTuple):
    """The state of a tag that is about to be read."""

    tag: Tag
    shared: bytes
    state: NotedState | None
    """None for one of an unknown format."""


class KnownTokens:
    """Under which tokens the caches of this process are known to hold nothing old.

    A wrapped client's cache may not know of a change that another process made. When a computation meets a top that is
    not the known one, something has changed since: what the log tells, or, where the known token is not in the log,
    perhaps everything. The cache drops what depends on that, and the top becomes the known one: what the cache holds
    from then on was read after that.
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[MemoryCache, dict[tuple[bytes, Collection[Tag] | None], bytes]] = (
            WeakKeyDictionary()
        )

    def catch_up(self, cache: MemoryCache, seen: Collection[SeenState], drop: tuple[Tag, ...] | None = None) -> None:
        """Make the cache true for tags whose states are these. drop: what to drop instead of the tags themselves."""
        known = self._known.setdefault(cache, {})
        changes: list[tuple[Tag, Extent, float]] = []
        new: dict[tuple[bytes, Collection[Tag] | None], bytes] = {}
        for tag, shared, state in seen:
            if state is None or state.is_open_for(EVERYTHING):
                changes += [(each, EVERYTHING, 0.0) for each in drop or (tag,)]  # it may be changing now
                continue
            token = known.get((shared, drop))
            if token == state.top:
                continue
            new[shared, drop] = state.top
            changed = state.changes_since(token)
            if tag.kind == "scan" and state.is_young:
                # A write touches it only where it is there: there may have been one just before it was made.
                changed.append((EVERYTHING, state.age(state.since)))
            if drop is not None:
                age = min(age for _, age in changed)
                changes += [(each, EVERYTHING, age) for each in drop]
            else:
                changes += [(tag, *change) for change in changed]
        if changes:
            cache.invalidate_tags(changes)
        if len(known) > MAX_KNOWN:
            known.clear()
        # Only now: a reader in another thread must not trust the cache before it is true.
        known.update(new)


class ReadPart(NamedTuple):
    """What a computation has read of one tag under one token."""

    tag: bytes
    token: bytes
    extent: Extent


class Capture:
    """The tags that one computation depends on, each with its state before it was read, and with what of it was read.

    As a ReadListener it hears of what the computation reads.
    """

    def __init__(
        self,
        keyspace: Keyspace,
        server: Server,
        known_tokens: KnownTokens,
        wall_clock: Callable[[], float],
        keys: frozenset[bytes] = frozenset(),
        *,
        ttl: float = math.inf,
        is_recording: bool = True,
        states_last: float = MAX_COMPUTATION,
    ) -> None:
        """states_last: seconds for which states last once they are noted. is_recording: whether what is read becomes a
        dependency. Otherwise reads are only watched, so that no cache of this process answers with something old."""
        self._wall_clock = wall_clock
        self._ttl = ttl
        self._is_recording = is_recording
        self.keys = keys
        """The results that wait for this computation: its own, and those that are computed from it."""
        self.keyspace = keyspace
        self.states_last = states_last
        self._server = server
        self._known_tokens = known_tokens
        self._noted: dict[bytes, NotedState] = {}
        """States that were noted, of tags that it may turn out to depend on."""
        self._read: dict[bytes, dict[tuple[bytes | None, Extent], None]] = {}
        """What it depends on: for each tag, what of it was read, and under which token; None for that of the noted
        state."""
        self.is_open = True
        self.is_complete = True
        """Whether all that the computation depends on is known, with tokens that may be current."""
        self._has_redis = True
        self.lags_until = math.inf
        """When the result must expire because a replica may have answered that lags behind; see `State.ages_for`."""
        self.oldest = math.inf
        """When the oldest of the results was computed from which this one is."""
        self.expires_by = math.inf
        """When the result must expire, for the sake of these."""

    # Single dictionary operations are atomic, the first state is the safe one, and what was read is only added to: no
    # lock is needed, and so a signal handler that reads cannot wait for itself.

    def add_states(self, states: Mapping[bytes, NotedState | None]) -> None:
        """Add states that were noted before anything was read; None for one of an unknown format."""
        for tag, state in states.items():
            if state is not None:
                self._noted.setdefault(tag, state)

    @property
    def tags(self) -> tuple[bytes, ...]:
        """The tags whose states are to outlive the computation."""
        return tuple({**self._noted, **self._read})

    def depend(self, tags: Mapping[bytes, Extent]) -> None:
        """Depend on extents of tags whose states have been added."""
        for tag, extent in tags.items():
            self._add(tag, None, extent)

    def depend_on_result(self, stored: StoredResult) -> None:
        """Depend on all that another result depends on, under the tokens as of which that one was true."""
        self.lags_until = min(self.lags_until, stored.lags_until)
        self.oldest = min(self.oldest, stored.computed_at)
        # The ages of both do not add up to more than the longer of their TTLs.
        self.expires_by = min(self.expires_by, max(stored.computed_at + self._ttl, stored.expires_at))
        self.depend_on_parts(stored.parts)

    def depend_on_parts(self, parts: Iterable[tuple[bytes, bytes, Extent]]) -> None:
        """Depend on what another computation has read, under its tokens."""
        if self._is_recording:
            for tag, token, extent in parts:
                self._add(tag, token, extent)

    def _add(self, tag: bytes, token: bytes | None, extent: Extent) -> None:
        read = self._read.setdefault(tag, {})
        read[token, extent if len(read) < MAX_EXTENTS else EVERYTHING] = None

    @property
    def parts(self) -> list[ReadPart] | None:
        """What it depends on, tag by tag; None if a state was of an unknown format, or a write was under way."""
        found: list[ReadPart] = []
        for tag, read in [*self._read.items()]:
            state = self._noted.get(tag)
            hulls: dict[bytes, Extent] = {}
            for token, extent in [*read]:
                if token is None:
                    if state is None or state.is_open_for(extent):
                        return None
                    token = state.top
                hulls[token] = hulls[token].hull(extent) if token in hulls else extent
            found += [ReadPart(tag, token, hull) for token, hull in hulls.items()]
        return found

    @property
    def has_redis(self) -> bool:
        """Whether Redis has answered so far."""
        return self._has_redis

    def lose_redis(self) -> None:
        """Redis failed: it is not asked again, and what is read from here on cannot be watched."""
        self._has_redis = False
        self.is_complete = False

    def mark_incomplete(self) -> None:
        """It depends on something that cannot be told, or watched: the result is not to be stored."""
        if self._is_recording:
            self.is_complete = False

    def close(self) -> None:
        """The computation is over; what its threads still read has no part in the result."""
        self.is_open = False
        hear_no_more(self)

    def will_read(self, cache: MemoryCache, tags: Mapping[Tag, Extent] | None, lagging: Collection[Tag]) -> Steps[None]:
        """As ReadListener.will_read: note the states of these tags, and see that the cache is not behind them."""
        if not self.is_open:
            return
        if tags is None:
            self.mark_incomplete()
            return
        late = {tag: tags[tag] for tag in lagging}
        drop: tuple[Tag, ...] | None = None
        if len(self._read) >= MAX_TAGS:
            whole = dict.fromkeys(tag.table for tag in tags)
            drop = tuple([table_tag(table) for table in whole])
            tags = {tag: EVERYTHING for table in whole for tag in (table_tag(table), scan_tag(table, None))}
        shared = {each: tag for tag in tags for each in shared_tag(tag, hash_of)}
        if not (yield from self._note([tag for tag in shared if tag not in self._noted])):
            cache.invalidate_tags([(tag, EVERYTHING, math.inf) for tag in drop or tags])  # it may be behind
            return
        seen = [SeenState(tag, each, self._noted.get(each)) for each, tag in shared.items()]
        self._known_tokens.catch_up(cache, seen, drop)
        if self._is_recording:
            self.depend({each: tags[tag] for each, tag in shared.items()})
        if late:
            self.lags_until = min(self.lags_until, self._wall_clock() + cache.ages_for(late))
        if cache.awaits(tags):  # what it reads now may be changed by a request that is on its way
            self.lags_until = min(self.lags_until, self._wall_clock())

    def _note(self, tags: Collection[bytes]) -> Steps[bool]:
        """Note states. Returns whether that worked; if not, this capture does not ask Redis again."""
        if not tags:
            return True
        if not self._has_redis:
            return False
        try:
            yield from self.note_states(tags)
        except (Unavailable, CorruptValue):
            self.lose_redis()
            return False
        return True

    def note_states(self, tags: Collection[bytes]) -> Steps[None]:
        """Note the states of what the computation depends on, or may turn out to depend on. Raises CorruptValue for
        replies that are none."""
        is_cluster, wanted = self._server.is_cluster, list(dict.fromkeys(tags))
        commands = note(self.keyspace, wanted, self.states_last, is_cluster=is_cluster)
        replies = yield Run(self._server, tuple(commands))
        self.add_states(noted(replies, wanted, is_cluster=is_cluster))


def open_captures() -> tuple[Capture, ...]:
    """The captures of the computation that calls; none outside of any. There is one, unless it cannot be told which."""
    found = listeners_here()
    return tuple([each for each in found if isinstance(each, Capture) and each.is_open]) if found else ()


def keys_under_way() -> frozenset[bytes]:
    """The results that wait for the caller: it must not wait for any of them."""
    return frozenset().union(*map(_keys, open_captures()))
