"""One encoding for each value, different ones for different values: compared with independent descriptions."""

import dataclasses
import enum
import itertools
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, localcontext
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.aggregations.errors import Unkeyable
from daxlite.aggregations.serialization.canonical import canonical, canonical_list, digest
from daxlite.aggregations.serialization.mappings import FACTORIES
from tests.aggregations.results import values, written


class Colour(enum.Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796 - an alias is the same member
    BLUE = 2


class Hue(enum.Enum):
    RED = 1


class Number(enum.IntEnum):
    ONE = 1


class Word(enum.StrEnum):
    A = "a"


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2


class Text(str):
    __slots__ = ()


class Other(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class Count(int):
    pass


class Share(float):
    pass


class Blob(bytes):
    pass


class Point(NamedTuple):
    x: Any
    y: Any


class Size(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass
class Order:
    id: Any
    note: Any = dataclasses.field(default=None, compare=False)


@dataclasses.dataclass
class Offer:
    id: Any
    note: Any = None


class Row(msgspec.Struct):
    id: Any


BERLIN = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
CET = timezone(timedelta(hours=2))

# All of these are different values, though many are `==` to others, or resemble the encodings of others.
DISTINCT: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30),
    *(0.0, -0.0, 1.0, math.nan, math.inf, -math.inf, float(2**64)),
    *(Decimal(0), Decimal("-0"), Decimal(1), Decimal("1.0"), Decimal("1.00"), Decimal("1E+1"), Decimal("10")),
    *(Decimal("NaN"), Decimal("sNaN"), Decimal("NaN1"), Decimal("-NaN"), Decimal("Infinity")),
    *(
        "",
        "1",
        "a",
        "ab",
        "None",
        "nan",
        "\ud800",
        "ü",
        "e\u0301",
        "\xe9",
        b"",
        b"1",
        b"a",
        bytearray(b"a"),
        bytearray(),
    ),
    *(Text("a"), Other("a"), Other("b"), Text(""), Count(1), Share(1.0), Share("nan"), Blob(b"a"), Word.A, Number.ONE),
    *(Colour.RED, Colour.BLUE, Hue.RED, Rights.READ, Rights.WRITE, Rights.READ | Rights.WRITE, Rights(0)),
    *([], (), {}, set(), frozenset(), [None], [[]], [()], ((),), ([],), {frozenset()}, frozenset({frozenset()})),
    *([1], (1,), {1}, frozenset({1}), [True], {True}, [1.0], {1: 1}, {1: True}, {True: 1}, {1.0: 1}, [1, 1], [[1], 1]),
    *(["a", "b"], ["b", "a"], ["ab"], [["a"], "b"], ["a", ["b"]], [["a", "b"]], ("a", "b"), {"a", "b"}, {"a", ("b",)}),
    *({"a": "b"}, {"b": "a"}, {"a": "b", "c": "d"}, {"a": {"b": "c"}, "d": 1}, {"a": {"b": "c", "d": 1}}, {b"a": "b"}),
    *({"a": None}, {None: "a"}, {("a",): "b"}, {frozenset({"a"}): "b"}, {1: "a", "1": "b"}, {1: "b", "1": "a"}),
    *({Text("a"): "b"}, {"a": Text("b")}, [Text("a")], {math.nan: 1}, {float("nan"): 1, math.nan: 2}),
    *(Point(1, 2), Size(1, 2), (1, 2), Point(1, 2.0), Point(2, 1), Order(1), Offer(1), Row(1), Order(1, 2), Order(1.0)),
    *(Order([]), Order(()), Row([]), Row({"id": 1}), {"id": 1}, Order(Order(1))),
    *(date(2024, 1, 1), datetime(2024, 1, 1), datetime(2024, 1, 1, fold=1), datetime(2024, 1, 1, tzinfo=UTC)),
    *(datetime(2024, 1, 1, 0, 0, 0, 1), datetime(2024, 1, 1, 1), datetime(2024, 1, 1, 0, 1)),
    *(BERLIN, BERLIN.replace(fold=1), BERLIN.replace(tzinfo=CET), BERLIN.astimezone(UTC), BERLIN.replace(tzinfo=None)),
    *(BERLIN.replace(tzinfo=timezone(timedelta(hours=2), "x")), BERLIN.replace(tzinfo=ZoneInfo("Europe/Paris"))),
    BERLIN.replace(tzinfo=timezone(timedelta(hours=2), "\ud800")),
    *(time(0), time(1), time(0, 1), time(0, 0, 1), time(0, 0, 0, 1), time(0, fold=1), time(0, tzinfo=UTC)),
    *(timedelta(0), timedelta(1), timedelta(0, 1), timedelta(0, 0, 1), timedelta(-1), date(2024, 1, 2)),
    *(UUID(int=0), UUID(int=1), UUID(int=1).bytes, str(UUID(int=1))),
    *(pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a"), pathlib.Path("a"), pathlib.Path("a/b"), pathlib.Path()),
    *(*([kind] for kind in range(2, 80)), *([kind, 0] for kind in range(80)), *((kind, "a") for kind in range(80))),
    *(
        Counter(),
        Counter("a"),
        Counter(a=0),
        Counter(a=True),
        Counter({"a": Decimal(1)}),
        Counter({"a": 1, 1: 1}),
        Counter({1: 1}),
    ),
    *(OrderedDict(), OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), OrderedDict({1: 2}), OrderedDict(a={"b": 1})),
    *(OrderedDict(a=OrderedDict(b=1)), {"a": OrderedDict(b=1)}, {"a": 1, "b": 2}, ["a", 1], [["a", 1]]),
    *(defaultdict(factory) for factory in FACTORIES.values()),
    *(defaultdict(int, a=1), defaultdict(None, a=1), defaultdict(float, a=1.0), defaultdict(int, {1: 1}), {"a": 1}),
]


def test_different_values_have_different_encodings() -> None:
    for wrap in (
        lambda value: value,
        lambda value: [value],
        lambda value: {"k": (value, 1)},
        lambda value: Order(value),
    ):
        encoded = [canonical(wrap(value)) for value in DISTINCT]
        twice = [
            (one, other)
            for (one, of_one), (other, of_other) in itertools.combinations(zip(DISTINCT, encoded, strict=True), 2)
            if of_one == of_other
        ]
        assert not twice


POOL = [*(0, 1, True, False, 1.0, -0.0, math.nan, "a", "b", b"a", None, Decimal("1.0"), Decimal(1), date(2024, 1, 1))]
few = st.recursive(
    st.sampled_from(POOL),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.lists(inner, max_size=2).map(tuple),
        st.sets(st.sampled_from(POOL), max_size=3),
        st.dictionaries(st.sampled_from(POOL), inner, max_size=2),
        st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
        st.dictionaries(st.sampled_from(POOL), inner, max_size=2).map(Counter),
        st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2).map(OrderedDict),
        st.builds(defaultdict, st.sampled_from([None, int]), st.dictionaries(st.sampled_from(POOL), inner, max_size=2)),
    ),
    max_leaves=4,
)


