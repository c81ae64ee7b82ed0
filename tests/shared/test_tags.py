"""Tags as processes share them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.tables import Place
from daxlite.core.tags import Tag, index_tag, item_tag, partition_tag, scan_tag, table_tag
from daxlite.shared.tags import EVERYTHING, function_tag, named_tag, result_tag, shared_tag, shared_tags

texts = st.sampled_from(["", "T", "TU", "U", "everything", "named", "by_day"])
values = st.sampled_from([b"", b"a", b"ab", b"T"])
tables = st.builds(Place, texts, texts)
tags = st.one_of(
    st.builds(item_tag, tables, values),
    st.builds(partition_tag, tables, st.none() | texts, values),
    st.builds(index_tag, tables, texts),
    st.builds(scan_tag, tables, st.none() | texts),
    st.builds(table_tag, tables),
)


def meaning(tag: Tag) -> Any:
    return tag.kind, tag.table.region, tag.table.name, tag.index_name, tag.value


@given(tags, tags)
def test_two_tags_are_one_exactly_if_they_are_of_one_place(one: Tag, other: Tag) -> None:
    """However the table is known: by its account, by credentials or through another endpoint."""
    assert (shared_tag(one) == shared_tag(other)) == (meaning(one) == meaning(other))
    assert len(shared_tag(one)) >= 16, "128 bits"


@given(tags, texts, values)
def test_tags_of_one_kind_are_never_those_of_another(tag: Tag, name: str, key: bytes) -> None:
    kinds = [EVERYTHING, shared_tag(tag), named_tag(name), function_tag(key), result_tag(key)]
    assert len(set(kinds)) == len(kinds)


@given(texts, texts)
def test_names_are_told_apart(one: str, other: str) -> None:
    assert (named_tag(one) == named_tag(other)) == (one == other)


def test_anything_at_all_is_everything_and_nothing_is_nothing() -> None:
    assert shared_tags(None) == (EVERYTHING,)
    assert shared_tags([]) == ()
    tag = table_tag(Place("", "T"))
    assert shared_tags([tag, tag]) == (shared_tag(tag),)
