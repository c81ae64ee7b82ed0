"""Sends the calls of a feed, so that one that takes long does not hold the feed's end.

    the feed's thread    |-- waits --| stop: raises, keeps the feed's place, ends
    a thread for calls   |-- GetRecords ---------------------------| nobody wants its reply any more

A reply that came too late told of nothing that has taken effect: after a restart it is asked for again.
"""

import math
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

from ..core.hidden import Hidden
from ..latch import Latch
from .errors import EndedError

Send = Callable[[str, dict[str, Any]], Any]


class _Call(Hidden):
    """A call that one thread waits for and another one makes."""

    def __init__(self, operation: str, params: dict[str, Any]) -> None:
        self.operation = operation
        self.params = params
        self.over: Final = Latch()
        """Open once there is a reply, or once nobody waits for it any more."""
        self.is_answered = False
        self.response: Any = None
        self.error: BaseException | None = None

    def make(self, send: Send) -> None:
        try:
            self.response = send(self.operation, self.params)
        except BaseException as error:  # noqa: BLE001 - it is raised where the reply is waited for
            self.error = error
        self.is_answered = True
        self.over.open()


class Sending(Hidden):
    """Sends one call at a time, in a thread that ends with the feed. It is called like what it sends with."""

    def __init__(self, send: Send, stop: Latch, name: str) -> None:
        """stop: opened, it ends the wait for a reply."""
        self._send = send
        self._stop = stop
        self._name = name
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._current: _Call | None = None
        self._thread: threading.Thread | None = None
        stop.add_callback(self._end)

    def __call__(self, operation: str, params: dict[str, Any]) -> Any:
        """The response. Raises what the call raises, and EndedError once the feed is to end."""
        call = self._current = _Call(operation, params)
        if self._stop.is_open:  # asked after the call is there to be found: `_end` opens its latch, or it is seen here
            raise EndedError(f"{operation} is not sent: the feed ends")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._calls.put(call)
        call.over.wait(math.inf)
        self._current = None
        if not call.is_answered:
            raise EndedError(f"{operation} is not waited for: the feed ends")
        if call.error is not None:
            raise call.error
        return call.response

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call.make(self._send)
            del call  # it may hold items

    def _end(self) -> None:
        self._calls.put(None)
        current = self._current
        if current is not None:
            current.over.open()
