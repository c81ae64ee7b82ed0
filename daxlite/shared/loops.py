"""Connections for each event loop: they belong to the loop in which they were made.

A loop that ends takes its connections along: `asyncio.run` cancels the tasks that read, and a loop that is closed
without that is noticed by the next one that needs connections, or at the end.
"""

import asyncio
import atexit
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

from .async_cluster import AsyncCluster
from .endpoints import ClusterEndpoint, Endpoint
from .multiplexed import Multiplexed

Way: TypeAlias = Multiplexed | AsyncCluster
"""The connections of one loop to a server, or to a cluster."""
Ways: TypeAlias = dict[asyncio.AbstractEventLoop, Way]


class Loops:
    """The connections of all event loops of a process. Any thread may use it."""

    def __init__(
        self, endpoint: Endpoint | ClusterEndpoint, budget: float | None, on_broken: Callable[[], None]
    ) -> None:
        """budget, on_broken: as for Multiplexed. on_broken must not refer to this, nor to what does."""
        self._endpoint = endpoint
        self._budget = budget
        self._on_broken = on_broken
        self._ways: Ways = {}
        self._parents: list[Ways] = []
        weakref.finalize(self, _close, self._ways).atexit = False
        _all.add(self)

    def here(self) -> Way:
        """The connections of the loop that runs."""
        loop = asyncio.get_running_loop()
        way = self._ways.get(loop)
        if way is None:
            _forget_closed(self._ways)
            way = self._ways[loop] = self._new()
        return way

    def _new(self) -> Way:
        if isinstance(self._endpoint, ClusterEndpoint):
            return AsyncCluster(self._endpoint, self._budget, self._on_broken)
        return Multiplexed(self._endpoint, self._budget, self._on_broken)

    def doubt(self) -> None:
        """Connect anew before the next use: there may be other servers by now."""
        for way in [*self._ways.values()]:
            way.doubt()

    def begin(self) -> None:
        """Connect anew, in a process that forked. The connections of the parent are not even closed."""
        self._parents.append({**self._ways})
        self._ways.clear()

    def close(self) -> None:
        """Close the connections of all loops: of those that run, a moment later; of others when they run, or are
        closed."""
        _close(self._ways)

    async def async_close(self) -> None:
        """The same, and wait until it is done in this loop."""
        own = self._ways.pop(asyncio.get_running_loop(), None)
        self.close()
        if own is not None:
            await own.async_close()


_all: Final[weakref.WeakSet[Loops]] = weakref.WeakSet()


@atexit.register
def _end() -> None:
    """The program ends, and loops that it left open do not run again."""
    for each in list(_all):
        for loop, way in [*each._ways.items()]:
            if not loop.is_running():
                way.abandon()


def _forget_closed(ways: Ways) -> None:
    for loop in [*ways]:
        if loop.is_closed() and (way := ways.pop(loop, None)) is not None:
            way.abandon()


def _close(ways: Ways) -> None:
    _forget_closed(ways)
    for loop, way in [*ways.items()]:
        if not loop.is_running():
            way.close()  # and stays known, in case that the loop never runs again
            continue
        ways.pop(loop, None)
        with suppress(RuntimeError):  # it was closed meanwhile
            loop.call_soon_threadsafe(way.close)
