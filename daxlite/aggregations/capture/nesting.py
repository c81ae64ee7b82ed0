"""Results that are computed from other results depend on what those depend on."""

from ...shared.keyspace import Keyspace
from ..engine.stored_result import StoredResult
from .capture import Capture, open_capture


def adopt(keyspace: Keyspace, entry: StoredResult, *, is_clean: bool = True) -> None:
    """What a computation has from another result, it has from everything on which that depends."""
    outer = open_capture()
    if outer is None:
        return
    if is_clean and outer.keyspace.place == keyspace.place:
        outer.adopt(entry)
    else:
        outer.mark_incomplete()  # it is old already, or its stamps belong to another namespace


def depend_through(outer: Capture, inner: Capture) -> None:
    """What a computation has from another one, even if that raised, it has from everything that that has read."""
    if not (inner.is_complete and outer.keyspace.place == inner.keyspace.place):
        outer.mark_incomplete()
        return
    outer.adopt_stamps(inner.stamp_of)
    outer.settled_at = max(outer.settled_at, inner.settled_at)
    outer.oldest = min(outer.oldest, inner.oldest)
    outer.ends_at = min(outer.ends_at, inner.ends_at)
