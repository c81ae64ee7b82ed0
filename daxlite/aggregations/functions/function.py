"""What is known of a function whose results are kept."""

import inspect
import sys
import typing
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from ...shared.tags import EVERYTHING, function_tag, result_tag
from ..dependencies import Dependency, tags_of
from ..engine.request import ComputeRequest
from ..options import AggregationOptions
from ..serialization.canonical import digest
from ..serialization.codec import Codec
from ..serialization.modules import module_of
from ..stats import FunctionCounters
from .arguments import Arguments

DependsOn: TypeAlias = Iterable[Dependency | str] | Callable[..., Iterable[Dependency | str]]
"""On what results depend beside what is captured; or what tells it from the arguments."""


class Function:
    """One function: from its arguments to the request for its result."""

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
        fixed = () if callable(depends_on) else tags_of(depends_on)
        self.tag = function_tag(self._identity)
        self._tags = (EVERYTHING, self.tag, *tags, *fixed)

    def request(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ComputeRequest:
        """The request for the result of these arguments. Raises TypeError for arguments that do not fit, or cannot
        be a part of a key."""
        key = self.key(args, kwargs)
        more = () if self._depends_on is None else tags_of(self._depends_on(*args, **kwargs))
        function = self.function
        return ComputeRequest(
            key=key,
            name=self.name,
            options=self._options,
            codec=self._codec,
            counters=self._counters,
            tags=tuple(dict.fromkeys((*self._tags, result_tag(key), *more))),
            compute=(lambda: function(*args, **kwargs)) if args or kwargs else function,
            is_as_asked=lambda: self.key(args, kwargs) == key,
        )

    def key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """The key of the result of these arguments."""
        if self._key is None:
            return digest(self._identity, self._arguments.key(args, kwargs))
        return digest(self._identity, "by", self._key(*args, **kwargs))


def name_of(function: Callable[..., Any]) -> str:
    """The name under which a function's results stand, unless it is given another."""
    name = getattr(function, "__qualname__", None)
    if name is None or inspect.ismethod(function):  # whose object would be neither in the name nor in the key
        raise TypeError(f"{function!r} has no name of its own: give it one with name=")
    return f"{module_of(function)}.{name}"


def is_another(known: Callable[..., Any], function: Callable[..., Any]) -> bool:
    """Whether two functions of one name may give different results. One that is defined anew, as in a notebook or by a
    reload, takes the place of the first."""
    if known is function:
        return False
    code = getattr(function, "__code__", None)
    if code is None or code != getattr(known, "__code__", None):
        return not _is_defined_anew(known)
    return _enclosed(known) != _enclosed(function)


def _is_defined_anew(known: Callable[..., Any]) -> bool:
    """Whether its name still stands for what was made of it, and is about to stand for something else."""
    found: Any = sys.modules.get(getattr(known, "__module__", None) or "")
    for part in getattr(known, "__qualname__", "<none>").split("."):
        found = getattr(found, part, None)
    return found is not None and getattr(found, "__wrapped__", None) is known


def _enclosed(function: Callable[..., Any]) -> list[int]:
    """What a function has taken from the scopes around it, by identity."""
    found = []
    for cell in getattr(function, "__closure__", None) or ():
        try:
            found.append(id(cell.cell_contents))
        except ValueError:  # not yet assigned
            found.append(0)
    return found


def return_type(function: Callable[..., Any]) -> Any:
    """The return annotation of a function, resolved, or UNSET."""

    def alone() -> None:
        """Has this annotation and no other, so that one of a parameter's which cannot be resolved does no harm."""

    try:
        plain = inspect.unwrap(function)
        annotations = inspect.get_annotations(plain)
        if "return" not in annotations:
            return msgspec.UNSET
        alone.__annotations__ = {"return": annotations["return"]}
        return typing.get_type_hints(alone, globalns=getattr(plain, "__globals__", None))["return"]
    except Exception:  # noqa: BLE001 - an annotation may be any expression, and be meant for a type checker only
        return msgspec.UNSET