@given(few | values, few | values)
def test_encodings_are_equal_if_and_only_if_the_values_are(one: Any, other: Any) -> None:
    assert (canonical(one) == canonical(other)) == (written(one) == written(other))


@given(few | values, st.randoms(use_true_random=False))
def test_the_encoding_does_not_depend_on_the_order_of_construction(value: Any, rnd: random.Random) -> None:
    def rewrite(value: Any) -> Any:
        if isinstance(value, dict):
            order = list(value) if isinstance(value, OrderedDict) else rnd.sample(list(value), len(value))
            pairs = {rewrite(key): rewrite(value[key]) for key in order}
            return defaultdict(value.default_factory, pairs) if isinstance(value, defaultdict) else type(value)(pairs)
        if isinstance(value, list | tuple):
            return type(value)(rewrite(part) for part in value)
        if isinstance(value, set | frozenset):
            return type(value)(rewrite(part) for part in rnd.sample(list(value), len(value)))
        if isinstance(value, float):
            return struct.unpack(">d", struct.pack(">d", value))[0]
        return value

    other = rewrite(value)
    assert canonical(other) == canonical(value)
    assert digest(other, "x") == digest(value, "x")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Colour.RED, Colour.CRIMSON),
        (math.nan, struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0]),
        ({float("nan"): 1, math.nan: 2}, {math.nan: 2, float("nan"): 1}),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=timezone(timedelta(0)))),
        (Order({"a": 1, "b": {1, 2}}), Order({"b": {2, 1}, "a": 1})),
        (Counter("aab"), Counter("baa")),
        (defaultdict(list, a=[1], b=[2]), defaultdict(list, b=[2], a=[1])),
        (pathlib.PurePosixPath("a//b"), pathlib.PurePosixPath("a/b")),
        (Text("a"), Text("a")),
        (Row(1), Row(1)),
    ],
    ids=repr,
)
def test_equal_values_have_the_same_encoding(one: Any, other: Any) -> None:
    assert canonical([one]) == canonical([other])


def test_a_decimal_context_of_the_application_changes_nothing() -> None:
    before = canonical(Decimal("1.2345E+50"))
    with localcontext() as context:
        context.capitals, context.prec = 0, 2
        assert canonical(Decimal("1.2345E+50")) == before


class Stateful(str):
    note: int


class Zone(tzinfo):
    pass


def stateful() -> Any:
    text = Stateful("secret")
    text.note = 1
    return text


def with_more() -> Any:
    order = Order("secret")
    order.more = 1  # type: ignore[attr-defined]
    return order


class Wide(Point):
    note: int


def wide() -> Any:
    point = Wide("secret", 1)
    point.note = 1
    return point


def without() -> Any:
    order = Order("secret")
    del order.id
    return order


def recursive() -> Any:
    value: dict[str, Any] = {}
    value["secret"] = [value]
    return value


