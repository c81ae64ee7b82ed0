"""The interval of sort keys that a page covers misses no item of the page, and is no wider than it has to be."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.extents import EVERYTHING, MAX_END, Condition, Extent, extent_of_key, extent_of_page
from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.sort_keys import MAX_BYTES, last_with_prefix, sort_key

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
binaries = st.binary(max_size=5)
digits = st.integers(-(10**38) + 1, 10**38 - 1)


@st.composite
def numbers(draw: st.DrawFn) -> Decimal:
    number = Decimal(draw(digits)).scaleb(draw(st.integers(-120, 80)))
    return number if not number or -130 <= number.adjusted() <= 125 else Decimal(1)


def typed(value: str | bytes | Decimal) -> dict[str, Any]:
    if isinstance(value, Decimal):
        return {"N": f"{value:f}" if len(f"{value:f}") < 200 else str(value)}
    return {"S": value} if isinstance(value, str) else {"B": value}


@given(numbers(), numbers())
def test_numbers_are_ordered_by_value(one: Decimal, other: Decimal) -> None:
    first, second = sort_key(typed(one)), sort_key(typed(other))
    assert (first < second, first == second) == (one < other, one == other)


@pytest.mark.parametrize(
    "ordered",
    [
        ["-9.9E125", "-1E125", "-123", "-12.5", "-12", "-0.5", "-1E-130", "0", "1E-130", "0.05", "0.5", "1", "9", "10"],
        ["99", "100", "100.5", "1E30", "12345678901234567890123456789012345678", "1E125", "9.99E125"],
    ],
)
def test_numbers_of_every_size_stand_in_order(ordered: list[str]) -> None:
    keys = [sort_key({"N": number}) for number in ordered]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert sort_key({"N": "1.0"}) == sort_key({"N": "10e-1"}) == sort_key({"N": "1"})


@given(texts, texts)
def test_strings_are_ordered_by_their_utf_8_bytes(one: str, other: str) -> None:
    assert (sort_key({"S": one}) < sort_key({"S": other})) == (one.encode() < other.encode())


@given(binaries, binaries)
def test_binary_is_ordered_by_unsigned_bytes(one: bytes, other: bytes) -> None:
    assert (sort_key({"B": one}) < sort_key({"B": other})) == (one < other)


@given(st.one_of(st.tuples(texts, texts), st.tuples(binaries, binaries)))
def test_the_keys_with_a_prefix_are_exactly_an_interval(pair: tuple[Any, Any]) -> None:
    prefix, other = pair
    for key in (other, prefix + other):
        low = sort_key(typed(prefix))
        assert (low <= sort_key(typed(key)) <= last_with_prefix(low)) == key.startswith(prefix)


def test_the_longest_binary_key_with_a_prefix_is_in_its_interval() -> None:
    low = sort_key({"B": b"\xff\xff"})
    assert sort_key({"B": b"\xff" * MAX_BYTES}) <= last_with_prefix(low)


@given(texts, numbers(), binaries)
def test_everything_holds_every_key(text: str, number: Decimal, binary: bytes) -> None:
    for value in (text, number, binary):
        assert EVERYTHING.meets(extent_of_key(typed(value)))


KEYS = [sort_key({"N": str(number)}) for number in range(10)]


def number(value: int) -> dict[str, Any]:
    return {"N": str(value)}


CONDITIONS = {
    "=": lambda key, low, high: key == low,
    "<": lambda key, low, high: key < low,
    "<=": lambda key, low, high: key <= low,
    ">": lambda key, low, high: key > low,
    ">=": lambda key, low, high: key >= low,
    "BETWEEN": lambda key, low, high: low <= key <= high,
}


@given(
    st.sampled_from([*CONDITIONS, None]),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(1, 10),
    st.booleans(),
    st.sets(st.integers(0, 9)),
    st.none() | st.integers(0, 9),
)
def test_a_page_covers_its_items_and_nothing_strictly_outside(
    operator: str | None, one: int, other: int, limit: int, is_forward: bool, items: set[int], start: int | None
) -> None:
    low, high = min(one, other), max(one, other)

    def holds(key: int) -> bool:
        return operator is None or CONDITIONS[operator](key, low, high)

    if start is not None and not holds(start):
        return  # DynamoDB refuses it
    conditions = [Condition("pk", "=", ({"S": "x"},))]
    if operator is not None:
        values = (number(low), number(high)) if operator == "BETWEEN" else (number(low),)
        conditions.append(Condition("t", operator, values))

    def page(stored: set[int]) -> tuple[list[int], int | None]:
        found = sorted([key for key in stored if holds(key)], reverse=not is_forward)
        if start is not None:
            found = [key for key in found if (key > start if is_forward else key < start)]
        return found[:limit], (found[limit - 1] if len(found) >= limit else None)

    answer, last = page(items)
    extent = extent_of_page(
        "t",
        conditions,
        start=None if start is None else {"t": number(start)},
        last=None if last is None else {"t": number(last)},
        is_forward=is_forward,
    )
    for changed in range(10):
        altered = page(items ^ {changed}) != (answer, last)
        is_covered = extent.meets(extent_of_key(number(changed)))
        assert is_covered or not altered
        # An end of the interval belongs to it; everything beyond an end does not.
        bounds = [start, last, low if operator else None, high if operator == "BETWEEN" else None]
        assert altered or not is_covered or changed in bounds or holds(changed)


def test_a_start_outside_of_the_condition_concludes_nothing() -> None:
    above = [Condition("t", ">", (number(5),))]
    assert extent_of_page("t", above, start={"t": number(3)}, is_forward=False) == EVERYTHING


def test_a_start_without_the_attribute_cuts_nothing() -> None:
    assert extent_of_page("t", [], start={"other": number(3)}) == EVERYTHING


def test_what_cannot_be_a_sort_key_has_no_extent() -> None:
    for value in ({"BOOL": True}, {"N": "x"}, {"S": "\ud800"}):
        with pytest.raises(NotCacheable):
            extent_of_key(value)


@given(st.binary(min_size=120, max_size=140), st.binary(max_size=3), st.sampled_from([b"", b"\xff" * 40]))
def test_an_extent_with_long_ends_holds_what_it_held(start: bytes, end: bytes, between: bytes) -> None:
    low, key, high = sorted([start, start + between + end, start + b"\xff" + end])
    both = Condition("t", "BETWEEN", ({"B": low}, {"B": high}))
    cut = extent_of_page("t", [both])
    assert max(len(cut.low), len(cut.high)) <= MAX_END
    assert cut.low <= sort_key({"B": low}) <= sort_key({"B": high}) <= cut.high
    for each in (low, key, high):
        assert cut.meets(extent_of_key({"B": each}))


def test_a_hull_holds_both() -> None:
    one, other = Extent(b"Na", b"Nc"), Extent(b"Nb", b"Nd")
    assert one.meets(other)
    assert one.hull(other) == Extent(b"Na", b"Nd")
    assert not Extent(b"Na", b"Nb").meets(Extent(b"Nc", b"Nd"))
