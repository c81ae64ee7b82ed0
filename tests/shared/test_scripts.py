"""The scripts, on every server that there is for a test: Valkey, alone, and as a cluster; fakeredis; and the model."""

import math
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from daxlite.core.extents import EVERYTHING, Extent
from daxlite.core.tables import Place
from daxlite.core.tags import partition_tag, table_tag
from daxlite.shared.errors import CorruptValue
from daxlite.shared.failures import is_of_the_header
from daxlite.shared.script_forms import ALLOW_OOM
from daxlite.shared.scripts import (
    CHANGE_SHOWS_FOR,
    MARGIN,
    MAX_COMPUTATION,
    bump,
    keep,
    note,
    noted,
)
from daxlite.shared.states import FORMAT, MAX_LOG
from daxlite.shared.tags import shared_tag
from tests.shared.script_bench import KEYSPACE, A, B, Bench, point
from tests.valkey import Valkey


def test_where_there_is_a_state_it_is_noted_and_where_there_is_none_it_is_made(bench: Bench) -> None:
    first = bench.note(A)[A]
    assert first is not None
    assert first.is_young
    assert first.since == pytest.approx(first.noted_at)
    assert [(record.moment, record.extent) for record in first.log] == [(0.0, EVERYTHING)]
    again = bench.note(A, B)
    assert again[A] is not None
    assert again[B] is not None
    assert again[A].top == first.top
    assert again[B].top != first.top
    assert len(first.top) == 12, "96 random bits"
    assert first.changes_since(first.top) == []
    assert first.changes_since(b"another") == [(EVERYTHING, math.inf)], "no change of it is known"


def test_a_change_puts_a_new_token_on_top_and_remembers_what_was_there(bench: Bench) -> None:
    before = bench.state(A)
    bench.bump({A: point(b"S1"), B: EVERYTHING})
    bench.bump({A: Extent(b"S2", b"S3")})
    after = bench.state(A)
    assert [record.extent for record in after.log] == [Extent(b"S2", b"S3"), point(b"S1"), EVERYTHING]
    assert after.log[-1].token == before.top
    assert after.log[-1].moment == before.since, "what was made from nothing may have forgotten a change until then"
    assert len({record.token for record in after.log}) == 3
    assert after.since == after.log[0].moment >= after.log[1].moment > before.since
    changes = after.changes_since(before.top)
    assert [extent for extent, _ in after.changes_since(b"another")] == [EVERYTHING, point(b"S1"), Extent(b"S2", b"S3")]
    assert [extent for extent, _ in changes] == [point(b"S1"), Extent(b"S2", b"S3")]
    assert all(0 <= age < 60 for _, age in changes)
    made = bench.state(B)
    assert [record.extent for record in made.log] == [EVERYTHING]
    assert not made.is_young, "a change made it"
    assert made.changes_since(None)[0][1] < 60


def test_a_full_log_drops_its_oldest_record(bench: Bench) -> None:
    before = bench.state(A)
    for number in range(MAX_LOG - 1):
        bench.bump({A: point(b"S%d" % number)})
    full = bench.state(A)
    assert len(full.log) == MAX_LOG
    assert full.shows(before.top, point(b"Sx"))
    bench.bump({A: point(b"S")})
    over = bench.state(A)
    assert len(over.log) == MAX_LOG
    assert not over.shows(before.top, point(b"Sx")), "what it knew before is not known any more"
    assert over.log[1:] == full.log[:-1]


def test_a_change_of_everything_leaves_what_was_there_before(bench: Bench) -> None:
    """It may be put back, or turn out to have touched less."""
    bench.bump({A: point(b"S1")})
    bench.bump({A: point(b"S2")})
    bench.bump({A: EVERYTHING})
    assert [record.extent for record in bench.state(A).log] == [EVERYTHING, point(b"S2"), point(b"S1")]


