"""What a callable is made of: a function with parameters of its own, and what is bound to it.

    partial(shop.revenue, "monday", limit=5)   is   revenue, bound to (shop, "monday") and limit=5

What is bound decides the result as much as the arguments of a call do, so it is part of the key. An object that cannot
be part of one, such as a service, is taken to be the only one of its name: for a second one there is an error.
"""

import datetime
import decimal
import functools
import inspect
import sys
import types
import uuid
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final

from msgspec import Struct

from ...core.hidden import Hidden
from ..errors import Unkeyable, type_name
from ..serialization.canonical import canonical
from ..serialization.modules import module_of
from .method import CachedMethod

_AS_WRITTEN: Final = inspect.signature(lambda *args, **kwargs: None)
_FIXED: Final = frozenset(
    (
        *(str, bytes, bool, int, float, decimal.Decimal, uuid.UUID),
        *(datetime.date, datetime.time, datetime.datetime, datetime.timedelta),
    )
)
"""Types of variables around a function that are part of its key: they cannot change in themselves."""


class Unbound(Hidden, Struct, frozen=True):
    """A function, and the arguments that come before and beside those of a call."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}

    @property
    def bound(self) -> tuple[Any, ...]:
        """All that is bound."""
        return (*self.args, *self.kwargs.values())


def unbind(function: Any) -> Unbound:
    """What a callable calls, and with what. Raises TypeError for a method of a builtin object."""
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    while True:
        kind = type(function)
        if isinstance(function, functools.partial):
            args, kwargs = (*function.args, *args), {**function.keywords, **kwargs}
            function = function.func
        elif isinstance(function, CachedMethod):
            args, function = (function.__self__, *args), function.function
        elif kind is types.MethodType:
            args, function = (function.__self__, *args), function.__func__
        elif kind in (types.BuiltinFunctionType, types.MethodWrapperType):
            if not isinstance(function.__self__, types.ModuleType | types.NoneType):
                raise TypeError(f"{function.__qualname__} is bound to an object of Python's own; wrap it in a def")
            return Unbound(function, args, kwargs)
        elif isinstance(function, type) or hasattr(function, "__wrapped__"):
            return Unbound(function, args, kwargs)
        elif type(call := getattr(kind, "__call__", None)) is types.FunctionType:  # noqa: B004 - an object's method
            return Unbound(call, (function, *args), kwargs)
        else:
            return Unbound(function, args, kwargs)


def signature(function: Callable[..., Any]) -> inspect.Signature:
    """The parameters that a function takes itself, whatever it says of itself or of another one that it wraps.

    A decorator may pass on other arguments than it is given, or have defaults of its own. One that takes `*args,
    **kwargs` does with them what it likes. Raises ValueError if there is none.

    >>> @functools.wraps(sorted)
    ... def first(values, default=0): ...
    >>> signature(first)
    <Signature (values, default=0)>
    """
    if type(function) is types.FunctionType:
        plain = types.FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )
        plain.__kwdefaults__ = function.__kwdefaults__
        return inspect.signature(plain)
    if hasattr(function, "__wrapped__"):
        return _AS_WRITTEN
    return inspect.signature(function, follow_wrapped=False)


def surroundings(function: Callable[..., Any]) -> dict[str, Any]:
    """The plain variables of the scopes around a function, and around those that it wraps, as they are now.

    >>> def rate_of(currency):
    ...     return lambda: currency
    >>> surroundings(rate_of("NOK"))
    {'0.currency': 'NOK'}
    """
    found: dict[str, Any] = {}
    for depth, each in enumerate(_layers(function)):
        if type(each) is types.FunctionType:
            for name, cell in zip(each.__code__.co_freevars, each.__closure__ or (), strict=True):
                try:
                    value = cell.cell_contents
                except ValueError:  # not yet assigned
                    continue
                if type(value) in _FIXED or isinstance(value, Enum):
                    found[f"{depth}.{name}"] = value
    return found


def bound_below(function: Callable[..., Any]) -> tuple[Any, ...]:
    """What is bound in the layers of a decorated callable: the object of a method under a decorator, say, or a
    decorator that is an object."""
    first, *layers = _layers(function)
    below = tuple(value for each in layers for value in unbind(each).bound)
    return (first, *below) if layers and _has_state(first) else below


def _has_state(function: Callable[..., Any]) -> bool:
    """Whether this is an object of a class with a `__call__` of its own. A wrapper of wrapt passes for its function."""
    kind = type(function)
    return (
        function.__class__ is kind
        and type(getattr(kind, "__call__", None)) is types.FunctionType  # noqa: B004 - the method itself is wanted
        and not getattr(kind, "is_known_by_name", False)
    )


def in_key(value: Any) -> Any:
    """What stands in a key for something that is bound: itself; of a class, and of an object that cannot be part of a
    key, the name of the class."""
    if isinstance(value, type):
        return class_name(value)
    return class_name(type(value)) if is_opaque(value) else value


def is_opaque(value: Any) -> bool:
    """Whether keys do not tell this value from others of its class."""
    if isinstance(value, type):
        return not _is_found(value)
    try:
        canonical(value)
    except Unkeyable:
        return True
    return False


def class_name(kind: type) -> tuple[str, str]:
    """What a class is in a key."""
    return module_of(kind), kind.__qualname__


def check_class(kind: type) -> None:
    """Raise Unkeyable for a class that cannot be found by its name, which another class may have, too."""
    if not _is_found(kind):
        raise Unkeyable(f"the class {type_name(kind)} cannot be found by its name, so it cannot be part of a key")


def _is_found(kind: type) -> bool:
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is kind


def _layers(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """A function and those that it wraps, from outside in."""
    seen: set[int] = set()
    each: Any = function
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = getattr(each, "__wrapped__", None)
