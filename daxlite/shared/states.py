"""States: what stands in Redis for a tag, in bytes. It tells whether an answer that depends on the tag is still true.

The *top* of a state is a random token that was never used before. A change puts a new one on top, with the extent that
it changed, and leaves the last ones below. So a state remembers a little of what changed:

    [t9: 17:05] [t8: 17:00] [t7: 16:55]      the log, newest first
    "15:00 to 15:59", read under t7          t8 and t9 lie outside: true, and from now on as of t9
    "16:00 to 17:30", read under t7          t8 lies inside: stale

An answer is true if the token under which it was read is on top, or further down and no change above it meets the
extent that the answer covers. A token that is not in the log any more tells nothing, so the answer counts as stale; so
does a state that is gone, because the one that is made in its place has another token. Order of arrival, retries and
losses therefore never make an old answer look true.

A state is a string, so that a reader gets an answer and its states in one MGET:

    0    format: 1. A reader takes a state of any other for one that is open, and a change replaces it
    1    flags: 1, the state is young, made from nothing by a reader. Others are kept as they are
    2    since, 8 bytes: when the state last changed, or was made
    10   the numbers of records in the log, of open records, of leaders (0 or 1), of excuses, 1 byte each
    14   the log, newest first: token (12 bytes), when it was pushed (8), extent
         open records, of writes under way: operation id (16), deadline (8), extent
         the leader, the one reader that asks for all: id (16), deadline (8)
         excuses, digests of own images: 16 each

Moments are microseconds since the epoch by Redis's own clock, big-endian. An extent is the length of its low end (2
bytes) and the low end, then the same for its high end, where 65535 stands for "as the low end". The ends are sort keys
in their order-preserving form (`core/sort_keys.py`); the extent of everything reaches from "" to 0xff.

A record whose moment is 0 is that of a young state: it tells of no change. Excuses (`core/echoes.py`) stand in the
states of items alone: writers leave them where a follower reads the table's stream, which takes them.
"""

import struct
from typing import Final

from msgspec import Struct

from ..core.extents import EVERYTHING, Extent, extent_between
from .errors import CorruptValue

FORMAT: Final = 1
TOKEN_BYTES: Final = 12
MAX_LOG: Final = 16
"""So many changes of a tag are remembered by what they changed. See "A state in Redis remembers sixteen changes" in
docs/decisions.md."""

_YOUNG: Final = 1
_HEAD: Final = struct.Struct(">BBQBBBB")
_MOMENT: Final = struct.Struct(">Q")
_LENGTH: Final = struct.Struct(">H")
_AS_LOW: Final = 0xFFFF
_ID_BYTES: Final = 16
_TOP: Final = slice(_HEAD.size, _HEAD.size + TOKEN_BYTES)
_OPEN_AT: Final = 11
_EXCUSES_AT: Final = 13
_TICKS: Final = 1e6
"""In a second."""


class LogRecord(Struct, frozen=True):
    """One change of a tag: the token that it put on top, when that was, and what it changed."""

    token: bytes
    moment: float
    """Seconds since the epoch by Redis's clock; 0 if this is no change."""
    extent: Extent


class OpenRecord(Struct, frozen=True):
    """A write under way."""

    id: bytes
    deadline: float
    extent: Extent


class State(Struct, frozen=True):
    """The state of a tag."""

    since: float
    is_young: bool
    log: tuple[LogRecord, ...]
    """Newest first; never empty."""
    open: tuple[OpenRecord, ...] = ()
    leader: tuple[bytes, float] | None = None
    """The id of the reader that asks for all, and the moment until which it leads."""

    @property
    def top(self) -> bytes:
        """The newest token."""
        return self.log[0].token

    def above(self, token: bytes) -> tuple[LogRecord, ...] | None:
        """The records above that of this token; None if the log does not have it."""
        for place, record in enumerate(self.log):
            if record.token == token:
                return self.log[:place]
        return None

    def shows(self, token: bytes, extent: Extent) -> bool:
        """Whether what was read of this extent under this token is still true. A write under way may change it, even
        one past its deadline: `scripts.NotedState` tells these apart."""
        above = self.above(token)
        return above is not None and not any(record.extent.meets(extent) for record in above + self.open)


