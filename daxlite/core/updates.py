"""Which attributes an update may change.

An update that touches no key attribute of an index leaves every query on that index's other partitions alone. Too many
attributes cost a few cached queries; one too few would keep a stale one. So when in doubt: `Unrecognised`, and the
caller takes everything as changed.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from .placeholders import Placeholders
from .tokens import NAME, VALUE, Cursor, PathPart, tokenize
from .unrecognised import Unrecognised

_CLAUSES: Final = frozenset({"SET", "REMOVE", "ADD", "DELETE"})
_FUNCTIONS: Final = frozenset({"if_not_exists", "list_append"})
_MAX_DEPTH: Final = 16


def touched_attributes(update_expression: str, names: Mapping[str, str] | None) -> frozenset[str]:
    """The top-level attributes that an UpdateExpression may change. What it only reads is not among them.

    >>> sorted(touched_attributes("SET #m.x[0] = if_not_exists(a, :v) + :n REMOVE b ADD c :c", {"#m": "map"}))
    ['b', 'c', 'map']
    """
    if not isinstance(update_expression, str):
        raise Unrecognised("the expression is not a string")
    aliases, _ = _read(update_expression)
    # The names are shared with a ConditionExpression, so some may well be unused here.
    return _resolve(update_expression, Placeholders(names or None).names_of(aliases))


def touched_by_attribute_updates(updates: Mapping[str, object]) -> frozenset[str]:
    """The attributes that the legacy AttributeUpdates may change: each that it names.

    >>> touched_by_attribute_updates({"a.b": {"Action": "DELETE"}})
    frozenset({'a.b'})
    """
    if not isinstance(updates, dict) or not all(isinstance(name, str) for name in updates):
        raise Unrecognised("AttributeUpdates is not a dict of names")
    return frozenset(updates)


@lru_cache(maxsize=2048)
def _read(expression: str) -> tuple[tuple[str, ...], frozenset[PathPart]]:
    """Aliases, and the first parts of all paths that are written to."""
    cursor = Cursor(tokenize(expression))
    targets: set[PathPart] = set()
    seen: set[str] = set()
    while not cursor.done():
        clause = cursor.keyword()
        if clause is None or clause not in _CLAUSES or clause in seen:
            raise Unrecognised(f"expected SET, REMOVE, ADD or DELETE, once each; found {cursor.peek().text!r}")
        seen.add(clause)
        cursor.take()
        targets.add(_action(cursor, clause))
        while cursor.accept(","):
            targets.add(_action(cursor, clause))
    return tuple(cursor.aliases), frozenset(targets)


@lru_cache(maxsize=2048)
def _resolve(expression: str, names: tuple[str, ...]) -> frozenset[str]:
    aliases, targets = _read(expression)
    actual = dict(zip(aliases, names, strict=True))
    return frozenset(actual[target.text] if isinstance(target, tuple) else str(target) for target in targets)


def _action(cursor: Cursor, clause: str) -> PathPart:
    """Reads one action and gives the first part of the path that it writes to."""
    target = cursor.path()[0]
    if clause == "SET":
        cursor.expect("=")
        _sum(cursor, 0)
    elif clause != "REMOVE" and cursor.take().kind != VALUE:
        raise Unrecognised(f"{clause} without a value")
    return target


def _sum(cursor: Cursor, depth: int) -> None:
    """Reads what a SET assigns. Nothing here is written to, so being more lenient than DynamoDB does no harm."""
    _operand(cursor, depth)
    while cursor.accept("+") or cursor.accept("-"):
        _operand(cursor, depth)


def _operand(cursor: Cursor, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise Unrecognised("the expression is nested too deeply")
    token = cursor.peek()
    if token.kind == VALUE:
        cursor.take()
    elif cursor.accept("("):
        _sum(cursor, depth + 1)
        cursor.expect(")")
    elif token.kind == NAME and cursor.peek(1).text == "(":
        if token.text not in _FUNCTIONS:
            raise Unrecognised(f"unknown function: {token.text}")
        cursor.take()
        cursor.expect("(")
        _sum(cursor, depth + 1)
        while cursor.accept(","):
            _sum(cursor, depth + 1)
        cursor.expect(")")
    else:
        cursor.path()
