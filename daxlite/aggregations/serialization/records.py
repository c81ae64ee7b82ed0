"""Records and NamedTuples: values that are what their fields say and nothing else.

A record is an instance of a dataclass, a msgspec Struct or an attrs class.
"""

import dataclasses
from collections import deque
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

import msgspec

_BUILTINS: Final = (
    *(str, int, float, complex, Decimal, bytes, bytearray, date, time, timedelta),
    *(tuple, list, dict, set, frozenset, deque),
)
_BOOKKEEPING: Final = frozenset(("__dict__", "__weakref__"))


def fields_of(value: Any) -> dict[str, Any] | None:
    """The fields of a record in their order. None for a value that is not a record, or is more than its fields: an
    instance that carries attributes beside them, or that is a list or a number as well.

    The value that a `cached_property` keeps does not count: it follows from the fields.

    >>> @dataclasses.dataclass
    ... class Order:
    ...     id: str
    >>> fields_of(Order("o#1")), fields_of("o#1")
    ({'id': 'o#1'}, None)
    """
    names = field_names(type(value))
    if names is None or isinstance(value, _BUILTINS) or has_other_attributes(value, names):
        return None
    try:
        return {name: getattr(value, name) for name in names}
    except AttributeError:  # a field that was never set, or was deleted
        return None


def field_names(kind: type) -> tuple[str, ...] | None:
    """The names of the fields of a class of records; None for another class."""
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    attributes = getattr(kind, "__attrs_attrs__", None)
    return None if attributes is None else tuple(attribute.name for attribute in attributes)


def is_named_tuple(value: Any) -> bool:
    """Whether a value is a NamedTuple, and no more than that.

    >>> from typing import NamedTuple
    >>> class Total(NamedTuple):
    ...     orders: int
    >>> is_named_tuple(Total(3)), is_named_tuple((3,))
    (True, False)
    """
    return isinstance(value, tuple) and hasattr(type(value), "_fields") and not has_other_attributes(value, ())


def has_other_attributes(value: Any, names: tuple[str, ...]) -> bool:
    """Whether an instance carries attributes beside these, or its class has slots for some."""
    kind = type(value)
    own = set(getattr(value, "__dict__", ()))
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        own.update((slots,) if isinstance(slots, str) else slots)
    return any(
        not isinstance(getattr(kind, name, None), cached_property) for name in own.difference(names, _BOOKKEEPING)
    )
