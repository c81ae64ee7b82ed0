"""Messages: what is published of a change, so that processes hear of it.

    format, 1 byte | operation id, 16 | for how long its open record lasts, 8 | MessagePack: [[tag, low, high], ...]

The format is 1; or 2 if the writer could not change the states, so that what stands in Redis under the old ones is to
be distrusted for so long, or until a message of these tags says that a change is over. The duration is in microseconds,
big-endian; 0 if the message opens no record. A tag is a shared one (`tags.py`), low and high are the ends of what of it
changed.

A message may come from anything that may publish. One that does not look like this counts as "anything may have
changed", and as if it had opened a record.
"""

import struct
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

from ..core.encoding import encode
from ..core.extents import EVERYTHING as EVERY_EXTENT
from ..core.extents import Extent, extent_between, hulls
from ..core.hidden import Hidden
from .tags import EVERYTHING, SIZE

FORMAT: Final = 1
DISTRUST: Final = 2
"""The format of a message about states that could not be changed."""
ID_BYTES: Final = 16
LONGEST: Final = 86_400.0
"""Seconds for which a record lasts at most: a day."""
UNKNOWN_LASTS: Final = 300.0
"""Seconds for which the record of a message lasts that cannot be read. Requests with boto3's default timeouts last two
minutes."""

_HEAD: Final = struct.Struct(f">B{ID_BYTES}sQ")
_TICKS: Final = 1e6
"""In a second."""


class Message(Hidden, Struct, frozen=True):
    """A change that some process tells of."""

    id: bytes
    """The operation's; empty if the message could not be read."""
    lasts: float
    """Seconds for which the open record of the writer lasts, from now; 0.0 if the message opens none."""
    changed: Mapping[bytes, Extent]
    """Shared tags, and what of them changed."""
    is_distrust: bool = False
    """Whether their states could not be changed, and no record was opened."""


class _Changed(Hidden, Struct, array_like=True, frozen=True):
    """One tag in a message. A later release may append to it, and this one reads on."""

    tag: bytes
    low: bytes
    high: bytes


UNKNOWN: Final = Message(b"", UNKNOWN_LASTS, {EVERYTHING: EVERY_EXTENT})
"""What a message means that cannot be read."""

_decode: Final = msgspec.msgpack.Decoder(list[_Changed]).decode


def encode_message(id: bytes, lasts: float, changed: Mapping[bytes, Extent], *, is_distrust: bool = False) -> bytes:
    """The message of an operation that changed, or is about to change, these extents of tags.

    id: 16 bytes. lasts: seconds for which the record lasts that it opens; 0 if it opens none. is_distrust: their states
    could not be changed, and are to be distrusted for so long. Raises ValueError for others.

    >>> decode_message(encode_message(bytes(16), 1.5, {bytes(32): EVERY_EXTENT})).lasts
    1.5
    """
    if len(id) != ID_BYTES:
        raise ValueError(f"an operation id has {ID_BYTES} bytes, not {len(id)}")
    if not 0 <= lasts <= LONGEST:
        raise ValueError(f"a record lasts from 0 to {LONGEST:.0f} seconds, not {lasts}")
    parts = [_Changed(tag, extent.low, extent.high) for tag, extent in changed.items()]
    return _HEAD.pack(DISTRUST if is_distrust else FORMAT, id, round(lasts * _TICKS)) + encode(parts)


def decode_message(data: bytes) -> Message:
    """The message in these bytes; UNKNOWN if they are none, or of an unknown format.

    >>> decode_message(b"text") is UNKNOWN
    True
    """
    try:
        format_, id_, lasts = _HEAD.unpack_from(data)
        parts = _decode(memoryview(data)[_HEAD.size :]) if format_ in (FORMAT, DISTRUST) else None
    except (struct.error, msgspec.DecodeError, RecursionError):
        return UNKNOWN
    if parts is None or lasts > LONGEST * _TICKS:
        return UNKNOWN
    for part in parts:
        if len(part.tag) != SIZE or part.low > part.high:
            return UNKNOWN
    changed = hulls({part.tag: extent_between(part.low, part.high)} for part in parts)
    return Message(id_, lasts / _TICKS, changed, format_ == DISTRUST)


class Copies:
    """Tells the copies of a message from messages: with a line to each primary of a cluster, each message arrives once
    on every line. A message may be told again in the same words: then it comes on some line once more than it was heard
    so far.

    >>> copies = Copies()
    >>> [copies.is_one(0, b"a"), copies.is_one(1, b"a"), copies.is_one(0, b"a"), copies.is_one(0, b"b")]
    [False, True, False, False]
    """

    REMEMBERED: Final = 4096
    """So many messages at least are remembered, and at most twice as many."""

    def __init__(self) -> None:
        self._new: dict[bytes, dict[int, int]] = {}
        """By message, how often each line has brought it."""
        self._old: dict[bytes, dict[int, int]] = {}

    def is_one(self, line: int, data: bytes) -> bool:
        """Note that a line brought a message; whether it is the copy of one that another line brought before."""
        key = blake2b(data, digest_size=16).digest()
        times = self._new.get(key)
        if times is None:
            times = self._new[key] = self._old.pop(key, {})
            if len(self._new) >= self.REMEMBERED:
                self._old, self._new = self._new, {}
        heard = max(times.values(), default=0)
        times[line] = times.get(line, 0) + 1
        return times[line] <= heard
