"""The scripted Redis says what fakeredis says, which says what Redis does."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import fakeredis
from hypothesis import given, settings
from hypothesis import strategies as st

from daxlite.aggregations.engine.store import RENEW, UNLOCK
from daxlite.shared.line import Wire
from daxlite.shared.wires import RedisWire
from tests.aggregations.scripted import Client, Clock, ScriptedWire, Server
from tests.volume import amount

keys = st.sampled_from(["a", "b", "c"])
tokens = st.sampled_from([b"1", b"2"])
lives = st.sampled_from([1000, 5000, 60_000])
commands = st.one_of(
    st.tuples(st.just("GET"), keys),
    st.tuples(st.just("MGET"), keys, keys),
    st.tuples(st.just("SET"), keys, tokens, st.just("NX"), st.just("PX"), lives),
    st.tuples(st.just("SET"), keys, tokens, st.just("PX"), lives),
    st.tuples(st.just("PEXPIRE"), keys, lives, st.just("GT")),
    st.tuples(st.just("DEL"), keys),
    st.tuples(st.just("EVAL"), st.just(UNLOCK), st.just(1), keys, tokens),
    st.tuples(st.just("EVAL"), st.just(RENEW), st.just(1), keys, tokens, lives),
    st.tuples(st.just("PUBLISH"), keys, tokens),
)


def alone(client: Any, command: tuple[Any, ...]) -> Any:
    return client.execute_command(*command)


def in_a_pipeline(client: Any, command: tuple[Any, ...]) -> Any:
    with client.pipeline(transaction=False) as pipeline:
        pipeline.execute_command(*command)
        return pipeline.execute(raise_on_error=False)


@settings(max_examples=amount("commands of the scripted Redis"))
@given(
    st.lists(
        st.tuples(st.sampled_from([alone, in_a_pipeline]), commands, st.sampled_from([0, 0, 0.4, 4.0])), max_size=30
    )
)
def test_random_commands_have_the_same_replies(
    program: list[tuple[Callable[..., Any], tuple[Any, ...], float]],
) -> None:
    clock = Clock()
    ours, theirs = Client(Server(clock)), fakeredis.FakeRedis()
    with patch("time.time", clock):
        for send, command, seconds in program:
            assert send(ours, command) == send(theirs, command)
            clock.advance(seconds)


def test_a_subscriber_hears_what_is_published() -> None:
    ours, theirs = Client(Server(Clock())), fakeredis.FakeRedis()
    wires: list[tuple[Any, Wire]] = [(ours, ScriptedWire(ours.server)), (theirs, RedisWire(theirs))]
    for client, wire in wires:
        wire.send(("PSUBSCRIBE", "chan*"))
        client.execute_command("PUBLISH", "channel", b"one")
        wire.send(("PING",))
        assert wire.receive(0.1) == [b"psubscribe", b"chan*", 1]
        assert wire.receive(0.1) == [b"pmessage", b"chan*", b"channel", b"one"]
        assert wire.receive(0.1) in (b"PONG", [b"pong", b""])
        assert wire.receive(0.0) is None
        wire.close()
