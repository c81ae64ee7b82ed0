"""`difference` is stricter than `==`: the same types at every level, and values as they are written."""

import dataclasses
import math
import struct
from collections import Counter, OrderedDict, UserString, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given

from daxlite.aggregations.serialization.codec import Codec
from daxlite.aggregations.serialization.exactness import difference
from tests.aggregations.results import values, written


class Point(NamedTuple):
    x: Any
    y: Any


class Pair(NamedTuple):
    x: Any
    y: Any


class Wide(Point):
    note: int


@dataclasses.dataclass
class Record:
    x: Any
    y: Any = dataclasses.field(default=0, compare=False)


class Struct(msgspec.Struct):
    x: Any


@dataclasses.dataclass(frozen=True, eq=False)
class ByIdentity:
    x: Any


def noted(value: Any) -> Any:
    value.note = 1
    return value


BERLIN = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
CET = timezone(timedelta(hours=2))
SHARED = ByIdentity(1)
WIDE = Wide(1, 2)
WIDE.note = 1
OTHER_NAN = struct.unpack(">d", bytes.fromhex("7ff8000000000001"))[0]


def copied(value: Any) -> Any:
    """An equal value of other objects. Made by the codec, whose own tests do not use `difference`."""
    return Codec().decode(Codec().encode(value))


@given(values)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert difference(value, value) is None
    assert difference(value, copied(value)) is None


@given(values, values)
def test_two_values_differ_if_and_only_if_they_are_written_differently(one: Any, other: Any) -> None:
    for other in (other, copied(one)):  # noqa: B020 - a copy too: two random values are hardly ever the same
        same = written(one, ordered=True) == written(other, ordered=True)
        for wrap in (
            lambda value: value,
            lambda value: [value],
            lambda value: {"k": (value,)},
            lambda value: Record(value),
        ):
            assert (difference(wrap(one), wrap(other)) is None) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        (math.nan, OTHER_NAN),
        (Decimal("1.50"), Decimal("1.5")),
        (Decimal("NaN"), Decimal("sNaN")),
        (b"x", bytearray(b"x")),
        ([1], (1,)),
        ([1], [1, 2]),
        ((1,), (1, 2)),
        ({1}, frozenset({1})),
        ({1, 2}, {1}),
        ({1, 2}, {1, 3}),
        ({1, 2}, {True, 2}),
        ({(1,), (2,)}, {(1.0,), (2,)}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1: "a"}, {True: "a"}),
        (date(2024, 1, 1), datetime(2024, 1, 1)),
        (datetime(2024, 1, 1), datetime(2024, 1, 1, fold=1)),
        (datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)),
        (BERLIN, BERLIN.replace(tzinfo=CET)),
        (BERLIN, BERLIN.astimezone(UTC)),
        (time(1, tzinfo=CET), time(1, tzinfo=timezone(timedelta(hours=2), "x"))),
        (Point(1, 2), (1, 2)),
        (Point(1, 2), Pair(1, 2)),
        (Point(1, 2), Point(1, 2.0)),
        (Record(1), Record(True)),
        (Record(1, 2), Record(1, 3)),
        (Struct([1]), Struct((1,))),
        ({"a": 1}, Counter("a")),
        ({"a": 1}, OrderedDict(a=1)),
        ({"a": 1}, defaultdict(int, a=1)),
        (Counter("a"), OrderedDict(a=1)),
        (Counter("ab"), Counter("ba")),
        (Counter(a=1), Counter(a=True)),
        (Counter(a=0), Counter()),
        (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
        (noted(Counter("a")), Counter("a")),
        (noted(OrderedDict()), noted(OrderedDict())),
        (defaultdict(int), defaultdict(None)),
        (defaultdict(int, a=1), defaultdict(lambda: 0, a=1)),
        (defaultdict(lambda: 1), defaultdict(lambda: 1)),
        (defaultdict(int, a=1), defaultdict(int, a=1.0)),
        (deque([1]), deque([1])),
        (range(3), range(3)),
        (complex(1), complex("1")),
        ({ByIdentity(1)}, {ByIdentity(2)}),
        ({SHARED, ByIdentity(1)}, {SHARED, ByIdentity(2)}),
        (UserString("a"), UserString("a")),
        (WIDE, Wide(1, 2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_differ(one: Any, other: Any) -> None:
    kind = type(one).__name__
    for wrap in (lambda value: value, lambda value: [0, value], lambda value: {0: value}, lambda value: Struct(value)):
        assert difference(wrap(one), wrap(other)) is not None
        assert difference(wrap(other), wrap(one)) is not None
    if type(one) is not type(other):
        assert str(difference([one], [other])).endswith(kind)


@pytest.mark.parametrize(
    "make",
    [
        lambda: {float("nan"), (float("nan"),), 1},
        lambda: {float("nan"): 1, 2: float("nan")},
        lambda: {ByIdentity(1), ByIdentity(2)},
        lambda: Point([1], Record(Struct(None))),
        lambda: timezone(timedelta(0)),
        lambda: Counter({"b": 0, float("nan"): [1]}),
        lambda: defaultdict(OrderedDict, {"b": OrderedDict(x=1)}),
        lambda: [datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")), time(1, fold=1)],
    ],
)
def test_values_that_do_not_differ(make: Any) -> None:
    assert difference(make(), make()) is None


def test_the_comparison_of_values_that_contain_themselves_ends() -> None:
    one: list[Any] = []
    one.append(one)
    assert difference(one, one) == "list"
    for kind in (Counter, OrderedDict, defaultdict):
        mapping: Any = kind()
        mapping["a"] = [mapping]
        assert difference(mapping, mapping) is not None


def test_the_comparison_of_large_sets_of_objects_without_equality_ends_soon() -> None:
    one, other = ({ByIdentity(n) for n in range(5000)} for _ in range(2))
    assert difference(one, other) == "set"
