"""The commands that make and change states in Redis (`states.py`); `lua.py` has the scripts that they run.

note    a reader that missed: what the states are, made from nothing where there are none
store   a reader that has read DynamoDB: keeps the value if the noted token is still on top and no record is open
begin   a writer, before it asks DynamoDB: a new token on top, its record opened, the others told
finish  a writer, after the reply: its record closed. It keeps the new value if no other write overlapped, and puts back
        what it displaced if DynamoDB refused; else there is another new token
bump    a change that is over: a new token on top, the others told

A command has all of its keys in one slot of a cluster.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from msgspec import Struct

from ..core.extents import EVERYTHING, Extent
from ..core.hidden import Hidden
from ..core.steps import Command
from .errors import CorruptValue
from .keyspace import Keyspace
from .lua import BEGIN, BUMP, FINISH, NOTE, STORE
from .messages import ID_BYTES, encode_message
from .states import MAX_LOG, TOKEN_BYTES, State, decode_state, encode_extent
from .tags import SLOT_BYTES, TABLE_BYTES

MARGIN: Final = 60.0
"""Seconds by which a state outlives the results that it guards, so that a result never outlives it by a rounding."""
MAX_COMPUTATION: Final = 3600.0
"""Seconds for which a state lasts once it is noted by a computation that does not prolong its life meanwhile. One that
takes longer may find it gone, and its result is then not stored."""
TICKS: Final = 1e6
"""In a second, as scripts count."""
CHANGE_SHOWS_FOR: Final = 15.0
"""Seconds for which a state lasts at least after a change. Lags of replicas may be as long."""


def new_token() -> bytes:
    """A token of 96 random bits, never used before."""
    return os.urandom(TOKEN_BYTES)


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _by_slot(tags: Iterable[bytes], is_cluster: bool) -> list[list[bytes]]:
    """The tags of each script: those of one slot; of all slots, if there is only one server."""
    if not is_cluster:
        return [[*tags]]
    ordered = sorted(tags, key=slot_of)
    return [[*group] for _, group in groupby(ordered, key=slot_of)]


def slot_of(tag: bytes) -> bytes:
    return tag[TABLE_BYTES : TABLE_BYTES + SLOT_BYTES]


def note(
    keyspace: Keyspace,
    tags: Sequence[bytes],
    seconds: float,
    *,
    is_cluster: bool,
    lead: bytes = b"",
    leads_for: float = 0.0,
) -> list[Command]:
    """The commands that ask for states, for so many seconds at least.

    lead: the id of a reader that would lead for so many seconds; then there is one tag.
    """
    life = milliseconds(seconds + MARGIN)
    if lead:
        (tag,) = tags
        return [("EVAL", NOTE, 1, keyspace.state(tag), life, new_token(), lead, round(leads_for * TICKS))]
    commands: list[Command] = []
    for group in _by_slot(tags, is_cluster):
        keys, tokens = [keyspace.state(tag) for tag in group], [new_token() for _ in group]
        commands.append(("EVAL", NOTE, len(group), *keys, life, *tokens))
    return commands


class NotedState(State, frozen=True):
    """A state as it was noted."""

    noted_at: float = 0.0
    """By Redis's clock."""

    def age(self, moment: float) -> float:
        """The seconds between a moment of Redis's and the note; infinity for what is no change."""
        return max(0.0, self.noted_at - moment) if moment else math.inf

    def is_open_for(self, extent: Extent) -> bool:
        """Whether a write is under way that may change this extent."""
        return any(each.deadline > self.noted_at and each.extent.meets(extent) for each in self.open)

    def shows_now(self, token: bytes, extent: Extent) -> bool:
        """As `shows`, by Redis's own clock: a record past its deadline is closed."""
        above = self.above(token)
        is_changed = above is None or any(record.extent.meets(extent) for record in above)
        return not is_changed and not self.is_open_for(extent)

    def last_change(self, extent: Extent) -> float:
        """How many seconds ago this extent last changed, or a record of a write of it ended unheard of; infinity where
        that is not known to have been."""
        ages = [self.age(each.moment) for each in self.log if each.extent.meets(extent)]
        ages += [max(0.0, self.noted_at - each.deadline) for each in self.open if each.extent.meets(extent)]
        return min(ages, default=math.inf)

    def is_young_for(self, window: float) -> bool:
        """Whether it was made from nothing less than so many seconds ago."""
        return self.is_young and self.age(self.since) < window

    def changes_since(self, token: bytes | None) -> list[tuple[Extent, float]]:
        """What has changed since a token was on top, oldest first, and how many seconds ago; everything, if the log
        does not have the token. What a writer has left open has changed until its deadline, which is over."""
        changed = None if token is None else self.above(token)
        first = [] if changed is not None else [(EVERYTHING, self.age(self.log[-1].moment))]
        since = self.log[:-1] if changed is None else changed
        left = [(record.extent, self.age(record.deadline)) for record in self.open]
        return first + [(record.extent, self.age(record.moment)) for record in reversed(since)] + left


