"""The bus: processes tell each other which tags changed, over Redis's publish and subscribe.

Only trust in what a process keeps in its own memory depends on it: a process that has not heard from the server for a
moment does not know what it missed, and asks Redis again (promise P5).

A process takes its own messages like any other's. To tell them apart it would need a name of its own, and processes
that were restored from one snapshot of memory share everything that could be one, even random numbers.
"""

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any, Final

import msgspec

from ..core.encoding import encode
from ..core.extents import EVERYTHING as EVERY_EXTENT
from ..core.extents import Extent, extent_between, hulls
from ..core.hidden import Hidden
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


class _Changed(Hidden, msgspec.Struct, array_like=True, frozen=True):
    """One tag in a message. A later release may append to it, and this one reads on."""

    tag: bytes
    low: bytes
    high: bytes


_decode: Final = msgspec.msgpack.Decoder(list[_Changed]).decode


def message(changed: Mapping[bytes, Extent]) -> bytes:
    """What tells all processes which extents of which tags changed."""
    return encode([_Changed(tag, extent.low, extent.high) for tag, extent in changed.items()])


class Line:
    """The subscription on one server, and its signs of life."""

    def __init__(
        self, subscription: Any, channels: str, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        """Subscribes."""
        self.subscription = subscription
        self._clock = clock
        self._wall_clock = wall_clock
        self.alive_at: tuple[float, float] | None = None
        """The request of the last sign of life, by both clocks."""
        self.asked_at = -math.inf, -math.inf
        self.asked: Command = ("PSUBSCRIBE", channels)
        """The last request for a sign of life."""
        self._is_waiting = False
        self._ask(subscription.psubscribe, *self.asked)

    @property
    def is_alive(self) -> bool:
        """Whether everything has been heard that this server published, but for what is on its way."""
        alive_at = self.alive_at
        if alive_at is None:
            return False
        # A machine that is frozen and thawed, as Lambda does it, finds its monotonic clock where it was.
        return self._clock() - alive_at[0] < LEASE and abs(self._wall_clock() - alive_at[1]) < LEASE

    def _ask(self, send: Callable[..., Any], name: str, *arguments: str) -> None:
        """Send something that the server answers."""
        self.asked = (name, *arguments)
        self.asked_at = self._clock(), self._wall_clock()
        self._is_waiting = True
        send(*arguments)

    def poll(self, seconds: float) -> dict[str, Any] | None:
        """Take one message, after a request for a sign of life where one is due. Returns it, or None if none came."""
        if not self._is_waiting and self._clock() - self.asked_at[0] >= HEARTBEAT:
            self._ask(self.subscription.ping, *PING)
        received: dict[str, Any] | None = self.subscription.get_message(timeout=seconds)
        if received is None:
            if self.alive_at is not None and not self.is_alive:
                raise TimeoutError("no sign of life")
        elif received["type"] != "pmessage":
            # Messages and answers come in the order in which they were sent. So everything that was published before
            # the request has been heard by now. The answer does not tell how much of what came later is still to be
            # read.
            self._is_waiting = False
            self.alive_at = self.asked_at
        return received


class Bus:
    """Listens in a thread of its own, which starts with the first call of `listen`.

    In a cluster it subscribes on every primary. A message reaches all of them, but a sign of life tells only what its
    own server had published: one that heard a single server could miss what another one says for as long as it likes.
    """

    def __init__(
        self, connection: Connection, channels: str, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._channels = channels
        self._clock = clock
        self._wall_clock = wall_clock
        self.on_change: Callable[[Mapping[bytes, Extent]], None] = lambda changed: None
        """Is called with the tags, and what of them, that any process changed."""
        self.on_fault: Callable[[Exception], None] = lambda error: None
        """Is called with an error that the bus does not expect."""
        self.begin()

    def begin(self) -> None:
        """Start without a thread, as a new process does after a fork."""
        self.epoch = 0
        """How often listening began: messages may have been missed before each time."""
        self._lines: tuple[Line, ...] = ()
        self._asked: Command = ()
        """What was last asked of a server."""
        self._stop = Latch()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def is_listening(self) -> bool:
        """Whether this process has heard everything so far, but for what is on its way."""
        lines = self._lines
        if not lines:
            return False
        for line in lines:  # noqa: SIM110 - each near hit asks
            if not line.is_alive:
                return False
        return True

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
        stop, pause, clients = self._stop, FIRST_PAUSE, self._connection.clients
        while not stop.is_open:
            try:
                with ExitStack() as open_ones:
                    servers = clients.servers()
                    self._subscribe([open_ones.enter_context(each) for each in clients.subscriptions(servers)])
                    while not stop.is_open and clients.servers() == servers:
                        for line in self._lines:
                            if self._poll(line, POLL / len(servers)) and self._asked == PING:
                                pause = FIRST_PAUSE
            except FAILURES as error:  # meanwhile nothing that is kept here is served
                if not stop.is_open:
                    self._failed(error)
            except Exception as error:  # noqa: BLE001 - a thread that ended would never listen again
                self.on_fault(error)
            self._lines = ()
            stop.wait(pause)
            pause = min(2 * pause, MAX_PAUSE)
        # The cache was closed, or is garbage: then the connections for commands are, too.
        clients.close()

    def _failed(self, error: Exception) -> None:
        """Count what keeps the bus from hearing, and log what is new of it. An outage counts once, where commands meet
        it, and opens the circuit breaker there."""
        breaker = self._connection.breaker
        breaker.errors += 1
        if isinstance(error, OUTAGES):
            breaker.troubles.unanswered(error, self._asked, DEAF)
        else:
            breaker.troubles.refused(error, self._asked, DEAF)

    def _subscribe(self, subscriptions: Iterable[Any]) -> None:
        """Begin to listen. All lines are there before the first one counts."""
        self._asked = ("PSUBSCRIBE", self._channels)
        self._lines = tuple([Line(each, self._channels, self._clock, self._wall_clock) for each in subscriptions])

    def _poll(self, line: Line, seconds: float) -> bool:
        """Take one message of a line. Returns whether anything came."""
        self._asked = line.asked
        received = line.poll(seconds)
        self._asked = line.asked
        if received is None:
            return False
        if received["type"] == "pmessage":
            self._receive(received["data"])
            return True
        if received["type"] == "psubscribe":
            self.epoch += 1
        if self._connection.breaker.troubles.are_there:
            self._connection.breaker.troubles.answered(line.asked)
        return True

    def _receive(self, data: bytes) -> None:
        try:
            changed = hulls({each.tag: extent_between(each.low, each.high)} for each in _decode(data))
        except msgspec.DecodeError:
            changed = {EVERYTHING: EVERY_EXTENT}  # of an unknown format: anything may have changed
        self.on_change(changed)
