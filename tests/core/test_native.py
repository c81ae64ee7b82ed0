"""Native values are boto3's own, to the last type."""

from collections import OrderedDict
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer
from hypothesis import given

from daxlite.core.native import native_item, typed_item
from daxlite.core.not_cacheable import NotCacheable
from tests.strategies import items


def as_boto3_does(item: dict[str, Any]) -> dict[str, Any]:
    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in item.items()}


def types_in(value: Any) -> Any:
    """The value with each part's type beside it: 1 and True and Decimal(1) are equal."""
    if isinstance(value, dict):
        return {name: types_in(part) for name, part in value.items()}
    if isinstance(value, list):
        return [types_in(part) for part in value]
    if isinstance(value, set):
        return set, {(type(part), part) for part in value}
    return type(value), value


@given(items)
def test_an_item_is_what_boto3_makes_of_it(item: dict[str, Any]) -> None:
    assert types_in(native_item(item)) == types_in(as_boto3_does(item))


@given(items)
def test_a_native_item_that_was_typed_becomes_the_same_native_item(item: dict[str, Any]) -> None:
    assert native_item(typed_item(native_item(item))) == native_item(item)


@pytest.mark.parametrize("value", [{}, {"X": "what AWS adds next"}, {"SDK_UNKNOWN_MEMBER": {"name": "X"}}])
def test_what_boto3_does_not_know_is_its_error(value: Any) -> None:
    for inside in (value, {"L": [value]}, {"M": {"a": value}}):
        with pytest.raises(TypeError) as theirs:
            as_boto3_does({"a": inside})
        with pytest.raises(TypeError) as ours:
            native_item({"a": inside})
        assert str(ours.value) == str(theirs.value)


def test_a_program_that_prefers_other_types_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TypeDeserializer, "_deserialize_n", lambda self, value: float(value))
    monkeypatch.setattr(TypeDeserializer, "_deserialize_b", lambda self, value: bytes(value))
    item = {
        "n": {"N": "1.5"},
        "ns": {"NS": ["2"]},
        "b": {"B": b"x"},
        "l": {"L": [{"N": "3"}, {"M": {"m": {"N": "4"}}}]},
    }
    assert types_in(native_item(item)) == types_in({"n": 1.5, "ns": {2.0}, "b": b"x", "l": [3.0, {"m": 4.0}]})


@pytest.mark.parametrize(
    ("method", "replacement"),
    [
        ("deserialize", lambda self, value: ("any", value)),
        ("_deserialize_s", lambda self, value: ("text", value)),
        ("_deserialize_m", lambda self, value: OrderedDict((k, self.deserialize(v)) for k, v in value.items())),
        ("_deserialize_l", lambda self, value: tuple(map(self.deserialize, value))),
    ],
)
def test_a_deserializer_with_other_containers_is_used(
    monkeypatch: pytest.MonkeyPatch, method: str, replacement: Any
) -> None:
    item = {"s": {"S": "x"}, "l": {"L": [{"S": "y"}]}, "m": {"M": {"a": {"S": "z"}, "l": {"L": []}}}}
    assert repr(native_item(item)) == repr({"s": "x", "l": ["y"], "m": {"a": "z", "l": []}})
    monkeypatch.setattr(TypeDeserializer, method, replacement)
    assert repr(native_item(item)) == repr(as_boto3_does(item))


def test_values_of_a_request_become_typed() -> None:
    native = {"s": "x", "n": Decimal("1.50"), "i": 2, "b": Binary(b"y"), "l": ["z", None, True], "ss": {"w"}}
    assert typed_item(native) == {
        "s": {"S": "x"},
        "n": {"N": "1.5"},
        "i": {"N": "2"},
        "b": {"B": b"y"},
        "l": {"L": [{"S": "z"}, {"NULL": True}, {"BOOL": True}]},
        "ss": {"SS": ["w"]},
    }


@pytest.mark.parametrize("value", [1.5, object(), {1: "x"}, Decimal("NaN")])
def test_what_boto3_would_not_send_is_not_recognised(value: Any) -> None:
    with pytest.raises(NotCacheable):
        typed_item({"a": value})
