"""Which settings there are, and what each may be: as the classes that hold and check them say."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeAlias, get_args

Kinds: TypeAlias = frozenset[Any]
"""The types in a setting's annotation."""
Label: TypeAlias = Callable[[str], str]
"""How a message names the setting at a path such as "tables.Orders.item_ttl": with its file, or as a variable. The
empty path stands for all settings."""


def kinds_of(cls: type[Any]) -> dict[str, Kinds]:
    """The settings of a class, by name, with what they may be.

    >>> import daxlite
    >>> kinds_of(daxlite.CacheConfig)["item_ttl"] == {float, type(None)}
    True
    """
    return {each.name: frozenset(get_args(each.type) or (each.type,)) for each in fields(cls)}
