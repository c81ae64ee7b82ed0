"""The way to Redis for asyncio: commands go out, replies come back, and every failure is Unavailable."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ..core.steps import Command
from .breaker import Breaker
from .endpoints import ClusterEndpoint, Endpoint
from .exchanges import Budget, Lost
from .failures import FAILURES, Unavailable, answered, checked, failed, is_break
from .loops import Loops
from .script_forms import ScriptForms
from .slots import by_key, by_slot


class AsyncConnection:
    """Commands to a server or a cluster, for asyncio, in any event loop."""

    def __init__(self, endpoint: Endpoint | ClusterEndpoint, breaker: Breaker, budget: float | None = None) -> None:
        """budget: seconds for one call, with all that it takes: connections, replies, redirections; the server's, not
        those of the loop. None: the client's timeouts hold, each time that something is waited for."""
        broken = weakref.WeakMethod(self._broken)
        self.loops = Loops(endpoint, budget, lambda: (broken() or _nothing)())
        self.breaker = breaker
        self.is_cluster = isinstance(endpoint, ClusterEndpoint)
        self._budget = budget
        self._forms = ScriptForms()
        self._counted: object = None
        """The last event that the breaker knows: many commands wait for one connection, and are lost with it."""
        self.on_broken: Callable[[], None] = _nothing
        """Is called when a connection broke, or when the server did not answer several times: there may be another one
        in its place by the next time. Any thread with an event loop may call it."""

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """What stands under these keys, in one round trip (in a cluster, one to each node). Raises Unavailable."""
        if self.is_cluster:
            groups = by_slot(keys)
            values = by_key(groups, await self._guarded([("MGET", *group) for group in groups], is_read=True))
            return [values[key] for key in keys]
        (found,) = await self._guarded([("MGET", *keys)], is_read=True)
        return found  # type: ignore[no-any-return]

    async def run(self, commands: Sequence[Command], is_urgent: bool = False) -> list[Any]:
        """The replies to commands that each concern keys of one slot, in their order, in one round trip (in a cluster,
        one to each node). Raises Unavailable. is_urgent: they are sent even where the circuit breaker is open."""
        return await self._guarded(commands, is_urgent=is_urgent)

    async def _guarded(
        self, commands: Sequence[Command], *, is_urgent: bool = False, is_read: bool = False
    ) -> list[Any]:
        """Send if the breaker allows it, and report the outcome to the breaker. What is no failure of Redis is raised
        as it is."""
        if not self.breaker.allows(is_urgent):
            raise Unavailable
        budget = Budget(self._budget)
        while True:
            try:
                replies = await self._replies(commands, budget)
            except Lost as lost:
                if lost.error is None:
                    raise Unavailable from None
                if is_read and lost.may_ask_again:  # a read changes nothing
                    is_read = False
                    continue
                if not isinstance(lost.error, FAILURES):
                    raise lost.error from None
                raise self._failed(lost.error, lost.event, commands) from lost.error
            except FAILURES as error:
                raise self._failed(error, error, commands) from error
            answered(self.breaker, commands)
            return replies

    async def _replies(self, commands: Sequence[Command], budget: Budget) -> list[Any]:
        """The replies to all of them. Raises the first error among them."""
        way = self.loops.here()
        exchange = self._forms.exchange(commands)
        try:
            sent = next(exchange)
            while True:
                sent = exchange.send(await way.exchange(sent, budget))
        except StopIteration as over:
            return checked(over.value)

    def _failed(self, error: Exception, event: object, commands: Sequence[Command]) -> Unavailable:
        if event is self._counted:
            self.breaker.errors += 1
            return Unavailable(error)
        self._counted = event
        unavailable = failed(self.breaker, error, commands)
        if self.breaker.is_open and not is_break(error):  # of a break it has heard
            self.on_broken()
        return unavailable

    def _broken(self) -> None:
        self.on_broken()


def _nothing() -> None:
    pass
