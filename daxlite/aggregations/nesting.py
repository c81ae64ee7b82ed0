"""Results that are computed from other results depend on what those depend on."""

from ..shared.keyspace import Keyspace
from .capture import Capture, open_capture
from .entry import Entry


def adopt(keyspace: Keyspace, entry: Entry, *, is_clean: bool = True) -> None:
    """What a computation has from another result, it has from everything on which that depends."""
    outer = open_capture()
    if outer is None:
        return
    if is_clean and outer.keyspace.place == keyspace.place:
        outer.adopt(entry)
    else:
        outer.give_up()  # it is old already; or its stamps are of another namespace, and say nothing in this one


def depend_through(outer: Capture, inner: Capture) -> None:
    """What a computation has from another one, even if that raised, it has from everything that that has read."""
    if not (inner.is_whole and outer.keyspace.place == inner.keyspace.place):
        outer.give_up()
        return
    outer.adopt_stamps(inner.stamp_of)
    outer.settled_at = max(outer.settled_at, inner.settled_at)
    outer.oldest = min(outer.oldest, inner.oldest)
    outer.ends_at = min(outer.ends_at, inner.ends_at)
