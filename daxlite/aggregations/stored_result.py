"""What stands in Redis for one result."""

from collections.abc import Iterable
from typing import Final

import msgspec

from ..core.encoding import encode
from ..core.extents import Extent, extent_between
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
    lags_until: float
    """When it expires at the latest because an index that it read was settling; infinity, if none was."""
    seconds: float
    """How long it took to compute."""
    tags: tuple[bytes, ...]
    tokens: tuple[bytes, ...]
    """Of each tag, the token as of which the result is true: the top of its state before it was read, or a later one to
    which it was compared since."""
    extents: tuple[Extent, ...]
    """Of each tag, what of it was read."""

    def __repr__(self) -> str:
        return f"<stored result: {len(self.payload)} bytes>"  # without the result, which is not for logs

    @property
    def parts(self) -> Iterable[tuple[bytes, bytes, Extent]]:
        """Each tag with its token and its extent."""
        return zip(self.tags, self.tokens, self.extents, strict=True)

    def has_tags(self, tags: tuple[bytes, ...]) -> bool:
        """Whether it depends on all of these tags."""
        # Most often it was stored by a call that asked with the same tags: these are its first.
        return self.tags[: len(tags)] == tags or set(self.tags).issuperset(tags)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        ends = sum([len(extent.low) + len(extent.high) for extent in self.extents])
        return len(self.payload) + OVERHEAD + OVERHEAD_PER_TAG * len(self.tags) + ends


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
    tags = len(set(stored.tags))
    if not tags or not tags == len(stored.tags) == len(stored.tokens) == len(stored.extents):
        raise CorruptValue("a stored result whose tokens do not fit its tags")
    return msgspec.structs.replace(
        stored, extents=tuple([extent_between(extent.low, extent.high) for extent in stored.extents])
    )
