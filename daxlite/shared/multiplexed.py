"""One connection to a server that all tasks of an event loop share.

    tasks --> commands, packed --> one write for each turn of the loop --> the server
    tasks <-- their replies <----- one task that reads <------------------ replies, in the order of the commands

A task that is cancelled leaves its reply to be read and thrown away. A reply that is not there in time ends the
connection, for the replies that come after it would be late as well. Nothing that was sent is sent again here.

A budget is the server's time, not the loop's. It begins when commands are handed to the system. When it is over,
replies that have arrived, and that the loop had no time to read, are read first: a loop that is busy for longer than a
budget takes no server for one that is down.
"""

import asyncio
import math
import select
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from typing import Any, Final

import redis
from redis.exceptions import ReadOnlyError, ResponseError

from ..core.steps import Command
from .closing import abandon, disconnect
from .deadlines import TOO_LATE
from .endpoints import Endpoint
from .failures import is_break

LONGEST_CONNECT: Final = 1.0
"""Seconds that a connection may take at least. No caller waits for it longer than its budget allows, but the next one
finds it open."""
PAUSE: Final = 0.002
"""Seconds between two looks whether a late reply has come."""
LOOKS: Final = 3
"""So many looks find nothing before the reply is given up."""


class Lost(redis.ConnectionError):
    """Commands of which no replies will come."""

    def __init__(self, error: Exception | None, event: object = None, *, may_ask_again: bool = False) -> None:
        """error: what happened; None where the server is not to blame. event: the same for all whom it befell.
        may_ask_again: the connection had been open before, and this was not the command that it waited for."""
        super().__init__(error)
        self.error = error
        self.event = event
        self.may_ask_again = may_ask_again


class Budget:
    """The seconds that a step may take, all in all; they begin with its first command."""

    __slots__ = ("deadline", "seconds")

    def __init__(self, seconds: float | None) -> None:
        """None: without end."""
        self.seconds = seconds
        self.deadline: float | None = None
        """By the loop's clock; None as long as nothing was sent."""

    def begin(self, now: float) -> float:
        """When it ends."""
        if self.deadline is None:
            self.deadline = math.inf if self.seconds is None else now + self.seconds
        return self.deadline


class Exchange:
    """Commands that are sent together, and their replies."""

    __slots__ = ("budget", "deadline", "future", "left", "packed", "replies", "was_open")

    def __init__(self, packed: Sequence[Any], count: int, budget: Budget, future: "asyncio.Future[list[Any]]") -> None:
        self.packed = packed
        self.left = count
        self.budget = budget
        self.deadline = math.inf
        self.future = future
        self.replies: list[Any] = []
        self.was_open = False

    def lose(self, error: Exception | None, event: object, *, is_late: bool = False) -> None:
        """Tell who waits that nothing comes."""
        if not self.future.done():
            self.future.set_exception(Lost(error, event, may_ask_again=self.was_open and not is_late))


