"""The scripts that make and change states in Redis (`states.py`), each in one round trip.

note    a reader: what the states are, made from nothing where there are none; they live for so long at least
bump    a change: a new token on top of each state, the oldest one dropped from a full log, a life of so long at least;
        then the others are told

A script has all of its keys in one slot of a cluster. Its body uses nothing but functions of strings, which every
server has. It asks with `pcall` where a refusal must not leave the rest undone, and returns what was refused in the
end. A bump that finds no memory deletes the state instead: then what it remembers is lost, and all that depends on the
tag is stale.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from ..core.extents import EVERYTHING, Extent
from ..core.steps import Command
from .bus import message
from .errors import CorruptValue
from .keyspace import Keyspace
from .states import ENCODED_EVERYTHING, MAX_LOG, TOKEN_BYTES, State, decode_state, encode_extent
from .tags import SLOT_BYTES, TABLE_BYTES

MARGIN: Final = 60.0
"""Seconds by which a state outlives the results that it guards, so that a result never outlives it by a rounding."""
MAX_COMPUTATION: Final = 3600.0
"""Seconds for which a state lasts once it is noted by a computation that does not prolong its life meanwhile. One that
takes longer may find it gone, and its result is then not stored."""
CHANGE_SHOWS_FOR: Final = 15.0
"""Seconds for which a state lasts at least after a change. Lags of replicas may be as long."""

ALLOW_OOM: Final = "#!lua flags=allow-oom\n"
"""Before a script that a server is to run even if its memory is full. Not every server knows it."""

_CLOCK: Final = """
local time = redis.call('TIME')
local left, now = time[1] * 1000000 + time[2], ''
for _ = 1, 8 do
  now = string.char(left % 256) .. now
  left = (left - left % 256) / 256
end
"""

# KEYS: the states. ARGV: their life in milliseconds, the extent of everything, a new token for each.
NOTE: Final = (
    _CLOCK
    + """
local found = {time[1], time[2]}
for place, key in ipairs(KEYS) do
  local state = redis.call('GET', key)
  if state then
    redis.call('PEXPIRE', key, ARGV[1], 'GT')
  else
    state = '\\1\\1' .. now .. '\\1\\0\\0\\0' .. ARGV[place + 2] .. string.rep('\\0', 8) .. ARGV[2]
    redis.call('SET', key, state, 'PX', ARGV[1])
  end
  found[place + 2] = state
end
return found
"""
)

# KEYS: the states. ARGV: their life in milliseconds, the length of a log, the extent of everything; a new token and an
# extent for each; then channels and messages by turns.
BUMP: Final = (
    _CLOCK
    + """
local refused
local function ask(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'Unknown', 1, true) then
      reply = {err = "ERR unknown command '" .. select(1, ...) .. "'"}
    end
    refused = refused or reply
    return nil, reply.err
  end
  return reply
end
local function number(state, at)
  return (string.byte(state, at) or 255) * 256 + (string.byte(state, at + 1) or 255)
end
local function end_of_record(state, at)
  at = at + 22 + number(state, at + 20)
  local high = number(state, at)
  return at + 2 + (high < 65535 and high or 0)
end
for place, key in ipairs(KEYS) do
  local token, extent = ARGV[2 * place + 2], ARGV[2 * place + 3]
  local count, flags, counts, older, rest = 1, '\\0', '\\0\\0\\0', '', ''
  local old = ask('GET', key)
  if old and string.byte(old, 1) == 1 and string.len(old) > 14 then
    local at, kept, last = 15, 1, 15
    for record = 1, string.byte(old, 11) do
      at = end_of_record(old, at)
      if record < tonumber(ARGV[2]) then
        kept, last = record + 1, at
      end
    end
    local after = at
    for _ = 1, string.byte(old, 12) do
      after = end_of_record(old, after + 4)
    end
    if after + 24 * string.byte(old, 13) + 16 * string.byte(old, 14) == string.len(old) + 1 then
      flags, counts, rest = string.sub(old, 2, 2), string.sub(old, 12, 14), string.sub(old, at)
      if extent ~= ARGV[3] then
        count, older = kept, string.sub(old, 15, last - 1)
      end
    end
  end
  local state = '\\1' .. flags .. now .. string.char(count) .. counts .. token .. now .. extent .. older .. rest
  local before = refused
  local done, why
  if old then
    done, why = ask('SET', key, state, 'KEEPTTL')
  else
    done, why = ask('SET', key, state, 'PX', ARGV[1])
  end
  if done and old then
    ask('PEXPIRE', key, ARGV[1], 'GT')
  elseif why and string.find(why, 'OOM', 1, true) and ask('DEL', key) then
    refused = before
  end
