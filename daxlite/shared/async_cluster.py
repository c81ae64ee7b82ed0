"""The way to the servers of a cluster for asyncio: each command goes to the one that has its slot.

redis-py's own client of a cluster sends what may have run a second time, and waits for as long as it likes. Here
nothing is sent again but what a server has refused without running it:

    MOVED, ASK    to the server that the refusal names: the slot is moved, or is being moved
    TRYAGAIN      to the same one, a moment later: some of the keys have been moved and some have not
"""

# twin: leave out
import asyncio

# twin: end
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis
import redis.asyncio
from redis.exceptions import AskError, ClusterDownError, MovedError, ResponseError, TryAgainError

from ..core.steps import Command
from .async_pool import LONGEST_WAIT, AsyncPool
from .failures import raised_by_a_signal_handler
from .slots import Address, named, primaries_of, slot_of

LEARN_AGAIN: Final = 1.0
"""Seconds between two looks at which server has which slot, where there is a sign that it changed."""
LOOK: Final = 2.0
"""Seconds between two such looks of who listens, without a sign."""
FIRST_PAUSE: Final = 0.001
MAX_PAUSE: Final = 0.016
"""Seconds, between two times that something is sent."""
REDIRECTIONS: Final = 2
"""Without a pause."""


class AsyncCluster:
    """The servers of a cluster, and the slots that they have."""

    def __init__(self, client: Any, timeout: float | None = None) -> None:
        """client: redis-py's, whose settings are taken and whose connections are not used. timeout: as for a pool."""
        self.client = client
        self._timeout = timeout
        self._pools: dict[Address, AsyncPool] = {}
        nodes = client.nodes_manager.startup_nodes.values()
        self._given = [self._reached(Address(node.host, int(node.port))) for node in nodes]
        self._places = self._given
        """The servers that are known, in the order in which they are asked for the slots."""
        self._slots: Mapping[int, Address] = {}
        self._is_stale = True
        self._learned_at = -math.inf

    def lease(self, deadline: float | None = None) -> "AsyncClusterLease":
        """Connections for one caller. deadline: by `time.monotonic`."""
        return AsyncClusterLease(self, deadline)

    def pool(self, place: Address) -> AsyncPool:
        """The connections to one server."""
        pool = self._pools.get(place)
        if pool is None:
            pool = self._pools.setdefault(place, AsyncPool(self.client_of(place), self._timeout))
        return pool

    def client_of(self, place: Address) -> Any:
        """A client of redis-py for one server. No connection is opened."""
        manager = self.client.nodes_manager
        # twin: leave out
        node = redis.asyncio.cluster.ClusterNode(place.host, place.port, **manager.connection_kwargs)
        pool = redis.asyncio.ConnectionPool(
            connection_class=node.connection_class, max_connections=node.max_connections, **node.connection_kwargs
        )
        return redis.asyncio.Redis(connection_pool=pool)
        # twin: put in
        # return manager.create_redis_node(place.host, place.port, **manager.connection_kwargs)
        # twin: end

    def _reached(self, place: Address) -> Address:
        """Where a server is reached from here."""
        remap = self.client.nodes_manager.address_remap
        return place if remap is None else Address(*remap(tuple(place)))

    def primaries(self) -> tuple[Address, ...]:
        """The servers that have slots, as far as that is known."""
        return tuple(sorted(set(self._slots.values())))

    def place_of(self, command: Command) -> Address:
        """The server that a command is for."""
        slot = slot_of(command)
        place = None if slot is None else self._slots.get(slot)
        return place or self._places[0]

    def moved(self, error: AskError, asked: Address) -> Address:
        """The server that a refusal names."""
        place = self._reached(named(error.host, error.port, asked))
        if isinstance(error, MovedError):
            self._slots = {**self._slots, int(error.slot_id): place}
            self._is_stale = True
        return place

    def doubt(self) -> None:
        """Note that a server did not answer, or that the cluster is down: others may have its slots by now."""
        self._is_stale = True

    def failure(self, error: Exception) -> Exception:
        """An error that a server or the way to it is to blame for. Raises what a signal handler of the application
        raised, although another server may answer."""
        if raised_by_a_signal_handler(error) is not None:
            raise error
        return error

    async def look(self, deadline: float | None) -> None:
        """Learn now and then who has the slots. Raises what redis-py raises, but only where nothing is known."""
        if time.monotonic() - self._learned_at >= LOOK:
            self._is_stale = True
        try:
            await self.learn(deadline)
        except (redis.RedisError, OSError):
            if not self._slots:
                raise

    async def learn(self, deadline: float | None) -> None:
        """Learn who has the slots, if that is not known. Raises what redis-py raises where no server answers."""
        now = time.monotonic()
        if not self._is_stale or (self._slots and now - self._learned_at < LEARN_AGAIN):
            return
        self._learned_at = now
        places = self._places
        self._places = [*places[1:], *places[:1]]  # the first one may take all the time that there is, each time
        failure: Exception | None = None
        for place in places:
            try:
                slots = primaries_of(await self._ask(place, deadline), place, self._reached)
            except (redis.RedisError, OSError) as error:
                failure = failure or self.failure(error)
            else:
                await self._learned(slots, place)
                return
        if failure is not None:
            raise failure

    async def _learned(self, slots: Mapping[int, Address], place: Address) -> None:
        """Note what a server has said, and forget those that have left."""
        self._slots, self._is_stale = slots, False
        self._places = [*dict.fromkeys([place, *self.primaries(), *self._given])]
        for each in self._pools.keys() - {*self._places}:
            await self._pools.pop(each).close()

    async def _ask(self, place: Address, deadline: float | None) -> Any:
        lease = self.pool(place).lease(deadline)
        try:
            connection = await lease.get_connection()
            await connection.send_packed_command(connection.pack_commands([("CLUSTER", "SLOTS")]))
            reply = await connection.read_response()
        except BaseException:
            await lease.discard()
            raise
        lease.give_back()
        return reply

    async def close(self) -> None:
        """Close what is idle."""
        for pool in [*self._pools.values()]:
            await pool.close()


