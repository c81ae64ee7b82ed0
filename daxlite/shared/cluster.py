"""The servers of a cluster, for threads: which one a command goes to is told by `routing.py`."""

import time
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import redis
from redis.exceptions import ResponseError

from ..core.steps import Command
from .failures import raised_by_a_signal_handler
from .pool import LONGEST_WAIT, Pool
from .routing import Round, Rounds, Route, Routing
from .slots import Address

T = TypeVar("T")


class Cluster:
    """The connections to the servers of a cluster."""

    def __init__(self, client: Any, timeout: float | None = None) -> None:
        """client: redis-py's, whose settings are taken and whose connections are not used. timeout: as for a pool."""
        self.client = client
        self._timeout = timeout
        self._pools: dict[Address, Pool] = {}
        manager = client.nodes_manager
        given = [Address(node.host, int(node.port)) for node in manager.startup_nodes.values()]
        self.routing = Routing(given, reached_from_here(manager.address_remap))
        self.routing.on_learned = self._forget

    def lease(self, deadline: float | None = None) -> "ClusterLease":
        """Connections for one caller. deadline: by `time.monotonic`."""
        return ClusterLease(self, deadline)

    def pool(self, place: Address) -> Pool:
        """The connections to one server."""
        pool = self._pools.get(place)
        if pool is None:
            pool = self._pools.setdefault(place, Pool(self.client_of(place), self._timeout))
        return pool

    def client_of(self, place: Address) -> Any:
        """A client of redis-py for one server. No connection is opened."""
        manager = self.client.nodes_manager
        return manager.create_redis_node(place.host, place.port, **manager.connection_kwargs)

    def primaries(self) -> tuple[Address, ...]:
        """The servers that have slots, as far as that is known."""
        return self.routing.primaries()

    def look(self, deadline: float | None) -> None:
        """Learn now and then who has the slots. Raises what redis-py raises, but only where nothing is known."""
        lease = self.lease(deadline)
        try:
            lease.take(self.routing.look())
        except BaseException:
            lease.discard()
            raise
        lease.give_back()

    def doubt(self) -> None:
        """As a pool's; and find out which servers there are."""
        self.routing.doubt()
        for pool in [*self._pools.values()]:
            pool.doubt()

    def _forget(self) -> None:
        """Close what is idle to servers that have left."""
        for each in self._pools.keys() - {*self.routing.places}:
            self._pools.pop(each).close()

    def close(self) -> None:
        """Close what is idle."""
        for pool in [*self._pools.values()]:
            pool.close()


def reached_from_here(remap: Any) -> Any:
    """Says where a server is reached from here. remap: what the client has for it, if it has something."""
    return (lambda place: place) if remap is None else (lambda place: Address(*remap(tuple(place))))


class ClusterLease:
    """The connections of one caller, at most one to each server."""

    harmless: Final = (ResponseError,)
    """Errors after which no reply is to come: the server answered."""
    was_open = False
    """Whether a connection was open already when it was taken, so that the server may have closed it meanwhile."""
    was_broken = False
    """Whether one that lay idle turned out to be broken, or a server took part that had no slot before: there may be a
    new primary."""

    def __init__(self, cluster: Cluster, deadline: float | None) -> None:
        self._cluster = cluster
        self._deadline = deadline
        self._taken: dict[Address, tuple[Pool, Any]] = {}
        self._are_due: set[Address] = set()
        """The servers whose replies have not all been read."""

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The reply to each of these commands, or the error that is its reply, in one round trip to each server."""
        give_up = self._deadline or time.monotonic() + LONGEST_WAIT
        route = Route(self._cluster.routing, lambda: give_up)
        try:
            return self.take(route.exchange(commands))
        finally:
            self.was_broken |= route.found_new

    def take(self, rounds: Rounds[T]) -> T:
        """Take rounds, and return what they end with."""
        try:
            step = next(rounds)
            while True:
                try:
                    replies = self._replies(step)
                except (redis.RedisError, OSError) as error:
                    step = rounds.throw(_no_handlers(error))
                else:
                    step = rounds.send(replies)
        except StopIteration as over:
            result: T = over.value
            return result

    def _replies(self, step: Round | float) -> dict[Address, list[Any]] | None:
        if isinstance(step, float):
            time.sleep(step)
            return None
        return self._round(step)

    def _round(self, batches: Round) -> dict[Address, list[Any]]:
        """Send to all servers, and then read what they say. Raises the first failure after all that can be read has
        been read."""
        failure: Exception | None = None
        replies: dict[Address, list[Any]] = {}
        for place, commands in batches.items():
            try:
                self._send(place, commands)
            except (redis.RedisError, OSError) as error:
                failure = failure or _no_handlers(error)
        for place, commands in batches.items():
            if place not in self._are_due:
                continue
            try:
                replies[place] = [self._read(place, command) for command in commands]
            except (redis.RedisError, OSError) as error:
                failure = failure or _no_handlers(error)
                self._lose(place)
            else:
                self._are_due.discard(place)
        if failure is not None:
            raise failure
        return replies

    def _send(self, place: Address, commands: Sequence[Command]) -> None:
        if place not in self._taken:
            pool = self._cluster.pool(place)
            broken = pool.broken
            connection, was_open = pool.take(self._deadline)
            self.was_broken |= pool.broken != broken
            self._taken[place] = pool, connection
            self.was_open |= was_open
        _, connection = self._taken[place]
        self._are_due.add(place)
        try:
            connection.send_packed_command(connection.pack_commands(commands))
        except (redis.RedisError, OSError):
            self._lose(place)
            raise

    def _read(self, place: Address, command: Command) -> Any:
        pool, connection = self._taken[place]
        try:
            reply = connection.read_response()
        except ResponseError as error:
            if raised_by_a_signal_handler(error) is not None:
                raise
            return error.with_traceback(None)
        callback = pool.client.response_callbacks.get(command[0])
        return reply if callback is None else callback(reply)

    def _lose(self, place: Address) -> None:
        """Close a connection on which a reply may be missing."""
        self._are_due.discard(place)
        pool, connection = self._taken.pop(place)
        pool.discard(connection)

    def give_back(self) -> None:
        """All replies have been read."""
        while self._taken:
            _, (pool, connection) = self._taken.popitem()
            pool.put(connection)

    def discard(self) -> None:
        """A reply may be missing."""
        self._cluster.routing.doubt()
        for place in [*self._are_due]:
            self._lose(place)
        self.give_back()


def _no_handlers(error: Exception) -> Exception:
    """An error that a server or the way to it is to blame for. Raises what a signal handler of the application raised,
    although another server may answer."""
    if raised_by_a_signal_handler(error) is not None:
        raise error
    return error
