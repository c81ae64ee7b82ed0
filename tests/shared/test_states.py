"""States: what stands in Redis for a tag, byte by byte, and what it says of an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.extents import EVERYTHING, Extent
from daxlite.shared.errors import CorruptValue
from daxlite.shared.states import (
    ENCODED_EVERYTHING,
    LogRecord,
    OpenRecord,
    State,
    decode_state,
    encode_extent,
    top_if_true,
)

ONE, TWO, THREE = (digit * 12 for digit in (b"1", b"2", b"3"))
MOMENT = 1_795_943_637_401_747
BYTES = MOMENT.to_bytes(8, "big")
POINT, RANGE = Extent(b"S17:05", b"S17:05"), Extent(b"S15:00", b"S15:59")

# Two releases that share a server read each other's states: these bytes never change.
YOUNG = b"\x01\x01" + BYTES + b"\x01\x00\x00\x00" + ONE + bytes(8) + b"\x00\x00" + b"\x00\x01\xff"
CHANGED = (
    b"\x01\x00" + BYTES + b"\x02\x00\x00\x00"
    b"222222222222" + BYTES + b"\x00\x06S17:05\xff\xff"
    b"111111111111" + BYTES + b"\x00\x06S15:00\x00\x06S15:59"
)
UNDER_WAY = (
    b"\x01\x00" + BYTES + b"\x01\x01\x01\x02"
    b"222222222222" + BYTES + b"\x00\x06S17:05\xff\xff"
    b"operation's name" + BYTES + b"\x00\x06S15:00\x00\x06S15:59"
    b"the leader's id." + BYTES + b"an excuse of 16." + b"another excuse.."
)
SECONDS = MOMENT / 1e6


def test_golden_bytes() -> None:
    assert decode_state(YOUNG) == State(SECONDS, True, (LogRecord(ONE, 0.0, EVERYTHING),))
    assert decode_state(CHANGED) == State(
        SECONDS, False, (LogRecord(TWO, SECONDS, POINT), LogRecord(ONE, SECONDS, RANGE))
    )
    assert decode_state(UNDER_WAY) == State(
        SECONDS,
        False,
        (LogRecord(TWO, SECONDS, POINT),),
        (OpenRecord(b"operation's name", SECONDS, RANGE),),
        (b"the leader's id.", SECONDS),
    )
    assert ENCODED_EVERYTHING == b"\x00\x00\x00\x01\xff"
    assert encode_extent(POINT) == b"\x00\x06S17:05\xff\xff"
    assert encode_extent(RANGE) == b"\x00\x06S15:00\x00\x06S15:59"
    assert decode_state(YOUNG).log[0].extent is EVERYTHING


@pytest.mark.parametrize(
    ("data", "token", "extent", "top"),
    [
        (None, ONE, RANGE, None),
        (YOUNG, ONE, RANGE, ONE),
        (YOUNG, TWO, RANGE, None),
        (CHANGED, TWO, POINT, TWO),
        (CHANGED, ONE, POINT, None),
        (CHANGED, ONE, RANGE, TWO),
        (CHANGED, ONE, EVERYTHING, None),
        (CHANGED, ONE, Extent(b"S16:00", b"S17:04"), TWO),
        (CHANGED, THREE, RANGE, None),
        (UNDER_WAY, TWO, POINT, TWO),
        (UNDER_WAY, TWO, Extent(b"S15:30", b"S15:30"), None),
        (UNDER_WAY, TWO, EVERYTHING, None),
    ],
)
def test_an_answer_is_true_if_nothing_above_its_token_meets_it(
    data: bytes | None, token: bytes, extent: Extent, top: bytes | None
) -> None:
    assert top_if_true(data, token, extent) == top


def test_of_an_unknown_format_nothing_is_believed() -> None:
    for data in (b"", b"\x01", b"\x02" + YOUNG[1:], b"b" + bytes(12), b"c" + bytes(20), YOUNG + b"x"):
        with pytest.raises(CorruptValue):
            decode_state(data)
    for data in (b"", b"\x01", b"\x02" + YOUNG[1:], b"b" + bytes(12)):
        assert top_if_true(data, ONE, POINT) is None


@pytest.mark.parametrize("token", [b"", b"1", b"1" * 11])
def test_a_token_that_is_none_shows_nothing(token: bytes) -> None:
    for end in range(len(YOUNG)):
        assert top_if_true(YOUNG[:end], token, POINT) is None


@given(st.sampled_from([YOUNG, CHANGED, UNDER_WAY]), st.data())
def test_what_is_cut_off_is_no_state(state: bytes, data: st.DataObject) -> None:
    kept = data.draw(st.integers(0, len(state) - 1))
    with pytest.raises(CorruptValue):
        decode_state(state[:kept])


@given(st.binary(max_size=80))
def test_any_bytes_are_a_state_or_corrupt(data: bytes) -> None:
    try:
        decode_state(b"\x01" + data)
    except CorruptValue:
        assert top_if_true(b"\x01" + data, THREE, EVERYTHING) is None


ends = st.binary(max_size=4)


@given(st.tuples(ends, ends))
def test_an_extent_comes_out_as_it_went_in(extent: tuple[bytes, bytes]) -> None:
    state = b"\x01\x00" + BYTES + b"\x01\x00\x00\x00" + ONE + BYTES + encode_extent(Extent(*extent))
    assert decode_state(state).log[0].extent == Extent(*extent)
