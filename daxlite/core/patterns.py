"""Patterns for table names: `*` stands for any number of characters, `?` for one."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import combinations
from typing import Final, TypeVar

from .tables import is_table_name

T = TypeVar("T")

PATTERN_RULE: Final = "letters, digits, '_', '-' and '.'; in a pattern also '*' for any of them, and '?' for one"
"""What a table's name or a pattern may have, for messages."""

_PATTERN: Final = re.compile(r"[A-Za-z0-9_.*?-]{1,255}", re.ASCII)


def is_name_or_pattern(text: str) -> bool:
    """Whether this is a table's name, or a pattern for such names.

    >>> is_name_or_pattern("Orders"), is_name_or_pattern("Orders-*"), is_name_or_pattern("Orders [a]")
    (True, True, False)
    """
    return _PATTERN.fullmatch(text) is not None


class Names(frozenset[str]):
    """Names and patterns. What matches one of them is in it.

    >>> [name in Names(["Orders", "Audit-*"]) for name in ("Orders", "Audit-eu", "Users")]
    [True, True, False]
    """

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or find(dict.fromkeys(self, True), str(name)) is not None


def find(by_pattern: Mapping[str, T], name: str) -> T | None:
    """What stands under a table's name, or else under the most specific pattern that matches it.

    >>> [find({"*": 1, "Orders-*": 2, "Orders-eu": 3}, name) for name in ("Orders-eu", "Orders-us", "Users")]
    [3, 2, 1]
    """
    if name in by_pattern:
        return by_pattern[name]
    found = [each for each in by_pattern if not is_table_name(each) and fnmatchcase(name, each)]
    return by_pattern[max(found, key=_specificity)] if found else None


def ambiguity(patterns: Iterable[str]) -> tuple[str, str, str] | None:
    """Two of these patterns, and a name that both match, where neither is more specific than the other; None if there
    are none.

    >>> ambiguity(["Orders-*", "*", "Users-*"])
    >>> ambiguity(["Orders-*", "*-orders"])
    ('Orders-*', '*-orders', 'Orders-orders')
    """
    groups: dict[object, list[str]] = defaultdict(list)
    for each in patterns:
        if not is_table_name(each):
            groups[_specificity(each)].append(each)
    for group in groups.values():
        for one, other in combinations(group, 2):
            if (name := matched_by_both(one, other)) is not None:
                return one, other, name
    return None


def _specificity(pattern: str) -> tuple[int, int, int]:
    """More for a pattern that says more: by its own characters, then by the number that `?` stands for."""
    stars, marks = pattern.count("*"), pattern.count("?")
    return len(pattern) - stars - marks, marks, -stars


def matched_by_both(one: str, other: str) -> str | None:
    """A name that two patterns match; None if there is none.

    >>> matched_by_both("Orders-*", "*-eu"), matched_by_both("Orders-*", "Users-*")
    ('Orders-eu', None)
    """
    # From what is left of both patterns to what may be left one step later, with what the name has so far.
    seen = set()
    ways = [(0, 0, "")]
    while ways:
        i, j, name = ways.pop()
        if (i, j) in seen:
            continue
        seen.add((i, j))
        a, b = one[i : i + 1], other[j : j + 1]
        if not a and not b:
            return name
        is_wild = a in ("*", "?") or b in ("*", "?")
        if a and b and not a == b == "*" and (a == b or is_wild):
            taken = next((each for each in (a, b) if each not in "*?"), "x")
            ways.append((i if a == "*" else i + 1, j if b == "*" else j + 1, name + taken))
        # Tried before that, so that a `*` stands for as little as possible.
        if a == "*":
            ways.append((i + 1, j, name))
        if b == "*":
            ways.append((i, j + 1, name))
    return None
