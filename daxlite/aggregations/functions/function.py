"""A function whose results are cached: its name, its key for each call, and the request for a result."""

import inspect
import sys
import typing
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

import msgspec

from ...core.checks import check_function, is_text, kind_of, shown
from ...shared.tags import EVERYTHING, function_tag, result_tag
from ..dependencies import DeclaredTags, Dependency, tags_of
from ..engine.request import ComputeRequest
from ..options import AggregationOptions
from ..serialization.canonical import digest
from ..serialization.codec import Codec
from ..serialization.modules import module_of
from ..stats import FunctionCounters
from .arguments import Arguments
from .callables import bound_below, check_class, class_name, in_key, is_opaque, surroundings, unbind

DependsOn: TypeAlias = Iterable[Dependency | str] | Callable[..., Iterable[Dependency | str]]
"""What results depend on in addition to what is captured, or a function that returns it for the arguments of a call."""


_TYPING: Final = ("types", "typing", "typing_extensions")
"""The modules of the classes of type hints that are no classes."""


class Function:
    """One cached function: from the arguments of a call to the request for its result."""

    def __init__(
        self,
        namespace: str,
        function: Callable[..., Any],
        counters: FunctionCounters,
        options: AggregationOptions,
        *,
        name: str,
        version: str | int | None,
        key: Callable[..., Any] | None,
        returns: Any,
        tags: tuple[bytes, ...],
        depends_on: DependsOn,
    ) -> None:
        if version is not None and not is_text(version) and (not isinstance(version, int) or isinstance(version, bool)):
            raise TypeError(f"version is {shown(version)}; it must be a string of Unicode, an int or None")
        self.function = function
        self.name = name
        self._counters = counters
        self._options = options
        if returns is not msgspec.UNSET:
            check_type(returns)
        self._codec = Codec(return_type(function) if returns is msgspec.UNSET else returns)
        unbound = unbind(function)
        self._arguments = Arguments(unbound.function)
        self._key = key
        around = surroundings(unbound.function)
        self._identity = digest("function", namespace, name, version, *((around,) if around else ()))
        self._is_in_class = _scope_of(unbound.function).rpartition(".")[2] not in ("", "<locals>")
        self._bound = unbound if unbound.bound else None
        self._below = bound_below(unbound.function)
        if callable(depends_on) and not isinstance(depends_on, type):
            check_function("depends_on", depends_on, "that returns a list, or a list")
        self._depends_on = depends_on if callable(depends_on) else None
        self._declared = DeclaredTags(() if callable(depends_on) else depends_on)
        self.tag = function_tag(self._identity)
        self._tags = (EVERYTHING, self.tag, *tags)

    def request(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ComputeRequest:
        """The request for the result for these arguments.

        Raises TypeError for arguments that the function does not take, Unkeyable for one that cannot be part of a key.
        """
        key = self.key(args, kwargs)
        more = self._declared.tags() if self._depends_on is None else tags_of(self._depends_on(*args, **kwargs))
        function = self.function
        return ComputeRequest(
            key=key,
            name=self.name,
            options=self._options,
            codec=self._codec,
            counters=self._counters,
            tags=tuple(dict.fromkeys((*self._tags, result_tag(key), *more))),
            compute=(lambda: function(*args, **kwargs)) if args or kwargs else function,
            is_unchanged=lambda: self.key(args, kwargs) == key,
        )

    def key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """The key of the result for these arguments: 20 bytes."""
        if self._key is not None:
            return digest(self._identity, "by", self._key(*args, **kwargs))
        if self._bound is not None:
            args = (*map(in_key, self._bound.args), *args)
            kwargs = {**{name: in_key(value) for name, value in self._bound.kwargs.items()}, **kwargs}
        elif self._is_in_class:
            args = self._with_class_by_name(args)
        if self._below:
            return digest(self._identity, self._arguments.key(args, kwargs), [*map(in_key, self._below)])
        return digest(self._identity, self._arguments.key(args, kwargs))

    def _with_class_by_name(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, with the class of a classmethod as what it is in a key."""
        if args and isinstance(args[0], type):
            check_class(args[0])
            return (class_name(args[0]), *args[1:])
        if self._arguments.takes_class:
            # Else `Shop.total.invalidate("monday")` would take the day for the class, and invalidate nothing.
            raise TypeError(
                f"{self.name}() needs the class as its first argument; so do refresh, peek and invalidate of a "
                "classmethod: Shop.total.invalidate(Shop, day)"
            )
        return args


def check_type(returns: Any) -> None:
    """Raises TypeError for what is neither a class nor another type hint."""
    if returns is not None and not isinstance(returns, type) and type(returns).__module__ not in _TYPING:
        raise TypeError(f"returns is {shown(returns)}; it must be a type")


def name_of(function: Callable[..., Any]) -> str:
    """The name that a function has for daxlite unless it is given one: its module and its qualified name."""
    name = getattr(function, "__qualname__", None)
    if name is None or inspect.ismethod(function):  # the object of a bound method is in neither the name nor the key
        raise TypeError(f"{kind_of(function)} has no name of its own: give it one with name=")
    return f"{module_of(function)}.{name}"


def may_differ(known: Callable[..., Any], function: Callable[..., Any], *, has_key: bool = False) -> bool:
    """Whether two functions of one name may return different results for the same arguments.

    A function that is defined again, as in a notebook or by a reload, replaces the one before it: this is no conflict.
    has_key: whether the application says what the key is, so that nothing that is bound is part of it.
    """
    if _opaque(known, has_key) != _opaque(function, has_key):
        return not _is_being_redefined(known)
    known, function = unbind(known).function, unbind(function).function
    if known is function:
        return False
    code = getattr(function, "__code__", None)
    if code is None or code != getattr(known, "__code__", None):
        return not _is_being_redefined(known)
    return _closure(known) != _closure(function) and not _is_being_redefined(known)


def _opaque(function: Callable[..., Any], has_key: bool) -> list[int]:
    """The identities of what is bound to a function without being part of the key."""
    unbound = unbind(function)
    return [id(value) for value in (*unbound.bound, *bound_below(unbound.function)) if has_key or is_opaque(value)]


def _is_being_redefined(known: Callable[..., Any]) -> bool:
    """Whether the name of this function in its module still refers to the cached function that was made of it: then the
    new definition is about to take over that name."""
    found: Any = sys.modules.get(getattr(known, "__module__", None) or "")
    for part in getattr(known, "__qualname__", "<none>").split("."):
        found = getattr(found, part, None)
    return found is not None and getattr(found, "__wrapped__", None) is known


def _closure(function: Callable[..., Any]) -> list[int]:
    """The identities of the objects that a function refers to in the scopes around it."""
    found = []
    for cell in getattr(function, "__closure__", None) or ():
        try:
            found.append(id(cell.cell_contents))
        except ValueError:  # not yet assigned
            found.append(0)
    return found


def _scope_of(function: Callable[..., Any]) -> str:
    """The qualified name of what a function is defined in; nothing for a module."""
    return str(getattr(function, "__qualname__", "")).rpartition(".")[0]


def return_type(function: Callable[..., Any]) -> Any:
    """The return annotation of a function, resolved; UNSET if it has none, or one that cannot be resolved."""

    def only_return() -> None:
        """Has the return annotation only: an annotation of a parameter that cannot be resolved must not matter."""

    try:
        plain = inspect.unwrap(function)
        annotations = inspect.get_annotations(plain)
        if "return" not in annotations:
            return msgspec.UNSET
        only_return.__annotations__ = {"return": annotations["return"]}
        return typing.get_type_hints(only_return, globalns=getattr(plain, "__globals__", None))["return"]
    except Exception:  # noqa: BLE001 - an annotation may be any expression, or be meant for a type checker only
        return msgspec.UNSET
