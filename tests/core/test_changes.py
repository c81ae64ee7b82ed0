"""What a change bumps: everything whose answer it could alter, and no other partition where that can be told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.changes import ABSENT, UNKNOWN, Change, Image, bumped_tags
from daxlite.core.extents import EVERYTHING
from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.schema import KeySchema, TableSchema, item_key, partition_value
from daxlite.core.tables import TableId
from daxlite.core.tags import Tag, index_tag, item_tag, partition_tag, scan_tag, table_tag

TABLE = TableId("https://here", "eu-west-1", ("account", "1"), "T")
INDEXES = {
    "hash": KeySchema.of("a"),
    "hash+range": KeySchema.of("a", "b"),
    "multi": KeySchema(("a", "b"), ("c",)),
    "inverted": KeySchema.of("sk", "pk"),
    "inverted sparse": KeySchema.of("sk", "c"),
    "mixed": KeySchema(("pk", "a")),
}
SCHEMA = TableSchema(KeySchema.of("pk", "sk"), INDEXES, {"local": KeySchema.of("pk", "total")})
KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}


def item(**attributes: str) -> dict[str, Any]:
    return {**KEY, **{name: {"S": value} for name, value in attributes.items()}}


def bumped(old: Image, new: Image, touched: set[str] | None = None, index: str = "hash+range") -> set[str]:
    """The partitions of one index that a change bumps, as text; "?" for the whole index."""
    change = Change(TABLE, KEY, old, new, None if touched is None else frozenset(touched))
    named = {partition_value([{"S": text}]): text for text in ("x", "y", "s")}
    named |= {partition_value([{"S": one}, {"S": two}]): one + two for one in "xyp" for two in "xy12"}
    tags = [tag for tag in bumped_tags(change, SCHEMA) if tag.index_name == index]
    found = {"?" if tag.kind == "index" else named[tag.value or b""] for tag in tags if tag.kind != "scan"}
    assert (scan_tag(TABLE, index) in tags) is bool(found), "a scan of the index depends on every one of its items"
    return found


X1, X2, Y1 = item(a="x", b="1"), item(a="x", b="2"), item(a="y", b="1")


@pytest.mark.parametrize(
    ("old", "new", "touched", "expected"),
    [
        (X1, X2, None, {"x"}),
        (X1, Y1, None, {"x", "y"}),
        (X1, ABSENT, None, {"x"}),
        (ABSENT, X1, None, {"x"}),
        (ABSENT, ABSENT, None, set()),
        (item(a="x"), X1, None, {"x"}),
        (X1, item(b="1"), None, {"x"}),
        (item(a="x"), item(a="y"), None, set()),
        (UNKNOWN, UNKNOWN, None, {"?"}),
        (UNKNOWN, X1, None, {"?"}),
        (UNKNOWN, ABSENT, None, {"?"}),
        (X1, UNKNOWN, None, {"?"}),
        (UNKNOWN, X1, {"note"}, {"x"}),
        (X1, UNKNOWN, {"note"}, {"x"}),
        (UNKNOWN, item(b="1"), {"note"}, set()),
        (UNKNOWN, X1, {"b"}, {"x"}),
        (UNKNOWN, item(a="x"), {"b"}, {"x"}),
        (UNKNOWN, X1, {"a"}, {"?"}),
        (X1, UNKNOWN, {"a"}, {"?"}),
        (ABSENT, UNKNOWN, {"note"}, set()),
        (UNKNOWN, UNKNOWN, {"note"}, {"?"}),
    ],
)
def test_an_index_with_hash_and_range(old: Image, new: Image, touched: set[str] | None, expected: set[str]) -> None:
    assert bumped(old, new, touched) == expected


def test_other_kinds_of_index() -> None:
    assert bumped(X1, X2, index="multi") == set()
    full = item(a="x", b="1", c="c")
    assert bumped(full, item(a="x", b="2", c="c"), index="multi") == {"x1", "x2"}
    assert bumped(full, item(a="x", b="1"), index="multi") == {"x1"}
    assert bumped(UNKNOWN, full, {"c"}, index="multi") == {"x1"}
    assert bumped(UNKNOWN, full, {"b"}, index="multi") == {"?"}
    for index in ("inverted", "inverted sparse"):
        assert bumped(UNKNOWN, UNKNOWN, index=index) == {"s"}, "the primary key tells, and it never changes"
    assert bumped(UNKNOWN, X1, {"b"}, index="mixed") == {"px"}


def test_a_change_without_a_key_is_one_of_the_table() -> None:
    assert bumped_tags(Change(TABLE), SCHEMA) == bumped_tags(Change(TABLE), None) == {table_tag(TABLE): EVERYTHING}


def test_without_a_schema_every_query_hangs_on_the_scan_tag() -> None:
    tags = bumped_tags(Change(TABLE, KEY), None)
    assert set(tags) == {item_tag(TABLE, item_key(KEY)), scan_tag(TABLE, None)}


def test_the_table_itself() -> None:
    tags = bumped_tags(Change(TABLE, KEY, X1, X2), SCHEMA)
    assert {tag for tag in tags if tag.index_name is None} == {
        item_tag(TABLE, item_key(KEY)),
        partition_tag(TABLE, None, partition_value([{"S": "p"}])),
        scan_tag(TABLE, None),
    }


def test_a_key_that_is_none_is_not_guessed_at() -> None:
    with pytest.raises(NotCacheable):
        bumped_tags(Change(TABLE, {"pk": {"BOOL": True}}), SCHEMA)


values = st.sampled_from(["x", "y"])
images = st.none() | st.dictionaries(st.sampled_from(["a", "b", "c", "note"]), values).map(lambda it: item(**it))


@given(images, images, st.booleans(), st.booleans(), st.booleans(), st.sets(st.sampled_from(["a", "b", "c", "note"])))
def test_no_partition_is_missed_when_images_are_unknown(
    old: Any, new: Any, hide_old: bool, hide_new: bool, tell_touched: bool, more: set[str]
) -> None:
    """Against the definition: an index's partition changes if the item lay, or lies, in it."""
    changed = {n for n in ("a", "b", "c", "note") if (old or {}).get(n) != (new or {}).get(n)}
    shown_old: Image = UNKNOWN if hide_old else ABSENT if old is None else old
    shown_new: Image = UNKNOWN if hide_new else ABSENT if new is None else new
    # Only an update tells what it touches, and no update makes an item go away.
    touched = frozenset(changed | more) if tell_touched and new is not None else None
    tags = set(bumped_tags(Change(TABLE, KEY, shown_old, shown_new, touched), SCHEMA))
    for name, index in INDEXES.items():
        if touched == frozenset() and hide_old and hide_new and "sk" not in index.hash:
            # What touches no attribute changes no index. Of one whose partition the primary key names, it casts doubt
            # on what was read there: a failed condition is such a change.
            assert not any(tag.index_name == name for tag in tags)
            continue
        needed: set[Tag] = set()
        for image in (old, new):
            if image is not None and all(attribute in image for attribute in index.names):
                value = partition_value(image[attribute] for attribute in index.hash)
                needed |= {partition_tag(TABLE, name, value), scan_tag(TABLE, name)}
        if index_tag(TABLE, name) in tags:
            needed = {tag for tag in needed if tag.kind == "scan"}
        assert needed <= tags
        if not (hide_old or hide_new) and "sk" not in index.hash:
            assert {tag for tag in tags if tag.index_name == name} == needed, "more than it must"
