"""The server within a process says what the scripted Redis says, which says what Redis does."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from daxlite.aggregations.engine.store import RENEW, UNLOCK
from daxlite.aggregations.homes.local_server import OVERHEAD, LocalServer
from daxlite.core.extents import EVERYTHING, Extent
from daxlite.core.steps import Command
from daxlite.shared.keyspace import Keyspace
from daxlite.shared.scripts import bump, keep, note
from daxlite.shared.states import MAX_LOG
from daxlite.shared.tags import named_tag
from tests.aggregations.scripted import Clock, Server
from tests.volume import amount

KEYSPACE = Keyspace("shop")
NAMES = ["a", "b", "c"]
TAGS = [named_tag(name) for name in NAMES]
keys, tokens = st.sampled_from(NAMES), st.sampled_from([b"1", b"2"])
lives = st.sampled_from([1000, 5000, 60_000])
seconds = st.sampled_from([1.0, 100.0])
extents = st.sampled_from([EVERYTHING, Extent(b"S1", b"S1"), Extent(b"S1", b"S9")])
tags = st.lists(st.sampled_from(TAGS), min_size=1, unique=True)
commands: st.SearchStrategy[Sequence[Command]] = st.one_of(
    st.builds(lambda key, token, life: [("SET", key, token, "NX", "PX", life)], keys, tokens, lives),
    st.builds(lambda key, token, life: [("SET", key, token, "PX", life)], keys, tokens, lives),
    st.builds(lambda key, token: [("SET", key, token, "XX", "KEEPTTL")], keys, tokens),
    st.builds(lambda key, token: [("EVAL", UNLOCK, 1, key, token)], keys, tokens),
    st.builds(lambda key, token, life: [("EVAL", RENEW, 1, key, token, life)], keys, tokens, lives),
    st.builds(lambda tags, life: note(KEYSPACE, tags, life, is_cluster=False), tags, seconds),
    st.builds(lambda tags, extent: bump(KEYSPACE, dict.fromkeys(tags, extent), is_cluster=False), tags, extents),
    st.builds(lambda tags, life: keep(KEYSPACE, tags, life), tags, seconds),
)


def plain(reply: Any) -> Any:
    """A reply without what differs where it means the same."""
    return [int(part) for part in reply[:2]] + reply[2:] if isinstance(reply, list) else int(reply or 0)


@settings(max_examples=amount("commands of the local server"))
@given(
    st.lists(
        st.tuples(commands, st.sampled_from([1, 1, MAX_LOG]), st.sampled_from([0, 0, 0.4, 4.0, 70.0])), max_size=30
    )
)
def test_random_commands_have_the_same_replies(program: list[tuple[Sequence[Command], int, float]]) -> None:
    clock = Clock()
    ours, theirs = LocalServer(10**6, clock), Server(clock)
    everything = [*NAMES, *map(KEYSPACE.state, TAGS)]
    for once, times, passes in program:
        batch = [*once] * times
        assert [plain(reply) for reply in ours.run(batch)] == [plain(theirs.execute(each)) for each in batch]
        assert ours.get(everything) == theirs.execute(("MGET", *everything))
        clock.advance(passes)


def test_what_is_too_large_leaves_nothing_older_in_its_place() -> None:
    server = LocalServer(2 * OVERHEAD, Clock())
    server.run([("SET", "key", b"small", "PX", 1000), ("SET", "key", bytes(2 * OVERHEAD), "PX", 1000)])
    assert server.get(["key"]) == [None]
