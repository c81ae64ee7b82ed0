"""Which attributes an update may change.

An update that changes no key attribute of an index leaves every query on that index's other partitions valid. An
attribute too many costs a few cached queries; an attribute too few would keep a stale one. So in doubt the functions
here raise NotCacheable, and the caller takes every attribute for changed.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from ..not_cacheable import NotCacheable
from ..values import AttributeValue, canonical_value, plain_text
from .memo import MEMO
from .placeholders import NamePairs, Names, name_pairs, value_map
from .tokens import NAME, VALUE, Cursor, Token

_CLAUSES: Final = frozenset({"SET", "REMOVE", "ADD", "DELETE"})
_FUNCTIONS: Final = frozenset({"if_not_exists", "list_append"})
_MAX_DEPTH: Final = 16


class Update(NamedTuple):
    """What an update does to the attributes of its item, as far as its request tells."""

    touched: frozenset[str]
    """The top-level attributes that it may change. Those that it only reads are not included."""
    assigned: Mapping[str, AttributeValue | None]
    """Those of them whose new value the request itself holds; None for one that is removed."""


_Parsed: TypeAlias = tuple[frozenset[str], tuple[tuple[str, str | None], ...]]
"""The touched attributes, and the assigned ones: each with the placeholder of its value, or None if it is removed."""

_recall: Final[Any] = MEMO.get


def read_update(
    expression: str, names: Mapping[str, str] | None, values: Mapping[str, AttributeValue] | None = None
) -> Update:
    """What an UpdateExpression does.

    >>> update = read_update("SET #d = :d, m.x[0] = a REMOVE b ADD c :c", {"#d": "day"}, {":d": {"S": "mon"}})
    >>> sorted(update.touched), update.assigned
    (['b', 'c', 'day', 'm'], {'day': {'S': 'mon'}, 'b': None})
    """
    # The names are those of a ConditionExpression as well, so some may be unused here.
    key = ("update", plain_text(expression), name_pairs(names) if names else ())
    known: _Parsed | None = _recall(key)
    touched, assignments = MEMO.keep(key, _parse(key[1], key[2])) if known is None else known
    given = {} if values is None else value_map(values)
    assigned: dict[str, AttributeValue | None] = {}
    for name, placeholder in assignments:
        if placeholder is None:
            assigned[name] = None
        elif placeholder in given:
            assigned[name] = canonical_value(given[placeholder])
    return Update(touched, assigned)


def read_attribute_updates(updates: Mapping[str, Any]) -> Update:
    """What the legacy AttributeUpdates do.

    >>> read_attribute_updates({"a.b": {"Action": "DELETE"}, "c": {"Value": {"N": "1.0"}}}).assigned
    {'a.b': None, 'c': {'N': '1'}}
    """
    if not isinstance(updates, dict) or not all(isinstance(name, str) for name in updates):
        raise NotCacheable("AttributeUpdates is not a dict of names")
    assigned: dict[str, AttributeValue | None] = {}
    for name, update in updates.items():
        action = update.get("Action", "PUT")
        if action == "PUT" and "Value" in update:
            assigned[name] = canonical_value(update["Value"])
        elif action == "DELETE" and "Value" not in update:
            assigned[name] = None
    return Update(frozenset(updates), assigned)


def _parse(expression: str, pairs: NamePairs) -> _Parsed:
    cursor = Cursor(expression, Names(pairs))
    touched: set[str] = set()
    assignments: list[tuple[str, str | None]] = []
    seen: set[str] = set()
    while not cursor.done():
        clause = cursor.keyword()
        if clause is None or clause not in _CLAUSES or clause in seen:
            raise NotCacheable(f"expected SET, REMOVE, ADD or DELETE, once each; found {cursor.peek().text!r}")
        seen.add(clause)
        cursor.take()
        while True:
            path = cursor.path()
            touched.add(str(path[0]))
            placeholder = _action(cursor, clause)
            if len(path) == 1 and (placeholder is not None or clause == "REMOVE"):
                assignments.append((str(path[0]), placeholder))
            if not cursor.accept(","):
                break
    return frozenset(touched), tuple(assignments)


def _action(cursor: Cursor, clause: str) -> str | None:
    """Take what follows the path of an action. Returns the placeholder of a value that is assigned as it is."""
    placeholder: str | None = None
    if clause == "SET":
        cursor.expect("=")
        if cursor.peek().kind == VALUE and _ends_action(cursor.peek(1)):
            placeholder = cursor.peek().text
        _sum(cursor, 0)
    elif clause != "REMOVE" and cursor.take().kind != VALUE:
        raise NotCacheable(f"{clause} without a value")
    return placeholder


def _ends_action(token: Token) -> bool:
    return token.kind == "end" or token.text == "," or (token.kind == NAME and token.text.upper() in _CLAUSES)


def _sum(cursor: Cursor, depth: int) -> None:
    """Take the right side of an assignment. It changes no attribute, so to accept more than DynamoDB does no harm."""
    _operand(cursor, depth)
    while cursor.accept("+") or cursor.accept("-"):
        _operand(cursor, depth)


def _operand(cursor: Cursor, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise NotCacheable("the expression is nested too deeply")
    token = cursor.peek()
    if token.kind == VALUE:
        cursor.take()
    elif cursor.accept("("):
        _sum(cursor, depth + 1)
        cursor.expect(")")
    elif token.kind == NAME and cursor.peek(1).text == "(":
        if token.text not in _FUNCTIONS:
            raise NotCacheable(f"unknown function: {token.text}")
        cursor.take()
        cursor.expect("(")
        _sum(cursor, depth + 1)
        while cursor.accept(","):
            _sum(cursor, depth + 1)
        cursor.expect(")")
    else:
        cursor.path()
