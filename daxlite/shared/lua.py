"""The scripts that make and change states in Redis, in Lua; `scripts.py` builds the commands that run them.

Every script has all of its keys in one slot of a cluster. A body uses nothing but functions of strings, which every
server has. It asks with `pcall` where a refusal must not leave the rest undone, and returns what was refused in the
end. A change that finds no memory deletes the state instead: then what it remembers is lost, and all that depends on
the tag is stale.
"""

from typing import Final

ALLOW_OOM: Final = "#!lua flags=allow-oom\n"
"""Before a script that a server is to run even if its memory is full. Not every server knows it."""

# Moments are numbers of microseconds, which a double holds exactly until the year 2255.
CLOCK: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function packed(number)
  local bytes = ''
  for _ = 1, 8 do
    bytes = string.char(number % 256) .. bytes
    number = (number - number % 256) / 256
  end
  return bytes
end
"""

STATES: Final = """
local EVERYTHING = '\\0\\0\\0\\1\\255'
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
local function number(bytes)
  local value = 0
  for at = 1, string.len(bytes) do
    value = value * 256 + string.byte(bytes, at)
  end
  return value
end
local function length(state, at)
  return (string.byte(state, at) or 255) * 256 + (string.byte(state, at + 1) or 255)
end
local function records(state, at, count, fixed)
  local found = {}
  for place = 1, count do
    local first = at
    at = at + fixed + 2 + length(state, at + fixed)
    local high = length(state, at)
    at = at + 2 + (high < 65535 and high or 0)
    found[place] = string.sub(state, first, at - 1)
  end
  return found, at
end
local function parsed(bytes)
  local none = {flags = 0, since = now, log = {}, open = {}, rest = '', leaders = 0, excuses = 0}
  if not bytes or string.byte(bytes, 1) ~= 1 or string.len(bytes) < 15 then
    return none
  end
  local state, at = {flags = string.byte(bytes, 2), since = number(string.sub(bytes, 3, 10))}
  state.log, at = records(bytes, 15, string.byte(bytes, 11), 20)
  state.open, at = records(bytes, at, string.byte(bytes, 12), 24)
  state.leaders, state.excuses = string.byte(bytes, 13), string.byte(bytes, 14)
  state.rest = string.sub(bytes, at)
  local is_whole = at + 24 * state.leaders + 16 * state.excuses == string.len(bytes) + 1
  return is_whole and #state.log > 0 and state.leaders <= 1 and state or none
