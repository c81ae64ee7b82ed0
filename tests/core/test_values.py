"""Typed values: the form in which DynamoDB would store them, and stand-ins that are equal exactly when they are."""

import copy
import io
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.values import (
    canonical_item,
    canonical_value,
    item_signature,
    key_scalar,
    plain_text,
    type_and_content,
    value_signature,
)
from tests.strategies import attribute_values, items

NOTATIONS = [("1", "1.0"), ("0", "-0"), ("10", "1e1"), ("0.5", "+.5"), ("-2", "-2.")]

MAPPED = {"S": "x"}


def nested(depth: int, innermost: Any = MAPPED, kind: str = "L") -> Any:
    value = innermost
    for _ in range(depth):
        value = {"L": [value]} if kind == "L" else {"M": {"a": value}}
    return value


# How DynamoDB would store it


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ({"S": ""}, {"S": ""}),
        ({"S": "a#b\x00ü"}, {"S": "a#b\x00ü"}),
        ({"N": "1.50"}, {"N": "1.5"}),
        ({"B": b"\x00\xff"}, {"B": b"\x00\xff"}),
        ({"B": bytearray(b"x")}, {"B": b"x"}),
        ({"B": "ü"}, {"B": "ü".encode()}),
        ({"BOOL": False}, {"BOOL": False}),
        ({"NULL": True}, {"NULL": True}),
        ({"SS": ("b", "a")}, {"SS": ["b", "a"]}),
        ({"NS": ["1.0", "2e1"]}, {"NS": ["1", "20"]}),
        ({"BS": [bytearray(b"x"), "y"]}, {"BS": [b"x", b"y"]}),
        ({"L": []}, {"L": []}),
        ({"L": ({"N": "01"}, {"L": []})}, {"L": [{"N": "1"}, {"L": []}]}),
        ({"M": {"b": {"N": "1.0"}, "a": {"M": {}}}}, {"M": {"b": {"N": "1"}, "a": {"M": {}}}}),
    ],
)
def test_the_stored_form(value: Any, stored: Any) -> None:
    before = copy.deepcopy(value)
    assert canonical_value(value) == stored
    assert value == before
    assert canonical_item({"x": value, "y": {"S": "z"}}) == {"x": stored, "y": {"S": "z"}}


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        [("S", "x")],
        {},
        {"S": "x", "N": "1"},
        {"S": 1},
        {"S": None},
        {"S": b"x"},
        {"N": 1},
        {"N": 1.0},
        {"N": "one"},
        {"N": ""},
        {"B": 1},
        {"B": None},
        {"BOOL": 1},
        {"BOOL": "true"},
        {"NULL": False},
        {"NULL": None},
        {"SS": "abc"},
        {"SS": {"a"}},
        {"SS": [1]},
        {"NS": [1]},
        {"NS": ["x"]},
        {"BS": [1]},
        {"L": {"S": "x"}},
        {"L": ["x"]},
        {"M": [("a", {"S": "x"})]},
        {"M": {"a": "x"}},
        {"M": {1: {"S": "x"}}},
        {"X": "x"},
        {"s": "x"},
        {None: "x"},
    ],
    ids=repr,
)
def test_what_botocore_or_dynamodb_would_refuse_is_unrecognised(value: Any) -> None:
    for wrapped in (value, nested(1, value), nested(1, value, "M")):
        with pytest.raises(NotCacheable):
            canonical_value(wrapped)
        with pytest.raises(NotCacheable):
            value_signature(wrapped)


@pytest.mark.parametrize("item", [None, [], "x", {1: {"S": "x"}}, {None: {"S": "x"}}, {"a": None}], ids=repr)
def test_what_is_no_item(item: Any) -> None:
    with pytest.raises(NotCacheable):
        canonical_item(item)


@pytest.mark.parametrize("kind", ["L", "M"])
def test_nesting_as_deep_as_dynamodb_allows_and_no_end_of_it(kind: str) -> None:
    allowed = nested(32, kind=kind)
    assert canonical_value(allowed) == allowed
    value_signature(allowed)
    for deep in (nested(60, kind=kind), nested(100_000, kind=kind)):
        with pytest.raises(NotCacheable):
            canonical_value(deep)
        with pytest.raises(NotCacheable):
            value_signature(deep)
        for _ in range(100_000):  # taken apart by hand: to drop it at once could overflow the interpreter's stack
            (content,) = deep.values()
            if isinstance(content, str):
                break
            deep = content[0] if kind == "L" else content["a"]


def test_binary_that_reading_would_exhaust_is_unrecognised() -> None:
    with pytest.raises(NotCacheable):
        canonical_value({"B": io.BytesIO(b"x")})


