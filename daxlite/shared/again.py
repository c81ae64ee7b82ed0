"""When the connection to a primary breaks, another one may be in its place, which has forgotten what that one knew.

    broken  --> what this process wrote or heard of lately is bumped once more; before, nothing of Redis's is believed
    lost    --> the same, and it is remembered until the subscription is renewed, and bumped over the new one as well
    renewed --> only when all of that is delivered does anything count as heard

Growth of a pool, and a connection that could not be had because too many are in use, break nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from ..core.extents import EVERYTHING as EVERY_EXTENT
from ..core.extents import Extent
from ..core.steps import Steps
from .recent import Recent
from .tags import EVERYTHING, everything_of
from .upkeep import Errand, Upkeep

LONGEST: Final = 10.0
"""Seconds for which nothing of Redis's is believed because the subscription is lost. A fail-over takes less; a process
that cannot renew its subscription for longer is one that does not hear."""


class KeepsForLater(Protocol):
    """What delivers to Redis what it could not be told; `outbox.Outbox` is one."""

    deliveries: int

    def __len__(self) -> int: ...

    def flush(self, *, is_urgent: bool = False, chunks: float = 1) -> Steps[None]: ...

    def invalidate(self, changed: Mapping[bytes, Extent]) -> Steps[None]: ...

    def add(self, changed: Mapping[bytes, Extent]) -> None: ...

    def owe(self, id: bytes, errand: Errand, changed: Mapping[bytes, Extent]) -> None: ...

    def attend(self) -> None: ...


class Again:
    """What a process owes because of a break."""

    def __init__(self, recent: Recent, upkeep: Upkeep, outbox: KeepsForLater, clock: Callable[[], float]) -> None:
        self._recent = recent
        self._upkeep = upkeep
        self._outbox = outbox
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Owe nothing: a parent process does."""
        self._frozen: dict[bytes, Extent] | None = None
        """What was changed lately when the subscription was lost; None if it is not lost."""
        self._lost_at = 0.0
        self._broken_at = -1
        """The number of the outbox's deliveries at the last break."""

    @property
    def is_owed(self) -> bool:
        """Whether Redis must not be believed yet."""
        return bool(len(self._outbox)) or (self._frozen is not None and self._clock() - self._lost_at < LONGEST)

    @property
    def is_broken(self) -> bool:
        """Whether a connection broke, and nothing was delivered since."""
        return self._broken_at == self._outbox.deliveries and bool(len(self._outbox))

    def broken(self) -> None:
        """A connection for commands broke, or Redis did not answer for a while."""
        if not self.is_broken:  # else all of it is owed already; see `heard`
            self._broken_at = self._outbox.deliveries
            self._owe(self._changed())

    def heard(self, changed: Mapping[bytes, Any] | Any) -> None:
        """This process wrote, or heard of a change of, these tags."""
        if self.is_broken:
            self._outbox.add(everything_of(changed))

    def lost(self) -> None:
        """The subscription is lost."""
        changed = self._changed()
        if self._frozen is None:
            self._frozen, self._lost_at = changed, self._clock()
            self._owe(changed)
        else:
            self._frozen = {**self._frozen, **changed}

    def renewed(self) -> Steps[bool]:
        """The subscription is renewed: tell Redis what is owed. Returns whether it has taken all of it. Raises
        Unavailable."""
        frozen = self._frozen
        if frozen is not None:
            self._owe(frozen)
        yield from self._outbox.flush(is_urgent=True, chunks=float("inf"))
        if len(self._outbox) or self._frozen is not frozen:
            return False
        self._frozen = None
        return True

    def _changed(self) -> dict[bytes, Extent]:
        tags = self._recent.tags()
        return {EVERYTHING: EVERY_EXTENT} if tags is None else everything_of(tags)

    def _owe(self, changed: Mapping[bytes, Extent]) -> None:
        self._outbox.add(changed)
        for id, reopen, left in self._upkeep.left():
            self._outbox.owe(id, reopen, left)
