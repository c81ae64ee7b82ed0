"""A mapping of settings, such as a file's or a model's, to the settings of a cache and of its shared tier."""

from collections.abc import Mapping
from typing import Any, TypeVar

from ...config import CacheConfig, TableConfig
from ...core.checks import shown
from ..shared import Shared
from .fields import Label, kinds_of
from .making import check_names, join, made
from .schemas import schema_of
from .values import from_code, is_none, server_of

T = TypeVar("T")


def as_written(path: str) -> str:
    """Names a setting by its path alone."""
    return path


def read(mapping: object, label: Label = as_written) -> tuple[CacheConfig, Shared | None]:
    """The settings of a cache, and of its tier; None for a cache of this process alone.

    Raises TypeError or ValueError for a wrong one, ModuleNotFoundError for a tier without redis.

    >>> config, shared = read({"item_ttl": 60, "tables": {"Orders-*": {"query_ttl": "none"}}})
    >>> config.item_ttl, config.for_table("Orders-eu").query_ttl, shared
    (60, inf, None)
    """
    if not isinstance(mapping, Mapping):
        raise TypeError(f"mapping is {shown(mapping)}; it must be a mapping of settings, such as model_dump() returns")
    check_names(mapping, [*kinds_of(CacheConfig), "shared"], "", label)
    shared = None if is_none(mapping.get("shared")) else mapping["shared"]
    values = {name: value for name, value in mapping.items() if name != "shared"}
    if "tables" in values:
        values["tables"] = tables_of(values["tables"], label)
    config = _read(CacheConfig, values, "", label)
    return config, None if shared is None else _shared(shared, label)


def tables_of(tables: object, label: Label = as_written) -> Any:
    """The settings of tables, by name. What is no such mapping stays as it is, for a CacheConfig to refuse."""
    if not isinstance(tables, Mapping):
        return tables
    return {
        name: _table(table, join("tables", name), label) if isinstance(name, str) else table
        for name, table in tables.items()
    }


def _table(table: object, path: str, label: Label) -> TableConfig:
    if isinstance(table, TableConfig):
        return table
    if not isinstance(table, Mapping):
        raise TypeError(f"{label(path)} is {shown(table)}; it must be a mapping of settings, or a daxlite.TableConfig")
    values = dict(table)
    if isinstance(values.get("schema"), Mapping | list | tuple | str):
        values["schema"] = schema_of(values["schema"], join(path, "schema"), label)
    return _read(TableConfig, values, path, label)


def _shared(shared: object, label: Label) -> Shared:
    if isinstance(shared, Shared):
        return shared
    values = dict(shared) if isinstance(shared, Mapping) else {"server": shared}
    if values.get("server") is None:
        at = label("shared.server")
        raise ValueError(f'{at} is missing; it must be a URL such as "redis://localhost:6379/0", or a client')
    values["server"] = server_of(values["server"])
    return _read(Shared, values, "shared", label)


def _read(cls: type[T], values: Mapping[Any, Any], path: str, label: Label) -> T:
    """The settings of one class."""
    kinds = kinds_of(cls)
    check_names(values, kinds, path, label)

    def make(**values: Any) -> T:
        return cls(**{name: from_code(value, kinds[name]) for name, value in values.items()})

    return made(make, values, path, label)