class Multiplexed:
    """The connection to one server, made anew whenever it is lost. It belongs to the loop in which it was made."""

    def __init__(self, endpoint: Endpoint, budget: float | None, on_broken: Callable[[], None]) -> None:
        """budget: seconds for a step; None: the client's timeouts hold for each thing that is waited for. on_broken: is
        called when a connection broke, before another one takes its place. Raises TypeError for wrong settings."""
        self._loop = asyncio.get_running_loop()
        self._patience = None if budget is None else max(budget, LONGEST_CONNECT)
        self.endpoint: Final = endpoint.bounded(self._patience)
        self._packer = self.endpoint.new()
        self._timeout: float | None = self._packer.socket_timeout if budget is None else None
        self._on_broken = on_broken
        self._stream: _Stream | None = None
        self._streams: set[_Stream] = set()
        """Those that are not closed yet."""
        self._queue: list[Exchange] = []
        self._is_doubted = False

    async def exchange(self, commands: Sequence[Command], budget: Budget) -> list[Any]:
        """The reply to each of these commands, or the error that is its reply. Raises Lost."""
        return self.understood(commands, await self.send(commands, budget))

    def send(self, commands: Sequence[Command], budget: Budget) -> "asyncio.Future[list[Any]]":
        """Send commands with the others of this turn of the loop. The future has their raw replies, or Lost."""
        exchange = Exchange(self._packer.pack_commands(commands), len(commands), budget, self._loop.create_future())
        if not self._queue:
            # In no context: a connection is no part of the call that happens to open it, and keeps nothing of it.
            self._loop.call_soon(self._flush, context=Context())
        self._queue.append(exchange)
        return exchange.future

    def understood(self, commands: Sequence[Command], replies: Sequence[Any]) -> list[Any]:
        """Replies as redis-py gives them."""
        callbacks = self.endpoint.callbacks
        understood = []
        for command, reply in zip(commands, replies, strict=True):
            callback = None if isinstance(reply, Exception) else callbacks.get(command[0])
            understood.append(reply if callback is None else callback(reply))
        return understood

    def doubt(self) -> None:
        """Have the next commands go over a new connection: there may be another server by now. Any thread may call
        it."""
        self._is_doubted = True

    def _flush(self) -> None:
        queue, self._queue = self._queue, []
        stream = self._stream
        if stream is not None and self._is_doubted:
            stream.retire()
            stream = None
        elif stream is not None and stream.is_stale():
            stream.end(redis.ConnectionError("the server closed the connection"))
            stream = None
        self._is_doubted = False
        if stream is None:
            stream = self._stream = self._new()
        stream.send(queue)

    def _new(self) -> "_Stream":
        stream = _Stream(self, self._loop, self._patience, self._timeout)
        self._streams.add(stream)

        def over(task: object) -> None:
            stream.end(None)  # a task that is cancelled at once takes no step
            self._streams.discard(stream)

        stream.task.add_done_callback(over)
        return stream

    def lost(self, stream: "_Stream", error: Exception | None) -> None:
        """A connection is over. error: why; None if it was to end."""
        if self._stream is stream:
            self._stream = None
        if error is not None and is_break(error):
            self._on_broken()

    def retire(self) -> None:
        """Close the connection as soon as all replies have come."""
        if self._stream is not None:
            self._stream.retire()
            self._stream = None

    def close(self) -> None:
        """Close the connection. Commands that wait are lost. It takes effect when the loop runs."""
        for exchange in self._queue:
            exchange.lose(None, None)
        for stream in [*self._streams]:
            stream.end(None)

    async def async_close(self) -> None:
        """The same, and wait until it has taken effect."""
        self.close()
        if tasks := [stream.task for stream in self._streams]:
            await asyncio.wait(tasks)

    def abandon(self) -> None:
        """Close the connection, whose loop is closed."""
        for stream in self._streams:
            stream.abandon()


class _Stream:
    """One connection, from its beginning to its end."""

    def __init__(
        self, owner: Multiplexed, loop: asyncio.AbstractEventLoop, patience: float | None, timeout: float | None
    ) -> None:
        """patience: seconds for the connection, if it has no timeouts of its own. timeout: seconds for a reply, if
        commands have no budgets."""
        self._owner = owner
        self._loop = loop
        self._patience = patience
        self._timeout = timeout
        self._connection: Any = None
        self._is_open = self._is_over = self._is_retired = False
        self._waiting: list[Exchange] = []
        """Those that wait until it is open."""
        self._sent: deque[Exchange] = deque()
        """Those whose replies are to come, in their order."""
        self._timer: asyncio.TimerHandle | None = None
        self._looks = 0
        self._poll: Any = None
        self.task = loop.create_task(self._live(), name="daxlite-redis")

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
                return await self._owner.endpoint.open()
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
        if isinstance(reply, ReadOnlyError) and self._owner.endpoint.sentinels is not None:
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
        self._owner.lost(self, error)
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
