"""A line: the subscription on one server, on a connection of its own.

A server answers in the order in which it was asked, and what it publishes comes in between. So the answer to a question
on this connection shows that everything has arrived which this server had published when it was asked. Of other servers
it shows nothing.

The question is ROLE, so that the answer shows as well that the server is still a primary; PING where ROLE is refused.
An error is an answer, too: a server that cannot save its data refuses PING.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import Struct
from redis.exceptions import ReadOnlyError, ResponseError

from ..core.hidden import Hidden
from ..core.steps import Command
from .leases import LEASE
from .troubles import described

HEARTBEAT: Final = 0.5
"""Seconds after a question until the next one."""
LOOKS: Final = 4
"""With every so many questions, a node of a cluster is asked for its primaries."""
BATCH: Final = 100
"""So much is read of one line before the others have their turn."""

INFO: Final = ("INFO", "server")
ROLE: Final = ("ROLE",)
PING: Final = ("PING",)
SLOTS: Final = ("CLUSTER", "SLOTS")

_CONFIRMED: Final = {b"subscribe": "SUBSCRIBE", b"psubscribe": "PSUBSCRIBE"}


class Wire(Protocol):
    """A connection that speaks RESP3, on which nothing has been asked yet."""

    def send(self, command: Command) -> None:
        """Send a command. Raises one of `failures.FAILURES`."""

    def receive(self, seconds: float) -> Any:
        """A reply, or a message; None if nothing comes for so many seconds. Raises ResponseError if that is the reply,
        others of `failures.FAILURES` if the connection is broken."""

    @property
    def is_current(self) -> bool:
        """Whether it goes to the server that is the primary, as far as is known without asking."""

    def close(self) -> None:
        """Close it. Never raises."""


class Proxied(Exception):  # noqa: N818 - what is meant is a state
    """What answers is no server of its own: what one connection says proves nothing of another. The text says why."""


class _Asked(Hidden, Struct, frozen=True):
    """Something that the server has yet to answer."""

    command: Command
    at: tuple[float, float]
    """By both clocks."""


class Line:
    """The subscription on one server. Everything raises one of `failures.FAILURES` where the line is not to be
    believed any more."""

    def __init__(
        self,
        wire: Wire,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        *,
        is_of_a_cluster: bool = False,
        asks_what_it_is: bool = True,
    ) -> None:
        """is_of_a_cluster: it is asked for the primaries, too. asks_what_it_is: whether it may be a proxy."""
        self._wire = wire
        self._clock = clock
        self._wall_clock = wall_clock
        self._is_of_a_cluster = is_of_a_cluster
        self._unanswered: deque[_Asked] = deque()
        self._question: Command = ROLE
        self._questions = 0
        self._next_at = -math.inf
        self._subscriptions: set[Command] = set()
        self.subscriptions: set[Command] = set()
        """Those that the server has confirmed."""
        self.proved_at: tuple[float, float] | None = None
        """When the last question was asked that has been answered, by both clocks."""
        self.primaries: frozenset[bytes] | None = None
        """The node ids of the cluster's primaries, as the server says."""
        self.last: Command = INFO
        """What was asked, or answered, last."""
        if asks_what_it_is:
            self._ask(INFO)

    def _ask(self, command: Command) -> None:
        self.last = command
        self._unanswered.append(_Asked(command, (self._clock(), self._wall_clock())))
        self._wire.send(command)

    def subscribe(self, subscription: Command) -> None:
        """Ask for a channel by SUBSCRIBE, or for those of a pattern by PSUBSCRIBE, unless that was done already."""
        if subscription not in self._subscriptions:
            self._subscriptions.add(subscription)
            self._ask(subscription)

    def ask(self) -> None:
        """Ask for a sign of life, if one is due."""
        if self._unanswered or self._clock() < self._next_at:
            return
        self._next_at = self._clock() + HEARTBEAT
        if self._is_of_a_cluster and self._questions % LOOKS == 0:
            self._ask(SLOTS)
        self._questions += 1
        self._ask(self._question)

    def read(self, seconds: float, hear: Callable[[bytes], None]) -> None:
        """Take what has come, and wait so many seconds for the first of it. hear: takes each message, before what came
        behind it is looked at."""
        if not self._wire.is_current:
            raise ReadOnlyError("another server is the primary now")
        received = self._take(seconds, hear)
        if not received:
            self._check_patience()
        for _ in range(BATCH):
            if not received:
                return
            received = self._take(0.0, hear)

    def _take(self, seconds: float, hear: Callable[[bytes], None]) -> bool:
        try:
            reply = self._wire.receive(seconds)
        except ResponseError as error:
            self._refused(error)
            return True
        if reply is None:
            return False
        kind = reply[0] if isinstance(reply, list) and reply and isinstance(reply[0], bytes) else None
        if kind in (b"message", b"pmessage"):
            hear(reply[-1])
        else:
            self._answered(kind, reply)
        return True

    def _check_patience(self) -> None:
        """Raise TimeoutError if the server has not answered for too long, and nothing is there to be read."""
        if self._unanswered:
            now, wall = self._unanswered[0].at
            if self._clock() - now >= LEASE or abs(self._wall_clock() - wall) >= LEASE:
                self.last = self._unanswered[0].command
                raise TimeoutError("no answer")

    def _next(self) -> _Asked:
        if not self._unanswered:
            raise ConnectionError("an answer to nothing")
        asked = self._unanswered.popleft()
        self.last = asked.command
        return asked

    def _answered(self, kind: Any, reply: Any) -> None:
        asked = self._next()
        command = asked.command
        is_confirmed = _CONFIRMED.get(kind) == command[0] and reply[1] == str(command[-1]).encode()
        if (command[0] in _CONFIRMED.values()) != is_confirmed:
            raise ConnectionError("an answer to something else")
        if is_confirmed:
            self.subscriptions.add(command)
        elif command == INFO:
            _check_run_id(reply)
        elif command == SLOTS:
            self.primaries = _primaries(reply)
        else:
            if command == ROLE and kind != b"master":
                raise ReadOnlyError("it is no primary any more")
            self.proved_at = asked.at

    def _refused(self, error: ResponseError) -> None:
        asked = self._next()
        if asked.command == INFO:
            raise Proxied(described(error, INFO)) from error
        if asked.command not in (ROLE, PING):
            raise error
        if asked.command == ROLE:
            self._question = PING
        self.proved_at = asked.at

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()


def _check_run_id(info: Any) -> None:
    """Raise Proxied if what a server says of itself has no run id."""
    text = bytes(info) if isinstance(info, bytes | bytearray) else b""
    for row in text.splitlines():
        name, _, value = row.partition(b":")
        if name == b"run_id" and value.strip().strip(b"0"):
            return
    raise Proxied("it has no run id, as a server would have")


def _primaries(slots: Any) -> frozenset[bytes]:
    """The ids of the nodes that have slots."""
    try:
        return frozenset([bytes(primary[2]) for _, _, primary, *_ in slots])
    except (TypeError, ValueError, IndexError):
        raise ConnectionError("an answer that lists no slots") from None
