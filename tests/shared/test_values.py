"""Values: what stands in Redis beside a state, byte by byte."""

import pytest

from daxlite.core.extents import Extent
from daxlite.shared.envelope import Envelope
from daxlite.shared.errors import CorruptValue
from daxlite.shared.values import Value, decode_value, encode_value

ENVELOPE, KEY, OWNER = Envelope(None), b"tag and name", b"o" * 16
MOMENT = 1_795_943_637_401_747
VALUE = Value(b"data", b"t" * 12, OWNER, Extent(b"S15:00", b"S15:59"), MOMENT / 1e6, MOMENT / 1e6 + 300, True)
HEAD = (
    b"\x01\x01" + MOMENT.to_bytes(8, "big") + (MOMENT + 300_000_000).to_bytes(8, "big") + b"t" * 12 + OWNER
    + b"\x00\x06S15:00\x00\x06S15:59"
)  # fmt: skip


def test_golden_bytes() -> None:
    """Two releases that share a server read each other's values: these bytes never change."""
    stored = encode_value(VALUE, ENVELOPE, KEY)
    assert stored == HEAD + ENVELOPE.wrap(b"data", HEAD + KEY)
    assert decode_value(stored, OWNER, ENVELOPE, KEY) == VALUE


@pytest.mark.parametrize("place", range(len(encode_value(VALUE, ENVELOPE, KEY))))
def test_what_is_damaged_or_cut_off_is_no_value(place: int) -> None:
    stored = encode_value(VALUE, ENVELOPE, KEY)
    for damaged in (stored[:place], stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :]):
        with pytest.raises(CorruptValue):
            decode_value(damaged, OWNER, ENVELOPE, KEY)


def test_a_value_of_another_key_owner_or_format_is_none() -> None:
    stored = encode_value(VALUE, ENVELOPE, KEY)
    for data, owner, key in ((stored, OWNER, b"other"), (stored, b"p" * 16, KEY), (b"\x02" + stored[1:], OWNER, KEY)):
        with pytest.raises(CorruptValue):
            decode_value(data, owner, ENVELOPE, key)
