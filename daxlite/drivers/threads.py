"""Takes steps in a thread."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, assert_never

from ..calls.hearing import NOBODY, hear, listeners_here, read_listeners
from ..calls.listeners import change_listeners
from ..core.replies import BrokenReply
from ..core.steps import AboutToRead, Call, Compute, Get, Notify, Run, Sleep, Spawn, Step, Steps, Wait
from .progress import Progress, Surface, log_background

T = TypeVar("T")
Send: TypeAlias = Callable[[str, dict[str, Any]], Any]
"""Sends an operation with its parameters to DynamoDB."""


class Ended(BaseException):
    """Steps in the background are to end."""


def _no_client(operation: str, params: dict[str, Any]) -> Any:
    raise TypeError(f"{operation}: these steps were not expected to call DynamoDB")


class ThreadDriver:
    """Takes steps: sends, waits, sleeps, computes.

    >>> from ..core.steps import Sleep
    >>> def steps():
    ...     yield Sleep(0)
    ...     return "done"
    >>> ThreadDriver().drive(steps())
    'done'
    """

    def __init__(self, send: Send = _no_client) -> None:
        self._send = send

    def drive(
        self,
        steps: Steps[T],
        progress: Progress | None = None,
        *,
        surface: Surface | None = None,
        stop: threading.Event | None = None,
    ) -> T:
        """What the steps end with; raises what they raise.

        surface: see there. stop: ends steps in the background.
        """
        progress = progress or Progress()
        try:
            step = next(steps)
            while True:
                try:
                    reply = self._call(step, progress) if type(step) is Call else self._take(step, progress, stop)
                except BaseException as error:  # noqa: BLE001 - a write that Ctrl-C interrupts may have been applied
                    step = steps.throw(error if surface is None else surface(error))
                else:
                    step = steps.send(reply)
        except StopIteration as finished:
            result: T = finished.value
            return result
        finally:
            steps.close()

    def _call(self, step: Call, progress: Progress) -> Any:
        if step.operation != progress.operation:
            return self._send(step.operation, step.params)
        progress.is_sent = True
        try:
            response = self._send(step.operation, step.params)
        except BrokenReply as broken:
            progress.succeeded(broken.response)
            raise
        except BaseException as error:
            progress.failed(error)
            raise
        progress.succeeded(response)
        return response

    def _take(self, step: Step, progress: Progress, stop: threading.Event | None) -> Any:
        match step:
            case Call():
                return self._call(step, progress)
            case Get(server, keys):
                return server.threads.get(keys)
            case Run(server, commands, is_urgent):
                return server.threads.run(commands, is_urgent)
            case AboutToRead(cache, tags, lagging):
                self._about_to_read(cache, tags, lagging)
            case Notify(cache, tags, told):
                self._notify(cache, tags, told)
            case Sleep(seconds) if stop is not None:
                if stop.wait(seconds):
                    raise Ended
            case Compute() | Sleep() | Wait():
                return self._applications_own(step, progress)
            case Spawn(steps, when_over):
                return self._spawn(steps, when_over)
            case _:
                assert_never(step)
        return None

    def _about_to_read(self, cache: Any, tags: Any, lagging: Any) -> None:
        for listener in listeners_here():
            try:
                self.drive(listener.will_read(cache, tags, lagging))
            except Exception as error:  # noqa: BLE001 - a fault of the listener's, not the application's
                cache.fault(error)

    def _notify(self, cache: Any, tags: Any, told: Any) -> None:
        for listener in change_listeners():
            try:
                self.drive(listener.changed(tags, told))
            except Exception as error:  # noqa: BLE001 - the other listeners are told all the same
                cache.fault(error)

    def _applications_own(self, step: Compute | Sleep | Wait, progress: Progress) -> Any:
        """Take a step in which the application's function, or one of its signal handlers, may raise."""
        try:
            match step:
                case Compute(call, listener):
                    result = hear((listener,), call)
                    progress.succeeded(result)
                    return result
                case Sleep(seconds):
                    time.sleep(seconds)
                case Wait(latch, seconds):
                    latch.wait(seconds)
        except BaseException as error:
            progress.failed(error)
            raise
        return None

    def _spawn(self, steps: Callable[[], Steps[Any]], when_over: Callable[[], Any]) -> Callable[[], None]:
        stop = threading.Event()
        arguments = steps(), when_over, stop
        thread = threading.Thread(target=self._in_background, args=arguments, name="daxlite", daemon=True)
        listeners = read_listeners.get()
        try:
            read_listeners.set(NOBODY)  # the thread is no part of a computation that happens to start it
            thread.start()
        finally:
            read_listeners.set(listeners)
        return stop.set

    def _in_background(self, steps: Steps[Any], when_over: Callable[[], Any], stop: threading.Event) -> None:
        try:
            read_listeners.set(NOBODY)  # nor is the greenlet that stands for it where gevent patched threads
            self.drive(steps, stop=stop)
        except Ended:
            pass
        except Exception as error:  # noqa: BLE001 - no caller waits for it; the next caller computes for itself
            log_background(error)
        finally:
            when_over()
