"""Stamps: how it is known that nothing changed, however many results depend on it.

Each tag that something depends on has a stamp in Redis, a token that was never used before. A result is stored with the
stamps that its tags had *before* it was computed, and is true for as long as they still have them.

    reader   |-- stamp s1 ---- computes (old) ---- stored with s1 --|   s1 is gone: stale
    writer            |-- PutItem --- s1 deleted --|
    another                                |-- stamp s2 --- computes (new) --- stored with s2 --|

To invalidate is to delete the stamp: one command, whatever hangs on it, and nothing is left behind for tags on which
nobody depends. A stamp that Redis evicted, or lost in a crash, is gone too and counts as changed; one that comes
back is another one. So no order of arrival, no retry and no loss of stamps can make an old result look true.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

Command: TypeAlias = tuple[Any, ...]
"""A Redis command as redis-py's execute_command takes it."""

# A stamp outlives the results that it guards by this, so that a result never outlives a stamp by a rounding.
MARGIN: Final = 60.0  # seconds
# From the moment it is taken until a result with it is stored: a computation that takes longer may find it gone, and
# is then not stored.
LONGEST_COMPUTATION: Final = 3600.0  # seconds


def new_stamp() -> bytes:
    """A token that nobody ever used: 96 random bits."""
    return os.urandom(12)


def take(keys: Sequence[str], stamps: Iterable[bytes]) -> list[Command]:
    """Ask for the stamps under these keys; where there is none yet, these become the stamps."""
    milliseconds = round((LONGEST_COMPUTATION + MARGIN) * 1000)
    make: list[Command] = [
        ("SET", key, stamp, "NX", "PX", milliseconds) for key, stamp in zip(keys, stamps, strict=True)
    ]
    return [*make, *(("GET", key) for key in keys), *keep(keys, LONGEST_COMPUTATION)]


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


def drop(keys: Iterable[str]) -> list[Command]:
    """Invalidate."""
    return [("DEL", key) for key in keys]
