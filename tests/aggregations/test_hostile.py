"""Bytes that are no encoding of ours end in CorruptValue, and in nothing else."""

import contextlib
import dataclasses
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import Ext

from daxlite.aggregations.serialization import timezones as zones
from daxlite.aggregations.serialization.codec import Codec
from daxlite.shared.errors import CorruptValue
from tests.aggregations.results import values


@dataclasses.dataclass
class Line:
    sku: str
    price: Decimal
    days: dict[date, Any]

    def __post_init__(self) -> None:
        if not self.sku:
            raise RuntimeError("secret")


CODECS = [Codec(), Codec(Line), Codec(dict[str, Any])]
HEADERS = [codec.encode(None)[:-1] for codec in CODECS]
TYPED = Codec(Line).encode(Line("a", Decimal("1.5"), {date(2024, 1, 1): [1]}))
pack = msgspec.msgpack.encode


def decode(codec: Codec, data: bytes) -> None:
    """Bytes by chance may be those of some value; what may not be is another exception."""
    with contextlib.suppress(CorruptValue):
        codec.decode(data)


@given(st.sampled_from(CODECS), st.binary(max_size=40))
def test_random_bytes(codec: Codec, data: bytes) -> None:
    decode(codec, data)
    for header in (*HEADERS, TYPED[:9]):
        decode(codec, header + data)


extensions = st.recursive(
    st.binary(max_size=12) | values.map(Codec().encode).map(lambda data: data[9:]),
    lambda inner: (
        st.builds(lambda code, data: pack(Ext(code, data)), st.integers(-3, 21), inner)
        | st.lists(inner, max_size=3).map(lambda parts: bytes([0x90 | len(parts)]) + b"".join(parts))
        | st.lists(inner, min_size=2, max_size=2).map(lambda parts: b"\x81" + b"".join(parts))
    ),
    max_leaves=6,
)


@given(extensions)
def test_extensions_of_anything(data: bytes) -> None:
    decode(Codec(), HEADERS[0] + data)


@given(values, st.data())
def test_cut_off_or_continued(value: Any, data: st.DataObject) -> None:
    whole = Codec().encode(value)
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(CorruptValue):
        Codec().decode(whole[:end])
    with pytest.raises(CorruptValue):
        Codec().decode(whole + b"\x00")


