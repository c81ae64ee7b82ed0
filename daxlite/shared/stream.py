"""One connection of asyncio: commands go out as they come, and their replies come back in the same order.

A reply that is not there in time ends the connection, for the replies that come after it would be late as well. But a
budget is the server's time, not the loop's. It begins when commands are handed to the system. When it is over, replies
that have arrived, and that the loop had no time to read, are read first: a loop that is busy for longer than a budget
takes no server for one that is down.
"""

import asyncio
import math
import select
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import redis
from redis.exceptions import ReadOnlyError, ResponseError

from .closing import abandon, disconnect
from .deadlines import TOO_LATE
from .endpoints import Endpoint
from .exchanges import Exchange

PAUSE: Final = 0.002
"""Seconds between two looks whether a late reply has come."""
LOOKS: Final = 3
"""So many looks find nothing before the reply is given up."""


class Stream:
    """One connection, from its beginning to its end."""

    def __init__(
        self,
        endpoint: Endpoint,
        patience: float | None,
        timeout: float | None,
        on_end: Callable[["Stream", Exception | None], None],
    ) -> None:
        """patience: seconds for the connection, if it has no timeouts of its own. timeout: seconds for a reply, if
        commands have no budgets. on_end: is called before those who wait are told, with what was wrong; None if the
        connection was to end."""
        self._loop = loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        self._patience = patience
        self._timeout = timeout
        self._on_end = on_end
        self._connection: Any = None
        self._is_open = self._is_over = self._is_retired = False
        self._waiting: list[Exchange] = []
        """Those that wait until it is open."""
        self._sent: deque[Exchange] = deque()
        """Those whose replies are to come, in their order."""
        self._timer: asyncio.TimerHandle | None = None
        self._looks = 0
        self._poll: Any = None
        # Not by the loop's factory: with `asyncio.eager_task_factory` it would begin before it is known.
        self.task = asyncio.Task(self._live(), loop=loop, name="daxlite-redis")
        self.task.add_done_callback(lambda task: self.end(None))  # one that is cancelled at once takes no step

    # Commands

    def send(self, exchanges: Sequence[Exchange]) -> None:
        """Send commands, as soon as the connection is open."""
        now = self._loop.time()
        for exchange in exchanges:
            exchange.was_open = self._is_open
            exchange.deadline = math.inf if self._timeout is not None else exchange.budget.begin(now)
        self._waiting += exchanges
        if self._is_open:
            self._write()
        else:
            self._watch(exchanges)

    def _write(self) -> None:
        waiting = [exchange for exchange in self._waiting if not exchange.future.done()]
        self._waiting = []
        if self._timeout is not None:
            now = self._loop.time()
            for exchange in waiting:
                exchange.deadline = now + self._timeout
        self._sent += waiting
        self._connection._writer.writelines([part for exchange in waiting for part in exchange.packed])
        self._watch(waiting)

    # Replies

    async def _live(self) -> None:
        try:
            self._connection = await self._opened()
            self._is_open = True
            self._write()
            while not self._is_over:
                try:
                    reply = await self._connection.read_response(timeout=math.inf, disconnect_on_error=False)
                except ResponseError as error:
                    reply = error.with_traceback(None)
                self._take(reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, this connection is over
            self.end(_bare(error))
        except BaseException:
            self.end(None)  # the loop is about to end
            raise
        finally:
            if self._connection is not None and not self._loop.is_closed():
                await disconnect(self._connection)

    async def _opened(self) -> Any:
        try:
            async with asyncio.timeout(self._patience):
                return await self._endpoint.open()
        except TimeoutError:
            raise redis.TimeoutError(TOO_LATE) from None

    def _take(self, reply: Any) -> None:
        if not self._sent:
            raise redis.ConnectionError("the server said something that nobody asked for")
        exchange = self._sent[0]
        exchange.replies.append(reply)
        exchange.left -= 1
        if not exchange.left:
            self._sent.popleft()
            if not exchange.future.done():
                exchange.future.set_result(exchange.replies)
        if isinstance(reply, ReadOnlyError) and self._endpoint.sentinels is not None:
            raise redis.ConnectionError("this server is not the primary any more")
        if self._is_retired and not self._sent:
            self.end(None)

    # Budgets

    def _watch(self, exchanges: Iterable[Exchange]) -> None:
        """Look when the first budget of these is over."""
        due = min([exchange.deadline for exchange in exchanges], default=math.inf)
        if due == math.inf or (self._timer is not None and self._timer.when() <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        pending = [*self._sent, *self._waiting]
        if all(exchange.deadline > now for exchange in pending):
            self._looks = 0
            self._watch(pending)
            return
        self._looks = 0 if self._is_readable() else self._looks + 1
        if self._looks < LOOKS:
            self._timer = self._loop.call_later(PAUSE, self._look)
        elif self._is_open:
            self.end(redis.TimeoutError(TOO_LATE), now)
        else:
            self._give_up(redis.TimeoutError(TOO_LATE), now)

    def _give_up(self, error: Exception, now: float) -> None:
        """Let those wait no longer whose budget is over; the connection may still come."""
        late = [exchange for exchange in self._waiting if exchange.deadline <= now]
        self._waiting = [exchange for exchange in self._waiting if exchange.deadline > now]
        event = object()
        for exchange in late:
            exchange.lose(error, event, is_late=True)
        self._looks = 0
        self._watch(self._waiting)

    def _is_readable(self) -> bool:
        """Whether there is something to read that the loop has not read yet."""
        sock = self._connection._writer.get_extra_info("socket") if self._is_open else None
        if sock is None:
            return False
        number = sock.fileno()
        if number < 0:  # the loop has closed it
            return True
        if not hasattr(select, "poll"):  # Windows
            return bool(select.select([number], [], [], 0)[0])
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(number, select.POLLIN)
        return bool(self._poll.poll(0))

    def is_stale(self) -> bool:
        """Whether there is something to read where nothing is expected: that the server closed the connection, mostly,
        while the loop was busy, or stood still."""
        return not self._sent and self._is_readable()

    # The end

    def retire(self) -> None:
        """Close the connection as soon as all replies have come."""
        self._is_retired = True
        if not self._sent and not self._waiting:
            self.end(None)

    def end(self, error: Exception | None, now: float = -math.inf) -> None:
        """Close the connection, and tell all who wait. error: why; None if the server is not to blame. now: whose
        budget was over by then, is late."""
        if self._is_over:
            return
        self._is_over = True
        if self._loop.is_closed():  # nobody waits any more
            return
        if self._timer is not None:
            self._timer.cancel()
        self._on_end(self, error)
        event = object()
        for exchange in (*self._sent, *self._waiting):
            exchange.lose(error, event, is_late=exchange.deadline <= now)
        self._sent.clear()
        self._waiting.clear()
        if asyncio.current_task(self._loop) is not self.task:
            self.task.cancel()

    def abandon(self) -> None:
        """Close the connection, whose loop is closed: nothing of asyncio's can be asked any more."""
        self._is_over = True
        self.task._log_destroy_pending = False  # type: ignore[attr-defined]
        if self._connection is not None:
            abandon(self._connection)


def _bare(error: Exception) -> Exception:
    """An error to be kept: without the frames that it came by."""
    seen: BaseException | None = error
    while seen is not None:
        seen.__traceback__ = None
        seen = seen.__context__
    return error
