"""The bus: processes tell each other which tags changed, over Redis's publish and subscribe.

Only trust in what a process keeps in its own memory depends on it: a process that has not heard from the server for a
moment does not know what it missed, and asks Redis again (promise P5).

A process takes its own messages like any other's. To tell them apart it would need a name of its own, and processes
that were restored from one snapshot of memory share everything that could be one, even random numbers.
"""

import math
import threading
from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec

from ..core.encoding import encode
from ..core.steps import Command
from ..latch import Latch
from .connection import Connection
from .failures import FAILURES, OUTAGES
from .tags import EVERYTHING

POLL: Final = 0.1
"""Seconds for which the thread waits for a message before it looks whether to go on at all."""
HEARTBEAT: Final = 0.5
"""Seconds after a request for a sign of life until the next one."""
LEASE: Final = 2.0
"""Seconds for which a sign of life is good, counted from its request."""
FIRST_PAUSE: Final = 0.1  # seconds
MAX_PAUSE: Final = 5.0  # seconds

PING: Final = ("PING",)
DEAF: Final = "nothing is kept in this process's near cache meanwhile"
"""What it costs that the bus does not hear."""

_decode: Final = msgspec.msgpack.Decoder(list[bytes]).decode


def message(tags: Collection[bytes], channel: str) -> Command:
    """The command that tells all processes which tags changed."""
    return ("PUBLISH", channel, encode(list(tags)))


class Bus:
    """Listens in a thread of its own, which starts with the first call of `listen`."""

    def __init__(
        self, connection: Connection, channel: str, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._clock = clock
        self._wall_clock = wall_clock
        self.on_change: Callable[[Collection[bytes]], None] = lambda tags: None
        """Is called with the tags that any process changed."""
        self.on_fault: Callable[[Exception], None] = lambda error: None
        """Is called with an error that the bus does not expect."""
        self.begin()

    def begin(self) -> None:
        """Start without a thread, as a new process does after a fork."""
        self.epoch = 0
        """How often listening began: messages may have been missed before each time."""
        self._alive_at: tuple[float, float] | None = None
        """The request of the last sign of life, by both clocks."""
        self._asked_at = -math.inf, -math.inf
        self._asked: Command = ()
        """The last request for a sign of life."""
        self._is_waiting = False
        self._stop = Latch()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def is_listening(self) -> bool:
        """Whether this process has heard everything so far, but for what is on its way."""
        alive_at = self._alive_at
        if alive_at is None:
            return False
        # A machine that is frozen and thawed, as Lambda does it, finds its monotonic clock where it was.
        return self._clock() - alive_at[0] < LEASE and abs(self._wall_clock() - alive_at[1]) < LEASE

    def listen(self) -> None:
        """Start to listen, unless the thread runs already or the bus was stopped."""
        if self._thread is not None or self._stop.is_open or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="daxlite-bus", daemon=True)
                self._thread.start()
        finally:
            self._starting.release()

    def stop(self) -> None:
        """Have it stop listening, for good. Does not wait; a finaliser may call it at any moment."""
        self._stop.open()

    def close(self) -> None:
        """The same, and wait until it has stopped."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        stop, pause = self._stop, FIRST_PAUSE
        while not stop.is_open:
            try:
                with self._connection.clients.subscription() as subscription:
                    self._ask(subscription.subscribe, "SUBSCRIBE", self._channel)
                    while not stop.is_open:
                        if self._poll(subscription) and self._asked == PING:
                            pause = FIRST_PAUSE
            except FAILURES as error:  # meanwhile nothing that is kept here is served
                if not stop.is_open:
                    self._failed(error)
            except Exception as error:  # noqa: BLE001 - a thread that ended would never listen again
                self.on_fault(error)
            self._alive_at = None
            stop.wait(pause)
            pause = min(2 * pause, MAX_PAUSE)
        # The cache was closed, or is garbage: then the connections for commands are, too.
        self._connection.clients.close()

    def _failed(self, error: Exception) -> None:
        """Count what keeps the bus from hearing, and log what is new of it. An outage counts once, where commands meet
        it, and opens the circuit breaker there."""
        breaker = self._connection.breaker
        breaker.errors += 1
        if isinstance(error, OUTAGES):
            breaker.troubles.unanswered(error, self._asked, DEAF)
        else:
            breaker.troubles.refused(error, self._asked, DEAF)

    def _ask(self, send: Callable[..., Any], name: str, *arguments: str) -> None:
        """Send something that the server answers."""
        self._asked = (name, *arguments)
        self._asked_at = self._clock(), self._wall_clock()
        self._is_waiting = True
        send(*arguments)

    def _poll(self, subscription: Any) -> bool:
        """Take one message, after a request for a sign of life where one is due. Returns whether anything came."""
        if not self._is_waiting and self._clock() - self._asked_at[0] >= HEARTBEAT:
            self._ask(subscription.ping, *PING)
        received = subscription.get_message(timeout=POLL)
        if received is None:
            if self._alive_at is not None and not self.is_listening:
                raise TimeoutError("no sign of life")
            return False
        if received["type"] == "message":
            self._receive(received["data"])
            return True
        if received["type"] == "subscribe":
            self.epoch += 1
        # Messages and answers come in the order in which they were sent. So everything that was published before the
        # request has been heard by now. The answer does not tell how much of what came later is still to be read.
        self._is_waiting = False
        self._alive_at = self._asked_at
        if self._connection.breaker.troubles.are_there:
            self._connection.breaker.troubles.answered(self._asked)
        return True

    def _receive(self, data: bytes) -> None:
        try:
            tags = _decode(data)
        except msgspec.DecodeError:
            tags = [EVERYTHING]  # of an unknown format: anything may have changed
        self.on_change(tags)
