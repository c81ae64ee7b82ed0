"""The arguments of a call as a key: the same arguments make the same key, however the call is written."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..errors import Unkeyable, type_name
from ..serialization.canonical import canonical, canonical_list
from .callables import signature

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Arguments:
    """The parameters of one function itself, also where it wraps another one. Raises TypeError if it has no signature.

    >>> def orders(region, day="today", *, limit=10): ...
    >>> arguments = Arguments(orders)
    >>> arguments.key(("eu",), {}) == arguments.key((), {"limit": 10, "region": "eu", "day": "today"})
    True
    """

    __slots__ = ("_by_keyword", "_complete", "_defaults", "_head", "_name", "_names", "_positional", "_signature")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._name = getattr(function, "__qualname__", type(function).__qualname__)
        try:
            self._signature = signature(function)
        except ValueError:
            raise TypeError(
                f"{self._name} has no signature, so its arguments cannot be told apart; wrap it in a def"
            ) from None
        parameters = self._signature.parameters.values()
        self._names = tuple(self._signature.parameters)
        self._positional = sum(parameter.kind in _POSITIONAL for parameter in parameters)
        positional_only = sum(parameter.kind is inspect.Parameter.POSITIONAL_ONLY for parameter in parameters)
        # The parameters that `_in_order` finds by their names; a function with *args or **kwargs is left to `_bind`.
        self._by_keyword: frozenset[str] = frozenset()
        if not any(parameter.kind in _VARIADIC for parameter in parameters):
            self._by_keyword = frozenset(self._names[positional_only:])
        self._defaults = {
            parameter.name: parameter.default for parameter in parameters if parameter.default is not parameter.empty
        }
        # The number of positional arguments that leaves nothing to add; -1 if no number does.
        self._complete = self._positional if self._positional == len(self._names) else -1
        # The names are part of the key: parameters that change places between two releases do not change meanings.
        self._head = canonical_list(self._names)

    def key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """The canonical encoding of the arguments, with the defaults of those that are not given.

        Raises TypeError for arguments that the function does not take, and Unkeyable, which names the parameter, for
        an argument that cannot be part of a key.

        >>> Arguments(lambda order: None).key((print,), {})
        Traceback (most recent call last):
        ...
        daxlite.aggregations.errors.Unkeyable: argument 'order': a value of type builtin_function_or_method cannot ...
        """
        values = args if len(args) == self._complete and not kwargs else self._in_order(args, kwargs)
        try:
            return self._head + canonical_list(values)
        except Unkeyable as error:
            raise self._named(error, values) from None

    @property
    def takes_class(self) -> bool:
        """Whether the first parameter is called `cls`, as that of a classmethod."""
        return self._names[:1] == ("cls",)

    def _named(self, error: Unkeyable, values: Sequence[Any]) -> Unkeyable:
        """The error, with the name of the first parameter that causes it."""
        for name, value in zip(self._names, values, strict=True):
            try:
                canonical([value])
            except Unkeyable as cause:
                if name == self._names[0] and name in ("self", "cls"):
                    shown = ", ".join((name, *self._names[1:2]))
                    return Unkeyable(
                        f"argument {name!r}: a value of type {type_name(type(value))} cannot be part of a key; "
                        f"give the method one, such as key=lambda {shown}: ({name}.id, ...)"
                    )
                return Unkeyable(f"argument {name!r}: {cause}")
        return error

    def _in_order(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """One value for each parameter, in the order of the signature."""
        if not self._by_keyword or len(args) > self._positional:
            return self._bind(args, kwargs)
        values = list(args)
        left = len(kwargs)
        for name in self._names[len(args) :]:
            if name in kwargs and name in self._by_keyword:
                values.append(kwargs[name])
                left -= 1
            elif name in self._defaults:
                values.append(self._defaults[name])
            else:
                return self._bind(args, kwargs)
        return self._bind(args, kwargs) if left else values

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """The same by `inspect`: slower, and right for every call."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self._name}(): {error}") from None
        bound.apply_defaults()
        for name in self._names:
            if name not in bound.arguments:  # Python 3.13.0 binds f(a=1) to f(a, /, **others)
                raise TypeError(f"{self._name}(): missing a required positional-only argument: {name!r}")
        return [bound.arguments[name] for name in self._names]
