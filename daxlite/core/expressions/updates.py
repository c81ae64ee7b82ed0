"""Which attributes an update may change.

An update that touches no key attribute of an index leaves every query on that index's other partitions alone. Too many
attributes cost a few cached queries; one too few would keep a stale one. So when in doubt: `NotCacheable`, and the
caller takes everything as changed.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ..not_cacheable import NotCacheable
from ..values import AttributeValue, canonical_value
from .placeholders import Placeholders
from .tokens import NAME, VALUE, Cursor, RawPath, Token, tokenize

_CLAUSES: Final = frozenset({"SET", "REMOVE", "ADD", "DELETE"})
_FUNCTIONS: Final = frozenset({"if_not_exists", "list_append"})
_MAX_DEPTH: Final = 16


class Update(NamedTuple):
    """What an update does to the attributes of its item, as far as its request tells."""

    touched: frozenset[str]
    """The top-level attributes that it may change. What it only reads is not among them."""
    assigned: Mapping[str, AttributeValue | None]
    """Those of them whose new value the request itself holds; None for one that is removed."""


class _Action(NamedTuple):
    target: RawPath
    value: str | None
    """The placeholder of a value that is assigned as it is."""
    removes: bool


def read_update(
    expression: str, names: Mapping[str, str] | None, values: Mapping[str, AttributeValue] | None = None
) -> Update:
    """What an UpdateExpression does.

    >>> update = read_update("SET #d = :d, m.x[0] = a REMOVE b ADD c :c", {"#d": "day"}, {":d": {"S": "mon"}})
    >>> sorted(update.touched), update.assigned
    (['b', 'c', 'day', 'm'], {'day': {'S': 'mon'}, 'b': None})
    """
    if not isinstance(expression, str):
        raise NotCacheable("the expression is not a string")
    aliases, _ = _read(expression)
    # The names are shared with a ConditionExpression, so some may well be unused here.
    touched, assignments = _resolve(expression, Placeholders(names or None).names_of(aliases))
    assigned: dict[str, AttributeValue | None] = {}
    for name, placeholder in assignments:
        if placeholder is None:
            assigned[name] = None
        elif values is not None and placeholder in values:
            assigned[name] = canonical_value(values[placeholder])
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


@lru_cache(maxsize=2048)
def _read(expression: str) -> tuple[tuple[str, ...], tuple[_Action, ...]]:
    """Aliases, and what is done to which path."""
    cursor = Cursor(tokenize(expression))
    actions: list[_Action] = []
    seen: set[str] = set()
    while not cursor.done():
        clause = cursor.keyword()
        if clause is None or clause not in _CLAUSES or clause in seen:
            raise NotCacheable(f"expected SET, REMOVE, ADD or DELETE, once each; found {cursor.peek().text!r}")
        seen.add(clause)
        cursor.take()
        actions.append(_action(cursor, clause))
        while cursor.accept(","):
            actions.append(_action(cursor, clause))
    return tuple(cursor.aliases), tuple(actions)


@lru_cache(maxsize=2048)
def _resolve(expression: str, names: tuple[str, ...]) -> tuple[frozenset[str], tuple[tuple[str, str | None], ...]]:
    aliases, actions = _read(expression)
    actual = dict(zip(aliases, names, strict=True))
    touched: set[str] = set()
    assignments: list[tuple[str, str | None]] = []
    for target, value, removes in actions:
        name = actual[target[0].text] if isinstance(target[0], Token) else str(target[0])
        touched.add(name)
        if len(target) == 1 and (value is not None or removes):
            assignments.append((name, value))
    return frozenset(touched), tuple(assignments)


def _action(cursor: Cursor, clause: str) -> _Action:
    target = cursor.path()
    value: str | None = None
    if clause == "SET":
        cursor.expect("=")
        if cursor.peek().kind == VALUE and _ends_action(cursor.peek(1)):
            value = cursor.peek().text
        _sum(cursor, 0)
    elif clause != "REMOVE" and cursor.take().kind != VALUE:
        raise NotCacheable(f"{clause} without a value")
    return _Action(target, value, clause == "REMOVE")


def _ends_action(token: Token) -> bool:
    return token.kind == "end" or token.text == "," or (token.kind == NAME and token.text.upper() in _CLAUSES)


def _sum(cursor: Cursor, depth: int) -> None:
    """Reads what a SET assigns. Nothing here is written to, so being more lenient than DynamoDB does no harm."""
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
