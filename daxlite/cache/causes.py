"""Why answers were dropped: for tests, and for people who wonder about their hit ratio."""

from collections import deque
from typing import Final

from msgspec import Struct

from ..core.extents import Extent
from ..core.hidden import Hidden

MAX_CAUSES: Final = 100
"""The last so many are remembered."""


class Cause(Hidden, Struct, frozen=True):
    """A change that made an entry stale."""

    key_hash: int
    """Of the entry's key, which may be as long as a request."""
    covered: Extent
    """What the entry covers of its partition."""
    tag: object
    """What changed."""
    touched: Extent
    """What the change touched of it."""
    changed_at: float
    """When, by the cache's clock."""
    noticed_at: float
    """When the entry was found to be stale."""


def causes() -> deque[Cause]:
    """The last causes, the newest last."""
    return deque(maxlen=MAX_CAUSES)
