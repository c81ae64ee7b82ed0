"""Reads at the shared tier, as steps: find answers, note the states of those that are missing, and keep what came."""

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct

from ..core.extents import Extent
from ..core.hidden import Hidden
from ..core.steps import Get, Run, Sleep, Steps
from ..core.tags import Tag
from .errors import CorruptValue, Unavailable, Unstorable
from .messages import ID_BYTES
from .scripts import TICKS, NotedState, noted_state, store
from .states import decode_state, top_if_true
from .tier import FOREVER, SharedTable, Tier
from .values import Value, decode_value, encode_value

_SLACK: Final = 0.25
"""Seconds by which Redis's clock may be behind what this process takes it for."""
LEAD_NAME: Final = 8
"""So many bytes of a leader's id tell what it reads."""
FIRST_PAUSE: Final = 0.002
"""Seconds after which a waiting reader looks for the first time."""
MAX_PAUSE: Final = 0.02  # seconds
MIN_AGE: Final = 0.02
"""Seconds for which what a settling index answered is kept at least."""


class Name(Hidden, Struct, frozen=True):
    """Under which key an answer may stand, and what it is bound to."""

    key: str
    bound_to: bytes


class Limits(Struct, frozen=True):
    """How old an answer may be that another process has stored, by the settings of this one."""

    ttl: float = math.inf
    """Seconds, from its note."""
    negative_ttl: float = math.inf
    """The same for "there is no such item"."""
    since: float = -math.inf
    """The moment of this process's clock before which nothing may have been noted."""


NO_LIMITS: Final = Limits()


class SharedRead(Hidden, Struct, eq=False):
    """One answer that this process looks for at the shared tier."""

    table: SharedTable
    tag: bytes
    """The shared tag whose state guards it."""
    names: tuple[Name, ...]
    """Where it may stand; what is read from DynamoDB goes to the last one."""
    extent: Extent
    generations: tuple[bytes, ...]
    is_of_global_index: bool = False
    found: Value | None = None
    place: int = 0
    """Under which of the names it was found."""
    left: float = 0.0
    """Seconds for which what was found may be served from here on."""
    noted: NotedState | None = None
    """The state before DynamoDB was asked; None if the tier has no part in this read."""
    owner: bytes = b""
    was_heard: bool = False
    """Whether this process wrote or heard of a change of it lately."""
    generation_age: float = math.inf
    """How many seconds ago the last of its generations changed."""
    generation_youth: float = math.inf
    """How many seconds ago the last of its generations was made from nothing: a change from before may be forgotten."""
    is_changing: bool = False
    """Whether one of its generations may be changing now."""
    lead: bytes = b""
    """The id under which it leads the readers of all processes, if it does."""
    is_distrusted: bool = False
    """Whether a writer could not change its state: then nothing of Redis's is believed."""
    window: float = 0.0
    factor: float = 1.0
    limits: Limits = NO_LIMITS

    @property
    def is_strong(self) -> bool:
        """Whether DynamoDB is to be asked for a strongly consistent read."""
        state = self.noted
        if self.is_of_global_index:
            return False
        if state is None:  # Redis cannot tell whether it has changed
            return self.is_distrusted or self.is_changing or self.was_heard
        if state.is_open_for(self.extent) or self._age(state, self.extent) < self.window:
            return True
        return self.was_heard and state.is_young_for(self.window)

    def lifetime(self, extent: Extent, is_consistent: bool) -> tuple[float, bool]:
        """Seconds, from the note, for which what DynamoDB answered may be kept, and whether that is on probation.

        extent: what the answer covers. is_consistent: whether it was read strongly.
        """
        state = self.noted
        if state is None or state.is_open_for(extent):
            return 0.0, False
        age, is_young = self._age(state, extent), state.is_young_for(self.window)
        if self.is_of_global_index:
            # It has no strongly consistent reads. A young state may have forgotten a change that was made just before.
            age = min(age, self.generation_youth, state.age(state.since) if is_young else math.inf)
            if age >= self.window:
                return math.inf, False
            return (min(max(age * self.factor, MIN_AGE), self.window - age) if self.factor else 0.0), False
        if is_consistent:
            return math.inf, False
        if age < self.window or (is_young and self.was_heard):
            return 0.0, False
        return (self.window, True) if is_young or self.generation_youth < self.window else (math.inf, False)

    def _age(self, state: NotedState, extent: Extent) -> float:
        """How many seconds ago the last change was made of what it covers."""
        return min(state.last_change(extent), self.generation_age)


