"""Conditions: the grammar of ConditionExpression, FilterExpression and KeyConditionExpression, and what they mean."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.simulator.documents import Path, find
from tests.simulator.errors import invalid
from tests.simulator.expressions import Attribute, Literal, Operand, Parser, Placeholders, Size
from tests.simulator.values import KINDS, SETS, Item, Value, identity, kind_of, length, order

ORDERED = frozenset({"S", "N", "B"})
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_FUNCTIONS = frozenset({"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"})


@dataclass(frozen=True)
class Compare:
    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True)
class Between:
    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True)
class In:
    operand: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True)
class Function:
    name: str
    path: Path
    argument: Operand | None


@dataclass(frozen=True)
class Not:
    inner: Condition


@dataclass(frozen=True)
class Both:
    operator: str
    left: Condition
    right: Condition


Condition = Compare | Between | In | Function | Not | Both


def parse_condition(what: str, text: str, placeholders: Placeholders) -> Condition:
    parser = Parser(what, text, placeholders)
    condition = _either(parser)
    parser.end()
    return condition


def holds(condition: Condition, item: Item) -> bool:
    """Whether an item meets a condition. An item that does not exist is one without attributes."""
    match condition:
        case Both("AND", left, right):
            return holds(left, item) and holds(right, item)
        case Both(_, left, right):
            return holds(left, item) or holds(right, item)
        case Not(inner):
            return not holds(inner, item)
        case Compare(sign, left, right):
            return _compare(sign, _value(left, item), _value(right, item))
        case Between(operand, low, high):
            value = _value(operand, item)
            return _compare("<=", _value(low, item), value) and _compare("<=", value, _value(high, item))
        case In(operand, choices):
            value = _value(operand, item)
            return any(_compare("=", value, _value(choice, item)) for choice in choices)
        case Function():
            return _call(condition, item)


def paths_of(condition: Condition) -> Iterator[Path]:
    """Every path that a condition looks at."""
    match condition:
        case Both(_, left, right):
            yield from paths_of(left)
            yield from paths_of(right)
        case Not(inner):
            yield from paths_of(inner)
        case Compare(_, left, right):
            yield from _paths(left, right)
        case Between(operand, low, high):
            yield from _paths(operand, low, high)
        case In(operand, choices):
            yield from _paths(operand, *choices)
        case Function(_, path, argument):
            yield path
            if argument is not None:
                yield from _paths(argument)


def _paths(*operands: Operand) -> Iterator[Path]:
    for operand in operands:
        match operand:
            case Attribute(path) | Size(Attribute(path)):
                yield path


def _either(parser: Parser) -> Condition:
    left = _all(parser)
    while parser.accept("OR"):
        left = Both("OR", left, _all(parser))
    return left


def _all(parser: Parser) -> Condition:
    left = _negated(parser)
    while parser.accept("AND"):
        left = Both("AND", left, _negated(parser))
    return left


def _negated(parser: Parser) -> Condition:
    return Not(_negated(parser)) if parser.accept("NOT") else _simple(parser)


def _simple(parser: Parser) -> Condition:
    opened = parser.place
    if parser.accept("("):
        inner = _either(parser)
        if parser.parenthesised == (opened + 1, parser.place - 1):
            raise invalid(f"Invalid {parser.what}: The expression has redundant parentheses;")
        parser.parenthesised = (opened, parser.place)
        parser.expect(")")
        return inner
    if parser.after_next == "(" and parser.next in _FUNCTIONS:
        return _function(parser)
    left = parser.operand()
    if parser.accept("BETWEEN"):
        low = _ordered(parser, parser.operand())
        parser.expect("AND")
        high = _ordered(parser, parser.operand())
        if isinstance(low, Literal) and isinstance(high, Literal) and not _compare("<=", low.value, high.value):
            raise invalid(f"Invalid {parser.what}: The BETWEEN operator requires upper bound to be greater than lower")
        return Between(_ordered(parser, left), low, high)
    if parser.accept("IN"):
        parser.expect("(")
        choices = [parser.operand()]
        while parser.accept(","):
            choices.append(parser.operand())
        parser.expect(")")
        return In(left, tuple(choices))
    sign = parser.accept("=", "<>", *_ORDERS)
    if sign is None:
        raise parser.error(parser.next or "<EOF>")
    right = parser.operand()
    if left == right and isinstance(left, Attribute):
        raise invalid(f"Invalid {parser.what}: The first operand must be distinct from the remaining operands")
    if sign in _ORDERS:
        left, right = _ordered(parser, left), _ordered(parser, right)
    return Compare(sign, left, right)


def _ordered(parser: Parser, operand: Operand) -> Operand:
    if isinstance(operand, Literal) and kind_of(operand.value) not in ORDERED:
        raise invalid(f"Invalid {parser.what}: Incorrect operand type for operator or function")
    return operand


def _function(parser: Parser) -> Condition:
    name = parser.take()
    parser.expect("(")
    path = parser.path()
    argument: Operand | None = None
    if name not in ("attribute_exists", "attribute_not_exists"):
        parser.expect(",")
        argument = parser.operand()
        if isinstance(argument, Literal):
            _check_argument(parser, name, argument.value)
    parser.expect(")")
    return Function(name, path, argument)


def _check_argument(parser: Parser, name: str, value: Value) -> None:
    ((kind, content),) = value.items()
    if name == "begins_with" and kind not in ("S", "B"):
        raise invalid(f"Invalid {parser.what}: Incorrect operand type for operator or function")
    if name == "attribute_type" and (kind != "S" or content not in KINDS):
        raise invalid(f"Invalid {parser.what}: Invalid attribute type name found")


def _call(function: Function, item: Item) -> bool:
    value = find(item, function.path)
    if function.name == "attribute_exists":
        return value is not None
    if function.name == "attribute_not_exists":
        return value is None
    assert function.argument is not None
    argument = _value(function.argument, item)
    if value is None or argument is None:
        return False
    ((kind, content),), ((wanted, part),) = value.items(), argument.items()
    if function.name == "attribute_type":
        return bool(kind == part)
    if function.name == "begins_with":
        return kind == wanted and kind in ("S", "B") and content.startswith(part)
    if kind == "L":
        return any(identity(member) == identity(argument) for member in content)
    return (SETS.get(kind) == wanted or (kind == wanted and kind in ("S", "B"))) and part in content


def _value(operand: Operand, item: Item) -> Value | None:
    match operand:
        case Literal(value):
            return value
        case Attribute(path):
            return find(item, path)
        case Size(Attribute(path)):
            found = find(item, path)
            count = None if found is None else length(found)
            return None if count is None else {"N": str(count)}


def _compare(sign: str, left: Value | None, right: Value | None) -> bool:
    if left is None or right is None:
        # An attribute that is missing differs from every value, and compares in no other way with any.
        return sign == "<>"
    if sign in ("=", "<>"):
        return (identity(left) == identity(right)) == (sign == "=")
    if left.keys() != right.keys() or kind_of(left) not in ORDERED:
        return False
    verdict: Any = _ORDERS[sign](order(left), order(right))
    return bool(verdict)
