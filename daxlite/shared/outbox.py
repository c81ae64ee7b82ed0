"""What Redis could not be told: it is told later, before this process believes anything that Redis says (promise P7).

A writer puts a new token on top of the states of the tags that it changed, and tells the other processes. Where that
fails the tags stay in the outbox; so do errands, such as to close the record that a write has opened. A thread delivers
all of it as soon as Redis takes it, and a read some of it before it asks Redis.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from ..core.extents import EVERYTHING as EVERY_EXTENT
from ..core.extents import Extent, hulls
from ..core.hidden import Hidden
from ..core.steps import Run, Server, Steps
from ..faults import Faults
from ..latch import Latch
from .distrust import Distrust
from .errors import Unavailable
from .keyspace import Keyspace
from .scripts import bump
from .tags import EVERYTHING
from .upkeep import Errand

MAX_PENDING: Final = 20_000
"""Beyond, everything of the namespace is invalidated once Redis is back."""
PAUSE: Final = 0.25
"""Seconds between two attempts of the thread."""
CHUNK: Final = 500
"""So many tags and errands are sent at once."""
LONGEST_END: Final = 1.0
"""Seconds for which the end of a program delivers what is pending."""
LINGER: Final = 40
"""So many attempts the thread waits for more to do, where it has duties."""


class _Pending(Hidden, Struct, frozen=True, eq=False):
    """Something to be sent. What is added later is another object, so that it is sent again."""

    changed: Mapping[bytes, Extent]
    errand: Errand | None = None
    """None: the tags are bumped."""


class Outbox:
    """The tags that changed, and the errands, of which Redis has not been told yet."""

    def __init__(
        self,
        keyspace: Keyspace,
        bump: Callable[[Mapping[bytes, Extent]], None],
        server: Server,
        faults: Faults,
        drive: Callable[[Steps[None]], None],
        *,
        is_urgent: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """bump: makes what this process keeps of these tags stale. drive: takes steps in the thread that calls it.
        is_urgent: changes are sent even where the circuit breaker is open. clock: for the end of the program."""
        self._faults = faults
        self._keyspace = keyspace
        self._bump = bump
        self._server = server
        self._drive = drive
        self._is_urgent = is_urgent
        self._clock = clock
        self.duties: Callable[[], Steps[bool]] | None = None
        """What else the thread does before each attempt. Returns whether there will be more to do."""
        self.distrust: Distrust | None = None
        """Tells the others where Redis takes no writes; None if there are none to be told."""
        self.deliveries = 0
        """How often something was delivered."""
        self._pending: dict[bytes, _Pending] = {}
        """By tag, or by the id of an errand, which is shorter; in the order in which it is sent."""
        self.begin()

    def begin(self) -> None:
        """Start without a thread, as a new process does after a fork. What was pending still is: twice does no harm."""
        self._lock = threading.RLock()
        self._stop = Latch()
        self._thread: threading.Thread | None = None

    def forget(self) -> None:
        """Have nothing to send: another process has."""
        self._pending = {}

    def __len__(self) -> int:
        return len(self._pending)

    # What is to be sent

    def invalidate(self, changed: Mapping[bytes, Extent]) -> Steps[None]:
        """Note, here and in Redis, that these extents of tags changed, and tell the others. Raises Unavailable, but
        then they are sent later."""
        self._add(changed)
        try:
            yield from self.flush(is_urgent=self._is_urgent, chunks=len(changed) // CHUNK + 2)
        except BaseException:
            self.retry()
            raise
        finally:
            # Last: a result that is read from Redis meanwhile, and was still true there, must not be kept here.
            self._bump(changed)

    def add(self, changed: Mapping[bytes, Extent]) -> None:
        """Have these extents of tags be bumped by the thread."""
        if changed:
            self._add(changed)
            self.retry()

    def owe(self, id: bytes, errand: Errand, changed: Mapping[bytes, Extent]) -> None:
        """Have the commands of an errand be sent by the thread. id: an operation's; a later errand of it takes the
        place of this one. changed: what of this process's own is stale once they have run."""
        with self._lock:
            self._pending.pop(id, None)
            self._pending[id] = _Pending(changed, errand)
            self._limit()
        self.retry()

    def _add(self, changed: Mapping[bytes, Extent]) -> None:
        with self._lock:
            for tag, extent in changed.items():
                known = self._pending.get(tag)
                self._pending[tag] = _Pending({tag: extent if known is None else known.changed[tag].hull(extent)})
            self._limit()

    def _limit(self) -> None:
        if len(self._pending) > MAX_PENDING:
            self._pending = {EVERYTHING: _Pending({EVERYTHING: EVERY_EXTENT})}

    # Delivery

    def flush(self, *, is_urgent: bool = False, chunks: float = 1, until: float = math.inf) -> Steps[None]:
        """Send what is pending. Raises Unavailable if Redis does not take it, and if that is more than so many chunks,
        or takes until after this moment."""
        with self._lock:
            sending = [*self._pending.items()]
        for first in range(0, len(sending), CHUNK):
            if first >= chunks * CHUNK or self._clock() >= until:
                raise Unavailable
            yield from self._send(dict(sending[first : first + CHUNK]), is_urgent)

    def _send(self, sending: Mapping[bytes, _Pending], is_urgent: bool) -> Steps[None]:
        errands = [command for each in sending.values() if each.errand is not None for command in each.errand()]
        changed = {tag: each.changed[tag] for tag, each in sending.items() if each.errand is None}
        # New tokens each time: a script that may have run already must not put the same one on top again.
        bumps = bump(self._keyspace, changed, is_cluster=self._server.is_cluster) if changed else []
        if errands or bumps:
            yield Run(self._server, (*errands, *bumps), is_urgent)
        self.deliveries += 1
        told = hulls([each.changed for each in sending.values()])
        if self.distrust is not None:
            self.distrust.delivered(told)
        # What was kept here between the change and this moment may have been true to Redis, and is not any more.
        self._bump(told)
        with self._lock:
            for id, each in sending.items():
                if self._pending.get(id) is each:
                    del self._pending[id]

    # The thread

    def retry(self) -> None:
        """Have a thread send what is pending as soon as Redis takes it."""
        if self._pending:
            self.attend()

    def attend(self) -> None:
        """Have the thread do its duties. Never waits."""
        if self._thread is not None or self._stop.is_open:
            return
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._send_later, name="daxlite-pending", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # no thread can be started here, or the program ends: reads and `close` deliver
                    return
                self._thread = thread

    def try_again(self, *, seconds: float = math.inf) -> None:
        """Send what is pending, if Redis takes it, for at most so long."""
        try:
            self._drive(self._deliver(self._clock() + seconds))
        except Unavailable:
            pass  # it stays pending
        except Exception as error:  # noqa: BLE001 - in a thread, or while the program ends: no caller could handle it
            self._faults.note(error)

    def _deliver(self, until: float) -> Steps[None]:
        try:
            yield from self.flush(is_urgent=self._is_urgent, chunks=math.inf, until=until)
        except Unavailable as error:
            if error.is_of_writes and self.distrust is not None:
                with self._lock:
                    pending = [*self._pending.values()]
                yield from self.distrust.tell(hulls([each.changed for each in pending]))
            raise

    def stop(self) -> None:
        """Have the thread try a last time and end. Does not wait; a finaliser may call it at any moment."""
        self._stop.open()

    def close(self) -> None:
        """Wait until the thread has ended, and try a last time; for about a second."""
        self.stop()
        thread = self._thread
        if thread is not None:
            thread.join(LONGEST_END)
        self.try_again(seconds=LONGEST_END)

    def _send_later(self) -> None:
        idle = 0
        while not self._stop.is_open:
            self._stop.wait(PAUSE)
            is_needed = self._do_duties()
            self.try_again()
            idle = 0 if is_needed or self._pending else idle + 1
            with self._lock:  # so that no writer counts on a thread that is about to end
                if not self._pending and idle > (LINGER if self.duties is not None else 0):
                    self._thread = None
                    return

    def _do_duties(self) -> bool:
        is_needed = False

        def steps() -> Steps[None]:
            nonlocal is_needed
            if self.duties is not None:
                is_needed = yield from self.duties()

        try:
            self._drive(steps())
        except Unavailable:
            return True  # they are not done
        except Exception as error:  # noqa: BLE001 - as above
            self._faults.note(error)
        return is_needed
