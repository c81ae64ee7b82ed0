"""What is known of a function whose results are kept."""

import inspect
import typing
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from ..shared.tags import EVERYTHING, function_tag, result_tag
from .answer import Question
from .arguments import Arguments
from .canonical import digest
from .codec import Codec
from .dependencies import Dependency, tags_of
from .options import Options
from .stats import Counters

Dependencies: TypeAlias = Iterable[Dependency | str] | Callable[..., Iterable[Dependency | str]]
"""On what results depend beside what is captured; or what tells it from the arguments."""


class Function:
    """One function: from its arguments to the question for its result."""

    def __init__(
        self,
        namespace: str,
        function: Callable[..., Any],
        counters: Counters,
        options: Options,
        *,
        name: str,
        version: str | int | None,
        key: Callable[..., Any] | None,
        returns: Any,
        tags: tuple[bytes, ...],
        depends_on: Dependencies,
    ) -> None:
        if version is not None and not isinstance(version, str | int):
            raise TypeError(f"version is {version!r}; it must be a string, a number or None")
        self.function = function
        self.name = name
        self._counters = counters
        self._options = options
        self._codec = Codec(return_type(function) if returns is msgspec.UNSET else returns)
        self._identity = digest("function", namespace, name, version)
        self._arguments = Arguments(function)
        self._key = key
        self._depends_on = depends_on if callable(depends_on) else None
        fixed = () if callable(depends_on) else tags_of(depends_on)
        self.tag = function_tag(self._identity)
        self._tags = (EVERYTHING, self.tag, *tags, *fixed)

    def question(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Question:
        """The question for the result of these arguments. Raises TypeError for arguments that do not fit, or cannot
        be a part of a key."""
        key = self.key(args, kwargs)
        more = () if self._depends_on is None else tags_of(self._depends_on(*args, **kwargs))
        function = self.function
        return Question(
            key=key,
            name=self.name,
            options=self._options,
            codec=self._codec,
            counters=self._counters,
            tags=(*self._tags, result_tag(key), *more),
            compute=(lambda: function(*args, **kwargs)) if args or kwargs else function,
        )

    def key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """The key of the result of these arguments."""
        if self._key is None:
            return digest(self._identity, self._arguments.key(args, kwargs))
        return digest(self._identity, "by", self._key(*args, **kwargs))


def name_of(function: Callable[..., Any]) -> str:
    """The name under which a function's results stand, unless it is given another."""
    try:
        return f"{function.__module__}.{function.__qualname__}"
    except AttributeError:
        raise TypeError(f"{function!r} has no name of its own: give it one with name=") from None


def return_type(function: Callable[..., Any]) -> Any:
    """The return annotation of a function, resolved, or UNSET."""
    try:
        return typing.get_type_hints(inspect.unwrap(function)).get("return", msgspec.UNSET)
    except Exception:  # noqa: BLE001 - an annotation may be any expression, and be meant for a type checker only
        return msgspec.UNSET
