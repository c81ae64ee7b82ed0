"""Where a follower of a table's stream goes on after a restart: one key of Redis, in MessagePack.

A follower writes it after what it read has taken effect, so a restart may read some records twice, which does no harm,
and leaves none out. One that cannot be read, or is of another format, is a gap.
"""

from typing import Final

import msgspec
from msgspec import Struct

from ..core.hidden import Hidden
from ..core.steps import Command, Get, Run, Server, Steps
from .errors import CorruptValue
from .keyspace import Keyspace

FORMAT: Final = 1
LASTS: Final = 7 * 86_400.0
"""Seconds for which a checkpoint is kept. A stream keeps its records for a day, so an older one only tells that there
is a gap, and how long it is."""


class Checkpoint(Hidden, Struct, frozen=True, array_like=True):
    """The position in one stream. A later release may append to it, and this one reads on."""

    format: int
    stream: str
    """Its ARN."""
    made: tuple[str, ...]
    """What tells the table from another one of its name; see `core.tables.made_of`."""
    saved_at: float
    """Seconds since the epoch: what happened until then has been read, and has taken effect."""
    epoch: bytes
    """The epoch of the excuses that are believed."""
    positions: dict[str, str]
    """By shard; see `feeds.streams.progress`."""


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Checkpoint).decode


def load(server: Server, keyspace: Keyspace, table: bytes) -> Steps[Checkpoint | None]:
    """The checkpoint of a stream, by its digest; None if there is none. Raises Unavailable, and CorruptValue for one
    that cannot be read."""
    (data,) = yield Get(server, (keyspace.checkpoint(table),))
    if data is None:
        return None
    try:
        found = _decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise CorruptValue("what stands there is no checkpoint") from None
    if found.format != FORMAT:
        raise CorruptValue("a checkpoint of another format")
    return found


def save(server: Server, keyspace: Keyspace, table: bytes, checkpoint: Checkpoint) -> Steps[None]:
    """Keep a checkpoint in the place of the one before. Raises Unavailable."""
    command: Command = ("SET", keyspace.checkpoint(table), _encode(checkpoint), "PX", round(LASTS * 1000))
    yield Run(server, (command,), is_urgent=True)
