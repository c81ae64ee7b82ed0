"""One connection to a server that all tasks of an event loop share.

    tasks --> commands, packed --> one write for each turn of the loop --> the server
    tasks <-- their replies <----- one task that reads <------------------ replies, in the order of the commands

A task that is cancelled leaves its reply to be read and thrown away. Nothing that was sent is sent again here.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any, Final

import redis

from ..core.steps import Command
from .endpoints import Endpoint
from .exchanges import Budget, Exchange
from .failures import is_break
from .stream import Stream

LONGEST_CONNECT: Final = 1.0
"""Seconds that a connection may take at least. No caller waits for it longer than its budget allows, but the next one
finds it open."""


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
        self._stream: Stream | None = None
        self._streams: set[Stream] = set()
        """Those that are not closed yet."""
        self._queue: list[Exchange] = []
        self._is_doubted = False

    async def exchange(self, commands: Sequence[Command], budget: Budget) -> list[Any]:
        """The reply to each of these commands, or the error that is its reply. Raises Lost."""
        return self.understood(commands, await self.send(commands, budget))

    def send(self, commands: Sequence[Command], budget: Budget) -> "asyncio.Future[list[Any]]":
        """Send commands with the others of this turn of the loop. The future has their raw replies, or Lost."""
        if not commands:  # of which no reply would come, so that it would take another one's
            nothing: asyncio.Future[list[Any]] = self._loop.create_future()
            nothing.set_result([])
            return nothing
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
        if not queue:  # all was closed meanwhile
            return
        if self._is_doubted:
            self._is_doubted = False
            self.retire()
        elif self._stream is not None and self._stream.is_stale():
            self._stream.end(redis.ConnectionError("the server closed the connection"))
        if self._stream is None:
            self._stream = self._new()
        self._stream.send(queue)

    def _new(self) -> Stream:
        stream = Stream(self.endpoint, self._patience, self._timeout, self._ended)
        self._streams.add(stream)
        stream.task.add_done_callback(lambda task: self._streams.discard(stream))
        return stream

    def _ended(self, stream: Stream, error: Exception | None) -> None:
        if self._stream is stream:
            self._stream = None
        if error is not None and is_break(error):
            self._on_broken()

    def retire(self) -> None:
        """Close the connection as soon as all replies have come."""
        if self._queue:
            self._loop.call_soon(self.retire)  # once they are sent
        elif self._stream is not None:
            self._stream.retire()
            self._stream = None

    def close(self) -> None:
        """Close the connection. Commands that wait are lost. It takes effect when the loop runs."""
        queue, self._queue = self._queue, []
        for exchange in queue:
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