class LoneRead(Hidden, Struct, frozen=True):
    """An answer that this process does not look for at the shared tier, though it hears of its changes."""

    tags: tuple[bytes, ...]
    """The shared tags that it depends on."""
    is_strong: bool
    """Whether a change of it was heard of lately, so that DynamoDB is to be asked for a strongly consistent read."""


def item_read(
    tier: Tier, table: SharedTable, tag: Tag, extent: Extent, signatures: Sequence[bytes], limits: Limits = NO_LIMITS
) -> SharedRead:
    """The read of an item, or of a projection. signatures: of the projection; empty for the whole item."""
    return _read(tier, table, tag, "item", signatures, extent, None, limits)


def page_read(
    tier: Tier, table: SharedTable, tag: Tag, extent: Extent, signature: bytes, limits: Limits = NO_LIMITS
) -> SharedRead:
    """The read of a page of a Query. tag: its partition."""
    return _read(tier, table, tag, "query", (signature,), extent, _global_index(table, tag), limits)


def lone_read(tier: Tier, table: SharedTable, tag: Tag) -> LoneRead:
    """The read of what depends on an item or a partition, where this process does not look for it at the tier."""
    shared = tier.shared(table, tag)
    tier.known.note(shared, tag)
    index = _global_index(table, tag)
    tags = (shared, *tier.generations_of(table, index))
    return LoneRead(tags, tier.recent.has(*tags))


def _global_index(table: SharedTable, tag: Tag) -> str | None:
    """The name of the global index that a partition is of, if it is of one."""
    return tag.index_name if tag.index_name in table.schema.global_indexes else None


def _read(
    tier: Tier,
    table: SharedTable,
    tag: Tag,
    kind: str,
    signatures: Sequence[bytes],
    extent: Extent,
    index: str | None,
    limits: Limits,
) -> SharedRead:
    shared = tier.shared(table, tag)
    tier.known.note(shared, tag)
    generations = tier.generations_of(table, index)
    return SharedRead(
        table,
        shared,
        tuple([Name(*tier.value_key(table, shared, kind, signature)) for signature in signatures]),
        extent,
        generations,
        is_of_global_index=index is not None,
        window=tier.settings.settle_window,
        factor=tier.settings.index_settle_factor,
        limits=limits,
    )


def find(tier: Tier, reads: Sequence[SharedRead]) -> Steps[None]:
    """Look for answers in Redis, in one round trip; note the states of those that are not there, in another one. What
    came of it stands in the reads. Where Redis fails, they have neither."""
    try:
        if tier.outbox:  # what could not be told before must not be found now
            yield from tier.outbox.flush()
        for read in reads:
            read.is_distrusted = tier.distrusts((read.tag, *read.generations))
        _check(tier)
        trusted = [read for read in reads if not read.is_distrusted]
        if trusted:
            yield from _find(tier, trusted)
    except (Unavailable, CorruptValue):
        for read in reads:
            if read.found is None:
                read.noted, read.was_heard = None, tier.recent.has(read.tag, *read.generations)
    tier.counts.misses += sum([read.found is None for read in reads])


def _check(tier: Tier) -> None:
    """Raise Unavailable while something is owed to Redis: it must not be believed before."""
    if tier.again.is_owed:
        raise Unavailable


