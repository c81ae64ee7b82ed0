"""Takes steps in a thread."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from typing import Any, Final, TypeVar, assert_never

from redis import ConnectionError as RedisConnectionError

from ..shared.connection import Connection, Unavailable
from .capture.capture import capturing
from .steps import Compute, Get, Run, Sleep, Spawn, Steps, Wait

T = TypeVar("T")

logger: Final = logging.getLogger("daxlite")


class Ended(BaseException):
    """Background steps are to end."""


class Progress:
    """What has come of the application's own function so far, for the case that daxlite fails on the way."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.results: tuple[Any] | None = None


class Driver:
    """Takes steps: sends, computes, sleeps, waits."""

    def __init__(self, connection: Connection, *, raises: bool) -> None:
        self._connection = connection
        self._raises = raises

    def drive(self, steps: Steps[T], progress: Progress | None = None, stop: threading.Event | None = None) -> T:
        """What the steps end with. `stop`: ends them; only those in the background have one."""
        progress = progress or Progress()
        try:
            step = next(steps)
            while True:
                try:
                    reply = self._take(step, progress, stop)
                except BaseException as error:  # noqa: BLE001 - the steps have a lock to give back, whatever it is
                    step = steps.throw(surfaced(error) if self._raises and stop is None else error)
                else:
                    step = steps.send(reply)
        except StopIteration as finished:
            result: T = finished.value
            return result

    def _take(self, step: Any, progress: Progress, stop: threading.Event | None) -> Any:
        match step:
            case Get(keys):
                return self._connection.get(keys)
            case Run(commands):
                return self._connection.run(commands)
            case Sleep(seconds) if stop is not None:
                if stop.wait(seconds):
                    raise Ended
            case Sleep(seconds):
                with _applications_own(progress):
                    time.sleep(seconds)
            case Wait(flight, seconds):
                with _applications_own(progress):
                    wait([flight.future], seconds)
            case Compute(call, capture):
                with _applications_own(progress), capturing(capture):
                    result = call()
                progress.results = (result,)
                return result
            case Spawn(steps, when_over):
                return self._spawn(steps, when_over)
            case _:
                assert_never(step)
        return None

    def _spawn(self, steps: Callable[[], Steps[Any]], when_over: Callable[[], Any]) -> Callable[[], None]:
        stop = threading.Event()
        arguments = steps(), when_over, stop
        thread = threading.Thread(target=self._in_background, args=arguments, name="daxlite", daemon=True)
        with capturing(None):  # it is no part of a computation that happens to start it
            thread.start()
        return stop.set

    def _in_background(self, steps: Steps[Any], when_over: Callable[[], Any], stop: threading.Event) -> None:
        try:
            self.drive(steps, stop=stop)
        except Ended:
            pass
        except Exception as error:  # noqa: BLE001 - nobody waits for it; the next caller computes for himself
            log_background(error)
        finally:
            when_over()


@contextmanager
def _applications_own(progress: Progress) -> Iterator[None]:
    """What is raised within is the application's: by its function, or by a signal handler while it is waited for."""
    try:
        yield
    except BaseException as error:
        progress.error = error
        raise


def surfaced(error: BaseException) -> BaseException:
    """What the application sees of it, if it wants to see when Redis fails."""
    if not isinstance(error, Unavailable):
        return error
    return error.cause if error.cause is not None else RedisConnectionError(str(error))


def log_background(error: BaseException) -> None:
    """Its message is left out: it may quote an item."""
    logger.warning("a computation in the background failed with %s", type(error).__name__)
