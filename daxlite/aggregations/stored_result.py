"""What stands in Redis for one result."""

from collections.abc import Mapping
from typing import Final

import msgspec

from ..core.encoding import encode
from ..core.hidden import Hidden
from ..shared.errors import CorruptValue

# What Python keeps for a result in the near cache beside its bytes: the objects, their tags' stamps in the change
# clock, and a slot in each dictionary of cachetools.LRUCache.
OVERHEAD: Final = 500
OVERHEAD_PER_TAG: Final = 260


class StoredResult(Hidden, msgspec.Struct, frozen=True, array_like=True, weakref=False):
    """A result with all that it takes to tell whether it is still true.

    Moments are seconds since the epoch by the clock of the process that computed it. Where clocks differ, a TTL is
    shifted by as much; Redis deletes the result in time all the same.
    """

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

    def __repr__(self) -> str:
        return f"<stored result: {len(self.payload)} bytes>"  # without the result, which is not for logs

    @property
    def stamp_of(self) -> Mapping[bytes, bytes]:
        """The stamp of each tag."""
        return dict(zip(self.tags, self.stamps, strict=True))

    def has_tags(self, tags: tuple[bytes, ...]) -> bool:
        """Whether it depends on all of these tags."""
        # Most often it was stored by a call that asked with the same tags: these are its first.
        return self.tags[: len(tags)] == tags or set(self.tags).issuperset(tags)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        return len(self.payload) + OVERHEAD + OVERHEAD_PER_TAG * len(self.tags)


_decode: Final = msgspec.msgpack.Decoder(StoredResult).decode


def pack(stored: StoredResult) -> bytes:
    """The bytes of a stored result."""
    return encode(stored)


def unpack(data: bytes) -> StoredResult:
    """The stored result in these bytes. Raises CorruptValue if there is none."""
    try:
        stored = _decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise CorruptValue("not a stored result") from None
    if len(stored.tags) != len(stored.stamps) or not stored.tags:
        raise CorruptValue("a stored result whose stamps do not fit its tags")
    return stored