def test_what_is_open_or_left_by_another_release_stays_and_excuses_end(bench: Bench) -> None:
    key, tail = KEYSPACE.state(A), b"I" * 16 + bytes(8) + b"\x00\x01S\xff\xff" + b"L" * 24
    state = (
        b"\x01\x80" + bytes(8) + b"\x01\x01\x01\x01" + b"T" * 12 + bytes(8) + b"\x00\x02Sa\xff\xff" + tail + b"E" * 16
    )
    bench.client.set(key, state, px=60_000)
    for extent in (point(b"Sb"), EVERYTHING):
        bench.bump({A: extent})
        found = bench.client.get(key)
        assert found.endswith(tail)
        assert (found[1:2], found[11:14]) == (b"\x80", b"\x01\x01\x00")
        assert [record.extent for record in bench.state(A).open] == [point(b"S")]
    assert len(bench.state(A).log) == 3


LOG_OF_ONE = b"T" * 12 + bytes(8) + b"\x00\x02Sa\xff\xff"
DAMAGED = [b"\x01\x00" + bytes(8) + counts + LOG_OF_ONE for counts in (b"\1\1\0\0", b"\1\0\1\0", b"\1\0\0\1")]
DAMAGED += [b"\x01\x00" + bytes(8) + b"\1\0\0\0" + LOG_OF_ONE + b"x", b"\x02\x00" + bytes(8) + b"\1\0\0\0" + LOG_OF_ONE]


@pytest.mark.parametrize(
    "data", [b"x", b"\x02" + bytes(60), b"\x01", b"\x01" + b"\xff" * 60, b"c" + bytes(20), *DAMAGED]
)
def test_of_an_unknown_format_it_reads_as_open_and_a_change_replaces_it(bench: Bench, data: bytes) -> None:
    bench.client.set(KEYSPACE.state(A), data, px=60_000)
    assert bench.note(A) == {A: None}
    assert bench.client.get(KEYSPACE.state(A)) == data
    bench.bump({A: point(b"S1")})
    assert bench.client.get(KEYSPACE.state(A))[0] == FORMAT
    assert [record.extent for record in bench.state(A).log] == [point(b"S1")]


def test_a_state_lives_as_long_as_what_depends_on_it(bench: Bench) -> None:
    bench.bump({A: EVERYTHING})
    assert bench.life(A) == pytest.approx(CHANGE_SHOWS_FOR, abs=5)
    bench.note(A, seconds=10)
    assert bench.life(A) == pytest.approx(10 + MARGIN, abs=5)
    bench.note(A, seconds=MAX_COMPUTATION)
    bench.run(keep(KEYSPACE, [A, B], 86400))
    bench.note(A, seconds=1)
    bench.run(keep(KEYSPACE, [A], 1))
    bench.bump({A: point(b"S")})
    assert bench.life(A) == pytest.approx(86400 + MARGIN, abs=5), "what guards one result is not shortened for another"
    assert bench.life(B) < 0, "nothing is made by it"


def test_no_token_is_ever_used_twice() -> None:
    commands = note(KEYSPACE, [A, B], 1, is_cluster=False)
    for _ in range(100):
        commands += note(KEYSPACE, [A, B], 1, is_cluster=False)
        commands += bump(KEYSPACE, {A: EVERYTHING, B: EVERYTHING}, is_cluster=False)
    tokens = [part for command in commands for part in command if isinstance(part, bytes) and len(part) == 12]
    assert len(tokens) == len(set(tokens)) == 402


def test_one_command_for_each_slot_of_a_cluster_and_one_alone_for_a_server() -> None:
    place = Place("eu-west-1", "T")
    tags = [*shared_tag(table_tag(place), lambda _: None)]
    for index in (None, "by_total", "by_day"):
        tags += shared_tag(partition_tag(place, index, b"one partition"), lambda _: None)
    tags += [A]
    changed = dict.fromkeys(tags, EVERYTHING)
    for is_cluster, commands in ((False, 1), (True, 3)):
        assert len(note(KEYSPACE, tags, 1, is_cluster=is_cluster)) == commands
        bumps = bump(KEYSPACE, changed, is_cluster=is_cluster)
        assert len(bumps) == commands
        for command in bumps:
            keys = command[3 : 3 + command[2]]
            slots = {key_slot(key.encode()) for key in keys}
            assert len(slots) == 1 or not is_cluster