def _find(tier: Tier, reads: Sequence[SharedRead]) -> Steps[None]:
    hears = all(tier.hears(read.table) for read in reads)
    tags = list(dict.fromkeys(tag for read in reads for tag in read.generations))
    # A process that does not hear of changes asks for the generations each time.
    beside = [] if hears else tags
    if hears:
        yield from tier.learn_generations(tags)
    if tier.time.now() is None:
        yield from _look_at_the_clock(tier)
    keys = [key for read in reads for key in (tier.keyspace.state(read.tag), *[name.key for name in read.names])]
    keys += [tier.keyspace.state(tag) for tag in beside]
    replies = iter((yield from tier.ask(Get(tier.server, tuple(keys)))))
    _check(tier)  # the connection may have been another one
    taken = [(read, next(replies), [next(replies) for _ in read.names]) for read in reads]
    seen = {tag: tier.generations.of(_seen(tier, data)) for tag, data in zip(beside, replies, strict=True)}
    if None in seen.values():
        states = yield from tier.note([tag for tag, generation in seen.items() if generation is None])
        seen |= {tag: tier.generations.of(state) for tag, state in states.items()}
    missed: list[tuple[SharedRead, list[bytes | None]]] = []
    for read, state, values in taken:
        generations = tier.generations.known(read.generations) if hears else [seen[tag] for tag in read.generations]
        known = [each for each in generations or () if each is not None]
        read.is_changing = len(known) < len(read.generations)
        if read.is_changing:
            continue
        read.generation_age, read.generation_youth = tier.generations.age(known), tier.generations.youth(known)
        read.owner = tier.owner(read.table, known)
        read.was_heard = tier.recent.has(read.tag, *read.generations)
        if not _take(tier, read, state, values):
            missed.append((read, values))
    if len(reads) == 1 and missed:
        yield from _lead_or_wait(tier, *missed[0])
    elif missed:
        states = yield from tier.note(list(dict.fromkeys(read.tag for read, _ in missed)))
        _check(tier)
        for read, values in missed:
            _note(tier, read, states[read.tag], values)


def _note(tier: Tier, read: SharedRead, state: NotedState | None, values: Sequence[bytes | None]) -> None:
    """Take over what was noted of a read that found nothing."""
    # A record in it may be past its deadline, which only Redis's own clock tells.
    if state is not None and not (state.open and _take_noted(tier, read, state, values)):
        read.noted = state


def _lead_or_wait(tier: Tier, read: SharedRead, values: Sequence[bytes | None]) -> Steps[None]:
    """Note the state of a read, and lead; or wait for the answer of the reader that leads.

        leader   |-- note: leads ---- DynamoDB ---- store ----|
        others        |-- note -- sleep -- look -- sleep -- look: there it is --|

    No reader waits for longer than the leader may take, nor where its answer would not be for all.
    """
    ends = tier.clock() + tier.settings.max_wait
    read.lead = read.names[-1].bound_to[-LEAD_NAME:] + os.urandom(ID_BYTES - LEAD_NAME)
    while True:
        state = (yield from tier.note([read.tag], read.lead))[read.tag]
        _check(tier)
        _note(tier, read, state, values)
        if state is None or read.found is not None or not _is_led(read, state):
            return
        left = min(ends - tier.clock(), state.leader[1] - state.noted_at if state.leader else 0.0)
        if left <= 0:
            return
        read.noted = None
        if (yield from _wait_for_the_leader(tier, read, state.top, tier.clock() + left)):
            return


def _is_led(read: SharedRead, state: NotedState) -> bool:
    """Whether another reader has asked DynamoDB for the same, and its answer will be for all."""
    if state.leader is None or state.leader[0][:LEAD_NAME] != read.lead[:LEAD_NAME] or state.leader[0] == read.lead:
        return False
    if state.leader[1] <= state.noted_at or state.is_open_for(read.extent):
        return False
    return not (read.is_of_global_index and read.lifetime(read.extent, False)[0] < read.window)


def _wait_for_the_leader(tier: Tier, read: SharedRead, top: bytes, until: float) -> Steps[bool]:
    """Whether the answer came that a leader stores under this token."""
    pause, keys = FIRST_PAUSE, (tier.keyspace.state(read.tag), *[name.key for name in read.names])
    while tier.clock() < until:
        yield Sleep(pause)
        pause = min(2 * pause, MAX_PAUSE)
        data, *values = yield from tier.ask(Get(tier.server, keys))
        _check(tier)
        if _take(tier, read, data, values):
            tier.counts.waits += 1
            return True
        try:
            state = None if data is None else decode_state(data)
        except CorruptValue:
            return False
        if state is None or state.top != top or state.open or state.leader is None:
            return False  # a write came, or the leader is gone
    return False


def _look_at_the_clock(tier: Tier) -> Steps[None]:
    asked = tier.time.asked()
    ((seconds, microseconds),) = yield Run(tier.server, (("TIME",),))
    tier.time.saw(int(seconds) + int(microseconds) / TICKS, asked)