@given(items)
def test_the_stored_form_is_its_own_and_shares_nothing(item: dict[str, Any]) -> None:
    stored = canonical_item(item)
    assert canonical_item(stored) == stored
    assert item_signature(stored) == item_signature(item)

    def containers(value: Any) -> set[int]:
        if not isinstance(value, dict | list):
            return set()
        parts = value.values() if isinstance(value, dict) else value
        return {id(value)}.union(*(containers(part) for part in parts))

    assert containers(stored).isdisjoint(containers(item))


# Stand-ins


def equal(one: Any, other: Any) -> bool:
    """Whether DynamoDB takes two canonical values for equal: sets have no order."""
    ((kind, content),), ((other_kind, other_content),) = one.items(), other.items()
    if kind != other_kind:
        return False
    if kind in ("SS", "NS", "BS"):
        return sorted(content) == sorted(other_content)
    if kind == "L":
        return len(content) == len(other_content) and all(map(equal, content, other_content))
    if kind == "M":
        return content.keys() == other_content.keys() and all(
            equal(content[name], other_content[name]) for name in content
        )
    return bool(content == other_content)


@given(attribute_values, attribute_values)
def test_signatures_are_equal_exactly_when_the_values_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    signatures = value_signature(one), value_signature(other)
    assert (signatures[0] == signatures[1]) == equal(canonical_value(one), canonical_value(other))
    hash(signatures)


@given(attribute_values, st.randoms(use_true_random=False))
def test_another_way_to_write_a_value_has_the_same_signature(value: dict[str, Any], rnd: random.Random) -> None:
    def rewrite(value: Any) -> Any:
        ((kind, content),) = value.items()
        if kind == "N":
            return {kind: rnd.choice([f"{content}e0", f"{content}e+00", content])}
        if kind in ("SS", "NS", "BS"):
            return {kind: tuple(rnd.sample(content, len(content)))}
        if kind == "B":
            return {kind: bytearray(content)}
        if kind == "L":
            return {kind: tuple(map(rewrite, content))}
        if kind == "M":
            return {kind: {name: rewrite(content[name]) for name in rnd.sample(list(content), len(content))}}
        return value

    assert value_signature(rewrite(value)) == value_signature(value)
    assert equal(canonical_value(rewrite(value)), canonical_value(value))


@pytest.mark.parametrize(
    "values",
    [
        [{"S": "1"}, {"N": "1"}, {"B": b"1"}, {"SS": ["1"]}, {"NS": ["1"]}, {"BS": [b"1"]}, {"L": [{"S": "1"}]}],
        [{"BOOL": True}, {"NULL": True}, {"BOOL": False}, {"N": "1"}, {"N": "0"}],
        [{"L": []}, {"M": {}}, {"S": ""}, {"B": b""}, {"SS": []}],
        [
            {"SS": ["a", "b"]},
            {"SS": ["ab"]},
            {"SS": ["a,b"]},
            {"L": [{"S": "a"}, {"S": "b"}]},
            {"L": [{"S": "b"}, {"S": "a"}]},
        ],
        [{"M": {"a": {"S": "b"}}}, {"M": {"a": {"S": ""}, "b": {"S": ""}}}, {"L": [{"M": {"a": {"S": "b"}}}]}],
    ],
    ids=["types", "truths", "nothings", "joins", "maps"],
)
def test_what_must_never_be_merged(values: list[Any]) -> None:
    assert len({value_signature(value) for value in values}) == len(values)


# Keys


@pytest.mark.parametrize(("one", "other"), NOTATIONS)
def test_a_key_scalar_has_one_form(one: str, other: str) -> None:
    assert key_scalar({"N": one}) == key_scalar({"N": other}) == ("N", one)
    assert key_scalar({"B": bytearray(b"1")}) == key_scalar({"B": "1"}) == ("B", b"1")
    assert key_scalar({"S": one}) != key_scalar({"S": other})
    assert key_scalar({"S": one}) == ("S", one)


@pytest.mark.parametrize(
    "value",
    [{"BOOL": True}, {"NULL": True}, {"SS": ["a"]}, {"L": []}, {"M": {}}, {"S": 1}, {"N": 1}, {}, "a", None],
    ids=repr,
)
def test_what_cannot_stand_in_a_key(value: Any) -> None:
    with pytest.raises(NotCacheable):
        key_scalar(value)


def test_the_parts_of_a_value() -> None:
    assert type_and_content({"anything": 1}) == ("anything", 1)
    assert plain_text("") == ""
    with pytest.raises(NotCacheable):
        plain_text(1)


def test_what_botocore_would_send_of_a_subclass_is_what_counts() -> None:
    class Sent(dict[str, Any]):
        def items(self) -> Any:
            return {"S": "sent"}.items()

    class Bytes(bytes):
        pass

    inner = {"M": {"v": Sent(S="raw")}}
    assert canonical_item({"v": Sent(S="raw"), "m": inner}) == {"v": {"S": "sent"}, "m": {"M": {"v": {"S": "sent"}}}}
    (stored,) = canonical_item({"b": {"B": Bytes(b"x")}})["b"].values()
    assert (type(stored), stored) == (bytes, b"x")