end
local function encoded(state)
  return '\\1' .. string.char(state.flags) .. packed(state.since)
    .. string.char(#state.log, #state.open, state.leaders, state.excuses)
    .. table.concat(state.log) .. table.concat(state.open) .. state.rest
end
local function keep(key, state, life, is_new)
  local before = refused
  local done, why
  if is_new then
    done, why = ask('SET', key, encoded(state), 'PX', life)
  else
    done, why = ask('SET', key, encoded(state), 'KEEPTTL')
    if done then
      ask('PEXPIRE', key, life, 'GT')
    end
  end
  if not done and why and string.find(why, 'OOM', 1, true) and ask('DEL', key) then
    refused = before
  end
  return done
end
local function push(state, token, extent, most, kind)
  local oldest = state.log[#state.log]
  if state.flags % 2 == 1 and oldest then
    -- What was made from nothing may have forgotten a change of anything, made until then.
    state.log[#state.log] = string.sub(oldest, 1, 12) .. packed(state.since) .. string.sub(oldest, 21)
  end
  state.flags = state.flags - state.flags % 2
  table.insert(state.log, 1, token .. packed(now) .. extent)
  while #state.log > (kind == '2' and 2 or most) do
    table.remove(state.log)
  end
  state.since = now
end
local function deadline(record)
  return number(string.sub(record, 17, 24))
end
local function forget_old_records(state, margin)
  for place = #state.open, 1, -1 do
    if deadline(state.open[place]) + margin <= now then
      table.remove(state.open, place)
    end
  end
end
local function place_of(state, id)
  for place, record in ipairs(state.open) do
    if string.sub(record, 1, 16) == id then
      return place
    end
  end
end
local function without_excuses(state)
  state.rest, state.excuses = string.sub(state.rest, 1, 24 * state.leaders), 0
end
local function is_open(state, id)
  for _, record in ipairs(state.open) do
    if deadline(record) > now and string.sub(record, 1, 16) ~= id then
      return true
    end
  end
  return false
end
local function tell(first)
  for place = first, #ARGV, 2 do
    ask('PUBLISH', ARGV[place], ARGV[place + 1])
  end
end
"""

# KEYS: the states. ARGV: their life in milliseconds; a new token for each; then, for a reader that would lead, its id
# and for how many microseconds: it does where no other reader leads and no record is open.
NOTE: Final = (
    CLOCK
    + STATES
    + """
local found = {time[1], time[2]}
local id, lasts = ARGV[#KEYS + 2], ARGV[#KEYS + 3]
for place, key in ipairs(KEYS) do
  local bytes = redis.call('GET', key)
  if not bytes then
    bytes = '\\1\\1' .. packed(now) .. '\\1\\0\\0\\0' .. ARGV[place + 1] .. string.rep('\\0', 8) .. EVERYTHING
    redis.call('SET', key, bytes, 'PX', ARGV[1])
  else
    redis.call('PEXPIRE', key, ARGV[1], 'GT')
  end
  if id then
    local state = parsed(bytes)
    local is_free = state.leaders == 0 or number(string.sub(state.rest, 17, 24)) <= now
    if #state.log > 0 and not is_open(state, '') and is_free then
      state.rest = id .. packed(now + tonumber(lasts)) .. string.sub(state.rest, 24 * state.leaders + 1)
      state.leaders = 1
      bytes = encoded(state)
      redis.call('SET', key, bytes, 'KEEPTTL')
    end
  end
  found[place + 2] = bytes
end
return found
"""
)

# KEYS: a state, then the value. ARGV: the noted token, the value, the moment at which it expires, the life of the state
# in milliseconds, and the id under which the reader leads.
STORE: Final = (
    CLOCK
    + STATES
    + """
local bytes = redis.call('GET', KEYS[1])
if not bytes then
  return 'gone'
end
local state = parsed(bytes)
if state.leaders == 1 and string.sub(state.rest, 1, 16) == ARGV[5] then
  state.leaders, state.rest = 0, string.sub(state.rest, 25)
  redis.call('SET', KEYS[1], encoded(state), 'KEEPTTL')
end
if #state.log == 0 or string.sub(state.log[1], 1, 12) ~= ARGV[1] then
  return 'changed'
end
if is_open(state, '') then
  return 'open'
end
local left = math.floor((tonumber(ARGV[3]) - now) / 1000)
if left <= 0 then
  return 'late'
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', left)
redis.call('PEXPIRE', KEYS[1], ARGV[4], 'GT')
return 'stored'
"""
)

# KEYS: the states. ARGV: their life in milliseconds, the length of a log, the operation's id, for how many microseconds
# its records last and for how many more they are remembered; for each key a new token, an extent, and its kind: 1 if
# the state is to be left alone where there is none, 2 if it is an item's, which remembers one earlier token; then
# channels and messages by turns.
BEGIN: Final = (
    ALLOW_OOM
    + CLOCK
    + STATES
    + """
local most, id, lasts, margin = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local found = {time[1], time[2]}
for place, key in ipairs(KEYS) do
  local token, extent, kind = ARGV[3 * place + 3], ARGV[3 * place + 4], ARGV[3 * place + 5]
  local bytes = ask('GET', key)
  if bytes or kind ~= '1' then
    local state = parsed(bytes)
    local own = place_of(state, id)
    local was_open = own and deadline(state.open[own]) > now
    local displaced = bytes and #state.log > 0 and string.char(state.flags) .. packed(state.since) or ''
    local reply = is_open(state, id) and 'o' or 'a'
    if own then
      repeat
        table.remove(state.open, own)
        own = place_of(state, id)
      until not own
      reply = 'o'
    end
    if not was_open then
      push(state, token, extent, most, kind)
    end
    forget_old_records(state, margin)
    while #state.open > 254 do
      table.remove(state.open)
      reply = 'o'
    end
    table.insert(state.open, id .. packed(now + lasts) .. extent)
    if not keep(key, state, ARGV[1], not bytes) then
      reply = 'o'
    end
    found[place + 2] = reply .. displaced
  else
    found[place + 2] = '-'
  end
end
tell(3 * #KEYS + 6)
return refused or found
"""
)

# KEYS: the states, then the value to keep, if any. ARGV: the states' life in milliseconds, the length of a log, the
# operation's id, 1 if it was refused, the value, its life in milliseconds, 1 if it is kept only in the place of another
# one, the number of states, and an excuse for the first one, or nothing; for each state the token of begin, a new
# token, an extent, what begin replied, a kind; then channels and messages by turns.
FINISH: Final = (
    ALLOW_OOM
    + CLOCK
    + STATES
    + """
local most, id, is_refused = tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
local states, is_lost = tonumber(ARGV[8]), false
local found = {time[1], time[2]}
for place = 1, states do
  local key = KEYS[place]
  local at = 5 * place + 5
  local token, new, extent, begun, kind = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local bytes = ask('GET', key)
  local is_optional = begun == '-'
  if bytes or not is_optional then
    local state = parsed(bytes)
    local own = place_of(state, id)
    local reply
    if own and deadline(state.open[own]) <= now then
      table.remove(state.open, own)
      own = nil
    end
    local is_on_top = #state.log > 0 and string.sub(state.log[1], 1, 12) == token
    if not own then
      if not is_refused then
        push(state, new, extent, most, kind)
        is_lost = true
      end
      reply = 'lost'
    else
      table.remove(state.open, own)
      if is_refused then
        reply = 'restored'
        if is_on_top and string.len(begun) == 10 and #state.log > 1 then
          table.remove(state.log, 1)
          state.flags, state.since = string.byte(begun, 2), number(string.sub(begun, 3, 10))
        end
      elseif is_on_top and string.byte(begun, 1) == 97 then
        -- What it changed may be less than what it might have changed.
        state.log[1] = token .. packed(now) .. extent
        state.since = now
        reply = 'kept'
        if place == 1 and ARGV[9] ~= '' and state.excuses < 8 then
          state.rest, state.excuses = state.rest .. ARGV[9], state.excuses + 1
        end
      else
        push(state, new, extent, most, kind)
        reply = 'changed'
      end
    end
    if (bytes or not is_refused) and not keep(key, state, ARGV[1], not bytes) then
      reply = 'lost'
    end
    if reply == 'kept' and place == 1 and KEYS[states + 1] then
      if ARGV[7] == '1' and ask('EXISTS', KEYS[states + 1]) == 0 then
        reply = 'unwanted'
      elseif not ask('SET', KEYS[states + 1], ARGV[5], 'PX', ARGV[6]) then
        refused, reply = nil, 'full'
        ask('DEL', KEYS[states + 1])
      end
    end
    found[place + 2] = reply
  else
    found[place + 2] = '-'
  end
end
if is_lost then
  tell(5 * states + 10)
end
return refused or found
"""
)

# KEYS: the states. ARGV: their life in milliseconds, the length of a log; for each key a new token, an extent, and its
# kind; then channels and messages by turns.
BUMP: Final = (
    ALLOW_OOM
    + CLOCK
    + STATES
    + """
for place, key in ipairs(KEYS) do
  local token, extent, kind = ARGV[3 * place], ARGV[3 * place + 1], ARGV[3 * place + 2]
  local bytes = ask('GET', key)
  if bytes or kind ~= '1' then
    local state = parsed(bytes)
    push(state, token, extent, tonumber(ARGV[2]), kind)
    without_excuses(state)
    keep(key, state, ARGV[1], not bytes)
  end
end
tell(3 * #KEYS + 3)
return refused or 1
"""
)