def noted(replies: Sequence[Any], tags: Sequence[bytes], *, is_cluster: bool) -> dict[bytes, NotedState | None]:
    """What `note` found for each tag; None where that is no state of a known format. Raises CorruptValue for replies
    that are none."""
    found: dict[bytes, NotedState | None] = {}
    try:
        for group, (seconds, microseconds, *states) in zip(_by_slot(tags, is_cluster), replies, strict=True):
            moment = int(seconds) + int(microseconds) / 1e6
            for tag, data in zip(group, states, strict=True):
                found[tag] = noted_state(data, moment)
    except (TypeError, ValueError):
        raise CorruptValue("a reply that is no list of states") from None
    return found


def noted_state(data: bytes, moment: float) -> NotedState | None:
    """What stands in Redis for a tag at a moment of Redis's clock; None if that is no state of a known format."""
    try:
        state = decode_state(data)
    except CorruptValue:
        return None
    return NotedState(state.since, state.is_young, state.log, state.open, state.leader, moment)


def keep(keyspace: Keyspace, tags: Iterable[bytes], seconds: float) -> list[Command]:
    """The commands that let states outlive a result of this TTL; they never shorten the life of a state."""
    life = milliseconds(seconds + MARGIN)
    return [("PEXPIRE", keyspace.state(tag), life, "GT") for tag in tags]


def store(
    keyspace: Keyspace, tag: bytes, key: str, token: bytes, value: bytes, until: float, life: float, lead: bytes
) -> Command:
    """The command that keeps a value, until a moment of Redis's clock, under the token that was noted. It replies with
    "stored", or why it did not: "gone", "changed", "open" or "late". life: seconds for which its state lasts."""
    fixed = token, value, round(until * TICKS), milliseconds(life + MARGIN), lead
    return "EVAL", STORE, 2, keyspace.state(tag), key, *fixed


class Begin(Hidden, Struct, frozen=True):
    """One write of one item, or one change of a table, as scripts see it."""

    id: bytes
    """The operation's."""
    tags: Mapping[bytes, Extent]
    """Of one slot, unless there is only one server. The first one is the item's, where a value is to be kept."""
    optional: frozenset[bytes]
    """Those whose states are left alone where there is none."""
    tokens: tuple[bytes, ...]
    """A new one for each tag."""
    item: bytes = b""
    """The item's, if it is of one."""

    def kind(self, tag: bytes) -> int:
        """How scripts treat the state of a tag."""
        return 1 if tag in self.optional else 2 if tag == self.item else 0


def begins(
    id: bytes, tags: Mapping[bytes, Extent], optional: frozenset[bytes], *, is_cluster: bool, item: bytes = b""
) -> list[Begin]:
    """An operation by slots. item: the tag of the item, if it is of one."""
    return [
        Begin(
            id,
            {tag: tags[tag] for tag in group},
            optional.intersection(group),
            tuple([new_token() for _ in group]),
            item,
        )
        for group in _by_slot(tags, is_cluster)
    ]


def begin(keyspace: Keyspace, each: Begin, lasts: float, life: float) -> Command:
    """The command of a writer before it asks DynamoDB. lasts: seconds until its record expires."""
    keys = [keyspace.state(tag) for tag in each.tags]
    fixed = milliseconds(life), MAX_LOG, each.id, round(lasts * TICKS), round(MARGIN * TICKS)
    pushed = [
        part
        for (tag, extent), token in zip(each.tags.items(), each.tokens, strict=True)
        for part in (token, encode_extent(extent), each.kind(tag))
    ]
    return "EVAL", BEGIN, len(keys), *keys, *fixed, *pushed, *publishing(keyspace, each.id, lasts, each.tags)


