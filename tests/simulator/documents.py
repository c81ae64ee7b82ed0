"""Paths into items: ``a.b[1]`` is ``("a", "b", 1)``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.simulator.errors import invalid
from tests.simulator.values import Item, Value

Path = tuple[str | int, ...]


def show(path: Path) -> str:
    return "[" + ", ".join(f"[{step}]" if isinstance(step, int) else step for step in path) + "]"


def find(item: Item, path: Path) -> Value | None:
    """What is at this path."""
    value: Value | None = {"M": item}
    for step in path:
        value = _child(value, step)
        if value is None:
            return None
    return value


def check_apart(paths: Sequence[Path], what: str) -> None:
    """Refuse paths of which one is in another one, or which take the same value for a list and for a map."""
    for number, second in enumerate(paths):
        for first in paths[:number]:
            together = list(zip(first, second, strict=False))
            different = [one for one in together if one[0] != one[1]]
            if not different:
                raise _clash(what, "overlap", first, second)
            if isinstance(different[0][0], int) != isinstance(different[0][1], int):
                raise _clash(what, "conflict", first, second)


def project(item: Item, paths: Iterable[Path]) -> Item:
    """The parts of an item that are at these paths. A list keeps its order and closes its gaps."""
    tree: dict[str | int, Any] = {}
    for path in paths:
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    part = _project({"M": item}, tree) if tree else None
    return {} if part is None else part["M"]


def copy(value: Value) -> Value:
    """A copy down to where values are never changed."""
    if "M" in value:
        return {"M": {name: copy(member) for name, member in value["M"].items()}}
    if "L" in value:
        return {"L": [copy(member) for member in value["L"]]}
    return value


def assign(item: Item, path: Path, value: Value) -> None:
    """Put a value at a path of an item that is the caller's own. Beyond the end of a list means at its end."""
    parent, step = _parent(item, path), path[-1]
    if isinstance(step, int):
        members = parent["L"]
        if step < len(members):
            members[step] = value
        else:
            members.append(value)
    else:
        parent["M"][step] = value


def remove(item: Item, path: Path) -> None:
    """Take away what is at a path of an item that is the caller's own, if anything is."""
    parent, step = _parent(item, path), path[-1]
    if isinstance(step, int):
        del parent["L"][step : step + 1]
    else:
        parent["M"].pop(step, None)


def _child(value: Value | None, step: str | int) -> Value | None:
    if value is None:
        return None
    child: Value | None
    if isinstance(step, int):
        members = value.get("L", ())
        child = members[step] if step < len(members) else None
    else:
        child = value.get("M", {}).get(step)
    return child


def _parent(item: Item, path: Path) -> Value:
    parent = find(item, path[:-1])
    if parent is None or ("L" if isinstance(path[-1], int) else "M") not in parent:
        raise invalid("The document path provided in the update expression is invalid for update")
    return parent


def _project(value: Value, tree: dict[str | int, Any]) -> Value | None:
    if not tree:
        return value
    # In the order of the value: that of a list matters, and that of a map does not.
    if "M" in value:
        parts = {name: _project(member, tree[name]) for name, member in value["M"].items() if name in tree}
        kept = {name: part for name, part in parts.items() if part is not None}
        return {"M": kept} if kept else None
    if "L" in value:
        found = [_project(member, tree[place]) for place, member in enumerate(value["L"]) if place in tree]
        left = [part for part in found if part is not None]
        return {"L": left} if left else None
    return None


def _clash(what: str, how: str, first: Path, second: Path) -> Exception:
    return invalid(
        f"Invalid {what}: Two document paths {how} with each other; must remove or rewrite one of these paths; "
        f"path one: {show(first)}, path two: {show(second)}"
    )
