"""The scripts of writers, and of readers that fill or lead, on every server that there is for a test."""

from contextlib import closing

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.crc import key_slot

from daxlite.core.extents import EVERYTHING, Extent
from daxlite.core.schema import item_key
from daxlite.core.tables import Place
from daxlite.core.tags import item_tag, partition_tag, scan_tag
from daxlite.shared.errors import CorruptValue
from daxlite.shared.messages import Message, decode_message
from daxlite.shared.scripts import MARGIN, TICKS, begin, begins, finish, replied
from daxlite.shared.states import MAX_LOG, decode_state
from daxlite.shared.tags import shared_tag
from tests.aggregations.scripted import Client, Clock, ScriptedWire, Server
from tests.shared.script_bench import KEYSPACE, VALUE, A, B, Bench, is_whole, point, state_of, write
from tests.valkey import Cluster, Valkey
from tests.volume import amount

ITEM = item_key({"pk": {"S": "k"}})
ONE, TWO = b"reader number 1.", b"reader number 2."
OTHER = b"another's write."


def published(bench: Bench, act: object) -> list[Message]:
    """The messages of what is done meanwhile."""
    if isinstance(bench.client, Client):
        with closing(ScriptedWire(bench.client.server)) as wire:
            wire.send(("PSUBSCRIBE", KEYSPACE.channels))
            act()  # type: ignore[operator]
            return [decode_message(each[3]) for each in wire.queue if each[0] == b"pmessage"]
    subscription = bench.client.pubsub()
    with subscription:
        subscription.psubscribe(KEYSPACE.channels)
        act()  # type: ignore[operator]
        subscription.ping()
        found = []
        while (message := subscription.get_message(timeout=5)) is not None and message["type"] != "pong":
            if message["type"] == "pmessage":
                found.append(decode_message(message["data"]))
        return found


# note, with a leader


def test_one_reader_leads_at_a_time(bench: Bench) -> None:
    first, second = bench.lead(ONE), bench.lead(TWO)
    assert first is not None
    assert second is not None
    assert first.leader is not None
    assert first.leader[0] == ONE
    assert first.leader[1] == pytest.approx(first.noted_at + 5.0)
    assert second.leader == first.leader
    assert second.top == first.top
    bench.put(state_of(bench.now(), leaders=[(ONE, bench.now() - 1)], excuses=[b"E" * 16]))
    third = bench.lead(TWO)
    assert third is not None
    assert third.leader is not None
    assert third.leader[0] == TWO, "one that died leads until its deadline"
    data = bench.data()
    assert data is not None
    assert data.endswith(b"E" * 16)


def test_under_an_open_record_no_reader_leads(bench: Bench) -> None:
    bench.put(state_of(bench.now(), records=[(OTHER, bench.now() + 60, EVERYTHING)]))
    found = bench.lead(ONE)
    assert found is not None
    assert found.leader is None
    bench.put(state_of(bench.now(), records=[(OTHER, bench.now() - 1, EVERYTHING)]))
    found = bench.lead(ONE)
    assert found is not None
    assert found.leader is not None, "a record past its deadline is none"
    assert len(found.open) == 1


@pytest.mark.parametrize("data", [b"", b"\x02" + bytes(60), b"\x01" + b"\xff" * 60, state_of(1.0, tops=())])
def test_of_an_unknown_format_no_reader_leads(bench: Bench, data: bytes) -> None:
    bench.put(data)
    assert bench.lead(ONE) is None
    assert bench.data() == data


# store


def test_a_value_is_stored_under_the_token_that_was_noted(bench: Bench) -> None:
    state = bench.state(A)
    assert bench.store(state.top, bench.now() + 5, life=300) == b"stored"
    assert bench.client.get(VALUE) == b"value"
    assert 0 < bench.client.execute_command("PTTL", VALUE) <= 5000
    assert bench.life(A) == pytest.approx(300 + MARGIN, abs=5), "a state outlives its values"


