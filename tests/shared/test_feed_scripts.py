"""The scripts of feeds, on every server that there is for a test."""

from __future__ import annotations

from hypothesis import given, settings

from daxlite.core.extents import EVERYTHING
from daxlite.shared.errors import CorruptValue
from daxlite.shared.feed_scripts import excuse, spare
from daxlite.shared.scripts import bump
from daxlite.shared.states import decode_state
from tests.aggregations.scripted import Client, Clock, Server
from tests.shared.script_bench import KEYSPACE, VALUE, A, B, Bench, is_whole, point, state_of, write
from tests.shared.test_write_scripts import hostile, published
from tests.volume import amount

ONE, TWO, THREE = b"1" * 16, b"2" * 16, b"3" * 16
TOP = b"T" * 12


def excused(bench: Bench, *records: tuple[bytes, bytes], is_strict: bool = False) -> list[int]:
    """Whether each record is excused."""
    (reply,) = bench.run(excuse(KEYSPACE, records, is_strict=is_strict, is_cluster=False))
    return [int(each) for each in reply]


def excuses(bench: Bench) -> list[bytes]:
    """Those of A that are left."""
    data = bench.data()
    assert data is not None
    count = data[13]
    return [data[len(data) - 16 * (count - number) :][:16] for number in range(count)]


def spared(bench: Bench, noted: bytes = TOP, until: float = 60.0) -> int:
    (reply,) = bench.run([spare(KEYSPACE, A, VALUE, noted, b"N" * 12, b"again", bench.now() + until, b"i" * 16)])
    return int(reply)


def put(bench: Bench, *given_: bytes, **more: object) -> None:
    bench.put(state_of(bench.now() - 100, excuses=given_, **more))  # type: ignore[arg-type]


def test_a_record_is_excused_once_and_those_before_it_end(bench: Bench) -> None:
    put(bench, ONE, TWO, THREE)
    assert excused(bench, (A, TWO)) == [1]
    assert excuses(bench) == [THREE]
    assert excused(bench, (A, TWO)) == [0]
    assert excuses(bench) == []


def test_any_digest_of_a_record_excuses_it(bench: Bench) -> None:
    put(bench, ONE, TWO)
    assert excused(bench, (A, b"x" * 16 + ONE)) == [1]
    assert excuses(bench) == [TWO]


def test_the_records_of_an_item_are_taken_in_order(bench: Bench) -> None:
    put(bench, ONE, TWO, ONE)
    assert excused(bench, (A, ONE), (B, ONE), (A, TWO), (A, ONE), (A, ONE)) == [1, 0, 1, 1, 0]


def test_a_record_that_matches_none_ends_all(bench: Bench) -> None:
    put(bench, ONE, TWO)
    assert excused(bench, (A, THREE), (A, ONE)) == [0, 0]
    assert excuses(bench) == []


def test_where_each_write_has_a_record_the_oldest_excuse_alone_may_stand_for_one(bench: Bench) -> None:
    put(bench, ONE, TWO, THREE)
    assert excused(bench, (A, ONE), (A, TWO), is_strict=True) == [1, 1]
    assert excuses(bench) == [THREE]
    put(bench, ONE, TWO)
    assert excused(bench, (A, TWO), is_strict=True) == [0]
    assert excuses(bench) == []


def test_a_record_without_a_digest_matches_none(bench: Bench) -> None:
    put(bench, ONE)
    assert excused(bench, (A, b"")) == [0]
    assert excuses(bench) == []


def test_what_else_the_state_has_stays(bench: Bench) -> None:
    now = bench.now()
    bench.put(
        state_of(
            now,
            flags=0,
            records=[(b"w" * 16, now + 60, point(b"S"))],
            leaders=[(b"l" * 16, now + 5)],
            excuses=(ONE, TWO),
        )
    )
    before = decode_state(bench.data() or b"")
    assert excused(bench, (A, ONE)) == [1]
    assert decode_state(bench.data() or b"") == before
    assert excuses(bench) == [TWO]


def test_finish_leaves_an_excuse_and_no_more_than_eight(bench: Bench) -> None:
    for number in range(10):
        begun = write(number)
        assert bench.finish(begun, bench.begin(begun), excuse=b"%016d" % number) == [b"kept"]
    assert excuses(bench) == [b"%016d" % number for number in range(8)]


def test_finish_leaves_none_if_something_else_changed_the_item(bench: Bench) -> None:
    begun = write()
    replies = bench.begin(begun)
    bench.bump({A: EVERYTHING})
    assert bench.finish(begun, replies, excuse=ONE) == [b"changed"]
    assert excuses(bench) == []
    first, second = write(1), write(2)
    replies = [bench.begin(first), bench.begin(second)]
    assert bench.finish(first, replies[0], excuse=ONE) == [b"changed"]
    assert bench.finish(second, replies[1], excuse=TWO) == [b"changed"]
    assert excuses(bench) == []


def test_finish_of_a_write_that_was_refused_leaves_none(bench: Bench) -> None:
    begun = write()
    bench.finish(begun, bench.begin(begun), is_refused=True, excuse=ONE)
    assert excuses(bench) == []


def test_a_bump_ends_the_excuses_of_its_tag(bench: Bench) -> None:
    put(bench, ONE, TWO)
    bench.run(bump(KEYSPACE, {A: EVERYTHING}, is_cluster=False, items=frozenset({A})))
    assert excuses(bench) == []
    assert bench.state(A).top != TOP


def test_a_spared_value_stands_under_the_new_token(bench: Bench) -> None:
    put(bench, ONE)
    bench.client.set(VALUE, b"before", px=5_000)
    (message,) = published(bench, lambda: spared(bench))
    assert (message.id, dict(message.changed)) == (b"i" * 16, {A: EVERYTHING})
    assert bench.client.get(VALUE) == b"again"
    assert bench.state(A).top == b"N" * 12
    assert excuses(bench) == []


def test_nothing_is_spared_that_was_read_under_another_token(bench: Bench) -> None:
    put(bench, tops=(b"U" * 12, TOP))
    bench.client.set(VALUE, b"before", px=5_000)
    assert spared(bench) == 0
    assert bench.client.get(VALUE) == b"before"
    assert bench.state(A).top == b"N" * 12


def test_nothing_is_spared_under_an_open_record_which_stays(bench: Bench) -> None:
    now = bench.now()
    bench.put(state_of(now, records=[(b"w" * 16, now + 60, EVERYTHING)]))
    assert spared(bench) == 0
    assert bench.client.get(VALUE) is None
    assert [each.id for each in bench.state(A).open] == [b"w" * 16]


def test_nothing_is_spared_whose_time_is_over_or_whose_state_is_gone(bench: Bench) -> None:
    put(bench)
    assert spared(bench, until=-1.0) == 0
    bench.client.delete(KEYSPACE.state(A))
    assert spared(bench) == 0
    assert bench.client.get(VALUE) is None
    assert bench.state(A).top == b"N" * 12


@settings(max_examples=amount("hostile states"))
@given(hostile())
def test_no_script_fails_at_what_stands_in_redis(data: bytes) -> None:
    bench = Bench(Client(Server(Clock())), "")
    bench.put(data)
    assert excused(bench, (A, ONE), (A, TWO)) in ([0, 0], [1, 0], [0, 1], [1, 1])
    try:
        before = decode_state(data)
    except CorruptValue:
        before = None
    if before is not None:
        assert decode_state(bench.data() or b"") == before
    bench.put(data)
    spared(bench)
    assert is_whole(bench.data())