class Half(dict[str, Any]):
    pass


class Tally(Counter[str]):
    pass


@dataclasses.dataclass
class Amount(Decimal):
    """A record and a number: the number would not be in the key."""

    currency: str = "EUR"

    def __new__(cls, amount: str) -> Any:
        return Decimal.__new__(cls, amount)


@dataclasses.dataclass
class Queue(deque[str]):
    name: str = "mail"


def noted(value: Any) -> Any:
    value.note = "secret"
    return value


def in_itself(value: Any) -> Any:
    value["a"] = [value]
    return value


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: print, "builtin_function_or_method"),
        (lambda: stateful, "function"),
        (lambda: int, "type"),
        (lambda: Order, "type"),
        (lambda: object(), "object"),
        (lambda: memoryview(b"secret"), "memoryview"),
        (lambda: iter("secret"), "str_"),
        (lambda: Half(secret=1), "Half"),
        (lambda: Tally("secret"), "Tally"),
        (lambda: Amount("1.5"), "Amount"),
        (lambda: Queue("secret"), "Queue"),
        (lambda: deque(["secret"]), r"type collections\.deque cannot .*convert it with list\(\.\.\.\)"),
        (lambda: range(3), r"type range cannot .*convert it with list\(\.\.\.\)"),
        (lambda: 1j, "type complex cannot .*convert it to a tuple"),
        (lambda: ChainMap({"secret": 1}), "ChainMap"),
        (lambda: noted(Counter("a")), r"Counter that carries attributes .* dict\(\.\.\.\)"),
        (lambda: noted(OrderedDict(a=1)), r"OrderedDict that carries attributes .* dict\(\.\.\.\)"),
        (lambda: defaultdict(lambda: "secret"), r"defaultdict whose default_factory .* dict\(\.\.\.\)"),
        (lambda: defaultdict(Tally, secret=Tally()), "default_factory"),
        *((lambda kind=kind: in_itself(kind()), "contains itself") for kind in (Counter, OrderedDict, defaultdict)),
        (lambda: sys, "module"),
        (stateful, "Stateful"),
        (with_more, "Order"),
        (without, "Order"),
        (wide, "Wide"),
        (recursive, "contains itself"),
        (lambda: datetime(2024, 1, 1, tzinfo=Zone()), "time zone"),  # type: ignore[abstract]
        (lambda: type("Stamp", (datetime,), {})(2024, 1, 1), "Stamp"),
    ],
)
def test_values_that_cannot_be_part_of_a_key(make: Any, named: str) -> None:
    for wrap in (lambda value: value, lambda value: [value], lambda value: {1: value}, lambda value: Order(value)):
        with pytest.raises(Unkeyable, match=named) as caught:
            canonical(wrap(make()))
        assert "secret" not in str(caught.value)
    with pytest.raises(Unkeyable, match=named):
        digest("a", make())


def test_values_that_are_too_deep_are_refused() -> None:
    def nested(levels: int) -> Any:
        value: Any = 1
        for _ in range(levels):
            value = [value]
        return value

    assert canonical(nested(99)) != canonical(nested(98))
    for levels in (101, 100_000):
        with pytest.raises(Unkeyable, match="nested"):
            canonical(nested(levels))


def test_a_value_is_refused_where_the_stack_is_too_short() -> None:
    value: Any = 1
    for _ in range(99):
        value = [value]

    def at_the_end_of_the_stack() -> bool:
        """True once `canonical` has run out of stack; the frames further down have too little to raise Unkeyable."""
        try:
            if at_the_end_of_the_stack():
                return True
            canonical(value)
        except RecursionError:
            return False
        except Unkeyable as error:
            return "RecursionError" in str(error)
        return False

    assert at_the_end_of_the_stack()
    canonical(value)


# Digests


def test_the_parts_of_a_digest_are_never_concatenated() -> None:
    parts = [
        ("a", "b#c"),
        ("a#b", "c"),
        ("ab", "#c"),
        ("a", "b", "#c"),
        (("a", "b"), "#c"),
        (["a", "b"], "#c"),
        ("ab#c",),
        (),
    ]
    assert len({digest(*part) for part in parts}) == len(parts)
    assert {len(digest(*part)) for part in parts} == {20}


@given(st.lists(values, max_size=3))
def test_both_ways_to_encode_a_list_agree(parts: list[Any]) -> None:
    assert canonical_list(tuple(parts)) == canonical(parts)
    assert canonical([parts]).endswith(canonical_list(parts))


def test_digests_are_the_same_in_each_process() -> None:
    program = "from tests.aggregations.test_canonical import *; print(digest(DISTINCT).hex())"
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", program]
    other = subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout
    assert other.strip() == str(digest(DISTINCT).hex())


def test_digests_never_change() -> None:
    """A release that changes digests changes every key."""
    assert digest("orders", 1, ["a", {"b": (2.5, None)}], {3}).hex() == "53aacdfad8893cae22532e71a2417e7c630946cb"
