"""Values: encoded answers as they stand in Redis, beside the state of the tag that guards them.

    0    format: 1
    1    flags: 1, the value is on probation: it was read weakly under a young state
    2    when it was noted, 8 bytes: microseconds by Redis's clock, big-endian
    10   the moment until which it may be served, 8 bytes
    18   the token under which it was read, 12 bytes
    30   what it belongs to, 16 bytes: a digest of account, endpoint, principal and generations
    46   the extent that it covers, as in a state
    ...  the answer, in an envelope bound to its key and to all that stands before it

Whoever can write to Redis can forge a value unless values are encrypted; what is damaged, cut off, of another format or
of another owner is a miss.
"""

import struct
from typing import Final

from msgspec import Struct

from ..core.extents import Extent
from ..core.hidden import Hidden
from .envelope import Envelope
from .errors import CorruptValue
from .states import TOKEN_BYTES, encode_extent, extent_at

FORMAT: Final = 1
OWNER_BYTES: Final = 16
_PROBATION: Final = 1
_HEAD: Final = struct.Struct(f">BBQQ{TOKEN_BYTES}s{OWNER_BYTES}s")
_TICKS: Final = 1e6


class Value(Hidden, Struct, frozen=True):
    """A value, and what it was read under."""

    data: bytes
    """The encoded answer; empty if there is no such item."""
    token: bytes
    owner: bytes
    extent: Extent
    noted_at: float
    """Seconds since the epoch by Redis's clock."""
    until: float
    is_on_probation: bool = False


def encode_value(value: Value, envelope: Envelope, key: bytes) -> bytes:
    """The bytes of a value that will stand under a key. Raises Unstorable for one that is too large."""
    noted_at, until = round(value.noted_at * _TICKS), round(value.until * _TICKS)
    flags = _PROBATION if value.is_on_probation else 0
    head = _HEAD.pack(FORMAT, flags, noted_at, until, value.token, value.owner) + encode_extent(value.extent)
    return head + envelope.wrap(value.data, head + key)


def decode_value(stored: bytes, owner: bytes, envelope: Envelope, key: bytes) -> Value:
    """The value in these bytes, which stand under a key. Raises CorruptValue for everything that is no value of this
    owner and this format."""
    try:
        format_, flags, noted_at, until, token, belongs = _HEAD.unpack_from(stored)
        if format_ != FORMAT or belongs != owner:
            raise CorruptValue("a value of another format or another owner")
        extent, at = extent_at(stored, _HEAD.size)
    except struct.error:
        raise CorruptValue("a value that is cut off") from None
    data = envelope.unwrap(stored[at:], stored[:at] + key)
    return Value(data, token, belongs, extent, noted_at / _TICKS, until / _TICKS, bool(flags & _PROBATION))
