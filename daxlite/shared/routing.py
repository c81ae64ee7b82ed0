"""How commands find their servers in a cluster, without I/O: rounds are asked for, and their replies come in.

redis-py's own client of a cluster sends what may have run a second time, and waits for as long as it likes. Here
nothing is sent again but what a server has refused without running it:

    MOVED, ASK    to the server that the refusal names: the slot is moved, or is being moved
    TRYAGAIN      to the same one, a moment later: some of the keys have been moved and some have not
"""

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import redis
from redis.exceptions import AskError, ClusterDownError, MovedError, ResponseError, TryAgainError

from ..core.steps import Command
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

T = TypeVar("T")
Round: TypeAlias = Mapping[Address, Sequence[Command]]
"""Commands for several servers, which are sent to all of them before a reply is read."""
Rounds: TypeAlias = Generator[Round | float, Any, T]
"""Each round is answered with the replies, among them errors, of each server; raised is that one did not answer. A
number stands for a pause of so many seconds."""


class Routing:
    """The servers of a cluster, and the slots that they have, as far as that is known."""

    def __init__(self, given: Sequence[Address], reached: Callable[[Address], Address]) -> None:
        """given: the servers that the application named. reached: says where a server is reached from here."""
        self._reached = reached
        self._given = [reached(place) for place in given]
        self.places = self._given
        """The servers that are known, in the order in which they are asked for the slots."""
        self._slots: Mapping[int, Address] = {}
        self._is_stale = True
        self._learned_at = -math.inf
        self.on_learned: Callable[[], None] = lambda: None
        """Is called when `places` are others, perhaps."""

    def primaries(self) -> tuple[Address, ...]:
        """The servers that have slots, as far as that is known."""
        return tuple(sorted(set(self._slots.values())))

    def doubt(self) -> None:
        """Note that a server did not answer, or that the cluster is down: others may have its slots by now."""
        self._is_stale = True

    def look(self) -> Rounds[None]:
        """Learn now and then who has the slots. Raises what redis-py raises, but only where nothing is known."""
        if time.monotonic() - self._learned_at >= LOOK:
            self._is_stale = True
        try:
            yield from self.learn()
        except (redis.RedisError, OSError):
            if not self._slots:
                raise

    def learn(self) -> Rounds[None]:
        """Learn who has the slots, if that is not known. Raises what redis-py raises where no server answers."""
        now = time.monotonic()
        if not self._is_stale or (self._slots and now - self._learned_at < LEARN_AGAIN):
            return
        self._learned_at = now
        places = self.places
        self.places = [*places[1:], *places[:1]]  # the first one may take all the time that there is, each time
        failure: Exception | None = None
        for place in places:
            try:
                ((reply,),) = (yield {place: [("CLUSTER", "SLOTS")]}).values()
                if isinstance(reply, Exception):
                    raise reply
                slots = primaries_of(reply, place, self._reached)
            except (redis.RedisError, OSError) as error:
                failure = failure or error
            else:
                self._slots, self._is_stale = slots, False
                self.places = [*dict.fromkeys([place, *self.primaries(), *self._given])]
                self.on_learned()
                return
        if failure is not None:
            raise failure

    def _place_of(self, command: Command) -> Address:
        slot = slot_of(command)
        place = None if slot is None else self._slots.get(slot)
        return place or self.places[0]

    def _moved(self, error: AskError, asked: Address) -> Address:
        """The server that a refusal names."""
        place = self._reached(named(error.host, error.port, asked))
        if isinstance(error, MovedError):
            self._slots = {**self._slots, int(error.slot_id): place}
            self._is_stale = True
        return place


class Route:
    """The way of some commands, one after the other where it takes several rounds."""

    found_new = False
    """Whether a server took part that had no slot before: there may be a new primary."""

    def __init__(self, routing: Routing, give_up: Callable[[], float]) -> None:
        """give_up: the moment by `time.monotonic` after which nothing is sent again."""
        self._routing = routing
        self._give_up = give_up

    def exchange(self, commands: Sequence[Command]) -> Rounds[list[Any]]:
        """The reply to each of these commands, or the error that is its reply, in one round trip to each server."""
        yield from self._routing.learn()
        replies: list[Any] = [None] * len(commands)
        places = {number: self._routing._place_of(command) for number, command in enumerate(commands)}
        asking: set[int] = set()
        rounds, pause = 0, FIRST_PAUSE
        while True:
            yield from self._round(commands, places, asking, replies)
            refused = {number: replies[number] for number in places if isinstance(replies[number], ResponseError)}
            places, asking, is_early = self._next(commands, places, refused)
            rounds += 1
            if not places:
                break
            if is_early or rounds > REDIRECTIONS:
                if time.monotonic() + 2 * pause >= self._give_up():
                    break
                yield pause
                pause = min(2 * pause, MAX_PAUSE)
        for number, reply in enumerate(replies):
            if isinstance(reply, TryAgainError) and commands[number][0] == "MGET":
                replies[number] = yield from self._one_by_one(commands[number])
        return replies

    def _round(
        self, commands: Sequence[Command], places: Mapping[int, Address], asking: set[int], replies: list[Any]
    ) -> Rounds[None]:
        batches: dict[Address, list[int]] = {}
        for number, place in places.items():
            batches.setdefault(place, []).append(number)
        found = yield {
            place: [sent for n in numbers for sent in ([("ASKING",)] if n in asking else []) + [commands[n]]]
            for place, numbers in batches.items()
        }
        for place, numbers in batches.items():
            read = iter(found[place])
            for number in numbers:
                leave = next(read) if number in asking else None
                reply = next(read)
                replies[number] = leave if isinstance(leave, Exception) else reply

    def _next(
        self, commands: Sequence[Command], places: Mapping[int, Address], refused: Mapping[int, ResponseError]
    ) -> tuple[dict[int, Address], set[int], bool]:
        """Where those go that are sent again, which of them ask for a slot that is on its way, and whether it is too
        early for one of them."""
        routing, again, asking, is_early = self._routing, dict[int, Address](), set[int](), False
        for number, error in refused.items():
            if isinstance(error, AskError):
                known = routing.primaries()
                again[number] = routing._moved(error, places[number])
                self.found_new |= again[number] not in known
                if not isinstance(error, MovedError):
                    asking.add(number)
            elif isinstance(error, TryAgainError) and commands[number][0] != "MGET":
                again[number], is_early = routing._place_of(commands[number]), True
            elif isinstance(error, ClusterDownError):
                routing.doubt()
        return again, asking, is_early

    def _one_by_one(self, command: Command) -> Rounds[Any]:
        """The reply to an MGET of keys that are on different servers for the moment."""
        values = yield from self.exchange([("GET", key) for key in command[1:]])
        errors = [value for value in values if isinstance(value, Exception)]
        return errors[0] if errors else values
