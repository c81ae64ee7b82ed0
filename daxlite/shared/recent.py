"""What this process wrote, or heard of, lately: what a Redis that has lost a state does not know any more."""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MAX_RECENT: Final = 50_000
"""So many tags are remembered. Beyond, the oldest is forgotten, and until the moment to which it was to be remembered
every tag counts as changed lately."""


class Recent:
    """Tags that changed lately, each until a moment. Single operations of dictionaries alone, so it needs no lock.

    clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Start with nothing."""
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._floor = -math.inf

    def add(self, tag: bytes, seconds: float) -> None:
        """Remember a tag for so long."""
        self._until[tag] = max(self._until.pop(tag, -math.inf), self._clock() + seconds)
        if len(self._until) > MAX_RECENT:
            self._forget()

    def _forget(self) -> None:
        now = self._clock()
        for tag in [*self._until][: MAX_RECENT // 10]:
            until = self._until.pop(tag, -math.inf)
            if until > now:
                self._floor = max(self._floor, until)

    def has(self, *tags: bytes) -> bool:
        """Whether one of these tags changed lately, or may have."""
        now = self._clock()
        return self._floor > now or any(self._until.get(tag, -math.inf) > now for tag in tags)

    def tags(self) -> list[bytes] | None:
        """All that changed lately; None if that may be more than is remembered."""
        now = self._clock()
        if self._floor > now:
            return None
        return [tag for tag, until in [*self._until.items()] if until > now]
