"""What stands in Redis for one result."""

from collections.abc import Mapping
from typing import Final

import msgspec

from ...core.encoding import encode
from ...shared.errors import CorruptValue

# What Python keeps for an entry in the near cache beside its bytes: the objects, their tags' stamps in the change
# clock, and a slot in each dictionary of cachetools.LRUCache.
OVERHEAD: Final = 500
OVERHEAD_PER_TAG: Final = 260


class StoredResult(msgspec.Struct, frozen=True, array_like=True, weakref=False):
    """A result with all that it takes to tell whether it is still true. Moments are seconds since the epoch, as the
    clock of whoever computed it had them: clocks that differ shift a TTL by as much, and Redis deletes it in time."""

    payload: bytes
    """The result, encoded."""
    computed_at: float
    """When its computation began: what it saw may be as old."""
    expires_at: float
    settled_at: float
    """The moment until which it may be old by the lag of a replica that was read; long ago, if none was."""
    seconds: float
    """How long it took to compute."""
    tags: tuple[bytes, ...]
    stamps: tuple[bytes, ...]
    """Of each tag, the stamp that it had before it was read."""

    @property
    def stamp_of(self) -> Mapping[bytes, bytes]:
        return dict(zip(self.tags, self.stamps, strict=True))

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        return len(self.payload) + OVERHEAD + OVERHEAD_PER_TAG * len(self.tags)


_decode: Final = msgspec.msgpack.Decoder(StoredResult).decode


def packed(entry: StoredResult) -> bytes:
    """The entry in one piece."""
    return encode(entry)


def unpacked(data: bytes) -> StoredResult:
    """The entry. Raises CorruptValue for what is none."""
    try:
        entry = _decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise CorruptValue("not an entry") from None
    if len(entry.tags) != len(entry.stamps) or not entry.tags:
        raise CorruptValue("an entry whose stamps do not fit its tags")
    return entry
