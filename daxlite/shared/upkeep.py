"""What a process looks after while its writes are under way, and after those of which the outcome is not known.

    under way   the record is renewed before it ends, for as long as the call lasts; a frozen process loses it
    left open   the record stays until it ends by itself, and is opened again where Redis has lost it
    later       what is to be bumped once more at the deadline of a record that was left open

No I/O here: the outbox's thread asks what is due (`writes.attend`).
"""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct

from ..core.extents import EVERYTHING as EVERY_EXTENT
from ..core.extents import Extent, hulls
from ..core.hidden import Hidden
from ..core.steps import Command
from .tags import EVERYTHING

RENEW_AFTER: Final = 0.25
"""The part of a record's life after which it is renewed, so that most of it is left whenever an attempt begins."""
LONGEST: Final = 3600.0
"""Seconds for which a call's record is renewed at most."""
MAX_LEFT: Final = 10_000
"""So many records that were left open are remembered; the oldest is forgotten first."""
MAX_LATER: Final = 20_000
"""So many tags wait for a deadline. Beyond, the namespace does, until the last of their deadlines."""

Errand: TypeAlias = Callable[[], Sequence[Command]]
"""Makes its commands anew each time that they are to be sent."""


class _UnderWay(Hidden, Struct, eq=False):
    """A write whose call has not ended."""

    write: "weakref.ref[Any]"
    until: float
    """Then it is renewed no more."""
    renew_at: float


class _Left(Hidden, Struct, frozen=True):
    """A record of a write of unknown outcome."""

    reopen: Errand
    changed: Mapping[bytes, Extent]
    until: float


class Upkeep:
    """The records of one process. clock: seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Start with nothing: what a parent process has opened, it looks after."""
        self._lock = threading.RLock()  # a signal handler may write, too
        self._under_way: dict[bytes, _UnderWay] = {}
        self._left: OrderedDict[bytes, _Left] = OrderedDict()
        self._later: list[tuple[float, Mapping[bytes, Extent]]] = []
        """By moment, as far as all records of this process last equally long."""
        self._waiting = 0

    # Writes under way

    def start(self, id: bytes, write: Any, lasts: float) -> None:
        """Renew the record of a write from here on, while the write is alive and until `end`."""
        now = self._clock()
        self._under_way[id] = _UnderWay(weakref.ref(write), now + LONGEST, now + RENEW_AFTER * lasts)

    def renewed(self, id: bytes, lasts: float) -> None:
        """Its record lasts for so long from here on."""
        known = self._under_way.get(id)
        if known is not None:
            known.renew_at = self._clock() + RENEW_AFTER * lasts

    def end(self, id: bytes) -> None:
        """The call has ended."""
        self._under_way.pop(id, None)

    def due(self) -> list[Any]:
        """The writes of which the records are to be renewed now."""
        now = self._clock()
        found = []
        for id, each in [*self._under_way.items()]:
            write = each.write()
            if write is None or each.until <= now:
                self._under_way.pop(id, None)
            elif each.renew_at <= now:
                found.append(write)
        return found

    # Records left open

    def leave(self, id: bytes, reopen: Errand, changed: Mapping[bytes, Extent], until: float) -> None:
        """Remember a record that was left open until this moment."""
        self._left[id] = _Left(reopen, changed, until)
        while len(self._left) > MAX_LEFT:
            self._left.popitem(last=False)

    def left(self) -> list[tuple[bytes, Errand, Mapping[bytes, Extent]]]:
        """Those that have not ended yet."""
        now = self._clock()
        for id, each in [*self._left.items()]:
            if each.until <= now:
                self._left.pop(id, None)
        return [(id, each.reopen, each.changed) for id, each in [*self._left.items()]]

    # Bumps at a deadline

    def bump_later(self, changed: Mapping[bytes, Extent], seconds: float) -> None:
        """Have these extents of tags be bumped after so many seconds."""
        if not changed:
            return
        with self._lock:
            self._later.append((self._clock() + seconds, changed))
            self._waiting += len(changed)
            if self._waiting > MAX_LATER:
                self._later = [(max(moment for moment, _ in self._later), {EVERYTHING: EVERY_EXTENT})]
                self._waiting = 1

    def ripe(self, *, is_end: bool = False) -> dict[bytes, Extent]:
        """What is to be bumped now, and is remembered no more. is_end: all of it, because the program ends."""
        with self._lock:
            now = self._clock()
            ripe = [changed for moment, changed in self._later if is_end or moment <= now]
            if ripe:
                self._later = [each for each in self._later if not is_end and each[0] > now]
                self._waiting = sum(len(changed) for _, changed in self._later)
        return hulls(ripe)

    @property
    def is_needed(self) -> bool:
        """Whether there is something to look after."""
        return bool(self._under_way or self._later)
