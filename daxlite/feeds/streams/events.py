"""What the reader of a stream has to tell."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from ...core.hidden import Hidden

RETENTION = 86_400.0
"""Seconds for which a stream keeps a record (AWS: "Change data capture for DynamoDB Streams")."""


class Records(Hidden, Struct, frozen=True):
    """Records of one shard, in order."""

    shard: str
    records: Sequence[Any]
    """As they came."""
    last: str = ""
    """The sequence number of the last one, if it has one."""
    moment: float | None = None
    """Seconds since the epoch: when the last one was written."""


class Gap(Struct, frozen=True):
    """Changes that will never be heard of."""

    reason: str
    """What was lost, in words: "trimmed data", "a missing shard", ..."""
    since: float | None = None
    """Seconds since the epoch: what came after this moment may be lost. None where that is not known."""


class Ended(Struct, frozen=True):
    """The stream has no more records, and will have none."""

    is_gone: bool = False
    """Whether it does not exist any more, so that not all of it may have been read."""


class Trouble(Struct, frozen=True):
    """A request failed, and is sent again later."""

    operation: str
    code: str
    """DynamoDB's error code, or the name of an exception."""
    is_throttling: bool


Event: TypeAlias = Records | Gap | Ended | Trouble
