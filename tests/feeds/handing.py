"""Steps as AsyncioDriver takes them, one at a time: a coroutine that hands on whatever it waits for.

A coroutine is driven as a generator of steps is, by `send` and `throw`. So what runs the one runs the other, and can
cancel it at each of its awaits.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from daxlite.core.steps import Call, Get, Run, Server, Step, Wait, Waitable
from daxlite.drivers.asyncio import AsyncioDriver


class Handed:
    """Awaited, it hands a step to who runs the coroutine, and returns what is sent back."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def __await__(self) -> Generator[Step, Any, Any]:
        return (yield self._step)


async def send(operation: str, params: dict[str, Any]) -> Any:
    return await Handed(Call(operation, params))


class HandingDriver(AsyncioDriver):
    """Its calls and its waits are handed on; what it asks Redis is by a `HandingConnection`."""

    def __init__(self) -> None:
        super().__init__(send)

    async def _wait(self, latch: Waitable, seconds: float) -> None:
        await Handed(Wait(latch, seconds))


class NoLoops:
    """Connections of event loops, of which there are none."""

    def doubt(self) -> None:
        pass

    begin = close = doubt

    async def async_close(self) -> None:
        pass


class HandingConnection:
    """A server as asyncio reaches it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.loops = NoLoops()

    async def get(self, keys: Any) -> Any:
        return await Handed(Get(self._server, keys))

    async def run(self, commands: Any, is_urgent: bool = False) -> Any:
        return await Handed(Run(self._server, commands, is_urgent))
