"""The commands of a feed at the shared tier, and their scripts.

excuse  before records are applied: whether writers of the namespace have excused them (`core/echoes.py`)
spare   as bump, for an item that a change has left as it is stored: the value stays, under the new token

`lua.py` says what scripts have in common.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from ..core.echoes import MOST
from ..core.extents import EVERYTHING
from ..core.steps import Command
from .keyspace import Keyspace
from .lua import ALLOW_OOM, CLOCK, STATES
from .scripts import CHANGE_SHOWS_FOR, TICKS, milliseconds, publishing, slot_of
from .states import MAX_LOG, encode_extent

# KEYS: the states of items, one for each record of a feed, in order. ARGV: the digests by which each may be excused,
# then how many excuses of an item, the oldest first, may stand for one.
EXCUSE: Final = (
    ALLOW_OOM
    + CLOCK
    + STATES
    + """
local found = {}
for place, key in ipairs(KEYS) do
  local bytes = ask('GET', key)
  found[place] = 0
  if bytes and string.byte(bytes, 1) == 1 and string.byte(bytes, 14) ~= 0 then
    local state, echoes = parsed(bytes), ARGV[place]
    local first, last = 24 * state.leaders, 0
    for excuse = 1, math.min(state.excuses, tonumber(ARGV[#KEYS + 1])) do
      local digest = string.sub(state.rest, first + 16 * excuse - 15, first + 16 * excuse)
      for at = 1, string.len(echoes), 16 do
        if last == 0 and string.sub(echoes, at, at + 15) == digest then
          last = excuse
        end
      end
    end
    if last > 0 then
      found[place] = 1
      state.rest = string.sub(state.rest, 1, first) .. string.sub(state.rest, first + 16 * last + 1)
      state.excuses = state.excuses - last
    else
      without_excuses(state)
    end
    if #state.log > 0 then
      ask('SET', key, encoded(state), 'KEEPTTL')
    end
  end
end
return refused or found
"""
)

# KEYS: the state of an item, then its value. ARGV: the states' life in milliseconds, the length of a log, the token
# under which the value was read, a new token, an extent, the value under the new token, and the moment at which it
# expires; then a channel and a message.
SPARE: Final = (
    ALLOW_OOM
    + CLOCK
    + STATES
    + """
local bytes = ask('GET', KEYS[1])
local state = parsed(bytes)
local is_same = #state.log > 0 and string.sub(state.log[1], 1, 12) == ARGV[3] and not is_open(state, '')
local left = math.floor((tonumber(ARGV[7]) - now) / 1000)
push(state, ARGV[4], ARGV[5], tonumber(ARGV[2]), '2')
without_excuses(state)
local is_spared = keep(KEYS[1], state, ARGV[1], not bytes) and is_same and left > 0
if is_spared and not ask('SET', KEYS[2], ARGV[6], 'PX', left) then
  refused = nil
  ask('DEL', KEYS[2])
end
tell(8)
return refused or (is_spared and 1 or 0)
"""
)


def excuse(
    keyspace: Keyspace, records: Sequence[tuple[bytes, bytes]], *, is_strict: bool, is_cluster: bool
) -> list[Command]:
    """The commands that ask whether records are excused; the replies, joined, have 1 or 0 for each. records: the tag of
    the item and the digests, in order; those of one slot stand together. is_strict: whether the oldest excuse of an
    item alone may stand for a record."""
    most = 1 if is_strict else MOST
    commands: list[Command] = []
    for _, group in groupby(records, key=lambda record: slot_of(record[0]) if is_cluster else b""):
        tags, echoes = zip(*group, strict=True)
        commands.append(("EVAL", EXCUSE, len(tags), *[keyspace.state(tag) for tag in tags], *echoes, most))
    return commands


def spare(
    keyspace: Keyspace, tag: bytes, key: str, noted: bytes, token: bytes, value: bytes, until: float, id: bytes
) -> Command:
    """The command that notes a change of an item that left it as it is stored. noted: the token under which the value
    was read. token, value, until: a new one, the value under that, and the moment of Redis's clock at which it expires.
    id: the operation's."""
    extent = encode_extent(EVERYTHING)
    fixed = milliseconds(CHANGE_SHOWS_FOR), MAX_LOG, noted, token, extent, value, round(until * TICKS)
    told = publishing(keyspace, id, 0.0, {tag: EVERYTHING})
    return "EVAL", SPARE, 2, keyspace.state(tag), key, *fixed, *told
