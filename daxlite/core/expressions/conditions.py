"""Filter and key conditions, in forms that can be compared.

A query is cached under what it asks, not under how it was written. Both signatures here err on one side: what might
have two answers (an answer and an error included) has two signatures.
"""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from ..encoding import encode
from ..not_cacheable import NotCacheable
from ..values import AttributeValue, value_signature
from .placeholders import Placeholders
from .reserved import RESERVED_WORDS
from .tokens import ALIAS, NAME, VALUE, Cursor, Token, tokenize

Signature = tuple[bytes, tuple[Hashable, ...]]
"""What a condition says with holes for the values, and the values in the order of the holes."""

_KEYWORDS: Final = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN"})
_FUNCTIONS: Final = frozenset(
    {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"}
)
_COMPARATORS: Final = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""The comparisons of keys, and what each is when its sides are swapped."""

_MAX_DEPTH: Final = 16
_ORDINARY_SHAPE: Final = re.compile(r"(x|\(x\))(&(x|\(x\)))*|\(x(&x)*\)")


def filter_signature(expression: str, placeholders: Placeholders) -> Signature:
    """The canonical token stream of a FilterExpression: white space, aliases and the case of keywords are gone.

    Nothing else is: parentheses and the order of terms stay, so whatever DynamoDB thinks of an expression (it refuses
    redundant parentheses, for one), it thinks of every expression with the same signature.

    >>> values = {":n": {"N": "1"}, ":b": {"S": "x"}}
    >>> one = filter_signature("size(#t)>:n and b = :b", Placeholders({"#t": "tags"}, values))
    >>> one == filter_signature("size(tags) > :n AND b=:b", Placeholders(None, values))
    True
    """
    if not isinstance(expression, str):
        raise NotCacheable("the expression is not a string")
    aliases, holes, _ = _read_filter(expression)
    stream = _filter_stream(expression, placeholders.names_of(aliases))
    return stream, tuple([value_signature(placeholders.value(hole)) for hole in holes])


@dataclass(frozen=True, slots=True)
class KeyCondition:
    """What a KeyConditionExpression asks for. Equal if the signatures are.

    `equalities` holds the values as given, by attribute; which of them are partition keys is the index's to say.
    `ranges` holds the other conditions as (attribute, operator, signatures of its values), ordered by attribute.
    """

    signature: Signature
    equalities: dict[str, AttributeValue] = field(compare=False)
    ranges: tuple[tuple[str, str, tuple[Hashable, ...]], ...] = field(compare=False)


def parse_key_condition(expression: str, placeholders: Placeholders) -> KeyCondition:
    """What a KeyConditionExpression says. The order of its terms does not matter.

    >>> values = {":a": {"S": "x"}, ":lo": {"N": "1"}, ":hi": {"N": "2"}}
    >>> one = parse_key_condition("pk = :a AND sk BETWEEN :lo AND :hi", Placeholders(None, values))
    >>> one.equalities, [(name, operator) for name, operator, _ in one.ranges]
    ({'pk': {'S': 'x'}}, [('sk', 'BETWEEN')])
    >>> one == parse_key_condition("(sk BETWEEN :lo AND :hi) and (:a = pk)", Placeholders(None, values))
    True
    """
    if not isinstance(expression, str):
        raise NotCacheable("the expression is not a string")
    aliases, _, _ = _read_key_condition(expression)
    skeleton, terms = _key_plan(expression, placeholders.names_of(aliases))
    equalities: dict[str, AttributeValue] = {}
    ranges: list[tuple[str, str, tuple[Hashable, ...]]] = []
    signatures: list[Hashable] = []
    for name, operator, holes in terms:
        values = [placeholders.value(hole) for hole in holes]
        signed = tuple([value_signature(value) for value in values])
        signatures.extend(signed)
        if operator == "=":
            equalities[name] = values[0]
        else:
            ranges.append((name, operator, signed))
    return KeyCondition((skeleton, tuple(signatures)), equalities, tuple(ranges))


@lru_cache(maxsize=2048)
def _read_filter(expression: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[Token, ...]]:
    """Aliases, value placeholders (as often as they occur) and canonical tokens in which aliases are unresolved."""
    aliases: dict[str, None] = {}
    holes: list[str] = []
    canonical: list[Token] = []
    tokens = tokenize(expression)
    for token, following in zip(tokens, (*tokens[1:], None), strict=True):
        kind, text = token
        if kind == VALUE:
            holes.append(text)
            canonical.append(Token(VALUE, ""))
        elif kind == ALIAS:
            aliases[text] = None
            canonical.append(token)
        elif kind != NAME:
            if text in "+-":
                raise NotCacheable(f"not in a condition: {text!r}")
            canonical.append(token)
        elif text.upper() in _KEYWORDS:
            canonical.append(Token("keyword", text.upper()))
        elif following is not None and following.text == "(":
            if text not in _FUNCTIONS:
                raise NotCacheable(f"unknown function: {text}")
            canonical.append(Token("function", text))
        elif text.upper() in RESERVED_WORDS:
            raise NotCacheable(f"reserved word: {text}")
        else:
            canonical.append(token)
    return tuple(aliases), tuple(holes), tuple(canonical)


@lru_cache(maxsize=2048)
def _filter_stream(expression: str, names: tuple[str, ...]) -> bytes:
    aliases, _, tokens = _read_filter(expression)
    actual = dict(zip(aliases, names, strict=True))
    return _encode([Token(NAME, actual[text]) if kind == ALIAS else Token(kind, text) for kind, text in tokens])


class _RawTerm(NamedTuple):
    attribute: str | Token
    operator: str
    holes: tuple[str, ...]


class _Term(NamedTuple):
    name: str
    operator: str
    holes: tuple[str, ...]


@lru_cache(maxsize=2048)
def _read_key_condition(expression: str) -> tuple[tuple[str, ...], tuple[_RawTerm, ...], str]:
    """Aliases, terms, and the shape of the parentheses unless it is one that DynamoDB is known to accept."""
    cursor = Cursor(tokenize(expression))
    terms: list[_RawTerm] = []
    shape = "&".join(_conjunction(cursor, terms, 0))
    if not cursor.done():
        raise NotCacheable(f"after a key condition: {cursor.peek().text!r}")
    return tuple(cursor.aliases), tuple(terms), "" if _ORDINARY_SHAPE.fullmatch(shape) else shape


@lru_cache(maxsize=2048)
def _key_plan(expression: str, names: tuple[str, ...]) -> tuple[bytes, tuple[_Term, ...]]:
    aliases, raw_terms, shape = _read_key_condition(expression)
    actual = dict(zip(aliases, names, strict=True))
    terms = [
        _Term(actual[attribute.text] if isinstance(attribute, Token) else attribute, operator, holes)
        for attribute, operator, holes in raw_terms
    ]
    if len({term.name for term in terms}) != len(terms):
        raise NotCacheable("two key conditions on one attribute")
    if not any(term.operator == "=" for term in terms):
        raise NotCacheable("no key condition names a partition")
    terms.sort()
    # Nested groups, as boto3 writes them for three attributes, may or may not please DynamoDB. Their shape is part of
    # the signature: should DynamoDB refuse them, then no stored answer has it.
    return _encode([shape, [(term.name, term.operator) for term in terms]]), tuple(terms)


def _conjunction(cursor: Cursor, terms: list[_RawTerm], depth: int) -> list[str]:
    """Reads what is joined by AND: the terms go to `terms`, the shapes of what they stand in are returned."""
    shapes = [_group(cursor, terms, depth)]
    while cursor.keyword() == "AND":
        cursor.take()
        shapes.append(_group(cursor, terms, depth))
    return shapes


def _group(cursor: Cursor, terms: list[_RawTerm], depth: int) -> str:
    """Reads a term ("x") or a parenthesised conjunction (such as "(x&(x&x))")."""
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


def _key_term(cursor: Cursor) -> _RawTerm:
    token = cursor.peek()
    if token.kind == VALUE:  # `:v < name`: DynamoDB accepts comparisons either way round
        value = _hole(cursor)
        swapped = _COMPARATORS[_comparator(cursor)]
        return _RawTerm(cursor.attribute(), swapped, (value,))
    if token == (NAME, "begins_with") and cursor.peek(1).text == "(":
        cursor.take()
        cursor.expect("(")
        attribute = cursor.attribute()
        cursor.expect(",")
        prefix = _hole(cursor)
        cursor.expect(")")
        return _RawTerm(attribute, "begins_with", (prefix,))
    attribute = cursor.attribute()
    if cursor.keyword() == "BETWEEN":
        cursor.take()
        low = _hole(cursor)
        if cursor.keyword() != "AND":
            raise NotCacheable("BETWEEN without AND")
        cursor.take()
        return _RawTerm(attribute, "BETWEEN", (low, _hole(cursor)))
    return _RawTerm(attribute, _comparator(cursor), (_hole(cursor),))


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
