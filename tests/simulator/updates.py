"""Updates: the grammar of UpdateExpression, and what it makes of an item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulator.documents import Path, assign, check_apart, copy, find, project, remove
from tests.simulator.errors import invalid
from tests.simulator.expressions import Attribute, Literal, Operand, Parser, Placeholders
from tests.simulator.values import SETS, Item, Value, add_numbers, kind_of, subtract_numbers

_MISSING = "The provided expression refers to an attribute that does not exist in the item"
_WRONG_TYPE = "An operand in the update expression has an incorrect data type"


@dataclass(frozen=True)
class IfNotExists:
    path: Path
    otherwise: Term


@dataclass(frozen=True)
class ListAppend:
    first: Term
    second: Term


@dataclass(frozen=True)
class Arithmetic:
    sign: str
    left: Term
    right: Term


Term = Operand | IfNotExists | ListAppend | Arithmetic


@dataclass
class Update:
    """What an update expression asks for, by clause."""

    sets: dict[Path, Term] = field(default_factory=dict)
    removes: list[Path] = field(default_factory=list)
    adds: dict[Path, Value] = field(default_factory=dict)
    deletes: dict[Path, Value] = field(default_factory=dict)

    @property
    def paths(self) -> list[Path]:
        return [*self.sets, *self.removes, *self.adds, *self.deletes]

    def apply(self, old: Item) -> Item:
        """The new item. Everything that the update reads, it reads from the old one."""
        values = {path: _value(term, old) for path, term in self.sets.items()}
        values |= {path: _added(find(old, path), change) for path, change in self.adds.items()}
        less = {path: _subtracted(find(old, path), change) for path, change in self.deletes.items()}
        values |= {path: value for path, value in less.items() if value is not None}
        gone = [*self.removes, *(path for path, value in less.items() if value is None and find(old, path))]
        new = {name: copy(value) for name, value in old.items()}
        for path in sorted(values, key=_place):
            assign(new, path, values[path])
        # From the end of each list to its beginning: the places are those in the old item.
        for path in sorted(gone, key=_place, reverse=True):
            remove(new, path)
        return new

    def updated(self, item: Item) -> Item:
        """What UPDATED_OLD or UPDATED_NEW return of the old or of the new item."""
        return project(item, self.paths)


def parse_update(text: str, placeholders: Placeholders) -> Update:
    parser = Parser("UpdateExpression", text, placeholders)
    update = Update()
    seen: set[str] = set()
    paths: list[Path] = []
    while clause := parser.accept("SET", "REMOVE", "ADD", "DELETE"):
        if clause in seen:
            raise invalid(f'Invalid UpdateExpression: The "{clause}" section can only be used once')
        seen.add(clause)
        while True:
            path = parser.path()
            paths.append(path)
            _CLAUSES[clause](parser, update, path)
            if not parser.accept(","):
                break
    parser.end()
    check_apart(paths, "UpdateExpression")
    return update


def _parse_set(parser: Parser, update: Update, path: Path) -> None:
    parser.expect("=")
    left = _term(parser)
    sign = parser.accept("+", "-")
    update.sets[path] = Arithmetic(sign, _addend(left), _addend(_term(parser))) if sign else left


def _parse_remove(parser: Parser, update: Update, path: Path) -> None:
    update.removes.append(path)


def _parse_add(parser: Parser, update: Update, path: Path) -> None:
    update.adds[path] = _operand_of(parser, "N", *SETS)


def _parse_delete(parser: Parser, update: Update, path: Path) -> None:
    update.deletes[path] = _operand_of(parser, *SETS)


_CLAUSES: dict[str, Callable[[Parser, Update, Path], None]] = {
    "SET": _parse_set,
    "REMOVE": _parse_remove,
    "ADD": _parse_add,
    "DELETE": _parse_delete,
}


def _operand_of(parser: Parser, *kinds: str) -> Value:
    value = parser.literal().value
    if kind_of(value) not in kinds:
        raise invalid("Invalid UpdateExpression: Incorrect operand type for operator or function")
    return value


def _addend(term: Term) -> Term:
    if isinstance(term, Literal) and "N" not in term.value:
        raise invalid("Invalid UpdateExpression: Incorrect operand type for operator or function")
    return term


def _term(parser: Parser) -> Term:
    if parser.after_next != "(":
        return parser.literal() if parser.next.startswith(":") else Attribute(parser.path())
    function = parser.take()
    parser.expect("(")
    term: Term
    if function == "if_not_exists":
        path = parser.path()
        parser.expect(",")
        term = IfNotExists(path, _term(parser))
    elif function == "list_append":
        first = _list(_term(parser))
        parser.expect(",")
        term = ListAppend(first, _list(_term(parser)))
    else:
        raise invalid(f"Invalid UpdateExpression: Invalid function name; function: {function}")
    parser.expect(")")
    return term


def _list(term: Term) -> Term:
    if isinstance(term, Literal) and "L" not in term.value:
        raise invalid("Invalid UpdateExpression: Incorrect operand type for operator or function")
    return term


def _value(term: Term, item: Item) -> Value:
    match term:
        case Literal(value):
            return value
        case Attribute(path):
            found = find(item, path)
            if found is None:
                raise invalid(_MISSING)
            return found
        case IfNotExists(path, otherwise):
            there = find(item, path)
            return _value(otherwise, item) if there is None else there
        case ListAppend(first, second):
            return {"L": [*_content(first, item, "L"), *_content(second, item, "L")]}
        case Arithmetic(sign, left, right):
            combine = add_numbers if sign == "+" else subtract_numbers
            return {"N": combine(_content(left, item, "N"), _content(right, item, "N"))}
        case _:
            raise AssertionError(term)


def _content(term: Term, item: Item, kind: str) -> Any:
    value = _value(term, item)
    if kind not in value:
        raise invalid(_WRONG_TYPE)
    return value[kind]


def _added(value: Value | None, change: Value) -> Value:
    """What ADD makes of a number or a set, or of nothing."""
    if value is None:
        return change
    if value.keys() != change.keys():
        raise invalid(_WRONG_TYPE)
    ((kind, content),), ((_, more),) = value.items(), change.items()
    if kind == "N":
        return {"N": add_numbers(content, more)}
    return {kind: [*content, *(member for member in more if member not in content)]}


def _subtracted(value: Value | None, change: Value) -> Value | None:
    """What DELETE leaves of a set, if anything."""
    if value is None:
        return None
    if value.keys() != change.keys():
        raise invalid(_WRONG_TYPE)
    ((kind, content),), ((_, less),) = value.items(), change.items()
    left = [member for member in content if member not in less]
    return {kind: left} if left else None


def _place(path: Path) -> list[tuple[int, str]]:
    """Paths in the order of the document, places in a list by number."""
    return [(step, "") if isinstance(step, int) else (-1, step) for step in path]
