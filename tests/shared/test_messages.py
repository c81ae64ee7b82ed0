"""Messages: the same bytes in all releases; and what cannot be read may mean anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.encoding import encode
from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.core.extents import Extent
from daxlite.shared.messages import LONGEST, UNKNOWN, Copies, Message, decode_message, encode_message
from daxlite.shared.tags import EVERYTHING

ID = bytes(range(16))
TAG, OTHER = b"t" * 32, b"o" * 32
ONE = {TAG: Extent(b"Sa", b"Sb")}

tags = st.binary(min_size=32, max_size=32)
ends = st.tuples(st.binary(max_size=5), st.binary(max_size=5)).map(sorted)
extents = ends.map(lambda pair: Extent(*pair)) | st.just(EVERY_EXTENT)


@given(
    id=st.binary(min_size=16, max_size=16),
    microseconds=st.integers(0, round(LONGEST * 1e6)),
    changed=st.dictionaries(tags, extents, max_size=5),
)
def test_what_is_told_is_heard(id: bytes, microseconds: int, changed: dict[bytes, Extent]) -> None:
    message = decode_message(encode_message(id, microseconds / 1e6, changed))
    assert (message.id, message.changed) == (id, changed)
    assert message.lasts == pytest.approx(microseconds / 1e6, abs=1e-6)


def test_the_bytes_of_a_message_are_the_same_in_all_releases() -> None:
    golden = (
        "01"  # the format
        "000102030405060708090a0b0c0d0e0f"  # the operation
        "000000000016e360"  # 1.5 seconds
        "91"  # one tag: 32 bytes, low, high
        "93c420" + "74" * 32 + "c4025361c4025362"
    )
    assert encode_message(ID, 1.5, ONE).hex() == golden
    message = decode_message(bytes.fromhex(golden))
    assert (message.id, message.lasts, message.changed) == (ID, 1.5, ONE)


def test_all_of_a_tag_is_known_by_identity() -> None:
    """As callers compare it."""
    assert decode_message(encode_message(ID, 0.0, {TAG: EVERY_EXTENT})).changed[TAG] is EVERY_EXTENT


def test_a_tag_that_is_named_twice_changed_in_both_extents() -> None:
    """A later release may name one for the old and one for the new image."""
    parts = [(TAG, b"S1", b"S2"), (OTHER, b"", b"\xff"), (TAG, b"S5", b"S6")]
    message = decode_message(encode_message(ID, 0.0, {})[:25] + encode(parts))
    assert message.changed == {TAG: Extent(b"S1", b"S6"), OTHER: EVERY_EXTENT}


def test_what_a_later_release_appends_to_a_tag_is_passed_over() -> None:
    data = encode_message(ID, 0.0, {})[:25] + encode([(TAG, b"Sa", b"Sb", {"new": [1]})])
    assert decode_message(data).changed == ONE


HEAD = encode_message(ID, 0.0, {})[:25]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        encode([(TAG, b"Sa", b"Sb")]),
        b"\x00" + encode_message(ID, 0.0, ONE)[1:],
        b"\x03" + encode_message(ID, 0.0, ONE)[1:],
        encode_message(ID, 0.0, ONE) + b"\x00",
        HEAD,
        HEAD + encode({}),
        HEAD + encode([TAG]),
        HEAD + encode([(TAG, b"Sa")]),
        HEAD + encode([(TAG, "Sa", b"Sb")]),
        HEAD + encode([(TAG[1:], b"Sa", b"Sb")]),
        HEAD + encode([(TAG, b"Sb", b"Sa")]),
        HEAD + b"\x91\x94\xc4\x20" + TAG + b"\xc4\x00\xc4\x00" + b"\x91" * 100_000 + b"\x01",
        b"\x01" + ID + (round(LONGEST * 1e6) + 1).to_bytes(8) + encode([]),
    ],
)
def test_p5_what_is_no_such_message_may_mean_anything(data: bytes) -> None:
    message = decode_message(data)
    assert message is UNKNOWN
    assert message.changed == {EVERYTHING: EVERY_EXTENT}
    assert message.lasts > 120, "and it may have opened a record"


@given(data=st.binary(max_size=200) | st.binary(max_size=100).map(lambda rest: HEAD + rest))
def test_p5_anything_can_be_decoded(data: bytes) -> None:
    assert isinstance(decode_message(data), Message)


@given(cut=st.integers(0, 200), changed=st.dictionaries(tags, extents, min_size=1, max_size=3))
def test_p5_what_is_cut_off_may_mean_anything(cut: int, changed: dict[bytes, Extent]) -> None:
    data = encode_message(ID, 1.0, changed)
    assert decode_message(data[: min(cut, len(data) - 1)]) is UNKNOWN


def test_a_message_shows_nothing_of_what_it_tells() -> None:
    assert repr(Message(ID, 1.0, ONE)) == "<Message>"


@pytest.mark.parametrize(("id", "lasts"), [(b"", 0.0), (ID + b"x", 0.0), (ID, -1.0), (ID, LONGEST + 1)])
def test_what_cannot_be_said_is_refused(id: bytes, lasts: float) -> None:
    with pytest.raises(ValueError, match=r"an operation id has 16 bytes|a record lasts from 0 to 86400 seconds"):
        encode_message(id, lasts, ONE)


# Copies


def test_messages_of_one_operation_are_no_copies_of_each_other() -> None:
    """The begin of a batch publishes one for each slot and each table."""
    copies = Copies()
    assert not copies.is_one(0, encode_message(ID, 1.0, {TAG: EVERY_EXTENT}))
    assert not copies.is_one(0, encode_message(ID, 1.0, {OTHER: EVERY_EXTENT}))
    assert not copies.is_one(1, encode_message(ID, 0.0, {TAG: EVERY_EXTENT}))


def test_p5_what_is_told_again_is_no_copy() -> None:
    """A writer that does not find its record tells once more, in the very same words."""
    copies, message = Copies(), encode_message(ID, 1.0, ONE)
    first = [copies.is_one(line, message) for line in (1, 0, 2)]
    again = [copies.is_one(line, message) for line in (2, 1, 0)]
    assert first == again == [False, True, True]


@given(order=st.permutations([line for line in range(3) for _ in range(4)]))
def test_p5_what_is_told_again_is_heard_on_the_line_that_brings_it_first(order: list[int]) -> None:
    """However far behind each line is: the n-th time that it was told is heard when the first line brings it."""
    copies, brought, heard = Copies(), dict.fromkeys(range(3), 0), 0
    for line in order:
        brought[line] += 1
        heard += not copies.is_one(line, b"message")
        assert heard == max(brought.values())


def test_only_so_many_are_remembered() -> None:
    copies = Copies()
    for number in range(10 * Copies.REMEMBERED):
        assert not copies.is_one(0, b"%d" % number)
        assert copies.is_one(1, b"%d" % number)
        assert len(copies._new) + len(copies._old) <= 2 * Copies.REMEMBERED
