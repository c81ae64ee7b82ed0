"""Tags as processes share them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.extents import EVERYTHING as EVERY_EXTENT
from daxlite.core.extents import Extent
from daxlite.core.schema import item_key, partition_value
from daxlite.core.tables import Place
from daxlite.core.tags import Tag, index_tag, item_tag, partition_tag, scan_tag, table_tag
from daxlite.shared.tags import (
    EVERYTHING,
    SIZE,
    SLOT_BYTES,
    TABLE_BYTES,
    everything_of,
    function_tag,
    named_tag,
    result_tag,
    shared_tag,
    shared_tags,
)

texts = st.sampled_from(["", "T", "TU", "U", "everything", "named", "by_day"])
values = st.sampled_from([b"", b"a", b"ab", b"T"])
keys = st.sampled_from(["", "a", "T"]).map(lambda text: item_key({"pk": {"S": text}}))
tables = st.builds(Place, texts, texts)
tags = st.one_of(
    st.builds(item_tag, tables, keys),
    st.builds(partition_tag, tables, st.none() | texts, values),
    st.builds(index_tag, tables, texts),
    st.builds(scan_tag, tables, st.none() | texts),
    st.builds(table_tag, tables),
)
T = Place("eu-west-1", "T")
KEY = {"d": {"S": "d#7"}, "t": {"N": "5"}}


def unknown(place: Place) -> None:
    """No table is known."""


def slot(shared: bytes) -> bytes:
    return shared[TABLE_BYTES : TABLE_BYTES + SLOT_BYTES]


def meaning(tag: Tag) -> Any:
    return tag.kind, tag.table.region, tag.table.name, tag.index_name, tag.value


@given(tags, tags)
def test_two_tags_are_one_exactly_if_they_are_of_one_place(one: Tag, other: Tag) -> None:
    """However the table is known: by its account, by credentials or through another endpoint."""
    (shared,), (another,) = shared_tag(one, unknown), shared_tag(other, unknown)
    assert (shared == another) == (meaning(one) == meaning(other))
    assert (shared[-16:] == another[-16:]) == (meaning(one) == meaning(other)), "128 bits of the name alone tell"
    assert (shared[:TABLE_BYTES] == another[:TABLE_BYTES]) == (one.table == other.table)
    assert len(shared) == SIZE


@given(tags, texts, values)
def test_tags_of_one_kind_are_never_those_of_another(tag: Tag, name: str, key: bytes) -> None:
    kinds = [EVERYTHING, *shared_tag(tag, unknown), named_tag(name), function_tag(key), result_tag(key)]
    assert len(set(kinds)) == len(kinds)
    assert len({kind[:TABLE_BYTES] for kind in kinds}) == 2, "those without a table have one channel"


@given(texts, texts)
def test_names_are_told_apart(one: str, other: str) -> None:
    assert (named_tag(one) == named_tag(other)) == (one == other)


def test_the_slot_goes_by_the_partition_key() -> None:
    """So one script reaches an item, its partition and its partitions of local indexes."""
    partition = partition_value([KEY["d"]])
    (item,) = shared_tag(item_tag(T, item_key(KEY)), lambda place: "d")
    (own,) = shared_tag(partition_tag(T, None, partition), unknown)
    (local,) = shared_tag(partition_tag(T, "by_total", partition), unknown)
    assert slot(item) == slot(own) == slot(local)
    assert len({item, own, local}) == 3
    others = [partition_tag(T, "by_day", partition_value([{"S": "d#8"}])), scan_tag(T, None), table_tag(T)]
    others.append(partition_tag(Place("", "T"), None, partition))
    assert slot(own) not in [slot(each) for tag in others for each in shared_tag(tag, unknown)]


@pytest.mark.parametrize("known", ["d", "t"])
def test_p5_a_process_that_does_not_know_the_keys_names_an_item_as_all_others_may(known: str) -> None:
    item = item_tag(T, item_key(KEY))
    candidates = shared_tag(item, unknown)
    assert len(set(candidates)) == 2
    (right,) = shared_tag(item, lambda place: known)
    assert right in candidates
    (single,) = shared_tag(item_tag(T, item_key({"d": {"S": "a"}})), unknown)
    assert (single,) == shared_tag(item_tag(T, item_key({"d": {"S": "a"}})), lambda place: "d")
    assert shared_tag(item, lambda place: "of a table made anew") == candidates


def test_anything_at_all_is_everything_and_nothing_is_nothing() -> None:
    assert shared_tags(None, unknown) == {EVERYTHING: EVERY_EXTENT}
    assert shared_tags({}, unknown) == {}
    tag, extent = partition_tag(T, None, b"a"), Extent(b"Sa", b"Sb")
    assert shared_tags({tag: extent}, unknown) == {shared_tag(tag, unknown)[0]: extent}
    assert everything_of([b"a", b"b"]) == {b"a": EVERY_EXTENT, b"b": EVERY_EXTENT}


# Two releases that share a server give one thing one name: these never change.
GOLDEN = {
    "table": shared_tag(table_tag(T), unknown),
    "partition": shared_tag(partition_tag(T, None, partition_value([KEY["d"]])), unknown),
    "item": shared_tag(item_tag(T, item_key(KEY)), lambda place: "d"),
    "everything": (EVERYTHING,),
    "named": (named_tag("rates"),),
}

EXPECTED = {
    "table": "88202fee8fe5ba0d8bc6218ac23992c5f12a494b14c4c9291392f6733e85567c",
    "partition": "88202fee8fe5ba0d5a661b6e4acb2a31feb42106c484e3bc076370b83f861590",
    "item": "88202fee8fe5ba0d5a661b6e4acb2a310eb0bfecbb41f226e312094872a53c97",
    "everything": "dcc4ddb60ebe1eedd77ccc11428f101dfb1a8ee6b51f795826240888e270426a",
    "named": "dcc4ddb60ebe1eedf0061be467f0005f03d738adf0c96896bb95adf6cd282778",
}


def test_golden_names() -> None:
    assert {name: shared[0].hex() for name, shared in GOLDEN.items()} == EXPECTED
