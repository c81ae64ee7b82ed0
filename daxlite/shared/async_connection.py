"""The way to Redis for asyncio: commands go out, replies come back, and every failure is Unavailable."""

import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from ..core.steps import Command
from .breaker import Breaker
from .clients import AsyncClient, LoopClients, is_of_a_cluster
from .failures import FAILURES, Unavailable, answered, checked, failed, raised_by_a_signal_handler

A = TypeVar("A")
R = TypeVar("R")


class AsyncConnection:
    """Commands to a server or a cluster, for asyncio."""

    def __init__(self, client: AsyncClient, breaker: Breaker) -> None:
        self.clients = LoopClients(client)
        self.breaker = breaker
        self.is_cluster = is_of_a_cluster(client)

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """What stands under these keys, in one round trip (in a cluster, one to each node). Raises Unavailable."""
        if self.is_cluster:
            return await self._guarded(self._pipelined, [("GET", key) for key in keys])
        found: list[bytes | None] = await self._guarded(self._one, ("MGET", *keys))
        return found

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to commands that each concern keys of one slot, in their order, in one round trip (in a cluster,
        one to each node). Raises Unavailable."""
        if len(commands) == 1:
            return [await self._guarded(self._one, commands[0])]
        return await self._guarded(self._pipelined, commands)

    async def _guarded(self, send: Callable[[Any, A], Awaitable[R]], what: A) -> R:
        """Send if the breaker allows it, and report the outcome to the breaker. What is no failure of Redis is raised
        as it is, such as what a signal handler raises."""
        if not self.breaker.allows():
            raise Unavailable
        outer = sys.exc_info()[1]
        lease = self.clients.lease()
        try:
            replies = await send(lease.client, what)
        except BaseException as error:
            of_a_handler = raised_by_a_signal_handler(error, outer)
            if of_a_handler is None and isinstance(error, lease.harmless):
                lease.give_back()
            else:
                await lease.discard()
            if of_a_handler is not None:
                raise of_a_handler from None
            if isinstance(error, FAILURES):
                raise failed(self.breaker, error, what) from error
            raise
        lease.give_back()
        answered(self.breaker, what)
        return replies

    async def _one(self, client: Any, command: Command) -> Any:
        return await client.execute_command(*command)

    async def _pipelined(self, client: Any, commands: Iterable[Command]) -> list[Any]:
        async with client.pipeline() if self.is_cluster else client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return checked(await pipeline.execute(raise_on_error=False))
