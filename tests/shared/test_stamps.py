"""Stamps: taken once, kept long enough, and never the same again."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.shared.stamps import (
    CHANGE_SHOWS_FOR,
    MARGIN,
    MAX_COMPUTATION,
    change_stamp,
    keep,
    new_stamp,
    remove,
    replace,
    seconds_since_change,
    take,
    taken,
)
from tests.aggregations.scripted import Client, Clock, Server


@pytest.fixture
def server() -> Server:
    return Server(Clock())


def run(server: Server, commands: list[tuple[object, ...]]) -> list[object]:
    return [Client(server).execute_command(*command) for command in commands]


def test_no_two_stamps_are_the_same() -> None:
    stamps = [new_stamp() for _ in range(1000)] + [change_stamp(5.0) for _ in range(1000)]
    assert len(set(stamps)) == 2000
    assert min(map(len, stamps)) > 12, "96 random bits"


@given(st.floats(0, 1e11), st.floats(0, 1e6))
def test_a_stamp_of_a_change_says_when_it_was(moment: float, seconds: float) -> None:
    assert seconds_since_change(change_stamp(moment), moment + seconds) == pytest.approx(seconds, abs=1e-3)
    assert seconds_since_change(change_stamp(moment + seconds), moment) == 0, "clocks differ"


@pytest.mark.parametrize(
    "stamp", [new_stamp(), b"", b"c", b"c" * 30, b"text"], ids=["new_stamp", "none", "short", "long", "text"]
)
def test_any_other_stamp_says_that_nothing_changed_lately(stamp: bytes) -> None:
    assert seconds_since_change(stamp, 5.0) == math.inf


def test_a_change_leaves_another_stamp_which_ends_by_itself(server: Server) -> None:
    run(server, take(["a"], [b"1"], MAX_COMPUTATION))
    run(server, replace(["a", "b"], server.clock()))
    found = [server.execute(("GET", key)) for key in "ab"]
    assert b"1" not in found
    assert found[0] != found[1]
    server.clock.advance(CHANGE_SHOWS_FOR)  # type: ignore[attr-defined]
    assert server.keys() == []


def test_a_result_that_depends_on_it_keeps_the_stamp_of_a_change(server: Server) -> None:
    run(server, replace(["a"], server.clock()))
    run(server, take(["a"], [b"1"], MAX_COMPUTATION))
    server.clock.advance(CHANGE_SHOWS_FOR + 1)  # type: ignore[attr-defined]
    assert server.keys() == ["a"]


def test_where_there_is_a_stamp_it_is_taken_and_where_there_is_none_it_is_made(server: Server) -> None:
    assert taken(run(server, take(["a"], [b"1"], MAX_COMPUTATION)), [b"1"]) == [b"1"]
    assert taken(run(server, take(["a", "b"], [b"2", b"3"], MAX_COMPUTATION)), [b"2", b"3"]) == [b"1", b"3"]
    run(server, remove(["a"]))
    assert taken(run(server, take(["a"], [b"4"], MAX_COMPUTATION)), [b"4"]) == [b"4"]


def test_one_that_is_gone_as_it_is_read_matches_no_stamp(server: Server) -> None:
    assert taken([None, None, False], [b"mine"]) == [b"mine"]


@pytest.mark.parametrize("reply", [5, "text", [], Exception()])
def test_a_reply_that_is_no_stamp(reply: object) -> None:
    with pytest.raises(ValueError, match="no stamp"):
        taken([True, reply, True], [b"1"])


def test_a_stamp_lives_as_long_as_a_computation_may_take_and_a_result_after_it(server: Server) -> None:
    run(server, take(["a"], [b"1"], 10))
    assert server.data["a"][1] == server.clock() + 10 + MARGIN
    run(server, take(["a"], [b"2"], MAX_COMPUTATION))
    assert server.data["a"][1] == server.clock() + MAX_COMPUTATION + MARGIN
    run(server, keep(["a", "unknown"], 86400))
    assert server.data["a"][1] == server.clock() + 86400 + MARGIN
    run(server, keep(["a"], 1))
    run(server, take(["a"], [b"2"], MAX_COMPUTATION))
    assert server.data["a"][1] == server.clock() + 86400 + MARGIN, "what guards one result is not shortened for another"