@given(values, st.data())
def test_a_flipped_bit(value: Any, data: st.DataObject) -> None:
    damaged = bytearray(Codec().encode(value))
    bit = data.draw(st.integers(0, len(damaged) * 8 - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    decode(Codec(), bytes(damaged))
    if bit < 72:  # in the header
        with pytest.raises(CorruptValue):
            Codec().decode(bytes(damaged))


def test_each_flipped_bit_of_the_typed_form() -> None:
    for bit in range(len(TYPED) * 8):
        damaged = bytearray(TYPED)
        damaged[bit // 8] ^= 1 << bit % 8
        decode(CODECS[1], bytes(damaged))
    for end in range(len(TYPED)):
        with pytest.raises(CorruptValue):
            CODECS[1].decode(TYPED[:end])


def in_extensions(code: int, levels: int) -> bytes:
    data = b"\x90"
    for _ in range(levels):
        data = b"\x91" + pack(Ext(code, data))
    return data


COUNTER, ORDERED_DICT, DEFAULTDICT = range(14, 17)
DATETIME, TIME, DECIMAL, SET, DICT, DATE, TIMEDELTA, UUID, STR, TUPLE, FROZENSET = 13, 11, 8, 2, 4, 10, 12, 9, 7, 1, 3
INT = 6


WRONG_BODIES: list[tuple[int, list[Any]]] = [
    (COUNTER, [None, 1, "secret", ["secret"], [[], 1], [{}, 1], Ext(TUPLE, b"\x90")]),
    (ORDERED_DICT, [None, 1, "secret", ["secret"], [[], 1], [{}, 1], Ext(TUPLE, b"\x90")]),
    (DEFAULTDICT, [None, {}, [], [1], [1, {}, 0], [{}, 1], [1, [1]], [1, [[], 1]], [1, "secret"], [1, None]]),
    (DEFAULTDICT, [[number, {}] for number in (-1, 13, 2**63, 1.5, True, None, "int", "os.system", b"\x01", [1])]),
    (DEFAULTDICT, [[Ext(DECIMAL, b"1"), {}], [Ext(INT, b"\x01"), {}]]),
]
WRONG_ZONES: list[Any] = [
    *("", "/etc/passwd", "../../../../etc/passwd", "Europe", "Europe/Nowhere", "Europe/Berlin\n", "a\0b", "\u0660"),
    *("os.path", "tzdata.zoneinfo/x", "." * 50, "x" * 5000, "tzdata.zi"),
    *(2**62, -(2**62), 86_400_000_000, 1.5, [0], [2**62, "x"], [0, 0], {}),
]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x91" * 100_000,
        b"\x81" * 100_000,
        b"\x81\x00" * 100_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\x00",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\xc1",
        b"\xa1\xff",
        b"\x81\x80\x01",
        in_extensions(TUPLE, 5000),
        in_extensions(FROZENSET, 5000),
        in_extensions(COUNTER, 5000),
        in_extensions(DICT, 5000),
        pack(Ext(0, b"x")),
        pack(Ext(99, b"x")),
        pack(Ext(-5, b"x")),
        pack(Ext(-1, b"\xff" * 12)),
        pack(Ext(SET, pack([[]]))),
        pack(Ext(SET, pack([1, 1.0]))),
        pack(Ext(SET, pack({}))),
        pack(Ext(DICT, pack([1]))),
        pack(Ext(DICT, pack([{}, 1]))),
        pack(Ext(DECIMAL, b"secret")),
        pack(Ext(DECIMAL, b" 1")),
        pack(Ext(DECIMAL, b"1_0")),
        pack(Ext(DECIMAL, b"\xff")),
        pack(Ext(DECIMAL, b"1E+99999999999999999999999")),
        pack(Ext(UUID, b"short")),
        pack(Ext(STR, b"\xff")),
        pack(Ext(DATE, pack(0))),
        pack(Ext(DATE, pack(2**63))),
        pack(Ext(DATE, pack("1"))),
        pack(Ext(TIMEDELTA, pack([2**62, 0, 0]))),
        pack(Ext(TIMEDELTA, pack([0, 0]))),
        pack(Ext(TIME, pack([25, 0, 0, 0, 0, None]))),
        pack(Ext(TIME, pack([1, 0, 0, 0, 2, None]))),
        *(pack(Ext(code, pack(wrong))) for code, bodies in WRONG_BODIES for wrong in bodies),
        *(pack(Ext(code, b"")) for code in (COUNTER, ORDERED_DICT, DEFAULTDICT)),
        *(pack(Ext(code, b"\x80\x80")) for code in (COUNTER, ORDERED_DICT, DEFAULTDICT)),
        *(pack(Ext(code, b"\xdf\xff\xff\xff\xff")) for code in (COUNTER, ORDERED_DICT)),
        *(pack(Ext(DATETIME, pack([2024, 1, 1, 0, 0, 0, 0, 0, zone]))) for zone in WRONG_ZONES),
    ],
    ids=lambda body: body[:24].hex() or "nothing",
)
def test_made_to_harm(body: bytes) -> None:
    for codec, header in zip(CODECS, HEADERS, strict=True):
        with pytest.raises(CorruptValue) as caught:
            codec.decode(header + body)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("zone", [zone for zone in WRONG_ZONES if isinstance(zone, str) and zone[:6] != "Europe"])
def test_nothing_is_looked_for_under_a_name_that_is_no_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """ZoneInfo would look for a file of that name, and then import a package of it."""
    asked: list[str] = []
    monkeypatch.setattr(zones, "ZoneInfo", asked.append)
    with pytest.raises(CorruptValue):
        Codec().decode(HEADERS[0] + pack(Ext(TIME, pack([1, 0, 0, 0, 0, zone]))))
    assert not asked
    Codec().decode(HEADERS[0] + pack(Ext(TIME, pack([1, 0, 0, 0, 0, "Europe/Berlin"]))))
    assert asked == ["Europe/Berlin"]


def test_an_extension_in_the_typed_form() -> None:
    codec = Codec(dict[str, Any])
    header = codec.encode({})[:-1]
    assert codec.decode(header + pack({"a": 1})) == {"a": 1}
    with pytest.raises(CorruptValue):
        codec.decode(header + pack({"a": Ext(TUPLE, b"\x90")}))


def test_a_record_that_refuses_what_is_stored() -> None:
    at = TYPED.index(b"\xa1a")
    with pytest.raises(CorruptValue, match="RuntimeError") as caught:
        Codec(Line).decode(TYPED[:at] + b"\xa0" + TYPED[at + 2 :])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("data", [None, "text", 1, [], {}], ids=repr)
def test_what_is_not_even_bytes(data: Any) -> None:
    for codec in CODECS:
        with pytest.raises(CorruptValue):
            codec.decode(data)
