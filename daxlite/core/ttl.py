"""Time to live of items: DynamoDB deletes an item some time after the moment that one of its attributes holds."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

# In seconds. DynamoDB does not delete an item whose moment is longer ago than this.
# (AWS: "Using time to live (TTL) in DynamoDB".)
_IGNORED_AFTER: Final = 5 * 365 * 24 * 3600.0


def lifetime(items: Iterable[Mapping[str, Any]], attribute: str, now: float) -> tuple[float, bool]:
    """Seconds until the first of these items expires, infinity if none will; and whether one of them has expired and
    is still there.

    attribute: the table's TTL attribute. now: seconds since the epoch.

    >>> lifetime([{"expires": {"N": "160"}}, {"expires": {"N": "130"}}, {}], "expires", now=100.0)
    (30.0, False)
    >>> lifetime([{"expires": {"N": "160"}}, {"expires": {"N": "130"}}, {}], "expires", now=130.0)
    (30.0, True)
    """
    least, has_expired = math.inf, False
    for item in items:
        if attribute in item:
            left = _seconds_left(item[attribute], now)
            if left <= 0:
                has_expired = True
            elif left < least:
                least = left
    return least, has_expired


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
