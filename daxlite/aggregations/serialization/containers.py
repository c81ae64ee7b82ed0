"""The containers of `collections`: which of them are no more than what is in them, and their factories by number."""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from ..errors import type_name

DICTS: Final = frozenset((dict, Counter, OrderedDict, defaultdict))
FACTORIES: Final[dict[int, Callable[[], Any] | None]] = dict(
    enumerate((None, int, float, str, bytes, bool, list, dict, set, tuple, frozenset, Decimal, Counter))
)
"""What a defaultdict may make its values of. The numbers are stored: another one may only be added at the end."""

_ALLOWED: Final = "None, int, float, str, bytes, bool, list, dict, set, tuple, frozenset, Decimal or Counter"


def has_attributes(value: Any) -> bool:
    """Whether a container carries attributes, which are not a part of what is in it."""
    return bool(getattr(value, "__dict__", None))


def factory_number(value: dict[Any, Any]) -> int:
    """The number of the factory; 0 for a Counter and an OrderedDict, which have none.

    Raises TypeError, with words for a message, for another factory, which data could only name, and for a container
    that carries attributes.

    >>> factory_number(defaultdict(list)), factory_number(Counter())
    (6, 0)
    """
    if has_attributes(value):
        raise TypeError(f"a {type_name(type(value))} that carries attributes")
    wanted = value.default_factory if isinstance(value, defaultdict) else None
    for number, factory in FACTORIES.items():
        if factory is wanted:  # not by `==`, which may be the application's
            return number
    raise TypeError(f"a defaultdict whose default_factory is not {_ALLOWED}")