def finish(
    keyspace: Keyspace,
    each: Begin,
    begun: Sequence[bytes],
    life: float,
    *,
    is_refused: bool = False,
    value: tuple[str, bytes, float] | None = None,
    if_cached: bool = False,
    changed: Mapping[bytes, Extent] = {},
    excuse: bytes = b"",
) -> Command:
    """The command of a writer after the reply.

    begun: what begin replied for each tag. value: a key, the new value and the seconds for which it lives. if_cached:
    it is kept only in the place of another one. changed: what it turned out to have changed of tags, where that is less
    than it might have. excuse: that of the record of this write, for the item; empty for none.
    """
    keys = [keyspace.state(tag) for tag in each.tags]
    stored = (b"", 0) if value is None else (value[1], milliseconds(value[2]))
    fixed = milliseconds(life), MAX_LOG, each.id, int(is_refused), *stored, int(if_cached), len(keys), excuse
    parts = [
        part
        for (tag, extent), token, reply in zip(each.tags.items(), each.tokens, begun, strict=True)
        for part in (token, new_token(), encode_extent(changed.get(tag, extent)), reply, each.kind(tag))
    ]
    if value is not None:
        keys.append(value[0])
    told = publishing(keyspace, each.id, 0.0, each.tags)
    return "EVAL", FINISH, len(keys), *keys, *fixed, *parts, *told


def replied(reply: Any, count: int) -> tuple[float, list[bytes]]:
    """What `begin` or `finish` replied: the moment by Redis's clock, and a word for each tag. Raises CorruptValue for a
    reply that is none."""
    try:
        seconds, microseconds, *words = reply
        moment = int(seconds) + int(microseconds) / TICKS
    except (TypeError, ValueError):
        raise CorruptValue("a reply of a script that is none") from None
    if len(words) != count:
        raise CorruptValue("a reply of a script that is none")
    return moment, words


def bump(
    keyspace: Keyspace,
    changed: Mapping[bytes, Extent],
    *,
    is_cluster: bool,
    optional: frozenset[bytes] = frozenset(),
    items: frozenset[bytes] = frozenset(),
    id: bytes = b"",
) -> list[Command]:
    """The commands that note a change of these extents of tags, and tell the others. optional: the tags whose states
    are left alone where there is none; items: those of items. id: the operation's."""
    life = milliseconds(CHANGE_SHOWS_FOR)
    id_ = id or os.urandom(ID_BYTES)
    commands: list[Command] = []
    for group in _by_slot(changed, is_cluster):
        keys = [keyspace.state(tag) for tag in group]
        kinds = [1 if tag in optional else 2 if tag in items else 0 for tag in group]
        pushed = [
            part
            for tag, kind in zip(group, kinds, strict=True)
            for part in (new_token(), encode_extent(changed[tag]), kind)
        ]
        told = publishing(keyspace, id_, 0.0, {tag: changed[tag] for tag in group})
        commands.append(("EVAL", BUMP, len(group), *keys, life, MAX_LOG, *pushed, *told))
    return commands


def distrust(keyspace: Keyspace, id: bytes, lasts: float, changed: Mapping[bytes, Extent]) -> list[Command]:
    """The commands that tell the others that states could not be changed: what stands under them is to be distrusted
    for so many seconds, or until a change of them is over."""
    return [
        ("PUBLISH", channel, encode_message(id, lasts, tags, is_distrust=True))
        for channel, tags in _by_channel(keyspace, changed).items()
    ]


def publishing(keyspace: Keyspace, id: bytes, lasts: float, changed: Mapping[bytes, Extent]) -> list[Any]:
    """Channels and messages by turns."""
    by_channel = _by_channel(keyspace, changed)
    return [part for channel, tags in by_channel.items() for part in (channel, encode_message(id, lasts, tags))]


def _by_channel(keyspace: Keyspace, changed: Mapping[bytes, Extent]) -> dict[str, dict[bytes, Extent]]:
    by_channel: dict[str, dict[bytes, Extent]] = {}
    for tag, extent in changed.items():
        by_channel.setdefault(keyspace.channel(tag), {})[tag] = extent
    return by_channel
