"""Results that are computed from other results depend on what those depend on."""

from ...shared.keyspace import Keyspace
from ..stored_result import StoredResult
from .capture import Capture, open_captures


def depend_on_result(keyspace: Keyspace, stored: StoredResult, *, is_current: bool = True) -> None:
    """Let the computation that calls, if there is one, depend on everything that another result depends on."""
    for outer in open_captures():
        if is_current and outer.keyspace.identity == keyspace.identity:
            outer.depend_on_result(stored)
        else:
            outer.mark_incomplete()  # the result is old already, or its tokens belong to another namespace


def depend_on_computation(outer: Capture, inner: Capture) -> None:
    """Let a computation depend on everything that another one has read which it called, even if that one raised."""
    parts = inner.parts
    if parts is None or not inner.is_complete or outer.keyspace.identity != inner.keyspace.identity:
        outer.mark_incomplete()
        return
    outer.depend_on_parts(parts)
    outer.lags_until = min(outer.lags_until, inner.lags_until)
    outer.oldest = min(outer.oldest, inner.oldest)
    outer.expires_by = min(outer.expires_by, inner.expires_by)
