"""Hearing: how a process that shares a tier learns what others change (promise P5).

A thread subscribes, on every primary, to the channels of the tables that the process uses. What the process keeps may
be served as long as all lines are leased (`lines.py`, `leases.py`). When one of them is lost, all of them begin anew:

    begin --> subscribed on every line --> each line has answered --> renewed: the tier has dropped what it kept,
      ^                                    a later question           and has told again what it owes --> heard
      '---------- a line breaks, is silent, is of no primary any more; or the set of primaries is another ----------'

What is published in between is passed on all the time, but nothing counts as heard before the end.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from ..latch import Latch
from .breaker import Breaker
from .failures import FAILURES, OUTAGES
from .keyspace import Keyspace
from .leases import NO_LEASE, Lease
from .line import INFO, PING, ROLE, SLOTS, Proxied
from .lines import Counts, Lines, Primaries, Regrouped
from .messages import Message, decode_message
from .obstacles import foreseen
from .tags import NAMESPACE

POLL: Final = 0.05
"""Seconds for which the thread waits for something to read before it looks whether there is something else to do."""
FIRST_PAUSE: Final = 0.05  # seconds
MAX_PAUSE: Final = 2.0  # seconds

LONGEST_CLOSE: Final = 5.0
"""Seconds for which `close` waits for the thread. It is a daemon: what it waits for then does not matter."""

DEAF: Final = "nothing is served from this process's memory meanwhile"
"""What it costs that the process does not hear."""

CANNOT: Final = "this process cannot hear what others change, and serves nothing from its memory"

_logger: Final = logging.getLogger("daxlite")


class Hearing:
    """Listens in a thread of its own, which starts with the first call of `listen`.

    The thread holds this object and what its callbacks hold, until `stop` or `close` is called.
    """

    def __init__(
        self,
        servers: Primaries,
        keyspace: Keyspace,
        breaker: Breaker,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        outage_ttl: float = 0.0,
        is_proxy: bool | None = None,
        poll: float = POLL,
        tables: frozenset[bytes] = frozenset((NAMESPACE,)),
    ) -> None:
        """breaker: its errors are counted, and its troubles logged. outage_ttl: seconds for which what is kept may be
        served although nothing is heard. is_proxy: whether several servers stand behind one address; None to find out.
        tables: what is listened to from the beginning.
        """
        self._servers = servers
        self._keyspace = keyspace
        self._breaker = breaker
        self._clock = clock
        self._wall_clock = wall_clock
        self._outage_ttl = outage_ttl
        self._is_proxy = is_proxy
        self._poll = poll
        self.on_message: Callable[[Message], None] = lambda message: None
        """Is called with each message, in the order in which each server published them."""
        self.on_lost: Callable[[], None] = lambda: None
        """Is called when lines are lost, perhaps together with a server and what it had acknowledged. From now on, as
        from the very beginning, what was written or heard of lately is not to be forgotten, until `on_renewed` returns
        True."""
        self.on_renewed: Callable[[], bool] = lambda: True
        """Is called, again and again until it returns True, when all lines are there again and all that came before on
        them was passed on: what the process kept is to be dropped, and what was not to be forgotten is to be told once
        more. Then messages count as heard."""
        self.on_serves: Callable[[Lease], None] = lambda lease: None
        """Is called with the lease up to which what is kept may be served."""
        self.on_counted: Callable[[int], None] = lambda messages: None
        """Is called with a number of messages that came."""
        self.on_fault: Callable[[Exception], None] = lambda error: None
        """Is called with an error that is not Redis's."""
        self.counts: Final = Counts()
        self._tables = set(tables)
        self._is_said = False
        self.begin()

    def begin(self) -> None:
        """Start without a thread, as a new process does after a fork."""
        self.epoch = 0
        """How often all lines were renewed: messages may have been missed before each time."""
        self.lease: Lease = NO_LEASE
        """For how long everything counts as heard."""
        self._serve(NO_LEASE)
        self.obstacle: str | None = foreseen(self._is_proxy, self._servers.hosts())
        """Why this process can never hear; None as long as nothing speaks against it."""
        self._heard: frozenset[bytes] = frozenset()
        """The tables whose channels are subscribed to on every line."""
        self._is_leased = False
        self._start_over()
        self._stop = Latch()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def _serve(self, lease: Lease) -> None:
        self.serves = lease
        """For how long what is kept may be served: as `lease`, and `outage_ttl` longer."""
        self.on_serves(lease)

    def _start_over(self) -> None:
        self._lines = Lines(self._servers, self._keyspace, self.counts, self._clock, self._wall_clock)
        self._is_proved = self._is_renewed = self._is_doubted = False

    # For the tier

    @property
    def is_possible(self) -> bool:
        """Whether this process may come to hear."""
        return self.obstacle is None

    def listen(self, table: bytes) -> None:
        """Have the changes of a table be heard from now on: the first 8 bytes of its tags, or EVERY_TABLE. Never
        waits."""
        self._tables.add(table)
        if self._thread is not None or self._stop.is_open or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None and self.obstacle is None:
                thread = threading.Thread(target=self._run, name="daxlite-hearing", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            self.obstacle = "no thread can be started here"
        finally:
            self._starting.release()
        if self.obstacle is not None:
            self._say_why()

    def doubt(self) -> None:
        """Count nothing as heard until all lines are renewed: a caller found that there is a new primary. Any thread
        may call it."""
        self._is_doubted = True
        self._withdraw()

    def hears(self, table: bytes) -> bool:
        """Whether this process has heard of all changes of a table, but for what is on its way."""
        return table in self._heard and self.lease.holds(self._clock(), self._wall_clock())

    # The thread

    def stop(self) -> None:
        """Have it stop listening, for good. Does not wait; a finaliser may call it at any moment."""
        self._stop.open()

    def close(self) -> None:
        """The same, and wait until it has stopped, but not for a server that hangs."""
        self.stop()
        thread = self._thread
        if thread is not None:
            thread.join(LONGEST_CLOSE)
            self._thread = None
        self._withdraw()

    def _say_why(self) -> None:
        """Log once why nothing can be heard."""
        if not self._is_said:
            self._is_said = True
            _logger.warning("%s: %s", CANNOT, self.obstacle)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_open and self.obstacle is None:
            if not self.step():
                self._stop.wait(pause)
                pause = min(2 * pause, MAX_PAUSE)
            elif self._is_renewed:
                pause = FIRST_PAUSE
        self._lose()
        if self._stop.is_open:
            self._servers.close()
        else:
            self._say_why()

    def step(self) -> bool:
        """Take a turn, after a new beginning where there are no lines. Returns False if the lines are lost now. The
        thread does nothing else; where there is none, say in a simulation, others may."""
        try:
            if not self._lines.all:
                self._lines.open(ask_what_they_are=self._is_proxy is None)
            self._turn()
        except Regrouped:
            pass
        except Proxied as error:
            self.obstacle = str(error)
        except FAILURES as error:
            self._failed(error)
        except Exception as error:  # noqa: BLE001 - a thread that ended would never listen again
            self.on_fault(error)
        else:
            return True
        self._lose()
        return False

    def _turn(self) -> None:
        if self._is_doubted:
            raise Regrouped
        tables, messages = frozenset(self._tables), self.counts.messages
        if self._lines.turn(tables, self._poll, self._hear) and self._renew():
            self._publish()
        if self.counts.messages > messages:
            self.on_counted(self.counts.messages - messages)

    def _hear(self, data: bytes) -> None:
        self.on_message(decode_message(data))

    def _renew(self) -> bool:
        """Have done what is due once at each beginning. Returns whether it is."""
        if not self._is_proved:
            self._is_proved = True
            self.epoch += 1
        if not self._is_renewed and self.on_renewed():
            self._is_renewed = True
            self.counts.renewals += 1
            self._breaker.troubles.answered([INFO, ("SUBSCRIBE",), ("PSUBSCRIBE",), ROLE, PING, SLOTS])
        return self._is_renewed

    def _publish(self) -> None:
        """Make known what counts as heard."""
        self._count_lease()
        lease = self._lines.lease()
        self._heard = self._lines.confirmed
        if lease != self.lease:
            self._serve(lease.longer(self._outage_ttl) if self._outage_ttl else lease)
            self.lease = lease
            if self._is_doubted or self._stop.is_open:  # by another thread, perhaps just now
                self._withdraw()
        self._is_leased = self.lease.holds(self._clock(), self._wall_clock())

    def _count_lease(self) -> None:
        """Count a lease that has run out, or was lost."""
        if self._is_leased and not self.lease.holds(self._clock(), self._wall_clock()):
            self._is_leased = False
            self.counts.leases_lost += 1

    def _withdraw(self) -> None:
        """End the lease."""
        self.lease = NO_LEASE
        if not self._outage_ttl or self._stop.is_open:
            self._serve(NO_LEASE)

    def _lose(self) -> None:
        """Count nothing as heard any more."""
        self._withdraw()
        self._count_lease()
        self._heard = frozenset()
        lines = self._lines
        self._start_over()
        lines.close()
        if lines.all and not self._stop.is_open:
            try:
                self.on_lost()
            except Exception as error:  # noqa: BLE001 - as above
                self.on_fault(error)

    def _failed(self, error: Exception) -> None:
        """Count what keeps the process from hearing, and log what is new of it. An outage counts once, where commands
        meet it, and opens the circuit breaker there."""
        asked = ("SUBSCRIBE",) if self._lines.current is None else self._lines.current.last
        self._breaker.errors += 1
        if isinstance(error, OUTAGES):
            self._breaker.troubles.unanswered(error, asked, DEAF)
        else:
            self._breaker.troubles.refused(error, asked, DEAF)
