"""Sends the calls of a feed for asyncio, so that one that takes long does not hold the feed's end.

    the feed's task    |-- awaits a reply --| stop: the call is cancelled; keeps the feed's place, ends

As in `sending.py`, of which nothing is needed here but the wait: a call that is awaited can be cancelled.
"""

import asyncio
from contextlib import suppress
from typing import Any

from ..core.hidden import Hidden
from ..drivers.asyncio import AsyncSend
from ..latch import Latch
from .errors import EndedError


class AsyncSending(Hidden):
    """Sends one call at a time. It is called like what it sends with, by tasks of the loop in which it is made."""

    def __init__(self, send: AsyncSend, stop: Latch) -> None:
        """stop: opened, by whichever thread, it ends the wait for a reply."""
        self._send = send
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._wait: asyncio.Timeout | None = None
        stop.add_callback(self._end)

    async def __call__(self, operation: str, params: dict[str, Any]) -> Any:
        """The response. Raises what the call raises, and EndedError once the feed is to end."""
        if self._stop.is_open:
            raise EndedError(f"{operation} is not sent: the feed ends")
        wait = self._wait = asyncio.timeout(None)
        try:
            async with wait:
                return await self._send(operation, params)
        except TimeoutError:
            if wait.expired():
                raise EndedError(f"{operation} is not waited for: the feed ends") from None
            raise
        finally:
            self._wait = None

    def _end(self) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._give_up)

    def _give_up(self) -> None:
        if self._wait is not None:
            self._wait.reschedule(self._loop.time())
