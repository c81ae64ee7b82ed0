"""The requests of a reader, how often they may be sent, and how long it waits after one that failed."""

from collections.abc import Callable
from typing import Any, Final, Literal

from msgspec import Struct

from ...core.hidden import Hidden

SPACING: Final = 0.2
"""Seconds between two reads of a shard: DynamoDB allows five a second (AWS: "GetRecords")."""
DESCRIBE_SPACING: Final = 0.25
"""Seconds between two descriptions. DynamoDB allows ten a second, for all readers of a stream."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""Seconds before a request is sent again that failed, or that brought a description that contradicts itself."""

THROTTLED: Final = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
    }
)
REFUSED: Final = frozenset({"ValidationException", "ParamValidationError", "SerializationException"})
"""Errors that come again however often the request is sent."""


class Ask(Hidden, Struct, frozen=True):
    """A request to be sent."""

    operation: Literal["DescribeStream", "GetShardIterator", "GetRecords"]
    params: dict[str, Any]
    shard: str = ""


def backed_off(failures: int, random: Callable[[], float]) -> float:
    """Seconds before the next attempt: half of it by chance, so that readers do not come all at once.

    >>> [backed_off(failures, lambda: 1.0) for failures in (1, 2, 3, 100)]
    [1.0, 2.0, 4.0, 30.0]
    """
    longest: float = min(FIRST_PAUSE * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE)
    return longest * (0.5 + 0.5 * random())
