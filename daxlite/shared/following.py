"""A table whose stream is followed says so in Redis, so that writers leave excuses for their own records.

    follower   |-- announces: epoch e1 --------|-- a gap: epoch e2 --------------|
    writer          |-- asks now and then --|-- excuses of e1 --|-- asks --|-- excuses of e2 --|

A writer that does not know of a follower leaves none, and one that does not know of a gap leaves some that excuse
nothing: both cost a read. What a follower announces ends by itself when the follower does.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from ..core.echoes import Epoch
from ..core.hidden import Hidden
from ..core.steps import Command, Get, Run, Server, Steps
from .keyspace import Keyspace

LASTS: Final = 60.0
"""Seconds for which an announcement stands. It is renewed four times as often."""
ASK_AGAIN: Final = 5.0
"""Seconds after which a writer asks once more."""
EPOCH_BYTES: Final = 16

_FORMAT: Final = 1
_FORM: Final = struct.Struct(f">BB{EPOCH_BYTES}s{EPOCH_BYTES}s")


class Announcement(Hidden, Struct, frozen=True):
    """What a follower says of itself."""

    epoch: Epoch
    id: bytes
    """The follower's: random, 16 bytes."""


def announce(keyspace: Keyspace, table: bytes, announcement: Announcement, lasts: float = LASTS) -> Command:
    """The command that says that a table is followed, for so many seconds."""
    # Without GET: redis-py makes a truth value of the reply.
    return "SET", keyspace.follower(table), _packed(announcement), "PX", round(lasts * 1000)


def _packed(announcement: Announcement) -> bytes:
    epoch = announcement.epoch
    return _FORM.pack(_FORMAT, epoch.has_old, epoch.id, announcement.id)


def announced(data: Any) -> Announcement | None:
    """What stands there; None for nothing, and for what this release does not understand."""
    try:
        format_, has_old, epoch, id = _FORM.unpack(data)
    except (struct.error, TypeError):
        return None
    return Announcement(Epoch(epoch, bool(has_old)), id) if format_ == _FORMAT else None


def hold(
    server: Server, keyspace: Keyspace, table: bytes, mine: Announcement, lasts: float, *, is_new: bool
) -> Steps[tuple[Announcement, bool]]:
    """Announce where several processes follow a table in turns: those of one id share the epoch of the one that was
    first, for as long as one of them says so in time. Returns what stands there then, and whether it was another id's
    before. Raises Unavailable.

    is_new: changes were missed, so that this epoch takes the place of theirs.
    """
    key = keyspace.follower(table)
    command: Command = ("SET", key, _packed(mine), "NX", "PX", round(lasts * 1000))
    yield Run(server, (command,), is_urgent=True)
    (data,) = yield Get(server, (key,))
    found = announced(data)
    is_others = found is not None and found.id != mine.id
    if found is not None and not is_others and not is_new and found.epoch.has_old == mine.epoch.has_old:
        # Not written once more: another process may have begun a new epoch meanwhile, whose end this would be.
        yield Run(server, (("PEXPIRE", key, round(lasts * 1000)),), is_urgent=True)
        return found, False
    yield Run(server, (announce(keyspace, table, mine, lasts),), is_urgent=True)
    return mine, is_others


class Epochs:
    """The tables of which a writer knows that they are followed. clock: seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[bytes, tuple[float, Epoch | None]] = {}

    def begin(self) -> None:
        """Know none."""
        self._known = {}

    def due(self, tables: Iterable[bytes]) -> list[bytes]:
        """Those of these tables, by their digests, that are to be asked for now: one caller alone is told so."""
        now = self._clock()
        due = []
        for table in tables:
            asked_at, epoch = self._known.get(table, (None, None))
            if asked_at is None or now - asked_at >= ASK_AGAIN:
                self._known[table] = now, epoch
                due.append(table)
        return due

    def learn(self, tables: Sequence[bytes], replies: Sequence[Any]) -> None:
        """Take over what stands there for each table: replies to MGET of one key."""
        now = self._clock()
        for table, reply in zip(tables, replies, strict=True):
            found = announced(reply[0]) if isinstance(reply, list) and reply else None
            self._known[table] = now, None if found is None else found.epoch

    def of(self, table: bytes) -> Epoch | None:
        """The epoch of a table that is followed, as far as this process knows."""
        return self._known.get(table, (0.0, None))[1]


def questions(keyspace: Keyspace, tables: Sequence[bytes]) -> list[Command]:
    """The commands that ask whether tables are followed. Each replies with a list of one."""
    return [("MGET", keyspace.follower(table)) for table in tables]