def test_what_changed_is_not_stored(bench: Bench) -> None:
    assert bench.store(b"T" * 12, bench.now() + 5) == b"gone"
    before = bench.state(A).top
    bench.bump({A: point(b"S1")})
    assert bench.store(before, bench.now() + 5) == b"changed"
    assert bench.store(bench.state(A).top, bench.now() - 1) == b"late"
    bench.put(b"\x02" + bytes(60))
    assert bench.store(bytes(12), bench.now() + 5) == b"changed"
    assert bench.client.get(VALUE) is None


@pytest.mark.parametrize(("ahead", "reply"), [(60.0, b"open"), (-1.0, b"stored")])
def test_under_an_open_record_nothing_is_stored(bench: Bench, ahead: float, reply: bytes) -> None:
    now = bench.now()
    bench.put(state_of(now, records=[(OTHER, now - 1, EVERYTHING), (ONE, now + ahead, point(b"S1"))]))
    assert bench.store(b"T" * 12, now + 5) == reply


def test_who_stores_leads_no_more(bench: Bench) -> None:
    for until in (bench.now() + 60, bench.now() - 1):
        leading = bench.lead(ONE)
        assert leading is not None
        bench.store(leading.top, until, TWO)
        assert bench.state(A).leader is not None, "another one's part is left"
        bench.store(leading.top, until, ONE)
        assert bench.state(A).leader is None


# begin


def test_begin_puts_a_new_token_on_top_opens_a_record_and_tells(bench: Bench) -> None:
    begun, before = write(1, {A: point(b"S1"), B: EVERYTHING}), bench.state(A)
    replies: list[bytes] = []
    (message,) = published(bench, lambda: replies.extend(bench.begin(begun)))
    assert replies == [b"a\x01" + round(before.since * TICKS).to_bytes(8, "big"), b"a"]
    assert (message.id, message.lasts, dict(message.changed)) == (begun.id, 60.0, dict(begun.tags))
    for tag, token in zip(begun.tags, begun.tokens, strict=True):
        state = bench.state(tag)
        assert state.top == token
        assert not state.is_young
        (record,) = state.open
        assert (record.id, record.extent) == (begun.id, begun.tags[tag])
        assert record.deadline == pytest.approx(state.noted_at + 60, abs=5)
        assert bench.life(tag) == pytest.approx(120, abs=5)
    assert bench.state(A).log[1].token == before.top


def test_begin_again_moves_the_deadline_alone(bench: Bench) -> None:
    begun = write()
    bench.begin(begun)
    top = bench.state(A).top
    assert bench.begin(begun, lasts=600.0)[0][:1] == b"o", "so that it is not taken for alone"
    state = bench.state(A)
    assert state.top == top
    (record,) = state.open
    assert record.deadline == pytest.approx(state.noted_at + 600, abs=5)
    bench.put(state_of(bench.now(), records=[(begun.id, bench.now() - 1, EVERYTHING)]))
    bench.begin(begun)
    state = bench.state(A)
    assert state.top == begun.tokens[0], "a record past its deadline protected nothing since"
    assert len(state.open) == 1


def test_begin_beside_another_write_says_so(bench: Bench) -> None:
    assert bench.begin(write(1))[0][:1] == b"a"
    assert bench.begin(write(2))[0][:1] == b"o"
    assert len(bench.state(A).open) == 2


@pytest.mark.parametrize(("ago", "left"), [(1.0, 2), (MARGIN + 1, 1)])
def test_begin_forgets_old_records_after_a_while(bench: Bench, ago: float, left: int) -> None:
    bench.put(state_of(bench.now(), records=[(OTHER, bench.now() - ago, EVERYTHING)]))
    assert bench.begin(write())[0][:1] == b"a", "one past its deadline is no other write"
    assert len(bench.state(A).open) == left


def test_more_records_than_can_be_counted(bench: Bench) -> None:
    now = bench.now()
    for count in (254, 255):
        bench.put(state_of(now, records=[(b"%016d" % n, now + 60, EVERYTHING) for n in range(1000, 1000 + count)]))
        begun = write()
        replies = bench.begin(begun)
        state = bench.state(A)
        assert len(state.open) == 255
        assert begun.id in [record.id for record in state.open]
        assert bench.finish(begun, replies) == [b"changed"]
    assert bench.finish(write(1254), [b"a"]) == [b"lost"], "the one that had no room"
    assert is_whole(bench.data())


