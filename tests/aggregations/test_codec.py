"""A decoded result is exactly the encoded one: without an annotation, and by one."""

import dataclasses
import enum
import functools
import math
import pathlib
import sys
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, localcontext
from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daxlite.aggregations.serialization.codec import Codec
from daxlite.aggregations.serialization.mappings import FACTORIES
from daxlite.shared.errors import CorruptValue, Unstorable
from tests.aggregations.results import leaves, values, written
from tests.collector import held_off
from tests.volume import amount

T = TypeVar("T")


class Status(enum.Enum):
    OPEN = "open"
    PAID = "paid"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Total(NamedTuple):
    orders: int
    sum: Decimal


@dataclasses.dataclass
class Line:
    sku: str
    price: Decimal
    day: date | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    lines: list[Line]
    totals: dict[date, tuple[Decimal, int]]
    status: Status
    tags: frozenset[str] = frozenset()
    children: "tuple[Report, ...]" = ()


class Event(msgspec.Struct, tag="event"):
    id: UUID
    level: Level
    total: Total
    payload: bytes = b""


class Closed(msgspec.Struct, tag="closed"):
    at: datetime


class Span(msgspec.Struct, array_like=True):
    first: date
    last: date | None = None


class Box(msgspec.Struct, Generic[T]):
    content: T


class Row(TypedDict):
    name: str
    amount: Decimal


decimals = st.decimals(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=5)
totals = st.builds(Total, st.integers(0, 2**40), decimals)
lines = st.builds(Line, texts, decimals, st.none() | st.dates())
reports = st.recursive(
    st.builds(
        Report,
        st.lists(lines, max_size=2),
        st.dictionaries(st.dates(), st.tuples(decimals, st.integers(0, 99)), max_size=2),
        st.sampled_from(Status),
        st.frozensets(texts, max_size=3),
    ),
    lambda inner: st.builds(dataclasses.replace, inner, children=st.lists(inner, max_size=2).map(tuple)),
    max_leaves=3,
)
events = st.builds(Event, st.uuids(), st.sampled_from(Level), totals, st.binary(max_size=4))
utc_moments = st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC, fold=0))

ANNOTATED: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Report, reports),
    (list[Report], st.lists(reports, max_size=2)),
    (Line | None, st.none() | lines),
    (Event | Closed, events | st.builds(Closed, utc_moments)),
    (dict[date, tuple[Decimal, int]], st.dictionaries(st.dates(), st.tuples(decimals, st.integers(0, 9)), max_size=3)),
    (dict[Status, list[Total]], st.dictionaries(st.sampled_from(Status), st.lists(totals, max_size=2))),
    (tuple[Level, ...], st.lists(st.sampled_from(Level), max_size=3).map(tuple)),
    (set[Total], st.sets(totals, max_size=3)),
    (Box[Line], st.builds(Box, lines)),
    (list[Span], st.lists(st.builds(Span, st.dates(), st.none() | st.dates()), max_size=2)),
    (list[Row], st.lists(st.fixed_dictionaries({"name": texts, "amount": decimals}), max_size=2)),
    (Decimal, decimals),
    (bytearray, st.binary().map(bytearray)),
    (UUID, st.uuids()),
    (frozenset[date], st.frozensets(st.dates(), max_size=3)),
]


def same(one: Any, other: Any) -> bool:
    """The same comparison as `written`, for records too: their `repr` shows all fields; sets may be in any order."""
    return type(one) is type(other) and bool(one == other) and (plain(one) == plain(other))


def plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return type(value), [plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, msgspec.Struct):
        return type(value), [plain(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, list | tuple):
        return type(value), [plain(part) for part in value]
    if isinstance(value, dict):
        return type(value), [(plain(key), plain(part)) for key, part in value.items()]
    if isinstance(value, set | frozenset):
        return type(value), sorted(repr(plain(part)) for part in value)
    return written(value)


# The self-describing form


@given(values)
def test_every_value_comes_back_exactly(value: Any) -> None:
    codec = Codec()
    assert written(codec.decode(codec.encode(value)), ordered=True) == written(value, ordered=True)


@pytest.mark.parametrize(
    "returns", [Any, object, int, "Report", Callable[..., Any], open, list[int] | set[int]], ids=repr
)
@settings(max_examples=amount("results of an annotation"))
@given(value=values)
def test_every_value_comes_back_exactly_with_any_annotation(returns: Any, value: Any) -> None:
    codec = Codec(returns)
    assert written(codec.decode(codec.encode(value)), ordered=True) == written(value, ordered=True)


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**63) - 1,
        10**4000,
        [-0.0, math.nan, math.inf],
        Decimal("1.50"),
        Decimal("-0E-10"),
        Decimal("sNaN12"),
        Decimal("1E+999999"),
        {True: 1, 2: 2.0, None: b"", 2.5: "", b"x": ()},
        {(1, (2,)): {frozenset({Decimal("1.0")})}},
        {"b": 1, "a": 2},
        {math.nan: 1, float("nan"): 2},
        [date(2024, 2, 29), datetime(2024, 2, 29)],
        datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1), "here")),
        datetime.max.replace(tzinfo=UTC),
        "\ud800",
        {"\udfff": bytearray(b"\x00")},
        Counter("abracadabra"),
        Counter({"b": 0, "a": -1, ("c",): Decimal("1.50"), None: [2.5]}),
        OrderedDict([("b", 1), ("a", 2), ((1,), OrderedDict())]),
        *(defaultdict(factory, {"a": 1, (1,): factory and factory()}) for factory in FACTORIES.values()),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1), "\ud800")),
    ],
    ids=ascii,
)
def test_values_that_other_formats_change_come_back_exactly(value: Any) -> None:
    back = Codec().decode(Codec().encode(value))
    assert written(back, ordered=True) == written(value, ordered=True)


