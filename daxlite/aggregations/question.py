"""What is asked for, and where it is answered."""

from collections.abc import Callable
from math import log
from typing import Any

from msgspec import Struct

from ..shared.keyspace import Keyspace
from ..shared.link import Link
from .capture import Knowledge
from .codec import Codec
from .entry import Entry
from .errors import Corrupt
from .flights import Flights
from .near import Near
from .options import Options
from .stats import Counters
from .store import Store


class Question(Struct, eq=False):
    """One result that is asked for."""

    key: bytes
    name: str
    """What it is called in logs."""
    options: Options
    codec: Codec
    counters: Counters
    tags: tuple[bytes, ...]
    """What it depends on in any case."""
    compute: Callable[[], Any]
    is_as_asked: Callable[[], bool] = lambda: True
    """Whether the arguments are still those of the key: the caller may change a list once he has his answer."""


class Desk(Struct, eq=False):
    """Where questions are answered: what all of them share."""

    store: Store
    near: Near
    flights: Flights
    keyspace: Keyspace
    link: Link
    knowledge: Knowledge
    clock: Callable[[], float]
    wall_clock: Callable[[], float]
    random: Callable[[], float]
    complain: Callable[[str, Exception], None]
    """Reports, once, what kept a result from being stored."""
    me: Callable[[], object]
    """Who is asking: the thread or task that runs."""
    refreshing: set[bytes] = set()
    """The keys that are being computed in the background."""
    hopeless: dict[bytes, None] = {}
    """The keys whose results could not be stored when they were last computed: nobody waits for such a computation in
    another process, of which he would get nothing."""


def decoded(question: Question, entry: Entry) -> tuple[Any] | None:
    """The result in an entry, in objects that nobody else has; None if it cannot be read."""
    try:
        return (question.codec.decode(entry.payload),)
    except Corrupt:
        question.counters.add("corrupt")
        return None


def is_fresh(desk: Desk, entry: Entry) -> bool:
    """Whether its TTL has not ended."""
    return desk.wall_clock() < entry.expires_at


def is_due(desk: Desk, entry: Entry, options: Options) -> bool:
    """Whether it is time to compute the next result, by XFetch: the nearer the end, and the longer it takes."""
    if not options.early_refresh or entry.settled_at >= entry.expires_at:
        return False  # one that ends early because it may be old is not better for being computed at once
    early_by = -log(1 - desk.random()) * options.early_refresh * entry.seconds
    return desk.wall_clock() + early_by >= entry.expires_at
