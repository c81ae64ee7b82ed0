"""Invalidations: sent at once, and not forgotten where Redis could not be told (promise P7).

Whoever changed something replaces the stamps of its tags, and tells the other processes. Where that fails the tags are
remembered and sent again: before this process believes Redis anything, and by a thread of its own otherwise.
"""

import threading
from collections.abc import Callable, Collection, Generator
from typing import Any, Final, TypeAlias

from redis.exceptions import OutOfMemoryError

from ..aggregations.steps import Run
from ..faults import Faults
from .bus import Bus, message
from .connection import Connection, Unavailable
from .keyspace import Keyspace
from .stamps import remove, replace
from .tags import EVERYTHING

Commands: TypeAlias = Generator[Run, list[Any], None]
"""Steps that are nothing but commands."""

MAX_PENDING: Final = 20_000
"""Beyond, everything of the namespace is invalidated once Redis is back."""
FIRST_PAUSE: Final = 0.5
MAX_PAUSE: Final = 10.0


class Outbox:
    """The tags that changed and of which Redis has not been told yet."""

    def __init__(
        self,
        keyspace: Keyspace,
        bump: Callable[[Collection[bytes]], None],
        bus: Bus,
        connection: Connection,
        wall_clock: Callable[[], float],
        faults: Faults,
    ) -> None:
        self._wall_clock = wall_clock
        self._faults = faults
        self._keyspace = keyspace
        self._bump = bump
        self._bus = bus
        self._connection = connection
        self._tags: dict[bytes, int] = {}
        """With the number of the change that was last added: a tag may change again while it is being sent."""
        self._number = 0
        self.begin()

    def begin(self) -> None:
        """Start without a thread, as a new process does after a fork. What was pending still is: twice does no harm."""
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._tags)

    def invalidate(self, tags: Collection[bytes]) -> Commands:
        """Drop the stamps of tags that changed, here and in Redis, and tell the others. Raises Unavailable, but then
        they are pending."""
        self._add(tags)
        try:
            yield from self.flush()
        finally:
            # Last: a result that is read from Redis meanwhile, and was still true there, must not be kept here.
            self._bump(tags)

    def flush(self) -> Commands:
        """Send what is pending."""
        with self._lock:
            sending = dict(self._tags)
        if not sending:
            return
        # The stamps go first: who hears of it looks for them, and must not find them.
        tell = message(self._bus.origin, sending, self._keyspace.channel)
        keys = [*map(self._keyspace.stamp, sending)]
        try:
            yield Run((*replace(keys, self._wall_clock()), tell))
        except Unavailable as error:
            if not isinstance(error.cause, OutOfMemoryError):
                raise
            yield Run((*remove(keys), tell))
        # What was kept here between the change and this moment may have been true to Redis, and is not any more.
        self._bump(sending)
        with self._lock:
            for tag, number in sending.items():
                if self._tags.get(tag) == number:
                    del self._tags[tag]

    def _add(self, tags: Collection[bytes]) -> None:
        with self._lock:
            self._number += 1
            self._tags.update(dict.fromkeys(tags, self._number))
            if len(self._tags) > MAX_PENDING:
                self._tags = {EVERYTHING: self._number}

    # For threads

    def invalidate_now(self, tags: Collection[bytes]) -> None:
        """The same for a thread that cannot take steps: the one that has just written to DynamoDB. Never raises
        Unavailable: what Redis cannot be told now it is told later."""
        try:
            self._run(self.invalidate(tags))
        except Unavailable:
            self.retry()
        except Exception:
            self.retry()
            raise

    def retry(self) -> None:
        """Have a thread send what is pending as soon as Redis takes it."""
        with self._lock:
            if self._tags and self._thread is None:
                self._thread = threading.Thread(target=self._send_later, name="daxlite-pending", daemon=True)
                self._thread.start()

    def try_again(self) -> None:
        """Send what is pending, if Redis takes it."""
        try:
            self._run(self.flush())
        except Unavailable:
            pass  # it stays pending
        except Exception as error:  # noqa: BLE001 - in a thread, or while the program ends: it has nowhere else to go
            self._faults.note(error)

    def stop(self) -> None:
        """Have the thread end."""
        self._stop.set()

    def close(self) -> None:
        """The same, wait until it has ended, and try a last time."""
        self.stop()
        thread = self._thread
        if thread is not None:
            thread.join()
        self.try_again()

    def _send_later(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.wait(pause):
            self.try_again()
            pause = min(2 * pause, MAX_PAUSE)
            with self._lock:  # so that nobody counts on a thread that is about to end
                if not self._tags:
                    self._thread = None
                    return

    def _run(self, steps: Commands) -> None:
        """Take steps that are nothing but commands."""
        try:
            step = next(steps)
            while True:
                try:
                    replies = self._connection.run(step.commands)
                except Unavailable as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(replies)
        except StopIteration:
            return
