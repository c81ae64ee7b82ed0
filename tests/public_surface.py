"""The public surface of daxlite as text: `python -m tests.public_surface` prints it, and `--write` keeps it.

It lists the names of `daxlite`, of `daxlite.aggregations` and of `daxlite.feeds`, with signatures, fields, types and
defaults.
"""

import importlib
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

PATH: Final = Path(__file__).with_suffix(".txt")
MODULES: Final = ("daxlite", "daxlite.aggregations", "daxlite.feeds", "daxlite.pynamodb", "daxlite.testing")
WIDTH: Final = 100
NOT_FOR_APPLICATIONS: Final = {"changed", "deliver", "where"}
"""What other parts of daxlite use."""


def surface() -> str:
    """The text: a line for each name and each member, or for each parameter where they are many."""
    lines: list[str] = []
    for name in MODULES:
        module = importlib.import_module(name)
        lines += [f"# {name}", "", *(line for each in module.__all__ for line in [*_described(module, each), ""])]
    return "\n".join(lines)


def undocumented() -> list[str]:
    """The public names and methods that have no docstring."""
    missing = []
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            thing = getattr(module, name)
            found = methods(thing) if isinstance(thing, type) else ()
            documented = {name: thing, **{f"{name}.{method}": function for method, function in found}}
            missing += [each for each, value in documented.items() if not inspect.getdoc(value)]
    return missing


def _described(module: types.ModuleType, name: str) -> Iterator[str]:
    thing = getattr(module, name)
    if not isinstance(thing, type):
        yield from _function(f"def {name}", inspect.signature(thing))
    elif issubclass(thing, BaseException):  # its signature is Python's own
        yield f"class {name}({thing.__base__.__name__})"
    else:
        constructor = inspect.signature(thing)
        yield from _function(f"class {name}", constructor.replace(return_annotation=constructor.empty))
        for member in _members(thing):
            yield f"    {member}"


def _members(cls: type) -> Iterator[str]:
    for name, value in _public(cls, property):
        yield f"{name}: {_type(inspect.signature(value.fget).return_annotation)}"
    for name, method in methods(cls):
        is_async = inspect.iscoroutinefunction(method)
        yield from _function(f"{'async ' if is_async else ''}def {name}", inspect.signature(method))


def methods(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public methods of a class, by name."""
    for name, _ in _public(cls, types.FunctionType | classmethod | staticmethod):
        yield name, getattr(cls, name)


def _public(cls: type, kind: Any) -> Iterator[tuple[str, Any]]:
    """The public members of this kind. Those of a base class in another package are for daxlite itself."""
    package = cls.__module__.rpartition(".")[0]
    bases = [base for base in cls.__mro__ if base.__module__.rpartition(".")[0] == package]
    for name, value in inspect.getmembers_static(cls):
        is_public = (not name.startswith("_") or name == "__call__") and name not in NOT_FOR_APPLICATIONS
        if is_public and isinstance(value, kind) and any(name in vars(base) for base in bases):
            yield name, value


def _function(start: str, signature: inspect.Signature) -> Iterator[str]:
    parts, is_by_name = [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not is_by_name:
            parts.append("*")
        is_by_name |= parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        kind = "" if parameter.annotation is parameter.empty else f": {_type(parameter.annotation)}"
        default = "" if parameter.default is parameter.empty else f" = {_default(parameter.default)}"
        parts.append(f"{stars}{parameter.name}{kind}{default}")
    returned = signature.return_annotation
    end = ")" if returned is signature.empty else f") -> {_type(returned)}"
    line = f"{start}({', '.join(parts)}{end}"
    yield from [line] if len(line) <= WIDTH else [f"{start}(", *(f"    {part}," for part in parts), end]


def _default(value: object) -> str:
    # The address in the repr of a function, or of a factory, is another one in each process.
    if isinstance(value, types.BuiltinFunctionType | types.MethodType):
        return f"<{value.__qualname__}>"
    return "<factory>" if "factory" in repr(value) else repr(value)


def _type(kind: Any) -> str:
    """A type as it is written, in the same form in every version of Python.

    >>> _type(dict[str, int | None]), _type(typing.Literal["a", "b"]), _type(Callable[..., int])
    ('dict[str, int | None]', "Literal['a', 'b']", 'Callable[..., int]')
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is None or kind is types.NoneType:
        return "None"
    if kind is Ellipsis:
        return "..."
    if isinstance(kind, list):
        return f"[{', '.join(map(_type, kind))}]"
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(_type, arguments))
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if isinstance(kind, str | typing.ForwardRef | typing.ParamSpecArgs | typing.ParamSpecKwargs):
        return getattr(kind, "__forward_arg__", str(kind))
    return f"{_type(origin)}[{', '.join(map(_type, arguments))}]" if origin is not None else kind.__name__


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PATH.write_text(surface(), encoding="utf-8")
    else:
        sys.stdout.write(surface())