def test_an_optional_state_is_touched_only_where_there_is_one(bench: Bench) -> None:
    begun = write(1, {A: EVERYTHING, B: EVERYTHING}, frozenset([B]))
    replies = bench.begin(begun)
    assert replies[1] == b"-"
    assert bench.life(B) < 0
    assert bench.finish(begun, replies) == [b"kept", b"-"]
    assert bench.life(B) < 0
    top, begun = bench.state(B).top, write(2, begun.tags, begun.optional)
    replies = bench.begin(begun)
    assert bench.state(B).top != top
    assert len(bench.state(B).open) == 1
    assert bench.finish(begun, replies) == [b"kept", b"kept"]
    assert bench.state(B).open == ()


def test_p5_an_optional_state_that_was_made_meanwhile_is_changed_and_told_of(bench: Bench) -> None:
    """A result that was computed between begin and finish may be kept near by a process that heard begin before."""
    begun = write(1, {A: EVERYTHING, B: EVERYTHING}, frozenset([B]))
    replies = bench.begin(begun)
    top = bench.state(B).top
    (message,) = published(bench, lambda: bench.finish(begun, replies))
    assert bench.state(B).top != top
    assert set(message.changed) == {A, B}
    assert message.lasts == 0


# finish


def test_finish_keeps_the_new_value_of_a_write_that_was_alone(bench: Bench) -> None:
    begun = write()
    replies = bench.begin(begun)
    before, words = bench.state(A), []
    value = VALUE, b"new", 5.0
    assert published(bench, lambda: words.extend(bench.finish(begun, replies, value=value))) == [], "begin told of it"
    assert words == [b"kept"]
    after = bench.state(A)
    assert after.top == before.top == begun.tokens[0]
    assert after.open == ()
    assert after.since == after.log[0].moment > before.since, "lately is counted from here"
    assert bench.client.get(VALUE) == b"new"
    assert 0 < bench.client.execute_command("PTTL", VALUE) <= 5000


def test_a_value_may_be_wanted_only_in_the_place_of_another_one(bench: Bench) -> None:
    value = VALUE, b"new", 5.0
    begun = write()
    assert bench.finish(begun, bench.begin(begun), value=value, if_cached=True) == [b"unwanted"]
    assert bench.client.get(VALUE) is None
    bench.client.set(VALUE, b"old", px=60_000)
    begun = write(2)
    assert bench.finish(begun, bench.begin(begun), value=value, if_cached=True) == [b"kept"]
    assert bench.client.get(VALUE) == b"new"


def test_two_writes_that_overlap_keep_nothing(bench: Bench) -> None:
    first, second = write(1), write(2)
    replies = bench.begin(first), bench.begin(second)
    tops = {bench.state(A).top}
    value = VALUE, b"new", 5.0
    assert bench.finish(first, replies[0], value=value) == [b"changed"]
    tops.add(bench.state(A).top)
    assert len(bench.state(A).open) == 1
    assert bench.finish(second, replies[1], value=value) == [b"changed"]
    tops.add(bench.state(A).top)
    assert len(tops) == 3
    assert bench.client.get(VALUE) is None
    assert bench.state(A).open == ()


def test_a_change_from_elsewhere_meanwhile_keeps_the_value_from_being_kept(bench: Bench) -> None:
    begun = write()
    replies = bench.begin(begun)
    bench.bump({A: point(b"S1")})
    assert bench.finish(begun, replies, value=(VALUE, b"new", 5.0)) == [b"changed"]
    assert bench.client.get(VALUE) is None


@pytest.mark.parametrize("changes", [0, 1, MAX_LOG])
def test_a_refused_write_puts_back_what_it_displaced(bench: Bench, changes: int) -> None:
    bench.bump({A: EVERYTHING})
    for number in range(changes):
        bench.bump({A: point(b"S%d" % number)})
    before, begun = bench.state(A), write()
    replies = bench.begin(begun)
    assert published(bench, lambda: bench.finish(begun, replies, is_refused=True)) == []
    after = bench.state(A)
    assert (after.top, after.since, after.is_young, after.open) == (before.top, before.since, False, ())


