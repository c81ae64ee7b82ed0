"""The way to Redis for threads: commands go out, replies come back, and every failure is Unavailable."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis

from ..core.steps import Command
from .breaker import Breaker
from .clients import Client, ThreadClient, is_of_a_cluster
from .failures import FAILURES, Unavailable, answered, checked, failed, is_break, raised_by_a_signal_handler
from .script_forms import ScriptForms
from .slots import by_key, by_slot


class Connection:
    """Commands to a server or a cluster, for threads."""

    def __init__(self, client: Client, breaker: Breaker, budget: float | None = None) -> None:
        """budget: seconds for one call, with all that it takes: connections, replies, redirections. None: the client's
        timeouts hold, each time that something is waited for."""
        self.clients = ThreadClient(client, budget)
        self.breaker = breaker
        self.is_cluster = is_of_a_cluster(client)
        self._budget = budget
        self._forms = ScriptForms()
        self.on_broken: Callable[[], None] = lambda: None
        """Is called when a connection broke, or when the server did not answer several times: there may be another one
        in its place by the next time."""

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """What stands under these keys, in one round trip (in a cluster, one to each node). Raises Unavailable."""
        if self.is_cluster:
            groups = by_slot(keys)
            values = by_key(groups, self._guarded([("MGET", *group) for group in groups], is_read=True))
            return [values[key] for key in keys]
        (found,) = self._guarded([("MGET", *keys)], is_read=True)
        return found  # type: ignore[no-any-return]

    def run(self, commands: Sequence[Command], is_urgent: bool = False) -> list[Any]:
        """The replies to commands that each concern keys of one slot, in their order, in one round trip (in a cluster,
        one to each node). Raises Unavailable. is_urgent: they are sent even where the circuit breaker is open."""
        return self._guarded(commands, is_urgent=is_urgent)

    def _guarded(self, commands: Sequence[Command], *, is_urgent: bool = False, is_read: bool = False) -> list[Any]:
        """Send if the breaker allows it, and report the outcome to the breaker. What is no failure of Redis is raised
        as it is, such as what a signal handler raises."""
        if not self.breaker.allows(is_urgent):
            raise Unavailable
        outer = sys.exc_info()[1]
        deadline = None if self._budget is None else time.monotonic() + self._budget
        while True:
            lease = self.clients.lease(deadline)
            try:
                replies = self._replies(lease, commands)
            except BaseException as error:
                of_a_handler = raised_by_a_signal_handler(error, outer)
                if of_a_handler is None and isinstance(error, lease.harmless):
                    lease.give_back()
                else:
                    lease.discard()
                if of_a_handler is not None:
                    raise of_a_handler from None
                # A read changes nothing, and a connection that was idle may have been closed while this was on its way.
                if is_read and lease.was_open and isinstance(error, redis.ConnectionError):
                    is_read = False
                    self.on_broken()
                    continue
                if isinstance(error, FAILURES):
                    unavailable = failed(self.breaker, error, commands)
                    if is_break(error) or self.breaker.is_open:
                        self.on_broken()
                    raise unavailable from error
                raise
            lease.give_back()
            if lease.was_broken:
                self.on_broken()
            answered(self.breaker, commands)
            return replies

    def _replies(self, lease: Any, commands: Sequence[Command]) -> list[Any]:
        """The replies to all of them. Raises the first error among them."""
        exchange = self._forms.exchange(commands)
        try:
            sent = next(exchange)
            while True:
                sent = exchange.send(lease.exchange(sent))
        except StopIteration as over:
            return checked(over.value)
