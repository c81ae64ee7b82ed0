"""Invalidations: sent at once, and kept for later where Redis could not be told (promise P7).

A writer puts a new token on top of the states of the tags that it changed, and tells the other processes. Where that
fails the tags stay in the outbox and are sent again: before this process believes anything that Redis says, and by a
thread otherwise.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final

from ..core.extents import EVERYTHING as EVERY_EXTENT
from ..core.extents import Extent
from ..core.steps import Run, Server, Steps
from ..faults import Faults
from ..latch import Latch
from .failures import Unavailable, is_of_the_header
from .keyspace import Keyspace
from .scripts import ALLOW_OOM, bump
from .tags import EVERYTHING

MAX_PENDING: Final = 20_000
"""Beyond, everything of the namespace is invalidated once Redis is back."""
FIRST_PAUSE: Final = 0.5
MAX_PAUSE: Final = 10.0


class Outbox:
    """The tags that changed and of which Redis has not been told yet."""

    def __init__(
        self,
        keyspace: Keyspace,
        bump: Callable[[Mapping[bytes, Extent]], None],
        server: Server,
        faults: Faults,
        drive: Callable[[Steps[None]], None],
    ) -> None:
        """bump: makes what this process keeps of these tags stale. drive: takes steps in the thread that calls it."""
        self._faults = faults
        self._keyspace = keyspace
        self._bump = bump
        self._server = server
        self._drive = drive
        self._header = ALLOW_OOM
        """What the server takes before a script."""
        self._tags: dict[bytes, tuple[int, Extent]] = {}
        """With what of it changed, and the number of the change that was last added: a tag may change again while it is
        being sent."""
        self._number = 0
        self.begin()

    def begin(self) -> None:
        """Start without a thread, as a new process does after a fork. What was pending still is: twice does no harm."""
        self._lock = threading.RLock()
        self._stop = Latch()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._tags)

    def invalidate(self, changed: Mapping[bytes, Extent]) -> Steps[None]:
        """Note, here and in Redis, that these extents of tags changed, and tell the others. Raises Unavailable, but
        then they are sent later."""
        self._add(changed)
        try:
            yield from self.flush()
        except BaseException:
            self.retry()
            raise
        finally:
            # Last: a result that is read from Redis meanwhile, and was still true there, must not be kept here.
            self._bump(changed)

    def flush(self) -> Steps[None]:
        """Send what is pending."""
        with self._lock:
            sending = dict(self._tags)
        if not sending:
            return
        changed = {tag: extent for tag, (_, extent) in sending.items()}
        try:
            yield self._bumping(changed)
        except Unavailable as error:
            if not is_of_the_header(error.cause):
                raise
            self._header = ""
            yield self._bumping(changed)
        # What was kept here between the change and this moment may have been true to Redis, and is not any more.
        self._bump(changed)
        with self._lock:
            for tag, sent in sending.items():
                if self._tags.get(tag) == sent:
                    del self._tags[tag]

    def _bumping(self, changed: Mapping[bytes, Extent]) -> Run:
        # New tokens each time: a script that may have run already must not put the same one on top again.
        commands = bump(self._keyspace, changed, is_cluster=self._server.is_cluster, header=self._header)
        return Run(self._server, tuple(commands))

    def _add(self, changed: Mapping[bytes, Extent]) -> None:
        with self._lock:
            self._number += 1
            for tag, extent in changed.items():
                known = self._tags.get(tag)
                self._tags[tag] = self._number, extent if known is None else known[1].hull(extent)
            if len(self._tags) > MAX_PENDING:
                self._tags = {EVERYTHING: (self._number, EVERY_EXTENT)}

    # The thread

    def retry(self) -> None:
        """Have a thread send what is pending as soon as Redis takes it."""
        with self._lock:
            if self._tags and self._thread is None:
                self._thread = threading.Thread(target=self._send_later, name="daxlite-pending", daemon=True)
                self._thread.start()

    def try_again(self) -> None:
        """Send what is pending, if Redis takes it."""
        try:
            self._drive(self.flush())
        except Unavailable:
            pass  # it stays pending
        except Exception as error:  # noqa: BLE001 - in a thread, or while the program ends: no caller could handle it
            self._faults.note(error)

    def stop(self) -> None:
        """Have the thread try a last time and end. Does not wait; a finaliser may call it at any moment."""
        self._stop.open()

    def close(self) -> None:
        """Wait until the thread has ended, and try a last time."""
        self.stop()
        thread = self._thread
        if thread is not None:
            thread.join()
        self.try_again()

    def _send_later(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_open:
            self._stop.wait(pause)
            self.try_again()
            pause = min(2 * pause, MAX_PAUSE)
            with self._lock:  # so that no writer counts on a thread that is about to end
                if not self._tags:
                    self._thread = None
                    return
