"""An item's own time to live: DynamoDB deletes it some time after the moment that one of its attributes names."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

# DynamoDB takes a moment so long ago for a mistake and leaves the item alone.
# (AWS: "Using time to live (TTL) in DynamoDB".)
_IGNORED_AFTER: Final = 5 * 365 * 24 * 3600.0


def seconds_left(items: Iterable[Mapping[str, Any]], attribute: str, now: float) -> float:
    """Seconds until the first of these items may be deleted; infinity if none will be. now: seconds since the epoch.

    >>> seconds_left([{"expires": {"N": "160"}}, {"expires": {"N": "130"}}, {}], "expires", now=100.0)
    30.0
    """
    return min((_seconds_left(item.get(attribute), now) for item in items), default=math.inf)


def _seconds_left(value: Any, now: float) -> float:
    try:
        left = float(value["N"]) - now
    except (KeyError, TypeError, ValueError):
        return math.inf  # no number, no moment
    return math.inf if left < -_IGNORED_AFTER else left


def ttl_attribute_of(description: Mapping[str, Any]) -> str | None:
    """The attribute in a DescribeTimeToLive response; None if the table has none that is in force."""
    told = description.get("TimeToLiveDescription", {})
    return told.get("AttributeName") if told.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None