def test_a_reordered_ordered_dict_keeps_its_order() -> None:
    keys: list[Any]
    for keys in (["a", "b", "c"], [(1,), "b", "c"]):
        value = OrderedDict.fromkeys(keys)
        value.move_to_end(keys[0])  # the order of the underlying dict stays the same
        assert list(Codec().decode(Codec().encode(value))) == ["b", "c", keys[0]]


def test_decoded_containers_work_as_before() -> None:
    groups, counts = (Codec().decode(Codec().encode(value)) for value in (defaultdict(list, a=[1]), Counter("aab")))
    groups["b"].append(2)
    counts.update("b")
    assert (groups, counts.most_common()) == ({"a": [1], "b": [2]}, [("a", 2), ("b", 2)])


def test_a_decimal_context_of_the_application_changes_nothing() -> None:
    value = Decimal("1.23456789E+50")
    before = Codec().encode(value)
    with localcontext() as context:
        context.prec, context.capitals = 3, 0
        context.clear_traps()
        data = Codec().encode(value)
        assert Codec().decode(before) == Codec().decode(data) == value
        at = data.index(b"1.2")
        with pytest.raises(CorruptValue):  # and not nan, which Decimal("x") is without traps
            Codec().decode(data[:at] + b"xxx" + data[at + 3 :])
    assert written(Codec().decode(data)) == written(value)


def test_native_values_are_decoded_by_one_call() -> None:
    codec = Codec()
    data = codec.encode({"a": [1, 2.5, None, {"b": b"x"}], 3: True})
    calls = []
    with held_off():
        sys.setprofile(lambda frame, event, _: calls.append(frame.f_code.co_name) if event == "call" else None)
        try:
            codec.decode(data)
        finally:
            sys.setprofile(None)
    assert calls == ["decode"]


class Text(str):
    __slots__ = ()


