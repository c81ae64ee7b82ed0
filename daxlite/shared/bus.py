"""The bus: processes tell each other which tags changed, over Redis's publish and subscribe.

Nothing depends on it but the trust in what a process keeps for itself: whoever has not heard from the server for a
moment does not know what it missed, and asks Redis again (promise P5).
"""

import math
import os
import threading
from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec

from ..core.encoding import encode
from .connection import FAILURES, Connection
from .stamps import Command
from .tags import EVERYTHING

POLL: Final = 0.1
"""Seconds after which it is looked, while nothing comes, whether to go on listening at all."""
HEARTBEAT: Final = 0.5
"""Seconds of silence after which the server is asked for a sign of life."""
TRUST: Final = 2.0
"""Seconds for which a sign of life is good."""
FIRST_PAUSE: Final = 0.1
MAX_PAUSE: Final = 5.0

_decode: Final = msgspec.msgpack.Decoder(tuple[bytes, list[bytes]]).decode


def message(origin: bytes, tags: Collection[bytes], channel: str) -> Command:
    """Tell the others which tags changed."""
    return ("PUBLISH", channel, encode((origin, list(tags))))


class Bus:
    """Listens in a thread of its own, from the first time that somebody wants to know."""

    def __init__(
        self, connection: Connection, channel: str, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._clock = clock
        self._wall_clock = wall_clock
        self.heard: Callable[[Collection[bytes]], None] = lambda tags: None
        """Is told what others changed."""
        self.fault: Callable[[Exception], None] = lambda error: None
        """Is told what went wrong that should not."""
        self.begin()

    def begin(self) -> None:
        """Start without a thread, as a new process does after a fork."""
        self.origin = os.urandom(8)
        """Who speaks: what this process says itself, it need not hear."""
        self.epoch = 0
        """Counts the times that listening began: what was learned before may have been missed since."""
        self._alive_at: tuple[float, float] | None = None
        """When there was a sign of life, by both clocks."""
        self._asked_at = -math.inf, -math.inf
        self._is_waiting = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def is_heard(self) -> bool:
        """Whether this process has heard everything so far, but for what is on its way."""
        alive_at = self._alive_at
        if alive_at is None:
            return False
        # A machine that is frozen and thawed, as Lambda does it, finds its monotonic clock where it was.
        return self._clock() - alive_at[0] < TRUST and abs(self._wall_clock() - alive_at[1]) < TRUST

    def listen(self) -> None:
        """Start to listen, if nobody has."""
        if self._thread is not None or self._stop.is_set() or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="daxlite-bus", daemon=True)
                self._thread.start()
        finally:
            self._starting.release()

    def stop(self) -> None:
        """Have it stop listening, for good."""
        self._stop.set()

    def close(self) -> None:
        """The same, and wait until it has stopped."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        stop, pause = self._stop, FIRST_PAUSE
        while not stop.is_set():
            try:
                with self._connection.client.pubsub() as subscription:
                    self._ask(subscription.subscribe, self._channel)
                    while not stop.is_set():
                        if self._listen(subscription):
                            pause = FIRST_PAUSE
            except FAILURES:
                pass  # while nobody listens, nothing is believed; the calls themselves find out what is wrong
            except Exception as error:  # noqa: BLE001 - a thread that ended would never listen again
                self.fault(error)
            self._alive_at = None
            stop.wait(pause)
            pause = min(2 * pause, MAX_PAUSE)

    def _ask(self, send: Callable[..., Any], *arguments: str) -> None:
        """Send something that will be answered."""
        self._asked_at = self._clock(), self._wall_clock()
        self._is_waiting = True
        send(*arguments)

    def _listen(self, subscription: Any) -> bool:
        """Take one message, or ask for a sign of life. Returns whether anything came."""
        if not self._is_waiting and self._clock() - self._asked_at[0] >= HEARTBEAT:
            self._ask(subscription.ping)
        received = subscription.get_message(timeout=POLL)
        if received is None:
            if self._alive_at is not None and not self.is_heard:
                raise TimeoutError("no sign of life")
            return False
        if received["type"] == "message":
            self._take(received["data"])
            return True
        if received["type"] == "subscribe":
            self.epoch += 1
        # Messages and answers come in the order in which they were sent. So whatever was published before the request
        # has been heard by now; how much of what came later is still waiting to be read, the answer does not tell.
        self._is_waiting = False
        self._alive_at = self._asked_at
        return True

    def _take(self, data: bytes) -> None:
        try:
            origin, tags = _decode(data)
        except msgspec.DecodeError:
            origin, tags = b"", [EVERYTHING]  # somebody speaks whom we do not understand: anything may have changed
        if origin != self.origin:
            self.heard(tags)