def _seen(tier: Tier, data: bytes | None) -> NotedState | None:
    """A generation's state as it was read; None if it is not there, or of an unknown format. Its changes count as a
    little later than they were, because Redis's clock is known no better."""
    now = tier.time.now()
    return None if data is None or now is None else noted_state(data, now - _SLACK)


def _take(tier: Tier, read: SharedRead, state: bytes | None, values: Sequence[bytes | None]) -> bool:
    """Take the first of these values that may be served."""
    return _first(tier, read, values, lambda value: top_if_true(state, value.token, value.extent) is not None)


def _take_noted(tier: Tier, read: SharedRead, state: NotedState, values: Sequence[bytes | None]) -> bool:
    def is_true(value: Value) -> bool:
        return state.shows_now(value.token, value.extent)

    return _first(tier, read, values, is_true)


def _first(tier: Tier, read: SharedRead, values: Sequence[bytes | None], is_true: Any) -> bool:
    now = tier.time.now()
    for place, (name, stored) in enumerate(zip(read.names, values, strict=True)):
        if stored is None or now is None:
            continue
        with suppress(CorruptValue):
            value = decode_value(stored, read.owner, tier.envelope, name.bound_to)
            left = _left(tier, read.limits, value, now)
            if left > 0 and is_true(value) and not (value.is_on_probation and read.was_heard):
                read.found, read.place, read.left = value, place, left
                tier.counts.hits += 1
                tier.counts.bytes_read += len(stored)
                return True
    return False


def _left(tier: Tier, limits: Limits, value: Value, now: float) -> float:
    """Seconds for which a value may be served."""
    age = now - value.noted_at
    if age >= tier.clock() - limits.since:
        return 0.0
    return min(value.until - now, (limits.ttl if value.data else limits.negative_ttl) - age)


class Keeping(Hidden, Struct, frozen=True):
    """What came from DynamoDB, to be kept."""

    read: SharedRead
    data: bytes
    """Encoded; empty if there is no such item."""
    extent: Extent
    seconds: float
    """How long it may be kept, from the note."""
    is_on_probation: bool
    place: int = -1
    """Under which of the names."""


def keep(tier: Tier, keepings: Sequence[Keeping]) -> Steps[list[bool]]:
    """Store answers in Redis. Returns which of them it took: those whose state is as it was noted."""
    commands: list[Any] = []
    stored: list[int | None] = []
    counts = tier.counts
    for number, each in enumerate(keepings):
        read, state = each.read, each.read.noted
        if state is None:
            counts.refused["unavailable"] += 1
            continue
        name = read.names[each.place]
        if each.seconds <= 0:
            counts.refused["settling"] += 1
            if read.lead:  # so that nobody waits for it
                commands.append(store(tier.keyspace, read.tag, name.key, state.top, b"", 0.0, 0.0, read.lead))
                stored.append(None)
            continue
        until = state.noted_at + min(each.seconds, FOREVER)
        value = Value(each.data, state.top, read.owner, each.extent, state.noted_at, until, each.is_on_probation)
        try:
            encoded = encode_value(value, tier.envelope, name.bound_to)
        except Unstorable:
            counts.refused["too large"] += 1
            continue
        life = tier.settings.state_life
        commands.append(store(tier.keyspace, read.tag, name.key, state.top, encoded, until, life, read.lead))
        stored.append(number)
        counts.bytes_written += len(encoded)
    taken = [False] * len(keepings)
    if commands and not tier.again.is_owed:
        with suppress(Unavailable):
            replies = yield from tier.ask(Run(tier.server, tuple(commands)))
            for place, reply in zip(stored, replies, strict=True):
                if place is not None:
                    taken[place] = _is_stored(tier, reply, keepings[place])
    return taken


def _is_stored(tier: Tier, reply: Any, keeping: Keeping) -> bool:
    if reply != b"stored":
        tier.counts.refused[reply.decode() if reply in _REFUSALS else "unavailable"] += 1
        return False
    tier.counts.fills += 1
    tier.counts.probation_fills += keeping.is_on_probation
    return True


_REFUSALS: Final = (b"gone", b"changed", b"open", b"late")