def test_a_refused_write_leaves_a_young_state_young(bench: Bench) -> None:
    before, begun = bench.state(A), write()
    assert bench.finish(begun, bench.begin(begun), is_refused=True) == [b"restored"]
    after = bench.state(A)
    assert (after.top, after.since, after.is_young) == (before.top, before.since, True)


def test_a_refused_write_puts_nothing_back_beneath_a_later_change(bench: Bench) -> None:
    bench.state(A)
    begun = write()
    replies = bench.begin(begun)
    bench.bump({A: EVERYTHING})
    top = bench.state(A).top
    bench.finish(begun, replies, is_refused=True)
    assert (bench.state(A).top, bench.state(A).open) == (top, ())


def test_a_refused_write_that_made_its_state_leaves_it(bench: Bench) -> None:
    begun = write()
    bench.finish(begun, bench.begin(begun), is_refused=True)
    state = bench.state(A)
    assert (state.top, state.open) == (begun.tokens[0], ())


@pytest.mark.parametrize("loss", ["evicted", "made anew", "expired", "damaged"])
def test_a_record_that_is_lost_makes_a_new_top_and_is_told_once_more(bench: Bench, loss: str) -> None:
    begun = write()
    replies = bench.begin(begun)
    bench.client.delete(KEYSPACE.state(A))
    if loss == "made anew":
        bench.state(A)
    elif loss == "expired":
        bench.put(state_of(bench.now(), tops=[begun.tokens[0]], records=[(begun.id, bench.now() - 1, EVERYTHING)]))
    elif loss == "damaged":
        bench.put(b"\x01" + b"\xff" * 60)
    words: list[bytes] = []
    (message,) = published(bench, lambda: words.extend(bench.finish(begun, replies, value=(VALUE, b"new", 5.0))))
    assert words == [b"lost"]
    assert set(message.changed) == {A}
    state = bench.state(A)
    assert state.top != begun.tokens[0]
    assert (state.is_young, state.open) == (False, ())
    assert bench.client.get(VALUE) is None


def test_a_refused_write_whose_record_is_lost_changes_nothing(bench: Bench) -> None:
    begun = write()
    replies = bench.begin(begun)
    bench.client.delete(KEYSPACE.state(A))
    assert published(bench, lambda: bench.finish(begun, replies, is_refused=True)) == []
    assert bench.data() is None
    top = bench.state(A).top
    assert bench.finish(begun, replies, is_refused=True) == [b"lost"]
    assert bench.state(A).top == top


@pytest.mark.parametrize("reply", [None, 5, [], [b"1"], [b"x", b"2", b"a"], [b"1", b"2"], [b"1", b"2", b"a", b"a"]])
def test_replies_that_are_none(reply: object) -> None:
    with pytest.raises(CorruptValue):
        replied(reply, 1)


# In trouble


def test_p7_a_full_server_takes_begin_and_finish_and_keeps_no_value(bench: Bench) -> None:
    if not bench.header:
        return  # servers that do not know it delete the state instead: tests/shared/test_scripts.py
    begun, before = write(), bench.state(A)
    bench.client.set(VALUE, b"old", px=60_000)
    bench.client.config_set("maxmemory", 1)
    try:
        replies = bench.begin(begun)
        words = bench.finish(begun, replies, value=(VALUE, b"new", 5.0))
    finally:
        bench.client.config_set("maxmemory", 0)
    assert bench.state(A).log[1].token == before.top
    assert (words, bench.client.get(VALUE)) in (([b"kept"], b"new"), ([b"full"], None))


def test_p7_without_the_right_to_publish_states_are_changed_all_the_same(valkey_for_scripts: Valkey) -> None:
    """And it is said, so that the outbox tells the others later."""
    with valkey_for_scripts.client() as admin:
        admin.flushall()
        admin.execute_command("ACL", "SETUSER", "mute", "reset", "on", "nopass", "~*", "&*", "+@all", "-publish")
        with redis.Redis(
            host=valkey_for_scripts.host, port=valkey_for_scripts.port, username="mute", password="x"
        ) as client:
            mute, bench, begun = Bench(client), Bench(admin), write()
            with pytest.raises(redis.ResponseError, match="the 'publish' command"):
                mute.begin(begun)
            state = bench.state(A)
            assert (state.top, len(state.open)) == (begun.tokens[0], 1)
            assert mute.finish(begun, [b"a"]) == [b"kept"], "which tells only of what was lost"
            admin.flushall()
            with pytest.raises(redis.ResponseError, match="the 'publish' command"):
                mute.finish(begun, [b"a"])
            assert bench.state(A).top != begun.tokens[0]