class AsyncClusterLease:
    """The connections of one caller, at most one to each server."""

    harmless: Final = (ResponseError,)
    """Errors after which no reply is to come: the server answered."""
    was_open = False
    """Whether a connection was open already when it was taken, so that the server may have closed it meanwhile."""
    was_broken = False
    """Whether one that lay idle turned out to be broken, or a server took part that had no slot before: there may be a
    new primary."""

    def __init__(self, cluster: AsyncCluster, deadline: float | None) -> None:
        self._cluster = cluster
        self._deadline = deadline
        self._taken: dict[Address, tuple[AsyncPool, Any]] = {}
        self._are_due: set[Address] = set()
        """The servers whose replies have not all been read."""

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The reply to each of these commands, or the error that is its reply, in one round trip to each server."""
        cluster = self._cluster
        await cluster.learn(self._deadline)
        give_up = self._deadline or time.monotonic() + LONGEST_WAIT
        replies: list[Any] = [None] * len(commands)
        places = {number: cluster.place_of(command) for number, command in enumerate(commands)}
        asking: set[int] = set()
        rounds, pause = 0, FIRST_PAUSE
        while True:
            await self._round(commands, places, asking, replies)
            refused = {number: replies[number] for number in places if isinstance(replies[number], ResponseError)}
            places, asking, is_early = self._next(commands, places, refused)
            rounds += 1
            if not places:
                break
            if is_early or rounds > REDIRECTIONS:
                if time.monotonic() + 2 * pause >= give_up:
                    break
                # twin: leave out
                await asyncio.sleep(pause)
                # twin: put in
                # time.sleep(pause)
                # twin: end
                pause = min(2 * pause, MAX_PAUSE)
        for number, reply in enumerate(replies):
            if isinstance(reply, TryAgainError) and commands[number][0] == "MGET":
                replies[number] = await self._one_by_one(commands[number])
        return replies

    def _next(
        self, commands: Sequence[Command], places: Mapping[int, Address], refused: Mapping[int, ResponseError]
    ) -> tuple[dict[int, Address], set[int], bool]:
        """Where those go that are sent again, which of them ask for a slot that is on its way, and whether it is too
        early for one of them."""
        cluster, again, asking, is_early = self._cluster, dict[int, Address](), set[int](), False
        for number, error in refused.items():
            if isinstance(error, AskError):
                known = cluster.primaries()
                again[number] = cluster.moved(error, places[number])
                self.was_broken |= again[number] not in known
                if not isinstance(error, MovedError):
                    asking.add(number)
            elif isinstance(error, TryAgainError) and commands[number][0] != "MGET":
                again[number], is_early = cluster.place_of(commands[number]), True
            elif isinstance(error, ClusterDownError):
                cluster.doubt()
        return again, asking, is_early

    async def _one_by_one(self, command: Command) -> Any:
        """The reply to an MGET of keys that are on different servers for the moment."""
        values = await self.exchange([("GET", key) for key in command[1:]])
        errors = [value for value in values if isinstance(value, Exception)]
        return errors[0] if errors else values

    async def _round(
        self, commands: Sequence[Command], places: Mapping[int, Address], asking: set[int], replies: list[Any]
    ) -> None:
        """Send to all servers, and then read what they say. Raises the first failure after all that can be read has
        been read."""
        failure: Exception | None = None
        batches: dict[Address, list[int]] = {}
        for number, place in places.items():
            batches.setdefault(place, []).append(number)
        for place, numbers in batches.items():
            try:
                await self._send(place, [c for n in numbers for c in self._sent(commands[n], n in asking)])
            except (redis.RedisError, OSError) as error:
                failure = failure or self._cluster.failure(error)
        for place, numbers in batches.items():
            if place not in self._are_due:
                continue
            try:
                for number in numbers:
                    leave = await self._read(place, ("ASKING",)) if number in asking else None
                    reply = await self._read(place, commands[number])
                    replies[number] = leave if isinstance(leave, Exception) else reply
            except (redis.RedisError, OSError) as error:
                failure = failure or self._cluster.failure(error)
            else:
                self._are_due.discard(place)
        if failure is not None:
            raise failure

    def _sent(self, command: Command, is_asking: bool) -> tuple[Command, ...]:
        return (("ASKING",), command) if is_asking else (command,)

    async def _send(self, place: Address, commands: Sequence[Command]) -> None:
        if place not in self._taken:
            pool = self._cluster.pool(place)
            broken = pool.broken
            connection, was_open = await pool.take(self._deadline)
            self.was_broken |= pool.broken != broken
            self._taken[place] = pool, connection
            self.was_open |= was_open
        _, connection = self._taken[place]
        self._are_due.add(place)
        try:
            await connection.send_packed_command(connection.pack_commands(commands))
        except (redis.RedisError, OSError):
            await self._lose(place)
            raise

    async def _read(self, place: Address, command: Command) -> Any:
        pool, connection = self._taken[place]
        try:
            reply = await connection.read_response()
        except ResponseError as error:
            if raised_by_a_signal_handler(error) is not None:
                raise
            return error.with_traceback(None)
        callback = pool.client.response_callbacks.get(command[0])
        return reply if callback is None else callback(reply)

    async def _lose(self, place: Address) -> None:
        """Close a connection on which a reply may be missing."""
        self._are_due.discard(place)
        pool, connection = self._taken.pop(place)
        await pool.discard(connection)

    def give_back(self) -> None:
        """All replies have been read."""
        while self._taken:
            _, (pool, connection) = self._taken.popitem()
            pool.put(connection)

    async def discard(self) -> None:
        """A reply may be missing."""
        self._cluster.doubt()
        for place in [*self._are_due]:
            await self._lose(place)
        self.give_back()
