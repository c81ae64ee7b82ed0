"""Takes steps in a task of asyncio."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, assert_never

from ..shared.connection import AsyncConnection
from .capture.capture import capturing
from .driver import Progress, log_background, surfaced
from .steps import Compute, Get, Run, Sleep, Spawn, Step, Steps, Wait

T = TypeVar("T")


class AsyncDriver:
    """As Driver, for asyncio."""

    def __init__(self, connection: AsyncConnection, *, raises: bool) -> None:
        self._connection = connection
        self._raises = raises
        self._tasks: set[asyncio.Task[None]] = set()
        """In the background. The event loop itself keeps tasks only weakly."""

    async def drive(self, steps: Steps[T], progress: Progress | None = None, *, in_background: bool = False) -> T:
        """What the steps end with."""
        progress = progress or Progress()
        try:
            step = next(steps)
            while True:
                try:
                    reply = await self._take(step, progress)
                except BaseException as error:  # noqa: BLE001 - as in Driver, and CancelledError is one of them
                    step = steps.throw(surfaced(error) if self._raises and not in_background else error)
                else:
                    step = steps.send(reply)
        except StopIteration as finished:
            result: T = finished.value
            return result

    async def _take(self, step: Step, progress: Progress) -> Any:
        match step:
            case Get(keys):
                return await self._connection.get(keys)
            case Run(commands):
                return await self._connection.run(commands)
            case Sleep(seconds):
                await asyncio.sleep(seconds)
            case Wait(flight, seconds):
                # Shielded by wait(): that this caller is cancelled is nothing to the others.
                await asyncio.wait([asyncio.wrap_future(flight.future)], timeout=seconds)
            case Compute(call, capture):
                try:
                    with capturing(capture):
                        result = await call()
                except BaseException as error:
                    progress.error = error
                    raise
                progress.results = (result,)
                return result
            case Spawn(steps, when_over):
                return self._spawn(steps, when_over)
            case _:
                assert_never(step)
        return None

    def _spawn(self, steps: Callable[[], Steps[Any]], when_over: Callable[[], Any]) -> Callable[[], Any]:
        with capturing(None):  # it is no part of a computation that happens to start it
            task = asyncio.get_running_loop().create_task(self._in_background(steps()), name="daxlite")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda task: when_over())  # a task that is cancelled at once takes no step at all
        return task.cancel

    async def _in_background(self, steps: Steps[Any]) -> None:
        try:
            await self.drive(steps, in_background=True)
        except Exception as error:  # noqa: BLE001 - nobody waits for it; the next caller computes for himself
            log_background(error)

    async def close(self) -> None:
        """End what is under way in the background."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
