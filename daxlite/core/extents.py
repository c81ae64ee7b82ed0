"""Extents: which sort keys of a partition a page covers, and which ones a change touches.

A page of a Query covers a closed interval, and a change outside of it cannot alter the page:

    t between 15:00 and 16:00, Limit 2     |15:00 .. 15:20 .. 15:40|-- LastEvaluatedKey 15:20 --> 15:00 to 15:20
    the next page                                    starts after 15:20, reaches the end      --> 15:20 to 16:00

Both ends belong to the interval, also where the condition says `<` or the page starts after a key. For items of one
sort key in a global index are ordered by the table's key, so that the same sort key can stand before and after the cut.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, TypeVar

from msgspec import Struct

from .hidden import Hidden
from .sort_keys import last_with_prefix, sort_key

T = TypeVar("T", bound=Hashable)


class Condition(Hidden, Struct, frozen=True):
    """What a Query asks of one key attribute."""

    name: str
    operator: str
    """As in a key condition: =, <, <=, >, >=, BETWEEN or begins_with."""
    values: tuple[Mapping[str, Any], ...]
    """Typed."""


class Extent(Hidden, Struct, frozen=True, gc=False, array_like=True):
    """A closed interval of sort keys, as `sort_keys.sort_key` has them."""

    low: bytes
    high: bytes

    def meets(self, other: "Extent") -> bool:
        """Whether some sort key lies in both."""
        return self.low <= other.high and other.low <= self.high

    def hull(self, other: "Extent") -> "Extent":
        """The smallest extent that holds both.

        >>> Extent(b"Sa", b"Sb").hull(Extent(b"Sx", b"Sy")) == Extent(b"Sa", b"Sy")
        True
        """
        if self is EVERYTHING or other is EVERYTHING:
            return EVERYTHING
        low, high = min(self.low, other.low), max(self.high, other.high)
        return EVERYTHING if low == _FIRST and high == _LAST else Extent(low, high)


MAX_END: Final = 128
"""Both ends of an extent are cut to so many bytes, to the next ones below and above, so that a thousand hot partitions
with long keys do not fill the memory with what changed in them. What differs only behind them counts as the same."""

# Beyond every sort key, each of which starts with the letter of its type.
_FIRST: Final = b""
_LAST: Final = b"\xff"
EVERYTHING: Final = Extent(_FIRST, _LAST)


def hulls(parts: Iterable[Mapping[T, Extent]]) -> dict[T, Extent]:
    """Several mappings as one: for each key the smallest extent that holds all of its extents.

    >>> hulls([{"a": Extent(b"Sa", b"Sb")}, {"a": Extent(b"Sx", b"Sy"), "b": EVERYTHING}])["a"].high
    b'Sy'
    """
    joined: dict[T, Extent] = {}
    for part in parts:
        for key, extent in part.items():
            known = joined.get(key)
            joined[key] = extent if known is None else known.hull(extent)
    return joined


def extent_between(low: bytes, high: bytes) -> Extent:
    """The extent with these ends; EVERYTHING itself where that is meant, for callers that compare it by identity."""
    return EVERYTHING if low == _FIRST and high == _LAST else Extent(low, high)


def extent_of_key(value: Mapping[str, Any]) -> Extent:
    """The extent of one sort key. Raises NotCacheable for a value that cannot be one.

    >>> extent_of_key({"S": "a"}).high
    b'Sa'
    """
    key = sort_key(value)
    return Extent(key, key) if len(key) <= MAX_END else _cut(key, key)


def extent_of_page(
    name: str,
    conditions: Iterable[Condition],
    *,
    start: Mapping[str, Any] | None = None,
    last: Mapping[str, Any] | None = None,
    is_forward: bool = True,
) -> Extent:
    """What a page covers of the sort keys in the attribute `name`.

    start, last: the page's ExclusiveStartKey and its LastEvaluatedKey. Raises NotCacheable for values that cannot be
    sort keys.

    >>> newest = Condition("t", ">=", ({"N": "100"},))
    >>> extent_of_page("t", [newest], last={"t": {"N": "250"}}, is_forward=False).low == sort_key({"N": "250"})
    True
    """
    low, high = _FIRST, _LAST
    for condition in conditions:
        if condition.name == name:
            low, high = _interval(condition)
    first, final = (start, last) if is_forward else (last, start)
    from_low = low if first is None or name not in first else max(low, sort_key(first[name]))
    to_high = high if final is None or name not in final else min(high, sort_key(final[name]))
    # DynamoDB refuses a start outside of the condition; nothing is concluded from one that it took all the same.
    if from_low > to_high or (from_low, to_high) == (_FIRST, _LAST):
        return EVERYTHING
    return _cut(from_low, to_high)


def _cut(low: bytes, high: bytes) -> Extent:
    if len(high) > MAX_END:
        # Greater than all that begin alike. The type's letter is no 0xff, so something is left.
        *prefix, final = high[:MAX_END].rstrip(b"\xff")
        high = bytes((*prefix, final + 1))
    return Extent(low[:MAX_END], high)


def _interval(condition: Condition) -> tuple[bytes, bytes]:
    operator, (value, *more) = condition.operator, condition.values
    bound = sort_key(value)
    if operator == "=":
        return bound, bound
    if operator in ("<", "<="):
        return _FIRST, bound
    if operator in (">", ">="):
        return bound, _LAST
    if operator == "BETWEEN" and more:
        return bound, sort_key(more[0])
    if operator == "begins_with":
        return bound, last_with_prefix(bound)
    return _FIRST, _LAST
