"""A bench for the scripts of the shared tier, on any server."""

from collections.abc import Mapping, Sequence
from typing import Any

from daxlite.core.extents import EVERYTHING, Extent
from daxlite.core.steps import Command
from daxlite.shared.keyspace import Keyspace
from daxlite.shared.script_forms import ALLOW_OOM
from daxlite.shared.scripts import Begin, NotedState, begin, begins, bump, finish, note, noted, replied, store
from daxlite.shared.states import decode_state, encode_extent
from daxlite.shared.tags import named_tag

KEYSPACE = Keyspace("t0123456789ab")
A, B = named_tag("a"), named_tag("b")


def point(key: bytes) -> Extent:
    return Extent(key, key)


class Bench:
    """A server, and what the scripts make of it."""

    def __init__(self, client: Any, header: str = ALLOW_OOM) -> None:
        self.client = client
        self.header = header

    def run(self, commands: Sequence[Command]) -> list[Any]:
        return [
            self.client.execute_command(name, script if self.header else script.removeprefix(ALLOW_OOM), *rest)
            for name, script, *rest in commands
        ]

    def note(self, *tags: bytes, seconds: float = 10.0) -> dict[bytes, NotedState | None]:
        return noted(self.run(note(KEYSPACE, tags, seconds, is_cluster=False)), tags, is_cluster=False)

    def state(self, tag: bytes) -> NotedState:
        state = self.note(tag)[tag]
        assert state is not None
        return state

    def bump(self, changed: Mapping[bytes, Extent]) -> None:
        self.run(bump(KEYSPACE, changed, is_cluster=False))

    def life(self, tag: bytes) -> float:
        return float(self.client.execute_command("PTTL", KEYSPACE.state(tag))) / 1000

    # Writers and readers

    def begin(self, begun: Begin, lasts: float = 60.0, life: float = 120.0) -> list[bytes]:
        """What begin replies for each tag."""
        (reply,) = self.run([begin(KEYSPACE, begun, lasts, life)])
        return replied(reply, len(begun.tags))[1]

    def finish(self, begun: Begin, replies: Sequence[bytes], **given: Any) -> list[bytes]:
        """The same of finish."""
        (reply,) = self.run([finish(KEYSPACE, begun, replies, 120.0, **given)])
        return replied(reply, len(begun.tags))[1]

    def store(self, token: bytes, until: float, lead: bytes = b"", life: float = 10.0) -> bytes:
        """Keep a value beside A."""
        (reply,) = self.run([store(KEYSPACE, A, VALUE, token, b"value", until, life, lead)])
        return bytes(reply)

    def lead(self, lead: bytes, seconds: float = 5.0) -> NotedState | None:
        """Note A, to lead for so long."""
        replies = self.run(note(KEYSPACE, [A], 10.0, is_cluster=False, lead=lead, leads_for=seconds))
        return noted(replies, [A], is_cluster=False)[A]

    def put(self, data: bytes) -> None:
        """What stands for A, as it is."""
        self.client.set(KEYSPACE.state(A), data, px=60_000)

    def data(self) -> bytes | None:
        """The same, read."""
        data: bytes | None = self.client.get(KEYSPACE.state(A))
        return data

    def now(self) -> float:
        """By the server's clock."""
        seconds, microseconds = self.client.execute_command("TIME")
        return int(seconds) + int(microseconds) / 1e6


VALUE = KEYSPACE.value_of(A, b"V" * 16)


def write(
    number: int = 1, tags: Mapping[bytes, Extent] | None = None, optional: frozenset[bytes] = frozenset()
) -> Begin:
    """A write of A, or of several tags."""
    (begun,) = begins(b"%016d" % number, {A: EVERYTHING} if tags is None else tags, optional, is_cluster=False)
    return begun


def moment(seconds: float) -> bytes:
    return round(seconds * 1e6).to_bytes(8, "big")


def state_of(
    since: float,
    *,
    flags: int = 0,
    tops: Sequence[bytes] = (b"T" * 12,),
    records: Sequence[tuple[bytes, float, Extent]] = (),
    leaders: Sequence[tuple[bytes, float]] = (),
    excuses: Sequence[bytes] = (),
) -> bytes:
    """The bytes of a state."""
    counts = bytes([len(tops), len(records), len(leaders), len(excuses)])
    log = [top + moment(since) + encode_extent(EVERYTHING) for top in tops]
    opened = [id + moment(deadline) + encode_extent(extent) for id, deadline, extent in records]
    rest = [id + moment(deadline) for id, deadline in leaders]
    return b"\x01" + bytes([flags]) + moment(since) + counts + b"".join([*log, *opened, *rest, *excuses])


def is_whole(data: bytes | None) -> bool:
    """Whether this is a state that releases understand."""
    return data is not None and decode_state(data) is not None
