"""Time to live of items: DynamoDB deletes an item some time after the moment that one of its attributes holds."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

# In seconds. DynamoDB does not delete an item whose moment is longer ago than this.
# (AWS: "Using time to live (TTL) in DynamoDB".)
_IGNORED_AFTER: Final = 5 * 365 * 24 * 3600.0


def seconds_left(items: Iterable[Mapping[str, Any]], attribute: str, now: float) -> float:
    """Seconds until the first of these items may be deleted, negative if it is due; infinity if none will be deleted.

    attribute: the table's TTL attribute. now: seconds since the epoch.

    >>> seconds_left([{"expires": {"N": "160"}}, {"expires": {"N": "130"}}, {}], "expires", now=100.0)
    30.0
    """
    return min((_seconds_left(item.get(attribute), now) for item in items), default=math.inf)


def _seconds_left(value: Any, now: float) -> float:
    try:
        left = float(value["N"]) - now
    except (KeyError, TypeError, ValueError):
        return math.inf  # DynamoDB ignores an attribute that is not a number
    return math.inf if left < -_IGNORED_AFTER else left


def ttl_attribute_of(description: Mapping[str, Any]) -> str | None:
    """The TTL attribute in a DescribeTimeToLive response; None if TTL is not enabled."""
    ttl = description.get("TimeToLiveDescription", {})
    return ttl.get("AttributeName") if ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None
