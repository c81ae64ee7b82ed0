"""Echoes: the records in which a table's stream tells of writes that a cache has applied already.

A writer leaves a digest of what it wrote, an *excuse*; the record that matches it needs not be applied. A digest covers
the new image, and what the write bumped. So a record of somebody else's that is taken for the writer's own bumps no
more than the writer has bumped already, after that record was written.

    excuses of an item, oldest first   [A] [B] [A]
    record A   matches the first one                         left: [B] [A]
    record A   matches the last one, those before it go      left: nothing
    record C   matches none: it is applied                   left: nothing

A record that matches none shows that others write, too; then none of the excuses is believed any more.

A stream whose records lack the old image cannot tell what a change bumps in indexes. Where a table has indexes, the
digest covers the new image alone there, a writer leaves an excuse only if it knows that there will be a record, and a
record matches the oldest excuse or none: own records come in the order of their excuses. A record of somebody else's
may still be taken for an own one. Then the own one finds the next excuse, or none, in its place: it does not match, and
bumps whole indexes.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from .changes import ABSENT, UNKNOWN, Change, Image
from .encoding import encode
from .extents import Extent
from .tags import Tag
from .values import item_signature

MOST: Final = 8
"""So many excuses of an item are kept. A write beyond has none, which costs a read."""
DIGEST_BYTES: Final = 16


class Epoch(Struct, frozen=True):
    """A time in which the follower of a stream has missed nothing: excuses of another one are not believed."""

    id: bytes
    """Random."""
    has_old: bool
    """Whether the records have old images."""


def excuse_of(epoch: Epoch, change: Change, bumped: Mapping[Tag, Extent], *, has_indexes: bool) -> bytes | None:
    """The excuse that a write leaves which DynamoDB applied, alone; None if it must leave none.

    epoch: the one that the writer knew before it asked DynamoDB. bumped: what the write bumped. has_indexes: whether
    the table has indexes. Of a write that left the item as it was there is no record. Raises NotCacheable for an item
    that DynamoDB would not have taken.
    """
    new, old = change.new, change.old
    if new is UNKNOWN or (old is not UNKNOWN and _are_same(old, new)):
        return None
    if epoch.has_old or not has_indexes:
        return _digest(epoch.id, new, bumped)
    has_record = old is not UNKNOWN  # and another one than the new one
    return _digest(epoch.id, new, None) if has_record else None


def echoes_of(
    epoch: Epoch,
    change: Change,
    bumped: Mapping[Tag, Extent],
    bumped_blindly: Mapping[Tag, Extent],
    *,
    has_indexes: bool,
) -> tuple[bytes, ...]:
    """The digests by which the record of a change may be excused.

    bumped: what the change bumps; bumped_blindly: what it would bump if the old image were not known. Raises as
    `excuse_of`.
    """
    new = change.new
    if new is UNKNOWN:
        return ()
    if is_strict(epoch, has_indexes=has_indexes):
        return (_digest(epoch.id, new, None),)
    exact = _digest(epoch.id, new, bumped)
    return (exact,) if bumped == bumped_blindly else (exact, _digest(epoch.id, new, bumped_blindly))


def is_strict(epoch: Epoch, *, has_indexes: bool) -> bool:
    """Whether a record may be excused by the oldest excuse alone, since each has a record of its own."""
    return has_indexes and not epoch.has_old


def _are_same(old: Image, new: Image) -> bool:
    """Whether two images are one to DynamoDB, whatever the order of their sets."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return old is new
    return old == new or item_signature(old) == item_signature(new)


def without(
    excuses: Sequence[bytes], echoes: Sequence[bytes], *, is_strict: bool = False
) -> tuple[bool, Sequence[bytes]]:
    """Whether a record is excused, and the excuses that are left. is_strict: the first one alone may excuse it.

    >>> without([b"a", b"b", b"a"], [b"b"])
    (True, [b'a'])
    >>> without([b"a", b"b"], [b"c"]), without([b"a", b"b"], [b"b"], is_strict=True)
    ((False, []), (False, []))
    """
    for place, excuse in enumerate(excuses[:1] if is_strict else excuses):
        if excuse in echoes:
            return True, excuses[place + 1 :]
    return False, []


def _digest(epoch: bytes, new: Image, bumped: Mapping[Tag, Extent] | None) -> bytes:
    image = None if new is ABSENT or new is UNKNOWN else item_signature(new)
    parts = None
    if bumped is not None:
        parts = sorted(
            [
                (tag.kind, tag.index_name or "", tag.value or b"", extent.low, extent.high)
                for tag, extent in bumped.items()
            ]
        )
    return blake2b(encode((epoch, image, parts)), digest_size=DIGEST_BYTES, person=b"daxlite-echo").digest()
