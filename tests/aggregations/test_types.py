"""Each row of the table of types: values come back exactly, their keys are distinct, and every change is detected."""

import copy
import itertools
import math
from collections import Counter, OrderedDict, defaultdict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from daxlite.aggregations.serialization import self_describing
from daxlite.aggregations.serialization.canonical import canonical
from daxlite.aggregations.serialization.exactness import difference
from daxlite.aggregations.serialization.row import KEY_CODES, Row
from daxlite.aggregations.serialization.types import TABLE
from tests.aggregations.results import written

BERLIN = ZoneInfo("Europe/Berlin")

# Values of each type that are all different, though some are `==` to others.
SAMPLES: dict[type, list[Any]] = {
    type(None): [None],
    bool: [False, True],
    bytes: [b"", b"a", b"\xff"],
    float: [1.5, 0.0, -0.0, math.nan, math.inf, -math.inf],
    int: [2**64, 1, -1, 2**64 - 1, -(2**63), -(2**63) - 1, 10**30],
    str: ["\ud800", "a", "", "ü", "\udfff", "日" * 40],
    bytearray: [bytearray(b"a"), bytearray()],
    Decimal: [Decimal(text) for text in ("1.50", "1.5", "0", "-0", "1E+5", "NaN", "sNaN12", "-Infinity")],
    UUID: [UUID(int=1), UUID(int=2**127)],
    date: [date(2024, 2, 29), date.min, date.max],
    time: [
        *(time(1, 2, 3, 4), time(1, 2, 3), time(1, fold=1), time(1, tzinfo=UTC), time(1, tzinfo=BERLIN)),
        *(time(1, tzinfo=timezone(timedelta(0), name)) for name in ("x", "\ud800")),
    ],
    timedelta: [timedelta(1, 2, 3), timedelta(0), timedelta(-1), timedelta.max],
    datetime: [
        *(datetime(2024, 10, 27, 2, 30, tzinfo=zone) for zone in (None, UTC, BERLIN, timezone(timedelta(hours=1)))),
        *(datetime(2024, 10, 27, 2, 30, tzinfo=zone, fold=1) for zone in (None, UTC, BERLIN)),
        datetime(2024, 10, 27, 2, 30, tzinfo=timezone(timedelta(hours=1), "CET")),
    ],
    list: [[], [1], [1.0], [1, 2], [2, 1], [[1]], [(1,)]],
    tuple: [(1, "a"), (), (1,), (1.0,), (1, 2), ((1,),), ([1],)],
    set: [{1}, set(), {1.0}, {1, 2}, {(1,)}, {frozenset({1})}],
    frozenset: [frozenset({1}), frozenset(), frozenset({1.0}), frozenset({1, 2})],
    dict: [{(1,): 2}, {}, {"a": 1}, {"a": 1.0}, {b"a": 1}, {"a": {}}, {1: "a", "1": "b"}, {"\ud800": 1}],
    Counter: [Counter("a"), Counter(), Counter("aa"), Counter({(1,): 1}), Counter(a=0)],
    OrderedDict: [
        OrderedDict(a=1),
        OrderedDict(),
        OrderedDict(a=1, b=2),
        OrderedDict(b=2, a=1),
        OrderedDict({(1,): 1}),
    ],
    defaultdict: [defaultdict(list, a=1), defaultdict(None, a=1), defaultdict(list), defaultdict(list, {(1,): 1})],
}

# What is stored for the first sample. Another release, and another process, has to read this.
STORED = {
    type(None): "c0",
    bool: "c2",
    bytes: "c400",
    float: "cb3ff8000000000000",
    int: "c70906010000000000000000",
    str: "c70307eda080",
    bytearray: "d40561",
    Decimal: "d608312e3530",
    UUID: "d80900000000000000000000000000000001",
    date: "c7050ace000b4681",
    time: "c7070b960102030400c0",
    timedelta: "d60c93010203",
    datetime: "c70c0d99cd07e80a1b021e000000c0",
    list: "90",
    tuple: "d6019201a161",
    set: "d5029101",
    frozenset: "d5039101",
    dict: "c7060492d501910102",
    Counter: "d60e81a16101",
    OrderedDict: "d60f81a16101",
    defaultdict: "c70610920681a16101",
}

rows = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.type.__name__)


def test_each_row_has_samples_and_a_code_of_its_own() -> None:
    assert {row.type for row in TABLE} == set(SAMPLES) == set(STORED)
    assert len(TABLE) == len(SAMPLES)
    codes = [row.code for row in TABLE if row.code is not None]
    assert len(codes) == len(set(codes))
    assert set(codes) <= set(range(KEY_CODES))


@rows
def test_it_comes_back_exactly_alone_and_in_containers(row: Row) -> None:
    for value in SAMPLES[row.type]:
        for whole in (value, [value], (value, 1), {"a": value}, {(1,): value}, OrderedDict(a=value)):
            back = self_describing.decode(self_describing.encode(whole))
            assert written(back, ordered=True) == written(whole, ordered=True)
            assert difference(whole, back) is None


@rows
def test_its_stored_bytes_never_change(row: Row) -> None:
    assert self_describing.encode(SAMPLES[row.type][0]).hex() == STORED[row.type]


@rows
def test_difference_detects_each_change(row: Row) -> None:
    name = row.type.__name__
    for one, other in itertools.permutations(SAMPLES[row.type], 2):
        found = difference(one, other)
        assert found is not None
        assert row.is_container or found.endswith(name)
        assert difference([one], [other]) is not None
        assert difference({"a": one}, {"a": other}) is not None


def test_difference_tells_the_types_apart() -> None:
    for one, other in itertools.permutations(TABLE, 2):
        for value, counterpart in itertools.product(SAMPLES[one.type], SAMPLES[other.type]):
            assert str(difference(value, counterpart)).endswith(one.type.__name__)


def test_no_two_values_of_any_type_have_the_same_key() -> None:
    values = [value for row in TABLE for value in SAMPLES[row.type]]
    for wrap in (lambda value: value, lambda value: [value], lambda value: {"a": (value,)}):
        assert len({canonical(wrap(value)) for value in values}) == len(values)


@rows
def test_a_copy_has_the_same_key(row: Row) -> None:
    for value in SAMPLES[row.type]:
        assert canonical(copy.deepcopy(value)) == canonical(value)
