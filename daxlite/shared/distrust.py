"""A server that answers but takes no writes: the others are told to distrust the states that could not be changed."""

import math
import os
from collections.abc import Callable, Mapping
from typing import Final

from ..core.extents import EVERYTHING as EVERY_EXTENT
from ..core.extents import Extent
from ..core.steps import Run, Server, Steps
from .keyspace import Keyspace
from .messages import ID_BYTES
from .scripts import distrust
from .tags import EVERYTHING

LASTS: Final = 300.0
"""Seconds for which a state is distrusted, unless it could be changed before."""
AGAIN: Final = 100.0
"""Seconds after which that is told once more."""
CHUNK: Final = 500
"""So many states are told of at once."""
MAX_TOLD: Final = 20_000
"""So many states are told of one by one. Beyond, everything is to be distrusted."""


class Distrust:
    """What the others were told to distrust. clock: seconds that never go back."""

    def __init__(self, keyspace: Keyspace, server: Server, clock: Callable[[], float]) -> None:
        self._keyspace = keyspace
        self._server = server
        self._clock = clock
        self._told: dict[bytes, float] = {}

    def tell(self, changed: Mapping[bytes, Extent]) -> Steps[None]:
        """Tell of these extents of tags, but for those that were told of lately. Raises Unavailable."""
        now = self._clock()
        if self._is_told(EVERYTHING, now):
            return
        new = [(tag, extent) for tag, extent in changed.items() if not self._is_told(tag, now)]
        if len(self._told) + len(new) > MAX_TOLD:
            self._told = {tag: moment for tag, moment in [*self._told.items()] if now - moment < AGAIN}
            if len(self._told) + len(new) > MAX_TOLD:
                self._told, new = {}, [(EVERYTHING, EVERY_EXTENT)]
        for first in range(0, len(new), CHUNK):
            chunk = dict(new[first : first + CHUNK])
            yield Run(self._server, tuple(distrust(self._keyspace, os.urandom(ID_BYTES), LASTS, chunk)), is_urgent=True)
            self._told.update(dict.fromkeys(chunk, now))

    def _is_told(self, tag: bytes, now: float) -> bool:
        return now - self._told.get(tag, -math.inf) < AGAIN

    def delivered(self, changed: Mapping[bytes, Extent]) -> None:
        """These could be changed after all."""
        if self._told:
            for tag in changed:
                self._told.pop(tag, None)
