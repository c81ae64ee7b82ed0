"""The keys of a table as a mapping says them."""

from collections.abc import Mapping
from typing import Any, Final

from ...core.checks import shown
from ...core.schema import KeySchema, TableSchema
from .fields import Label
from .making import check_names, join, made

_INDEXES: Final = ("global_indexes", "local_indexes")
_KEY_RULE: Final = 'it must be a name, such as "pk", or two, such as ["pk", "sk"], or {hash = [...], range = [...]}'


def schema_of(given: Any, path: str, label: Label) -> TableSchema:
    """A table's keys: those of the table alone, or a mapping that has those of its indexes, too. Raises TypeError or
    ValueError.

    >>> schema_of(["pk", "sk"], "schema", str)
    TableSchema(pk, sk)
    >>> schema_of({"key": "pk", "global_indexes": {"by_day": ["day", "total"]}}, "schema", str)
    TableSchema(pk; by_day: day, total)
    """
    if not isinstance(given, Mapping):
        return TableSchema(_key(given, path, label))
    check_names(given, ("key", *_INDEXES), path, label)
    if "key" not in given:
        raise ValueError(f"{label(join(path, 'key'))} is missing; {_KEY_RULE}")
    values: dict[str, Any] = {"key": _key(given["key"], join(path, "key"), label)}
    for kind in _INDEXES:
        if kind in given:
            values[kind] = _indexes(given[kind], join(path, kind), label)
    return made(TableSchema, values, path, label)


def _indexes(given: Any, path: str, label: Label) -> Any:
    if not isinstance(given, Mapping):
        return given  # for the TableSchema to refuse
    return {name: _key(key, join(path, name), label) if isinstance(name, str) else key for name, key in given.items()}


def _key(given: Any, path: str, label: Label) -> KeySchema:
    match given:
        case KeySchema():
            return given
        case str(name):
            values: dict[str, Any] = {"hash": (name,)}
        case [one]:
            values = {"hash": (one,)}
        case [one, other]:
            values = {"hash": (one,), "range": (other,)}
        case Mapping():
            check_names(given, ("hash", "range"), path, label)
            values = {"hash": (), **{name: _names(part) for name, part in given.items()}}
        case _:
            raise TypeError(f"{label(path)} is {shown(given)}; {_KEY_RULE}")
    return made(KeySchema, values, path, label)


def _names(part: Any) -> Any:
    """The attributes of a part of a key."""
    return (part,) if isinstance(part, str) else tuple(part) if isinstance(part, list) else part