class Zone(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> str:
        return "secret"


class Cursed:
    def __reduce__(self) -> Any:
        raise AssertionError("pickled")


class Tally(Counter[str]):
    pass


class Sorted(OrderedDict[str, int]):
    pass


class Groups(defaultdict[str, Any]):
    pass


class Latest(deque[str]):
    pass


def noted(value: Any) -> Any:
    value.note = "secret"
    return value


def recursive() -> Any:
    value: list[Any] = []
    value.append({"a": (value,)})
    return value


def in_itself(value: Any) -> Any:
    value["a"] = [value]
    return value


def nested(levels: int) -> Any:
    value: Any = None
    for _ in range(levels):
        value = [value]
    return value


UNSTORABLE = [
    (Text("secret"), "Text"),
    (Level.LOW, "Level"),
    (Status.OPEN, "Status"),
    (Total(1, Decimal(2)), "Total"),
    (Line("secret", Decimal(1)), "Line"),
    (Tally("secret"), "Tally"),
    (Sorted(secret=1), "Sorted"),
    (Groups(list), "Groups"),
    (Latest("secret"), "Latest"),
    (deque(["secret"]), r"type collections\.deque cannot .*convert it with list\(\.\.\.\)"),
    (range(3), r"type range cannot .*convert it with list\(\.\.\.\)"),
    (1j, "type complex cannot .*convert it to a tuple"),
    (noted(Counter("a")), r"Counter that carries attributes .* convert it with dict\(\.\.\.\)"),
    (noted(OrderedDict(a=1)), r"OrderedDict that carries attributes .* convert it with dict\(\.\.\.\)"),
    (defaultdict(lambda: "secret"), r"defaultdict whose default_factory .* convert it with dict\(\.\.\.\)"),
    (defaultdict(Tally, secret=Tally()), r"default_factory is not None, int, .* or Counter"),
    (defaultdict(Cursed().__class__), "default_factory"),
    (ChainMap({"secret": 1}), "ChainMap"),
    (UserDict(secret=1), "UserDict"),
    *((in_itself(kind()), "contains itself") for kind in (Counter, OrderedDict, defaultdict)),
    (pathlib.PurePath("secret"), "pathlib"),
    (memoryview(b"secret"), "memoryview"),
    (msgspec.msgpack.Ext(1, b"secret"), "Ext"),
    (msgspec.Raw(b"\x01"), "Raw"),
    (msgspec.UNSET, "UnsetType"),
    (iter("secret"), "str_"),
    (Cursed(), "Cursed"),
    (int, "type"),
    (datetime(2024, 1, 1, tzinfo=Zone()), "time zone"),
    (recursive(), "contains itself"),
    (nested(150), "nested"),
    (nested(100_000), "nested"),
]


@pytest.mark.parametrize("returns", [msgspec.UNSET, Any, dict[str, int], list[Any], Event], ids=str)
@pytest.mark.parametrize(("value", "named"), UNSTORABLE, ids=[named for _, named in UNSTORABLE])
def test_values_that_could_not_be_restored_are_refused(value: Any, named: str, returns: Any) -> None:
    for wrapped in (value, [value], {"k": (1, value)}):
        with pytest.raises(Unstorable, match=named) as caught:
            Codec(returns).encode(wrapped)
        assert "secret" not in str(caught.value)


WRAPPERS: list[Callable[[Any], Any]] = [
    lambda value: [value],
    lambda value: (value,),
    lambda value: {(1,): value},
    lambda value: Counter({"a": value}),
    lambda value: Counter({(1,): value}),
    lambda value: OrderedDict({(1,): value}),
    lambda value: defaultdict(list, {(1,): value}),
]


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_the_deepest_value_is_decoded_far_down_the_stack(wrap: Callable[[Any], Any]) -> None:
    value: Any = None
    for _ in range(99):
        value = wrap(value)
    data = Codec().encode(value)

    def further_down(frames: int) -> Any:
        return further_down(frames - 1) if frames else Codec().decode(data)

    assert Codec().encode(further_down(sys.getrecursionlimit() // 2)) == data
    for _ in range(100):
        value = wrap(value)
    with pytest.raises(Unstorable, match="nested"):
        Codec().encode(value)


def test_the_cost_of_nesting_is_linear() -> None:
    value: Any = 0
    for _ in range(40):  # with two visits of each level inside another, this would not end
        value = {"a": Counter({"b": value}), (1,): [1]}
    data = Codec().encode(value)
    assert Codec().encode(Codec().decode(data)) == data  # `==` would not end: Counters compare their members twice


# The typed form


@pytest.mark.parametrize(("returns", "strategy"), ANNOTATED, ids=[str(returns) for returns, _ in ANNOTATED])
def test_annotated_results_come_back_exactly(returns: Any, strategy: st.SearchStrategy[Any]) -> None:
    codec = Codec(returns)

    @settings(max_examples=amount("results of an annotation"))
    @given(strategy)
    def check(value: Any) -> None:
        data = codec.encode(value)
        assert data[0] == 1  # typed
        assert same(Codec(returns).decode(data), value)

    check()


class Loose(msgspec.Struct):
    value: Any
    other: int = 0


class Based(msgspec.Struct):
    name: str


class Derived(Based):
    more: int = 0


@dataclasses.dataclass
class Sums:
    parts: list[int]
    _kept: int = 0

    @functools.cached_property
    def total(self) -> int:
        return sum(self.parts)


@dataclasses.dataclass
class Doubling:
    x: int

    def __post_init__(self) -> None:
        self.x *= 2


@dataclasses.dataclass
class Picky:
    x: int

    def __post_init__(self) -> None:
        if self.x > 1:
            raise RuntimeError("secret")


@pytest.mark.parametrize(
    ("returns", "value"),
    [
        (Loose, Loose(Decimal("1.5"))),
        (Loose, Loose((1, 2))),
        (Loose, Loose({1})),
        (Loose, Loose(1, other=True)),
        (Loose, Loose(1, other=2.0)),  # type: ignore[arg-type]
        (Based, Derived("a")),
        (Event, Event(UUID(int=1), Level.LOW, (1, Decimal(1)))),  # type: ignore[arg-type]
        (Closed, Closed(datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")))),
        (Doubling, Doubling(1)),
        (Picky, Picky.__new__(Picky)),
        (list[Line], [Line("a", Decimal(1)), Line("a", 1)]),  # type: ignore[arg-type]
        (Level | int, [Level.LOW]),
        (Line | str, Text("a")),
        (Sequence[int], range(3)),
        (list[int], deque([1, 2])),
        (deque[int], deque([1, 2], 5)),
        (range, range(3)),
        (complex, 1j),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_result_that_would_come_back_changed_is_refused(returns: Any, value: Any) -> None:
    with pytest.raises(Unstorable, match="annotat"):
        Codec(returns).encode(value)


class Patch(msgspec.Struct, omit_defaults=True):
    name: str | msgspec.UnsetType | None = msgspec.UNSET
    amounts: list[int] = []


def test_a_literal_of_several_types_comes_back_exactly() -> None:
    """By the annotation or without it: msgspec describes such an annotation from 0.22 on."""
    codec = Codec(Literal["x", 1, None])
    for value in ("x", 1, None):
        assert codec.decode(codec.encode(value)) == value


def test_omitted_default_fields_come_back() -> None:
    codec = Codec(list[Patch])
    data = codec.encode([Patch(), Patch(None), Patch("a", [1])])
    assert data[0] == 1
    first, second, third = codec.decode(data)
    assert (first.name, second.name, third.name) == (msgspec.UNSET, None, "a")
    assert (first.amounts, second.amounts, third.amounts) == ([], [], [1])
    assert first.amounts is not second.amounts


def test_the_error_says_that_an_annotation_cannot_be_used() -> None:
    for returns in (Line | Report, "Line", open):
        with pytest.raises(Unstorable, match=r"Line cannot be stored.*annotation cannot be used") as caught:
            Codec(returns).encode(Line("secret", Decimal(1)))
        assert "secret" not in str(caught.value)


def test_attributes_beside_the_fields_are_refused() -> None:
    codec = Codec(Sums)
    sums = Sums([1, 2])
    assert sums.total == 3
    assert codec.decode(codec.encode(sums)) == Sums([1, 2])  # a cached property is computed again
    sums.note = "x"  # type: ignore[attr-defined]
    with pytest.raises(Unstorable, match="Sums"):
        codec.encode(sums)


@pytest.mark.parametrize(
    ("returns", "value"),
    [
        (float, 3),
        (int, True),
        (int, 2**70),
        (str, b"x"),
        (list[int], (1, 2)),
        (datetime, datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))),
        (int | str, Decimal("1.0")),
        (Sums, {"parts": [1], "_kept": 0}),
        (list[Line], None),
        (dict[str, Decimal], defaultdict(Decimal, {"b": Decimal("1.50"), "a": Decimal(0)})),
        (dict[str, int], Counter("abracadabra")),
        (dict[str, int], OrderedDict(b=1, a=2)),
        (dict[str, Any], {"counts": Counter("aab"), "latest": (1, 3)}),
        (Mapping[str, list[int]], defaultdict(list, a=[1])),
        (Sequence[int], (0, 1, 2)),
        (Counter[str], Counter("aab")),
        (Counter[str], Counter()),
        (OrderedDict[str, int], OrderedDict(b=1, a=2)),
        (defaultdict[str, list[int]], defaultdict(list, a=[1])),
    ],
    ids=str,
)
def test_a_result_of_another_type_than_annotated_comes_back_exactly(returns: Any, value: Any) -> None:
    codec = Codec(returns)
    data = codec.encode(value)
    assert data[0] == 0  # self-describing
    assert written(Codec(returns).decode(data), ordered=True) == written(value, ordered=True)


def test_a_dict_subclass_is_not_stored_as_the_annotated_dict() -> None:
    codec = Codec(dict[str, int])
    empty: list[dict[str, int]] = [{}, Counter(), OrderedDict(), defaultdict(int), defaultdict(None)]
    assert [codec.encode(value)[0] for value in empty] == [1, 0, 0, 0, 0]
    assert [type(codec.decode(codec.encode(value))) for value in empty] == [type(value) for value in empty]


def test_data_of_another_annotation_is_corrupt() -> None:
    codecs = [Codec(), *(Codec(returns) for returns, _ in ANNOTATED), Codec(int), Codec(float), Codec(list[int])]
    empty: list[Any] = [None, [], {}, 1]
    for value in empty:
        for at, writer in enumerate(codecs):
            data = writer.encode(value)
            for other, reader in enumerate(codecs):
                if at == other:
                    assert written(reader.decode(data)) == written(value)
                else:
                    with pytest.raises(CorruptValue):
                        reader.decode(data)
    assert Codec(Any).decode(Codec().encode(1)) == 1


@given(leaves)
def test_encoded_bytes_can_be_a_value_themselves(value: Any) -> None:
    data = Codec().encode(value)
    assert Codec().decode(Codec().encode(data)) == data
