"""What an update does: which attributes it may change, and how their new values follow from the item that it met.

An update that changes no key attribute of an index leaves every query on that index's other partitions valid. An
attribute too many costs a few cached queries; an attribute too few would keep a stale one. So in doubt the functions
here raise NotCacheable, and the caller takes every attribute for changed.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

from msgspec import Struct

from ..hidden import Hidden
from ..not_cacheable import NotCacheable
from ..values import AttributeValue, Item, plain_text
from .memo import MEMO
from .new_values import Added, Default, Given, Less, Meeting, Removed, Stored, Sum, Term
from .placeholders import NamePairs, Names, name_pairs, value_map
from .tokens import NAME, VALUE, Cursor

_CLAUSES: Final = frozenset({"SET", "REMOVE", "ADD", "DELETE"})
_FUNCTIONS: Final = frozenset({"if_not_exists", "list_append"})
_MAX_DEPTH: Final = 16


Terms: TypeAlias = tuple[tuple[str, Term], ...]
"""Attributes, each with the term of its new value."""


class Update(Hidden, Struct, frozen=True):
    """What an update does to the attributes of its item."""

    touched: frozenset[str]
    """The top-level attributes that it may change. Those that it only reads are not included."""
    terms: Terms = ()
    """How the new values of some of these follow from the old item."""
    values: Mapping[str, Any] = {}
    """The values of its placeholders."""

    def new_values(self, old: Item | None = None, key: Collection[str] = ()) -> dict[str, AttributeValue | None]:
        """The new values of the touched attributes, None for one that is removed. Those that are not certain are left
        out, as are those of an update that DynamoDB would refuse.

        old: the item that the update met, empty if there was none; None if it is not known. key: the names of the
        primary key's attributes.

        >>> read_update("SET a = b + :v REMOVE c", None, {":v": {"N": "1"}}).new_values({"b": {"N": "41"}})
        {'a': {'N': '42'}, 'c': None}
        """
        meeting = Meeting(self.values, old, key)
        found: dict[str, AttributeValue | None] = {}
        for name, term in self.terms:
            with suppress(NotCacheable):
                found[name] = meeting.value(term)
        return found

    def __repr__(self) -> str:
        return f"<update of {', '.join(sorted(self.touched))}>"  # without the values, which are not for logs


_Parsed: TypeAlias = tuple[frozenset[str], Terms]
"""The touched attributes, and how the new values of some of them follow."""

_recall: Final[Any] = MEMO.get


def read_update(
    expression: str, names: Mapping[str, str] | None, values: Mapping[str, AttributeValue] | None = None
) -> Update:
    """What an UpdateExpression does.

    >>> update = read_update("SET #d = :d, m.x[0] = a REMOVE b ADD c :c", {"#d": "day"}, {":d": {"S": "mon"}})
    >>> sorted(update.touched), update.new_values()
    (['b', 'c', 'day', 'm'], {'day': {'S': 'mon'}, 'b': None})
    """
    # The names are those of a ConditionExpression as well, so some may be unused here.
    key = ("update", plain_text(expression), name_pairs(names) if names else ())
    known: _Parsed | None = _recall(key)
    touched, terms = MEMO.keep(key, _parse(key[1], key[2])) if known is None else known
    return Update(touched, terms, {} if values is None else value_map(values))


def read_attribute_updates(updates: Mapping[str, Any]) -> Update:
    """What the legacy AttributeUpdates do.

    >>> read_attribute_updates({"a.b": {"Action": "DELETE"}, "c": {"Value": {"N": "1.0"}}}).new_values()
    {'a.b': None, 'c': {'N': '1'}}
    """
    if not isinstance(updates, dict) or not all(isinstance(name, str) for name in updates):
        raise NotCacheable("AttributeUpdates is not a dict of names")
    terms: dict[str, Term] = {}
    for name, update in updates.items():
        kind = update.get("Action", "PUT"), "Value" in update
        if kind == ("DELETE", False):
            terms[name] = Removed()
        elif kind in _LEGACY:
            terms[name] = _LEGACY[kind](name)
    return Update(
        frozenset(updates), tuple(terms.items()), {name: update.get("Value") for name, update in updates.items()}
    )


# In these the name of an attribute stands for its value, too.
_LEGACY: Final[Mapping[tuple[str, bool], Callable[[str], Term]]] = {
    ("PUT", True): Given,
    ("ADD", True): lambda name: Added(name, name),
    ("DELETE", True): lambda name: Less(name, name),
}


def _parse(expression: str, pairs: NamePairs) -> _Parsed:
    cursor = Cursor(expression, Names(pairs))
    touched: set[str] = set()
    terms: dict[str, Term] = {}
    seen: set[str] = set()
    while not cursor.done():
        clause = cursor.keyword()
        if clause is None or clause not in _CLAUSES or clause in seen:
            raise NotCacheable(f"expected SET, REMOVE, ADD or DELETE, once each; found {cursor.peek().text!r}")
        seen.add(clause)
        cursor.take()
        while True:
            name, *below = map(str, cursor.path())
            term = _action(cursor, clause, name)
            if name in touched:
                terms.pop(name, None)  # two changes of one attribute: of parts of it, or an error
            elif term is not None and not below:
                terms[name] = term
            touched.add(name)
            if not cursor.accept(","):
                break
    return frozenset(touched), tuple(terms.items())


def _action(cursor: Cursor, clause: str, name: str) -> Term | None:
    """Take what follows the path of an action. Returns the term of its attribute, None where that is not certain."""
    if clause == "SET":
        cursor.expect("=")
        return _sum(cursor, 0)
    if clause == "REMOVE":
        return Removed()
    token = cursor.take()
    if token.kind != VALUE:
        raise NotCacheable(f"{clause} without a value")
    return Added(name, token.text) if clause == "ADD" else Less(name, token.text)


# What changes an attribute is on the left of an assignment, so to accept more on the right than DynamoDB does is no
# harm. Of what DynamoDB may refuse, or what is below an attribute, the functions below make no term.


def _sum(cursor: Cursor, depth: int) -> Term | None:
    term = _operand(cursor, depth)
    operands = 1
    while (is_plus := cursor.accept("+")) or cursor.accept("-"):
        right = _operand(cursor, depth)
        operands += 1
        term = Sum(term, right, is_plus) if term is not None and right is not None else None
    return term if operands <= 2 else None


def _operand(cursor: Cursor, depth: int) -> Term | None:
    if depth > _MAX_DEPTH:
        raise NotCacheable("the expression is nested too deeply")
    token = cursor.peek()
    if token.kind == VALUE:
        return Given(cursor.take().text)
    if cursor.accept("("):
        _sum(cursor, depth + 1)
        cursor.expect(")")
        return None
    if token.kind == NAME and cursor.peek(1).text == "(":
        return _function(cursor, depth)
    path = cursor.path()
    return Stored(str(path[0])) if len(path) == 1 else None


def _function(cursor: Cursor, depth: int) -> Term | None:
    function = cursor.take().text
    if function not in _FUNCTIONS:
        raise NotCacheable(f"unknown function: {function}")
    cursor.expect("(")
    arguments = [_sum(cursor, depth + 1)]
    while cursor.accept(","):
        arguments.append(_sum(cursor, depth + 1))
    cursor.expect(")")
    match arguments:
        case [Stored(name), Given() | Stored() | Default() as otherwise] if function == "if_not_exists":
            return Default(name, otherwise)
    return None
