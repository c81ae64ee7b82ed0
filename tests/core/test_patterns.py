"""Patterns for table names: which one holds, and when two of them are one too many."""

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite import CacheConfig, TableConfig
from daxlite.core.patterns import ambiguity, find

PATTERNS = st.text("ab*?", min_size=1, max_size=6)
NAMES = st.text("abc", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Orders-eu", "Orders-eu"),  # the exact name
        ("Orders-us", "Orders-u?"),  # as many characters of its own as "Orders-u*", and one that has to be there
        ("Orders-usa", "Orders-u*"),
        ("Orders-", "Orders-*"),  # `*` stands for nothing, too
        ("orders-eu", "*"),  # names are case-sensitive
        ("Users", "*"),
    ],
)
def test_the_most_specific_one_holds(name: str, expected: str) -> None:
    patterns = ["*", "Orders-*", "Orders-u*", "Orders-u?", "Orders-eu"]
    assert ambiguity(patterns) is None
    for order in (patterns, patterns[::-1]):
        assert find(dict(zip(order, order, strict=True)), name) == expected


def test_a_table_that_nothing_matches_has_the_settings_of_the_cache() -> None:
    config = CacheConfig(
        item_ttl=7, tables={"Orders-*": TableConfig(item_ttl=5), "Orders-off": TableConfig(enabled=False)}
    )
    assert [config.for_table(name).item_ttl for name in ("Orders", "Orders-eu", "Orders-off")] == [7, 5, 0]


def test_two_that_are_equally_specific_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"tables\['a\*'\] and tables\['\*a'\] are equally specific.*match 'a'; one of"
    ):
        CacheConfig(tables={"a*": TableConfig(), "*a": TableConfig()})


@given(PATTERNS, PATTERNS)
def test_the_name_that_two_match_is_matched_by_both(one: str, other: str) -> None:
    found = ambiguity([one, other])
    if found is not None:
        assert all(fnmatchcase(found[2], each) for each in (one, other))


@given(PATTERNS, PATTERNS, NAMES)
def test_no_name_has_two_answers(one: str, other: str, name: str) -> None:
    """A model: what is not refused gives every name the same pattern, in whichever order they are written."""
    if ambiguity([one, other]) is None:
        assert find({one: one, other: other}, name) == find({other: other, one: one}, name)
        expected = [each for each in (one, other) if re.fullmatch(each.replace("*", ".*").replace("?", "."), name)]
        assert find({one: one, other: other}, name) in (expected or [None])


def test_a_pattern_with_many_stars_is_quick() -> None:
    """Where a search with ways back would take years."""
    pattern = "*a" * 100 + "b"
    assert find({pattern: 1}, "a" * 255) is None
    assert ambiguity([pattern, "*a" * 100 + "c"]) is None


def test_what_the_application_does_to_its_mapping_later_changes_nothing() -> None:
    tables = {"Orders": TableConfig(item_ttl=5)}
    config = CacheConfig(tables=tables)
    tables["Orders"] = TableConfig(item_ttl=6)
    assert config.for_table("Orders").item_ttl == 5
