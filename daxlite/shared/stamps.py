"""Stamps: how it is known that nothing changed, however many results depend on it.

Each tag that something depends on has a stamp in Redis, a token that was never used before. A result is stored with the
stamps that its tags had *before* it was computed, and is true for as long as they still have them.

    reader   |-- stamp s1 ---- computes (old) ---- stored with s1 --|   s1 is gone: stale
    writer            |-- PutItem --- s2 instead of s1 --|
    another                                |-- stamp s2 --- computes (new) --- stored with s2 --|

To invalidate is to put another stamp in its place: one command, whatever hangs on it. That one says when it was put
there, so that whoever reads soon after knows that a replica of DynamoDB's may not have heard of the change; and it goes
by itself, unless a result comes to depend on it. A stamp that Redis evicted, or lost in a crash, counts as changed, and
the next one is another one. So no order of arrival, no retry and no loss of stamps can make an old result look true.
"""

import math
import os
import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

Command: TypeAlias = tuple[Any, ...]
"""A Redis command as redis-py's execute_command takes it."""

# A stamp outlives the results that it guards by this, so that a result never outlives a stamp by a rounding.
MARGIN: Final = 60.0  # seconds
# From the moment it is taken until a result with it is stored: a computation that takes longer may find it gone, and
# is then not stored.
MAX_COMPUTATION: Final = 3600.0  # seconds
CHANGE_SHOWS_FOR: Final = 15.0
"""Seconds for which the stamp of a change stays, if nothing depends on it. Lags of replicas may be as long."""

_MOMENT: Final = struct.Struct(">d")
_RANDOM_BYTES: Final = 12
_CHANGED: Final = b"c"
_BEGUN: Final = b"b"


def begun() -> bytes:
    """A stamp of a tag that did not change lately: a token that nobody ever used, of 96 random bits."""
    return _BEGUN + os.urandom(_RANDOM_BYTES)


def changed(moment: float) -> bytes:
    """A stamp of a tag that changed at this moment, in seconds since the epoch."""
    return _CHANGED + _MOMENT.pack(moment) + os.urandom(_RANDOM_BYTES)


def seconds_since_change(stamp: bytes, now: float) -> float:
    """How long ago the change was that left this stamp; infinity if there was none lately.

    >>> seconds_since_change(changed(100.0), 102.5), seconds_since_change(begun(), 102.5)
    (2.5, inf)
    """
    if stamp[:1] != _CHANGED or len(stamp) != 1 + _MOMENT.size + _RANDOM_BYTES:
        return math.inf
    moment: float = _MOMENT.unpack_from(stamp, 1)[0]
    return max(0.0, now - moment)  # clocks of two hosts may differ a little


def take(keys: Sequence[str], stamps: Iterable[bytes]) -> list[Command]:
    """Ask for the stamps under these keys; where there is none yet, these become the stamps."""
    milliseconds = round((MAX_COMPUTATION + MARGIN) * 1000)
    make: list[Command] = [
        ("SET", key, stamp, "NX", "PX", milliseconds) for key, stamp in zip(keys, stamps, strict=True)
    ]
    return [*make, *(("GET", key) for key in keys), *keep(keys, MAX_COMPUTATION)]


def taken(replies: Sequence[Any], stamps: Sequence[bytes]) -> list[bytes]:
    """The stamps that `take` found or made. Raises ValueError for a reply that is no stamp."""
    read = replies[len(stamps) : 2 * len(stamps)]
    # One that was there, and is gone again as it is read: ours, which nobody has, says that something changed.
    found = [stamp if reply is None else reply for reply, stamp in zip(read, stamps, strict=True)]
    if not all(isinstance(stamp, bytes) for stamp in found):
        raise ValueError("a reply that is no stamp")
    return found


def keep(keys: Iterable[str], seconds: float) -> list[Command]:
    """Let stamps outlive a result that lives for so long; a longer life that they have already is not cut short."""
    milliseconds = round((seconds + MARGIN) * 1000)
    return [("PEXPIRE", key, milliseconds, "GT") for key in keys]


def replace(keys: Iterable[str], moment: float) -> list[Command]:
    """Invalidate, at this moment."""
    milliseconds = round(CHANGE_SHOWS_FOR * 1000)
    return [("SET", key, changed(moment), "PX", milliseconds) for key in keys]


def remove(keys: Iterable[str]) -> list[Command]:
    """Invalidate, where Redis has no memory for more: but nobody will know when that was."""
    return [("DEL", key) for key in keys]
