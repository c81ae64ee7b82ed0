"""Stamps: they tell that nothing changed, no matter how many results depend on it.

Each tag that something depends on has a stamp in Redis, a token that was never used before. A result is stored with the
stamps that its tags had *before* it was computed, and is true for as long as they still have them.

    reader   |-- stamp s1 ---- computes (old) ---- stored with s1 --|   s1 is gone: stale
    writer            |-- PutItem --- s2 instead of s1 --|
    another                                |-- stamp s2 --- computes (new) --- stored with s2 --|

To invalidate is to replace the stamp: one command, no matter how many results depend on it. The new stamp holds the
moment of the change, so that a reader soon after knows that a replica of DynamoDB's may not have heard of it; and it
expires soon, unless a result comes to depend on it. A stamp that Redis evicted, or lost in a crash, counts as changed,
because the next one is different. So no order of arrival, no retry and no loss of stamps can make an old result look
true.
"""

import math
import os
import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ..core.steps import Command
from .errors import CorruptValue

MARGIN: Final = 60.0
"""Seconds by which a stamp outlives the results that it guards, so that a result never outlives it by a rounding."""
MAX_COMPUTATION: Final = 3600.0
"""Seconds for which a stamp lasts once it is taken by a computation that does not prolong its life meanwhile. One that
takes longer may find it gone, and its result is then not stored."""
CHANGE_SHOWS_FOR: Final = 15.0
"""Seconds for which the stamp of a change lasts, if nothing depends on it. Lags of replicas may be as long."""

_MOMENT: Final = struct.Struct(">d")
_RANDOM_BYTES: Final = 12
_CHANGE: Final = b"c"
_NEW: Final = b"b"


def new_stamp() -> bytes:
    """A stamp for a tag that did not change lately: a token of 96 random bits, never used before."""
    return _NEW + os.urandom(_RANDOM_BYTES)


def change_stamp(moment: float) -> bytes:
    """A stamp for a tag that changed at this moment, in seconds since the epoch."""
    return _CHANGE + _MOMENT.pack(moment) + os.urandom(_RANDOM_BYTES)


def seconds_since_change(stamp: bytes, now: float) -> float:
    """The age of the change that left this stamp; infinity if there was none lately.

    >>> seconds_since_change(change_stamp(100.0), 102.5), seconds_since_change(new_stamp(), 102.5)
    (2.5, inf)
    """
    if stamp[:1] != _CHANGE or len(stamp) != 1 + _MOMENT.size + _RANDOM_BYTES:
        return math.inf
    moment: float = _MOMENT.unpack_from(stamp, 1)[0]
    return max(0.0, now - moment)  # clocks of two hosts may differ a little


def take(keys: Sequence[str], new: Iterable[bytes], seconds: float) -> list[Command]:
    """The commands that ask for the stamps under these keys, for so many seconds at least. new: become the stamps where
    there are none yet."""
    milliseconds = round((seconds + MARGIN) * 1000)
    make: list[Command] = [("SET", key, stamp, "NX", "PX", milliseconds) for key, stamp in zip(keys, new, strict=True)]
    return [*make, *(("GET", key) for key in keys), *keep(keys, seconds)]


def taken(replies: Sequence[Any], new: Sequence[bytes]) -> list[bytes]:
    """The stamps that `take` found or made. Raises CorruptValue for a reply that is no stamp."""
    read = replies[len(new) : 2 * len(new)]
    # A stamp that was there, and is gone again as it is read: ours, which Redis does not have, says that something
    # changed.
    found = [stamp if reply is None else reply for reply, stamp in zip(read, new, strict=True)]
    if not all(isinstance(stamp, bytes) for stamp in found):
        raise CorruptValue("a reply that is no stamp")
    return found


def keep(keys: Iterable[str], seconds: float) -> list[Command]:
    """The commands that let stamps outlive a result of this TTL; they never shorten the life of a stamp."""
    milliseconds = round((seconds + MARGIN) * 1000)
    return [("PEXPIRE", key, milliseconds, "GT") for key in keys]


def replace(keys: Iterable[str], moment: float) -> list[Command]:
    """The commands that invalidate, at this moment."""
    milliseconds = round(CHANGE_SHOWS_FOR * 1000)
    return [("SET", key, change_stamp(moment), "PX", milliseconds) for key in keys]


def remove(keys: Iterable[str]) -> list[Command]:
    """The commands that invalidate where Redis has no memory for more; then the moment of the change is not known."""
    return [("DEL", key) for key in keys]
