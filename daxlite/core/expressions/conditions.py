"""Filter and key conditions, in forms that can be compared: canonical bytes with holes where values stand.

A query is cached under what it asks for, not under how it was written. Both forms err on the safe side: conditions that
might have two answers (an answer and an error included) have two forms.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from ..encoding import encode
from ..not_cacheable import NotCacheable
from .placeholders import Names
from .reserved import RESERVED_WORDS
from .tokens import ALIAS, NAME, VALUE, Cursor, Token, tokenize

_KEYWORDS: Final = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN"})
_FUNCTIONS: Final = frozenset(
    {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"}
)
_COMPARATORS: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""The comparisons of keys, and what each is when its sides are swapped."""

_MAX_DEPTH: Final = 16
_ORDINARY_SHAPE: Final = re.compile(r"(x|\(x\))(&(x|\(x\)))*|\(x(&x)*\)")


class Filter(NamedTuple):
    """What a FilterExpression says. Two filters are equal if their forms and the values in their holes are."""

    form: bytes
    holes: tuple[str, ...]
    """The placeholders of the values (each with its `:`), as often as they occur, in the order of their holes."""


class Term(NamedTuple):
    """One comparison of a key condition."""

    name: str
    operator: str
    holes: tuple[str, ...]


class KeyCondition(NamedTuple):
    """What a KeyConditionExpression says. Two of them are equal if their forms and the values in their holes are."""

    form: bytes
    terms: tuple[Term, ...]
    """In the order of their attributes' names. Which of the attributes are partition keys depends on the index."""

    @property
    def holes(self) -> tuple[str, ...]:
        """The placeholders of the values, in the order of their holes."""
        return tuple([hole for term in self.terms for hole in term.holes])


def parse_filter(expression: str, names: Names) -> Filter:
    """The canonical token stream of a FilterExpression: white space, aliases and the case of keywords are gone.

    Nothing else is. Parentheses and the order of terms stay, so all expressions with one form are accepted or refused
    together: DynamoDB refuses redundant parentheses, for one.

    >>> one = parse_filter("size(#t)>:n and b = :b", Names((("#t", "tags"),)))
    >>> one == parse_filter("size(tags) > :n AND b=:b", Names())
    True
    >>> one.holes
    (':n', ':b')
    """
    holes: list[str] = []
    stream: list[Token] = []
    tokens = tokenize(expression)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        kind, text = token
        if kind == VALUE:
            holes.append(text)
            token = Token(VALUE, "")
        elif kind == ALIAS:
            token = Token(NAME, names.resolve(text))
        elif kind != NAME:
            if text in "+-":
                raise NotCacheable(f"not in a condition: {text!r}")
        elif text.upper() in _KEYWORDS:
            token = Token("keyword", text.upper())
        elif following is not None and following.text == "(":
            if text not in _FUNCTIONS:
                raise NotCacheable(f"unknown function: {text}")
            token = Token("function", text)
        elif text.upper() in RESERVED_WORDS:
            raise NotCacheable(f"reserved word: {text}")
        stream.append(token)
    return Filter(_encode(stream), tuple(holes))


def parse_key_condition(expression: str, names: Names) -> KeyCondition:
    """What a KeyConditionExpression says. The order of its terms does not matter.

    >>> one = parse_key_condition("pk = :a AND sk BETWEEN :lo AND :hi", Names())
    >>> [(term.name, term.operator) for term in one.terms], one.holes
    ([('pk', '='), ('sk', 'BETWEEN')], (':a', ':lo', ':hi'))
    >>> one == parse_key_condition("(sk BETWEEN :lo AND :hi) and (:a = pk)", Names())
    True
    """
    cursor = Cursor(expression, names)
    terms: list[Term] = []
    shape = "&".join(_conjunction(cursor, terms, 0))
    if not cursor.done():
        raise NotCacheable(f"after a key condition: {cursor.peek().text!r}")
    if len({term.name for term in terms}) != len(terms):
        raise NotCacheable("two key conditions on one attribute")
    if not any(term.operator == "=" for term in terms):
        raise NotCacheable("no key condition names a partition")
    terms.sort()
    # DynamoDB may or may not accept nested groups, which boto3 writes for three attributes. Their shape is part of the
    # form: if DynamoDB refuses them, no stored answer has that form.
    kept = "" if _ORDINARY_SHAPE.fullmatch(shape) else shape
    return KeyCondition(_encode([kept, [(term.name, term.operator) for term in terms]]), tuple(terms))


def _conjunction(cursor: Cursor, terms: list[Term], depth: int) -> list[str]:
    """Take what is joined by AND: the terms are added to `terms`, the shapes of the groups are returned."""
    shapes = [_group(cursor, terms, depth)]
    while cursor.keyword() == "AND":
        cursor.take()
        shapes.append(_group(cursor, terms, depth))
    return shapes


def _group(cursor: Cursor, terms: list[Term], depth: int) -> str:
    """Take a term ("x") or a conjunction in parentheses (such as "(x&(x&x))"); returns its shape."""
    if not cursor.accept("("):
        terms.append(_key_term(cursor))
        return "x"
    if depth == _MAX_DEPTH:
        raise NotCacheable("parentheses are too deep")
    shapes = _conjunction(cursor, terms, depth + 1)
    cursor.expect(")")
    if len(shapes) == 1 and shapes[0] != "x":
        raise NotCacheable("redundant parentheses")
    return f"({'&'.join(shapes)})"


def _key_term(cursor: Cursor) -> Term:
    token = cursor.peek()
    if token.kind == VALUE:  # `:v < name`: DynamoDB accepts comparisons either way round
        value = _hole(cursor)
        swapped = _COMPARATORS[_comparator(cursor)]
        return Term(cursor.attribute(), swapped, (value,))
    if token == (NAME, "begins_with") and cursor.peek(1).text == "(":
        cursor.take()
        cursor.expect("(")
        attribute = cursor.attribute()
        cursor.expect(",")
        prefix = _hole(cursor)
        cursor.expect(")")
        return Term(attribute, "begins_with", (prefix,))
    attribute = cursor.attribute()
    if cursor.keyword() == "BETWEEN":
        cursor.take()
        low = _hole(cursor)
        if cursor.keyword() != "AND":
            raise NotCacheable("BETWEEN without AND")
        cursor.take()
        return Term(attribute, "BETWEEN", (low, _hole(cursor)))
    return Term(attribute, _comparator(cursor), (_hole(cursor),))


def _comparator(cursor: Cursor) -> str:
    operator = cursor.take().text
    if operator not in _COMPARATORS:
        raise NotCacheable(f"not a comparison of keys: {operator!r}")
    return operator


def _hole(cursor: Cursor) -> str:
    token = cursor.take()
    if token.kind != VALUE:
        raise NotCacheable(f"expected a value, found {token.text!r}")
    return token.text


def _encode(form: Sequence[object]) -> bytes:
    try:
        return encode(form)
    except UnicodeEncodeError:
        raise NotCacheable("an attribute name is not text") from None