def test_begin_and_finish_on_a_cluster(valkey_cluster: Cluster) -> None:
    place = Place("eu-west-1", "T")
    named = [item_tag(place, ITEM), *[partition_tag(place, "by_day", b"%d" % day) for day in range(8)]]
    tags = {each: EVERYTHING for tag in named for each in shared_tag(tag, lambda _: None)}
    with valkey_cluster.client() as client:
        bench = Bench(client)
        parts = begins(b"I" * 16, tags, frozenset(), is_cluster=True)
        assert len(parts) == 9
        for part in parts:
            name = KEYSPACE.value_of(next(iter(part.tags)), b"V" * 16)
            assert bench.finish(part, bench.begin(part), value=(name, b"new", 5.0)) == [b"kept"]
            assert client.get(name) == b"new"
            client.delete(name, *[KEYSPACE.state(tag) for tag in part.tags])


def test_one_command_for_each_slot_of_a_cluster_and_one_alone_for_a_server() -> None:
    place = Place("eu-west-1", "T")
    tags = {
        each: EVERYTHING
        for tag in (
            item_tag(place, ITEM),
            partition_tag(place, None, b"p"),
            scan_tag(place, None),
        )
        for each in shared_tag(tag, lambda _: None)
    }
    for is_cluster in (False, True):
        parts = begins(b"I" * 16, tags, frozenset(), is_cluster=is_cluster)
        assert {tag for part in parts for tag in part.tags} == set(tags)
        for part in parts:
            name = KEYSPACE.value_of(next(iter(part.tags)), b"V" * 16)
            ended = finish(KEYSPACE, part, [b"a"] * len(part.tags), 10.0, value=(name, b"new", 5.0))
            for command in (begin(KEYSPACE, part, 60.0, 10.0), ended):
                slots = {key_slot(key.encode()) for key in command[3 : 3 + command[2]]}
                assert len(slots) == 1 or not is_cluster
        assert (len(parts) > 1) == is_cluster


states = st.builds(
    lambda flags, tops, records, leaders, excuses: state_of(
        1000.0, flags=flags, tops=tops, records=records, leaders=leaders, excuses=excuses
    ),
    st.integers(0, 255),
    st.lists(st.binary(min_size=12, max_size=12), max_size=20),
    st.lists(
        st.tuples(
            st.sampled_from([b"%016d" % 1, OTHER]),
            st.floats(0, 2000),
            st.sampled_from([EVERYTHING, Extent(b"S1", b"S2"), point(b"S3")]),
        ),
        max_size=4,
    ),
    st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.floats(0, 2000)), max_size=2),
    st.lists(st.binary(min_size=16, max_size=16), max_size=2),
)


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """Bytes that may be a state, cut off, continued, or changed somewhere."""
    data = bytearray(draw(st.one_of(states, st.binary(max_size=80))))
    for _ in range(draw(st.integers(0, 2))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


@settings(max_examples=amount("hostile states"))
@given(hostile())
def test_no_script_fails_at_what_stands_in_redis(data: bytes) -> None:
    """Each does its work, and leaves a state; to those that do not change it, what is none reads as open."""
    bench = Bench(Client(Server(Clock())), "")
    bench.put(data)
    try:
        is_known = decode_state(data) is not None
    except CorruptValue:
        is_known = False
    assert (bench.note(A)[A] is not None) == is_known
    bench.lead(ONE)
    assert bench.store(b"T" * 12, 1005.0, ONE) in (b"stored", b"changed", b"open")
    begun = write()
    replies = bench.begin(begun)
    assert is_whole(bench.data())
    assert bench.state(A).open
    assert bench.finish(begun, replies) in ([b"kept"], [b"changed"])
    assert is_whole(bench.data())
    bench.put(data)
    bench.bump({A: point(b"S1")})
    assert is_whole(bench.data())
    bench.put(data)
    bench.finish(begun, replies, is_refused=True)