def top_if_true(data: bytes | None, token: bytes, extent: Extent) -> bytes | None:
    """The top token of a state, if what was read of this extent under this token is true as of that; else None.

    data: what stands in Redis; None if nothing does.
    """
    if data is None:
        return None
    if data[_TOP] == token and len(token) == TOKEN_BYTES and data[0] == FORMAT and not data[_OPEN_AT]:
        return token  # as most often: without a look at the log
    try:
        state = decode_state(data)
    except CorruptValue:
        return None
    return state.top if state.shows(token, extent) else None


def is_open(data: bytes | None) -> bool:
    """Whether there are records in a state of a known format."""
    return data is not None and len(data) > _OPEN_AT and data[0] == FORMAT and data[_OPEN_AT] > 0


def has_excuses(data: bytes | None) -> bool:
    """Whether a state of a known format has excuses for records."""
    return data is not None and len(data) > _EXCUSES_AT and data[0] == FORMAT and data[_EXCUSES_AT] > 0


def is_low(data: bytes | None, token: bytes) -> bool:
    """Whether a token stands in the lower half of a log that may become full, so that it may soon be gone."""
    if data is None or data[_TOP] == token:
        return False
    above = decode_state(data).above(token)
    return above is not None and len(above) >= MAX_LOG // 2


def encode_extent(extent: Extent) -> bytes:
    """The bytes of an extent in a state."""
    low, high = extent.low, extent.high
    if low == high:
        return _LENGTH.pack(len(low)) + low + _LENGTH.pack(_AS_LOW)
    return _LENGTH.pack(len(low)) + low + _LENGTH.pack(len(high)) + high


def decode_state(data: bytes) -> State:
    """The state in these bytes. Raises CorruptValue if they are none, or of an unknown format."""
    try:
        format_, flags, since, changes, opened, leaders, excuses = _HEAD.unpack_from(data)
        if format_ != FORMAT or not changes:
            raise CorruptValue("a state of an unknown format")
        at, log, under_way = _HEAD.size, [], []
        for _ in range(changes):
            token, moment = data[at : at + TOKEN_BYTES], _MOMENT.unpack_from(data, at + TOKEN_BYTES)[0]
            extent, at = extent_at(data, at + TOKEN_BYTES + _MOMENT.size)
            log.append(LogRecord(token, moment / _TICKS, extent))
        for _ in range(opened):
            id_, deadline = data[at : at + _ID_BYTES], _MOMENT.unpack_from(data, at + _ID_BYTES)[0]
            extent, at = extent_at(data, at + _ID_BYTES + _MOMENT.size)
            under_way.append(OpenRecord(id_, deadline / _TICKS, extent))
    except struct.error:
        raise CorruptValue("a state that is cut off") from None
    if len(data) != at + leaders * (_ID_BYTES + _MOMENT.size) + excuses * _ID_BYTES or leaders > 1:
        raise CorruptValue("a state that is cut off, or continued")
    leader = (data[at : at + _ID_BYTES], _MOMENT.unpack_from(data, at + _ID_BYTES)[0] / _TICKS) if leaders else None
    return State(since / _TICKS, bool(flags & _YOUNG), tuple(log), tuple(under_way), leader)


def encode_state(state: State) -> bytes:
    """The bytes of a state in whose log there is something. As scripts write it, but without a leader and excuses."""
    head = _HEAD.pack(FORMAT, state.is_young, round(state.since * _TICKS), len(state.log), len(state.open), 0, 0)
    log = [each.token + _MOMENT.pack(round(each.moment * _TICKS)) + encode_extent(each.extent) for each in state.log]
    opened = [each.id + _MOMENT.pack(round(each.deadline * _TICKS)) + encode_extent(each.extent) for each in state.open]
    return head + b"".join(log + opened)


def extent_at(data: bytes, at: int) -> tuple[Extent, int]:
    """The extent that begins here, and where it ends."""
    at += _LENGTH.size
    low = data[at : at + _LENGTH.unpack_from(data, at - _LENGTH.size)[0]]
    at += len(low)
    (length,) = _LENGTH.unpack_from(data, at)
    at += _LENGTH.size
    if length == _AS_LOW:
        return extent_between(low, low), at
    high = data[at : at + length]
    return extent_between(low, high), at + length


ENCODED_EVERYTHING: Final = encode_extent(EVERYTHING)
