"""When a stream is to be described, and what the pages of its descriptions add up to.

    soon()          something is in doubt: the whole stream is described again, later from time to time
    look_below()    a shard has ended: its children are asked for, by themselves where the service can do that
    settled()       nothing is in doubt: the next description is one of routine

A page shows the shards as they are when it is asked for, so a listing of several pages may contradict itself. A
listing that is under way is never begun anew because a shard ends meanwhile: it might never come to its end. If it
does not know the children of that shard, another one follows.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from .asks import DESCRIBE_SPACING, REFUSED, Ask, backed_off
from .shards import Shard, shard_of

REFRESH: Final = 60.0
"""Seconds after which a stream is described again although nothing asks for it."""


class Listing(Struct, frozen=True):
    """All pages of one description."""

    shards: list[Shard]
    parent: str | None
    """The shard whose children these are; None for all shards of the stream."""
    is_enabled: bool
    """Whether the stream goes on."""
    created_at: float | None
    """Seconds since the epoch: when the stream was created, if the service tells."""


class Descriptions:
    """The descriptions of one stream."""

    def __init__(
        self, arn: str, clock: Callable[[], float], random: Callable[[], float], *, may_filter: bool = True
    ) -> None:
        """may_filter: whether DescribeStream takes a ShardFilter."""
        self._arn, self._clock, self._random = arn, clock, random
        self._may_filter = may_filter
        self._ended: dict[str, None] = {}
        """Shards whose children are to be asked for by themselves, in order."""
        self._pages: dict[str | None, list[Shard]] = {}
        """The shards that were listed so far, by the parent they were asked for."""
        self._after: dict[str | None, str] = {}
        """The last shard of the last page, likewise."""
        self._whole_at = -math.inf
        """When the next page of all shards is due."""
        self._not_before = -math.inf
        self._failures = self._doubts = 0

    @property
    def due(self) -> float:
        """When the next request is to be sent."""
        return max(self._not_before, -math.inf if self._ended else self._whole_at)

    def ask(self) -> Ask:
        """The next request."""
        parent = next(iter(self._ended), None)
        params: dict[str, Any] = {"StreamArn": self._arn}
        if parent is not None:
            params["ShardFilter"] = {"Type": "CHILD_SHARDS", "ShardId": parent}
        if parent in self._after:
            params["ExclusiveStartShardId"] = self._after[parent]
        return Ask("DescribeStream", params)

    # What asks for a description

    def look_below(self, id: str) -> None:
        """A shard has ended, and its children are not known."""
        if self._may_filter:
            self._ended[id] = None
        else:
            self._whole_at = min(self._whole_at, self._clock())

    def soon(self) -> None:
        """Something is in doubt."""
        self._doubts += 1
        self._whole_at = min(self._whole_at, self._clock() + backed_off(self._doubts, self._random))

    def settled(self) -> None:
        """The last listing leaves nothing in doubt."""
        self._doubts = 0

    # What came of it

    def replied(self, ask: Ask, description: Mapping[str, Any]) -> Listing | None:
        """Take a page. Returns the listing that it completes."""
        now, parent = self._clock(), _parent_of(ask)
        self._failures, self._not_before = 0, now + DESCRIBE_SPACING
        listed = self._pages.setdefault(parent, [])
        listed += [shard_of(each) for each in description.get("Shards") or ()]
        last = description.get("LastEvaluatedShardId")
        if last is not None:
            self._after[parent] = last
            return None
        self._forget(parent)
        if parent is None:
            self._whole_at = now + REFRESH
        else:
            self._ended.pop(parent, None)
        is_enabled = description.get("StreamStatus", "ENABLED") in ("ENABLED", "ENABLING")
        return Listing(listed, parent, is_enabled, _moment(description.get("CreationRequestDateTime")))

    def failed(self, ask: Ask, code: str) -> bool:
        """Take an error. Returns whether it was no more than a filter that the service does not know."""
        now, parent = self._clock(), _parent_of(ask)
        self._forget(parent)
        if parent is not None and code in REFUSED:
            self._may_filter = False
            self._not_before = now + DESCRIBE_SPACING
            self._ended.clear()
            self.look_below(parent)
            return True
        self._failures += 1
        self._not_before = now + backed_off(self._failures, self._random)
        return False

    def _forget(self, parent: str | None) -> None:
        self._pages.pop(parent, None)
        self._after.pop(parent, None)


def _parent_of(ask: Ask) -> str | None:
    parent: str | None = ask.params.get("ShardFilter", {}).get("ShardId")
    return parent


def _moment(described: Any) -> float | None:
    return described.timestamp() if isinstance(described, datetime) else None
