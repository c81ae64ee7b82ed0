"""A fingerprint depends on the annotation, and on nothing else."""

import dataclasses
import enum
import os
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pytest

from daxlite.aggregations.serialization.fingerprint import fingerprint


def record(**fields: Any) -> Any:
    return dataclasses.make_dataclass("Line", fields.items(), namespace={"__module__": "shop"})


def struct(*fields: Any, **settings: Any) -> Any:
    return msgspec.defstruct("Line", fields, module="shop", **settings)


class Tree(msgspec.Struct):
    children: "list[Tree]"


class Hashed(TypedDict):
    b: Literal["x", "y"] | None
    a: dict[str, frozenset[int]]


TYPES = [
    *(int, float, str, bytes, bytearray, bool, None, Decimal, date, datetime),
    *(list[int], list[str], set[int], frozenset[int], tuple[int, ...], tuple[int], tuple[int, int], list[Any]),
    *(dict[str, int], dict[int, str], int | str, int | None, Literal[1], Literal[2], Literal["1"]),
    *(record(a=int), record(b=int), record(a=str), record(a=int, b=int), record(b=int, a=int), record(a=list[int])),
    *(struct(("a", int)), struct(("a", int), tag=True), struct(("a", int), array_like=True)),
    struct(("a", int), rename="upper"),
    *(struct(("a", int, default), omit_defaults=True) for default in (0, 1, True, None)),
    *(struct(("a", tuple[date, ...], default), omit_defaults=True) for default in ((), (date(2024, 1, 1),))),
    *(enum.Enum("Line", names, module="shop") for names in ("a b", "b a", "a b c")),
    NamedTuple("Line", [("a", int)]),
    NamedTuple("Line", [("a", str)]),
    *(Tree, Hashed, list[Tree]),
]


def test_different_annotations_have_different_fingerprints() -> None:
    assert len({fingerprint(kind) for kind in TYPES}) == len(TYPES)
    assert {len(fingerprint(kind)) for kind in TYPES} == {8}


def test_a_class_that_is_defined_again_has_the_same_fingerprint() -> None:
    assert fingerprint(record(a=int)) == fingerprint(record(a=int))
    assert fingerprint(struct(("a", int, 0))) == fingerprint(struct(("a", int, 0)))
    assert fingerprint(Annotated[int, "note"]) == fingerprint(int)
    factories = [struct(("a", list[int], msgspec.field(default_factory=lambda: [1]))) for _ in range(2)]
    assert fingerprint(factories[0]) == fingerprint(factories[1])


@pytest.mark.parametrize("unsupported", [open, "Line", 3, list[int] | set[int]], ids=repr)
def test_unsupported_annotations_raise(unsupported: Any) -> None:
    with pytest.raises(Exception):  # noqa: B017 - the codec handles any Exception
        fingerprint(unsupported)


def test_fingerprints_are_the_same_in_each_process() -> None:
    program = "from tests.aggregations.test_fingerprint import *; print([fingerprint(kind).hex() for kind in TYPES])"
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", program]
    other = subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout
    assert other.strip() == str([fingerprint(kind).hex() for kind in TYPES])