@pytest.mark.parametrize("replies", [[], [5], [[b"1", b"2"]], [[b"x", b"2", b"a", b"b"]], [[b"1", b"2", 5, 6]]])
def test_replies_that_are_none(replies: list[Any]) -> None:
    with pytest.raises(CorruptValue):
        noted(replies, [A, B], is_cluster=False)


# In trouble


def heard(client: Any) -> Any:
    subscription = client.pubsub()
    subscription.psubscribe(KEYSPACE.channels)
    while subscription.get_message(timeout=5)["type"] != "psubscribe":
        pass
    return subscription


@pytest.mark.parametrize("header", [ALLOW_OOM, ""])
def test_p7_a_full_server_takes_changes(own_valkey: Valkey, header: str) -> None:
    with own_valkey.client() as client:
        client.flushall()
        bench = Bench(client, header)
        before = bench.state(A)
        subscription = heard(client)
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                client.set("x", "y")
            bench.bump({A: point(b"S1")})
        finally:
            client.config_set("maxmemory", 0)
        assert subscription.get_message(timeout=5)["type"] == "pmessage"
        data = client.get(KEYSPACE.state(A))
        if header:
            assert bench.state(A).log[1].token == before.top, "it even remembers"
        else:
            assert data is None, "the state is deleted: all that depends on it is stale"


def test_p7_a_full_server_on_which_the_user_may_not_even_delete_says_so(own_valkey: Valkey) -> None:
    with own_valkey.client() as admin:
        admin.flushall()
        before = Bench(admin).state(A)
        admin.execute_command("ACL", "SETUSER", "less", "reset", "on", "nopass", "~*", "&*", "+@all", "-del")
        admin.config_set("maxmemory", 1)
        try:
            with (
                redis.Redis(host=own_valkey.host, port=own_valkey.port, username="less", password="x") as client,
                pytest.raises(redis.exceptions.OutOfMemoryError),
            ):
                Bench(client, "").bump({A: point(b"S1")})
        finally:
            admin.config_set("maxmemory", 0)
        assert Bench(admin).state(A).top == before.top, "so it has to be sent again"


RIGHTS = ["get", "set", "pexpire", "time", "publish", "eval"]


@pytest.mark.parametrize("right", RIGHTS)
def test_p7_a_right_that_is_missing_stops_no_script_half_done(own_valkey: Valkey, right: str) -> None:
    """Either nothing was done, or all that could be; and it is said."""
    with own_valkey.client() as admin:
        admin.flushall()
        bench = Bench(admin)
        before = {tag: bench.state(tag).top for tag in (A, B)}
        subscription = heard(admin)
        admin.execute_command("ACL", "SETUSER", "less", "reset", "on", "nopass", "~*", "&*", "+@all", f"-{right}")
        with (
            redis.Redis(host=own_valkey.host, port=own_valkey.port, username="less", password="x") as client,
            pytest.raises(redis.ResponseError, match=f"the '{right}' command"),
        ):
            Bench(client).bump({A: point(b"S1"), B: point(b"S1")})
        after = {tag: bench.state(tag).top for tag in (A, B)}
        is_told = subscription.get_message(timeout=0.3) is not None
        have_changed = [after[tag] != before[tag] for tag in (A, B)]
        expected = {"get": (True, True), "set": (False, True), "pexpire": (True, True), "publish": (True, False)}
        assert (all(have_changed), is_told) == expected.get(right, (False, False))
        assert len(set(have_changed)) == 1


def test_another_fault_of_a_script_is_no_reason_to_leave_the_header_out() -> None:
    assert is_of_the_header(redis.ResponseError("Error compiling script: user_script:1: unexpected symbol near '#'"))
    assert not is_of_the_header(redis.ResponseError("Error compiling script: user_script:7: unexpected symbol"))
    assert not is_of_the_header(redis.ConnectionError("near '#'"))
    assert not is_of_the_header(None)
