"""A function whose results are cached: its name, its key for each call, and the request for a result."""

import inspect
import sys
import typing
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from ...shared.tags import EVERYTHING, function_tag, result_tag
from ..dependencies import DeclaredTags, Dependency, tags_of
from ..engine.request import ComputeRequest
from ..options import AggregationOptions
from ..serialization.canonical import digest
from ..serialization.codec import Codec
from ..serialization.modules import module_of
from ..stats import FunctionCounters
from .arguments import Arguments

DependsOn: TypeAlias = Iterable[Dependency | str] | Callable[..., Iterable[Dependency | str]]
"""What results depend on in addition to what is captured, or a function that returns it for the arguments of a call."""


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
        if version is not None and not isinstance(version, str | int):
            raise TypeError(f"version is {version!r}; it must be a string, a number or None")
        self.function = function
        self.name = name
        self._counters = counters
        self._options = options
        if isinstance(returns, str):
            raise TypeError(f"returns is {returns!r}; it must be a type")
        self._codec = Codec(return_type(function) if returns is msgspec.UNSET else returns)
        self._identity = digest("function", namespace, name, version)
        self._arguments = Arguments(function)
        self._key = key
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
        if self._key is None:
            return digest(self._identity, self._arguments.key(args, kwargs))
        return digest(self._identity, "by", self._key(*args, **kwargs))


def name_of(function: Callable[..., Any]) -> str:
    """The name that a function has for daxlite unless it is given one: its module and its qualified name."""
    name = getattr(function, "__qualname__", None)
    if name is None or inspect.ismethod(function):  # the object of a bound method is in neither the name nor the key
        raise TypeError(f"{function!r} has no name of its own: give it one with name=")
    return f"{module_of(function)}.{name}"


def may_differ(known: Callable[..., Any], function: Callable[..., Any]) -> bool:
    """Whether two functions of one name may return different results for the same arguments.

    A function that is defined again, as in a notebook or by a reload, replaces the one before it: this is no conflict.
    """
    if known is function:
        return False
    code = getattr(function, "__code__", None)
    if code is None or code != getattr(known, "__code__", None):
        return not _is_being_redefined(known)
    return _closure(known) != _closure(function)


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