end
for place = 2 * #KEYS + 4, #ARGV, 2 do
  ask('PUBLISH', ARGV[place], ARGV[place + 1])
end
return refused or 1
"""
)


def new_token() -> bytes:
    """A token of 96 random bits, never used before."""
    return os.urandom(TOKEN_BYTES)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _by_slot(tags: Iterable[bytes], is_cluster: bool) -> list[list[bytes]]:
    """The tags of each script: those of one slot; of all slots, if there is only one server."""
    if not is_cluster:
        return [[*tags]]
    ordered = sorted(tags, key=_slot_of)
    return [[*group] for _, group in groupby(ordered, key=_slot_of)]


def _slot_of(tag: bytes) -> bytes:
    return tag[TABLE_BYTES : TABLE_BYTES + SLOT_BYTES]


def note(keyspace: Keyspace, tags: Sequence[bytes], seconds: float, *, is_cluster: bool) -> list[Command]:
    """The commands that ask for states, for so many seconds at least."""
    life = _milliseconds(seconds + MARGIN)
    commands: list[Command] = []
    for group in _by_slot(tags, is_cluster):
        keys, tokens = [keyspace.state(tag) for tag in group], [new_token() for _ in group]
        commands.append(("EVAL", NOTE, len(group), *keys, life, ENCODED_EVERYTHING, *tokens))
    return commands


class NotedState(State, frozen=True):
    """A state as it was noted."""

    noted_at: float = 0.0
    """By Redis's clock."""

    def age(self, moment: float) -> float:
        """The seconds between a moment of Redis's and the note; infinity for what is no change."""
        return max(0.0, self.noted_at - moment) if moment else math.inf

    def changes_since(self, token: bytes | None) -> list[tuple[Extent, float]]:
        """What has changed since a token was on top, oldest first, and how many seconds ago; everything, if the log
        does not have the token."""
        changed = None if token is None else self.above(token)
        first = [] if changed is not None else [(EVERYTHING, self.age(self.log[-1].moment))]
        since = self.log[:-1] if changed is None else changed
        return first + [(record.extent, self.age(record.moment)) for record in reversed(since)]


def noted(replies: Sequence[Any], tags: Sequence[bytes], *, is_cluster: bool) -> dict[bytes, NotedState | None]:
    """What `note` found for each tag; None where that is no state of a known format. Raises CorruptValue for replies
    that are none."""
    found: dict[bytes, NotedState | None] = {}
    try:
        for group, (seconds, microseconds, *states) in zip(_by_slot(tags, is_cluster), replies, strict=True):
            moment = int(seconds) + int(microseconds) / 1e6
            for tag, data in zip(group, states, strict=True):
                found[tag] = _noted(data, moment)
    except (TypeError, ValueError):
        raise CorruptValue("a reply that is no list of states") from None
    return found


def _noted(data: bytes, moment: float) -> NotedState | None:
    try:
        state = decode_state(data)
    except CorruptValue:
        return None
    return NotedState(state.since, state.is_young, state.log, state.open, moment)


def keep(keyspace: Keyspace, tags: Iterable[bytes], seconds: float) -> list[Command]:
    """The commands that let states outlive a result of this TTL; they never shorten the life of a state."""
    life = _milliseconds(seconds + MARGIN)
    return [("PEXPIRE", keyspace.state(tag), life, "GT") for tag in tags]


def bump(keyspace: Keyspace, changed: Mapping[bytes, Extent], *, is_cluster: bool, header: str) -> list[Command]:
    """The commands that note a change of these extents of tags, and tell the others. header: what goes before the
    script."""
    life = _milliseconds(CHANGE_SHOWS_FOR)
    commands: list[Command] = []
    for group in _by_slot(changed, is_cluster):
        keys = [keyspace.state(tag) for tag in group]
        pushed = [part for tag in group for part in (new_token(), encode_extent(changed[tag]))]
        by_channel: dict[str, dict[bytes, Extent]] = {}
        for tag in group:
            by_channel.setdefault(keyspace.channel(tag), {})[tag] = changed[tag]
        told = [part for channel, tags in by_channel.items() for part in (channel, message(tags))]
        fixed = life, MAX_LOG, ENCODED_EVERYTHING
        commands.append(("EVAL", header + BUMP, len(group), *keys, *fixed, *pushed, *told))
    return commands
