"""Responses in a form in which two of them are equal exactly when a caller could not tell them apart.

What is left out: the metadata of the HTTP exchange (but for its status and the types of its fields), the names of
the tables (each run has its own), moments and random identifiers. What has no order in DynamoDB has none here: sets,
and the items of a BatchGetItem.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary
from botocore.exceptions import ClientError

HIT = "Hit from daxlite"

_RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SETS = ({"SS"}, {"NS"}, {"BS"})


@dataclass(frozen=True)
class Typed:
    """A value whose type matters: to Python ``Decimal(1) == 1 == True``, and a `Binary` equals its bytes."""

    type: str
    value: Any


@dataclass(frozen=True)
class Raised:
    """An exception, as a caller sees it."""

    type: str
    message: str
    response: Any


def canonical(value: Any, names: Mapping[str, str]) -> Any:
    """`value` in canonical form; `names` maps the name of each table to what stands for it."""
    if isinstance(value, str):
        return _RANDOM.sub("<random>", _renamed(value, names))
    if isinstance(value, Mapping):
        if value.keys() in _SETS:
            return {kind: _unordered(canonical(members, names)) for kind, members in value.items()}
        return {canonical(key, names): _member(key, member, names) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(member, names) for member in value]
    if isinstance(value, set | frozenset):
        return Typed(type(value).__name__, _unordered([canonical(member, names) for member in value]))
    if isinstance(value, Binary):
        return Typed("Binary", value.value)  # type: ignore[attr-defined]  # the stubs do not know it
    if isinstance(value, datetime.datetime):
        return Typed("datetime", None)
    if isinstance(value, Decimal):
        return Typed("Decimal", str(value))
    if isinstance(value, ClientError):
        return Raised(_type_name(value), canonical(str(value), names), canonical(value.response, names))
    if isinstance(value, BaseException):
        return Raised(_type_name(value), canonical(str(value), names), None)
    return Typed(type(value).__name__, value)


def loosened(value: Any) -> Any:
    """A canonical form without the amounts of consumed capacity: a hit consumes none."""
    if isinstance(value, dict):
        return {
            key: _without_amounts(member) if key == "ConsumedCapacity" else loosened(member)
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [loosened(member) for member in value]
    return value


def capacities(value: Any) -> Iterator[Any]:
    """Every amount of consumed capacity in a canonical form."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _amounts(member) if key == "ConsumedCapacity" else capacities(member)
    elif isinstance(value, list):
        for member in value:
            yield from capacities(member)


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """Where two canonical forms differ, in words."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in expected.keys() | actual.keys():
            if key not in actual:
                yield f"{path}.{key} is missing, and should be {expected[key]!r}"
            elif key not in expected:
                yield f"{path}.{key} should be missing, and is {actual[key]!r}"
            else:
                yield from differences(expected[key], actual[key], f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for number, (wanted, got) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(wanted, got, f"{path}[{number}]")
    elif isinstance(expected, Raised) and isinstance(actual, Raised):
        for name in ("type", "message", "response"):
            yield from differences(getattr(expected, name), getattr(actual, name), f"{path}.{name}")
    elif expected != actual:
        yield f"{path or 'the answer'} should be {expected!r}, and is {actual!r}"


def metadata(value: Any) -> Iterator[Mapping[str, Any]]:
    """The metadata of every response in `value`, which is a response or a list of them."""
    if isinstance(value, Mapping):
        if "ResponseMetadata" in value:
            yield value["ResponseMetadata"]
    elif isinstance(value, list | tuple):
        for member in value:
            yield from metadata(member)


def is_hit(value: Any) -> bool:
    """Whether the cache answered: all of it."""
    sources = [each.get("HTTPHeaders", {}).get("x-cache") for each in metadata(value)]
    return bool(sources) and all(source == HIT for source in sources)


def _member(key: Any, member: Any, names: Mapping[str, str]) -> Any:
    if key == "ResponseMetadata":
        status = member.get("HTTPStatusCode")
        types = {field: type(content).__name__ for field, content in member.items() if field != "MaxAttemptsReached"}
        return {"HTTPStatusCode": Typed(type(status).__name__, status), "types": types}
    if key == "TableId":
        return "<random>"
    if key == "Responses" and isinstance(member, Mapping):
        return {canonical(table, names): _unordered(canonical(items, names)) for table, items in member.items()}
    return canonical(member, names)


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for name, stand_in in names.items():
        text = text.replace(name, stand_in)
    return text


def _unordered(members: list[Any]) -> list[Any]:
    return sorted(members, key=_sortable)


def _sortable(value: Any) -> str:
    if isinstance(value, dict):
        return repr(sorted((repr(key), _sortable(member)) for key, member in value.items()))
    if isinstance(value, list):
        return repr([_sortable(member) for member in value])
    return repr(value)


def _type_name(value: BaseException) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _without_amounts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_amounts(member) for key, member in value.items()}
    if isinstance(value, list):
        return sorted((_without_amounts(member) for member in value), key=_sortable)
    # 1 and 1.0 are one amount: the type is an accident of how a server writes it.
    return "an amount" if isinstance(value, Typed) else value


def _amounts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for member in value.values():
            yield from _amounts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _amounts(member)
    elif isinstance(value, Typed):
        yield value.value
