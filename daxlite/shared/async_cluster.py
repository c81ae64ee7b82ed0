"""The servers of a cluster, for asyncio: which one a command goes to is told by `routing.py`."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import redis

from ..core.steps import Command
from .cluster import reached_from_here
from .endpoints import ClusterEndpoint
from .exchanges import Budget, Lost
from .multiplexed import Multiplexed
from .pool import LONGEST_WAIT
from .routing import Round, Rounds, Route, Routing
from .slots import Address

T = TypeVar("T")


class AsyncCluster:
    """The connections to the servers of a cluster, one to each. They belong to the loop in which they were made."""

    def __init__(self, endpoint: ClusterEndpoint, budget: float | None, on_broken: Callable[[], None]) -> None:
        """As for Multiplexed."""
        self._loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        self._budget = budget
        self._on_broken = on_broken
        self._servers: dict[Address, Multiplexed] = {}
        self.routing: Final = Routing(endpoint.given, reached_from_here(endpoint.remap))
        self.routing.on_learned = self._forget

    async def exchange(self, commands: Sequence[Command], budget: Budget) -> list[Any]:
        """The reply to each of these commands, or the error that is its reply, in one round trip to each server. Raises
        Lost."""
        began = time.monotonic()
        route = Route(self.routing, lambda: self._end_of(budget, began))
        try:
            return await self._drive(route.exchange(commands), budget)
        except Lost:
            self.routing.doubt()
            raise
        finally:
            if route.found_new:
                self._on_broken()

    def _end_of(self, budget: Budget, began: float) -> float:
        """When a budget is over, by the clock of routes."""
        if budget.deadline is None or math.isinf(budget.deadline):
            return began + LONGEST_WAIT
        return time.monotonic() + budget.deadline - self._loop.time()

    async def _drive(self, rounds: Rounds[T], budget: Budget) -> T:
        try:
            step = next(rounds)
            while True:
                try:
                    replies = await self._replies(step, budget)
                except (redis.RedisError, OSError) as error:
                    step = rounds.throw(error)
                else:
                    step = rounds.send(replies)
        except StopIteration as over:
            result: T = over.value
            return result

    async def _replies(self, step: Round | float, budget: Budget) -> dict[Address, list[Any]] | None:
        if isinstance(step, float):
            await asyncio.sleep(step)
            return None
        return await self._round(step, budget)

    async def _round(self, batches: Round, budget: Budget) -> dict[Address, list[Any]]:
        """Send to all servers, and then wait for what they say. Raises the first failure after all have said it."""
        failure: Lost | None = None
        replies: dict[Address, list[Any]] = {}
        sent = {place: self._send(place, commands, budget) for place, commands in batches.items()}
        try:
            for place, future in sent.items():
                try:
                    replies[place] = self._server(place).understood(batches[place], await future)
                except Lost as lost:
                    failure = failure or lost
        finally:
            for future in sent.values():
                if not future.cancel() and not future.cancelled():
                    future.exception()  # this caller, who is interrupted, has seen it
        if failure is not None:
            raise failure
        return replies

    def _send(self, place: Address, commands: Sequence[Command], budget: Budget) -> "asyncio.Future[list[Any]]":
        return self._server(place).send(commands, budget)

    def _server(self, place: Address) -> Multiplexed:
        server = self._servers.get(place)
        if server is None:
            server = self._servers[place] = Multiplexed(self._endpoint.at(place), self._budget, self._on_broken)
        return server

    def _forget(self) -> None:
        for each in self._servers.keys() - {*self.routing.places}:
            self._servers.pop(each).retire()

    def doubt(self) -> None:
        """As Multiplexed's."""
        self.routing.doubt()
        for server in [*self._servers.values()]:
            server.doubt()

    def close(self) -> None:
        """As Multiplexed's."""
        for server in self._servers.values():
            server.close()

    async def async_close(self) -> None:
        """As Multiplexed's."""
        await asyncio.gather(*[server.async_close() for server in self._servers.values()])

    def abandon(self) -> None:
        """As Multiplexed's."""
        for server in self._servers.values():
            server.abandon()
