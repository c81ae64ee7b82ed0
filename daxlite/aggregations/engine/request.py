"""What a call asks the engine for."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from ...core.hidden import Hidden
from ...shared.errors import CorruptValue
from ..options import AggregationOptions
from ..serialization.codec import Codec
from ..stats import FunctionCounters
from ..stored_result import StoredResult


class ComputeRequest(Hidden, Struct, eq=False):
    """A request for one result."""

    key: bytes
    name: str
    """What it is called in logs."""
    options: AggregationOptions
    codec: Codec
    counters: FunctionCounters
    tags: tuple[bytes, ...]
    """What the result depends on in any case, beside what its computation reads."""
    compute: Callable[[], Any]
    is_unchanged: Callable[[], bool] = lambda: True
    """Whether the arguments are still those of the key: once the caller has its answer, it may change a list."""

    def decode(self, stored: StoredResult) -> tuple[Any] | None:
        """The result in objects of the caller's own, in a tuple of one; None if it cannot be read."""
        try:
            return (self.codec.decode(stored.payload),)
        except CorruptValue:
            self.counters.add("corrupt")
            return None
