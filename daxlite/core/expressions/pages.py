"""All expressions of a Query or a Scan at once: what they say with holes for the values.

This depends on the texts of a program alone, so it is parsed once. What is left to each call is to put values into the
holes.
"""

from typing import Any, Final

from msgspec import Struct

from ..encoding import encode
from ..hidden import Hidden
from .conditions import Term, parse_filter, parse_key_condition
from .memo import MEMO
from .placeholders import NamePairs, Names
from .projections import parse_projection


class PageExpressions(Hidden, Struct, frozen=True):
    """What the expressions of a Query or a Scan say. Two pages of one table are alike if their forms, the values in
    their holes and their other parameters are."""

    form: bytes
    holes: tuple[str, ...]
    """The placeholders of the values, as often as they occur, in the order of their holes."""
    placeholders: int
    """The number of different placeholders."""
    equalities: tuple[tuple[str, str], ...]
    """The attributes that the key condition fixes, each with the placeholder of its value."""
    terms: tuple[Term, ...]
    """The comparisons of the key condition."""


_recall: Final[Any] = MEMO.get


def page_expressions(
    key_condition: str | None, filtered: str | None, projected: str | None, pairs: NamePairs | None
) -> PageExpressions:
    """What a KeyConditionExpression, a FilterExpression, a ProjectionExpression and ExpressionAttributeNames say
    together.

    All texts are plain str: they are compared with those of other requests, by the methods of their class.
    Raises NotCacheable for what DynamoDB would refuse.

    >>> page_expressions("pk = :p", "#t > :n OR #t = :n", None, (("#t", "total"),)).holes
    (':p', ':n', ':n')
    """
    key = ("page", key_condition, filtered, projected, pairs)
    known: PageExpressions | None = _recall(key)
    return MEMO.keep(key, _parse(key_condition, filtered, projected, pairs or ())) if known is None else known


def _parse(key_condition: str | None, filtered: str | None, projected: str | None, pairs: NamePairs) -> PageExpressions:
    names = Names(pairs)
    condition = None if key_condition is None else parse_key_condition(key_condition, names)
    filter_ = None if filtered is None else parse_filter(filtered, names)
    projection = None if projected is None else parse_projection(projected, names)
    names.check_all_used()
    terms = () if condition is None else condition.terms
    holes = [hole for term in terms for hole in term.holes]
    if filter_ is not None:
        holes.extend(filter_.holes)
    form = (
        None if condition is None else condition.form,
        None if filter_ is None else filter_.form,
        None if projection is None else projection.signature,
    )
    return PageExpressions(
        encode(form),
        tuple(holes),
        len(set(holes)),
        tuple([(term.name, term.holes[0]) for term in terms if term.operator == "="]),
        terms,
    )
