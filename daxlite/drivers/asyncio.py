"""Takes steps in a task of asyncio.

A task may be cancelled wherever it waits. From there on its steps take no time:

    Get, Run           Redis is Unavailable: what the steps owe it, the outbox delivers
    Call               is not sent: NeverSent
    Sleep, Wait, ...   the error is raised inside of the steps

So what a write changed is applied in this process, and the error is raised when the steps are over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias, TypeVar, assert_never

from msgspec import Struct

from ..calls.hearing import NOBODY, async_hear, listeners_here, read_listeners
from ..calls.listeners import change_listeners
from ..core.replies import BrokenReply
from ..core.steps import (
    AboutToRead,
    Call,
    Compute,
    Get,
    NeverSent,
    Notify,
    Run,
    Sleep,
    Spawn,
    Step,
    Steps,
    Wait,
    Waitable,
)
from ..shared.errors import SharedUnavailable, Unavailable
from .progress import Progress, Surface, log_background

T = TypeVar("T")
AsyncSend: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[Any]]


Interruption: TypeAlias = asyncio.CancelledError | GeneratorExit
"""What is raised in a coroutine that is cancelled, or collected because its loop has ended."""


_OF_AN_INTERRUPTION: Final = (NeverSent, Unavailable, SharedUnavailable, BrokenReply)
"""What steps raise, without a fault, once they were interrupted."""


class _Interrupted(Struct):
    """Whether a call was interrupted, which all the steps on its way have in common."""

    by: Interruption | None = None


async def _no_client(operation: str, params: dict[str, Any]) -> Any:
    raise TypeError(f"{operation}: these steps were not expected to call DynamoDB")


class AsyncioDriver:
    """As ThreadDriver, for asyncio.

    >>> import asyncio
    >>> from ..core.steps import Sleep
    >>> def steps():
    ...     yield Sleep(0)
    ...     return "done"
    >>> asyncio.run(AsyncioDriver().drive(steps()))
    'done'
    """

    def __init__(self, send: AsyncSend = _no_client) -> None:
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()
        """In the background. The event loop itself keeps tasks only weakly."""

    async def drive(
        self,
        steps: Steps[T],
        progress: Progress | None = None,
        *,
        surface: Surface | None = None,
        interruption: Interruption | None = None,
    ) -> T:
        """As ThreadDriver.drive. interruption: what the call was interrupted by before these steps, which take no time
        then; it is raised when they are over."""
        progress, interrupted = progress or Progress(), _Interrupted(interruption)
        try:
            result = await self._drive(steps, progress, interrupted, surface)
        except BaseException as error:
            by = interrupted.by
            if by is None:
                raise
            if by is error:
                # A coroutine that is collected leaves it to the edge what the call may have changed.
                is_done = isinstance(by, asyncio.CancelledError)
            else:
                is_done = error is progress.error or isinstance(error, _OF_AN_INTERRUPTION)
        else:
            by, is_done = interrupted.by, True
            if by is None:
                return result
        progress.error = by if is_done else None  # a fault that came after it is left to the edge
        raise by

    async def _drive(
        self, steps: Steps[T], progress: Progress, interrupted: _Interrupted, surface: Surface | None = None
    ) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    if type(step) is Call and interrupted.by is None:  # most of them, without a call
                        reply = await self._call(step, progress)
                    else:
                        reply = await self._take(step, progress, interrupted)
                except BaseException as error:  # noqa: BLE001 - as in ThreadDriver
                    if isinstance(error, asyncio.CancelledError | GeneratorExit):
                        interrupted.by = error
                    step = steps.throw(error if surface is None else surface(error))
                else:
                    step = steps.send(reply)
        except StopIteration as finished:
            result: T = finished.value
            return result
        finally:
            steps.close()

    async def _take(self, step: Step, progress: Progress, interrupted: _Interrupted) -> Any:
        match step:
            case Get() | Run():
                return await self._ask_redis(step, interrupted)
            case AboutToRead(cache, tags, lagging):
                await self._about_to_read(cache, tags, lagging, interrupted)
                return None
            case Notify(cache, tags, told):
                await self._notify(cache, tags, told, interrupted)
                return None
            case Spawn(steps, when_over):
                return self._spawn(steps, when_over)
        if interrupted.by is not None:
            raise NeverSent if isinstance(step, Call) else interrupted.by
        match step:
            case Call():
                return await self._call(step, progress)
            case Sleep(seconds):
                await asyncio.sleep(seconds)
            case Wait(latch, seconds):
                await self._wait(latch, seconds)
            case Compute(call, listener):
                return await self._compute(call, listener, progress)
            case _:
                assert_never(step)
        return None

    async def _ask_redis(self, step: Get | Run, interrupted: _Interrupted) -> Any:
        if interrupted.by is not None:
            if isinstance(step, Run) and step.needs_no_reply and isinstance(interrupted.by, asyncio.CancelledError):
                self._spawn(lambda: _only(step), lambda: None)
            raise Unavailable
        try:
            match step:
                case Get(server, keys):
                    if server.asyncio is None:
                        return await asyncio.to_thread(server.threads.get, keys)
                    return await server.asyncio.get(keys)
                case Run(server, commands, is_urgent):
                    if server.asyncio is None:
                        return await asyncio.to_thread(server.threads.run, commands, is_urgent)
                    return await server.asyncio.run(commands, is_urgent)
        except (asyncio.CancelledError, GeneratorExit) as error:
            interrupted.by = error
            raise Unavailable from None

    async def _call(self, step: Call, progress: Progress) -> Any:
        if step.operation != progress.operation:
            return await self._send(step.operation, step.params)
        progress.is_sent = True
        try:
            response = await self._send(step.operation, step.params)
        except BrokenReply as broken:
            progress.succeeded(broken.response)
            raise
        except GeneratorExit:
            raise  # no fault and no outcome: the edge drops what the call may have changed
        except BaseException as error:
            progress.failed(error)
            raise
        progress.succeeded(response)
        return response

    async def _about_to_read(self, cache: Any, tags: Any, lagging: Any, interrupted: _Interrupted) -> None:
        for listener in listeners_here():
            try:
                await self._drive(listener.will_read(cache, tags, lagging), Progress(), interrupted)
            except Exception as error:  # noqa: BLE001 - a fault of the listener's, not the application's
                cache.fault(error)

    async def _notify(self, cache: Any, tags: Any, told: Any, interrupted: _Interrupted) -> None:
        for listener in change_listeners():
            try:
                await self._drive(listener.changed(tags, told), Progress(), interrupted)
            except Exception as error:  # noqa: BLE001 - the other listeners are told all the same
                cache.fault(error)

    async def _wait(self, latch: Waitable, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        opened = loop.create_future()

        def wake() -> None:
            if not opened.done():
                opened.set_result(None)

        def call_back() -> None:
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(wake)

        latch.add_callback(call_back)
        try:
            # A follower that is cancelled cancels its own future; the leader's flight goes on.
            await asyncio.wait([opened], timeout=seconds)
        finally:
            latch.remove_callback(call_back)  # a latch may be waited at again and again

    async def _compute(self, call: Callable[[], Awaitable[Any]], listener: Any, progress: Progress) -> Any:
        try:
            result = await async_hear((listener,), call)
        except BaseException as error:
            progress.failed(error)
            raise
        progress.succeeded(result)
        return result

    def _spawn(self, steps: Callable[[], Steps[Any]], when_over: Callable[[], Any]) -> Callable[[], Any]:
        listeners = read_listeners.get()
        try:
            read_listeners.set(NOBODY)  # the task is no part of a computation that happens to start it
            task = asyncio.get_running_loop().create_task(self._in_background(steps()), name="daxlite")
        finally:
            read_listeners.set(listeners)
        self._tasks.add(task)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # a loop may end, and nobody waits for it
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda task: when_over())  # a task that is cancelled at once takes no step at all

        def stop() -> None:
            with suppress(RuntimeError):  # the loop was closed meanwhile
                task.cancel()

        return stop

    async def _in_background(self, steps: Steps[Any]) -> None:
        try:
            await self.drive(steps)
        except Exception as error:  # noqa: BLE001 - no caller waits for it; the next caller computes for itself
            log_background(error)

    async def close(self) -> None:
        """End what is under way in the background: in this loop now, in others a moment later."""
        for task in [*self._tasks]:
            with suppress(RuntimeError):  # its loop is closed
                task.get_loop().call_soon_threadsafe(task.cancel)
        self._tasks -= {task for task in [*self._tasks] if task.get_loop().is_closed()}
        await asyncio.sleep(0)
        await self._end_here()
        await self._end_here()  # what they still had to send

    async def _end_here(self) -> None:
        here = asyncio.get_running_loop()
        tasks = [task for task in [*self._tasks] if task.get_loop() is here]
        await asyncio.gather(*tasks, return_exceptions=True)


def _only(step: Step) -> Steps[None]:
    with suppress(Unavailable):
        yield step
