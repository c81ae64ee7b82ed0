"""Keys: `item_key` and `partition_value` are equal exactly when DynamoDB takes the keys for equal."""

import contextlib
import decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary
from hypothesis import assume, example, given
from hypothesis import strategies as st

from daxlite.core.native import typed_item, typed_key
from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.schema import KeySchema, TableSchema, item_key, partition_value, schema_of

AWKWARD = (
    "",
    " ",
    "a",
    "b#c",
    "a#b",
    "c",
    ":sk:",
    "\x00",
    "\u0000a",
    "ü",
    "u\u0308",
    "1",
    "1.0",
    "None",
    "'",
    '"',
    "S",
    "N",
    "B",
)
texts = st.one_of(st.sampled_from(AWKWARD), st.text(st.characters(exclude_categories=["Cs"]), max_size=6))
names = st.sampled_from(["pk", "sk", "a", "b", "pk#sk", "ü", "S"])
numbers = st.tuples(st.integers(-(10**6), 10**6), st.integers(-5, 5))


def notations(number: tuple[int, int]) -> st.SearchStrategy[str]:
    """Ways of writing one number."""
    digits, exponent = number
    value = decimal.Decimal(digits).scaleb(exponent)
    sign = "+" if value >= 0 else ""
    plain = format(value, "f")
    return st.sampled_from(
        [
            plain,
            sign + plain,
            plain + ("0" if "." in plain else ".0"),
            plain + ("" if "." in plain else "."),
            f"{digits}e{exponent}",
            f"{digits}E{exponent:+d}",
            f"{digits}000E{exponent - 3}",
            plain.replace("-", "-00") if value < 0 else "00" + plain,
        ]
    )


# A value as what it means, and a way to write it: ("S", text), ("B", bytes) or ("N", (digits, exponent)).
meanings = st.one_of(
    texts.map(lambda text: ("S", text)),
    texts.map(lambda text: ("B", text.encode())),
    numbers.map(lambda number: ("N", number)),
)


def written(draw: st.DrawFn, meaning: tuple[str, Any]) -> dict[str, Any]:
    kind, content = meaning
    if kind == "N":
        return {"N": draw(notations(content))}
    if kind == "B":
        return {"B": draw(st.sampled_from([content, bytearray(content)]))}
    return {"S": content}


def meant(meaning: tuple[str, Any]) -> tuple[str, Any]:
    """What the meaning is to DynamoDB: numbers are their value."""
    kind, content = meaning
    return kind, decimal.Decimal(content[0]).scaleb(content[1]) if kind == "N" else content


keys = st.dictionaries(names, meanings, min_size=1, max_size=2)


@given(keys, st.data())
def test_one_key_has_one_form(key: dict[str, Any], data: st.DataObject) -> None:
    @st.composite
    def form(draw: st.DrawFn) -> dict[str, Any]:
        return {name: written(draw, key[name]) for name in draw(st.permutations(list(key)))}

    assert item_key(data.draw(form())) == item_key(data.draw(form()))


@given(keys, keys, st.data())
def test_two_keys_are_equal_only_if_they_mean_the_same(
    one: dict[str, Any], other: dict[str, Any], data: st.DataObject
) -> None:
    @st.composite
    def form(draw: st.DrawFn, key: dict[str, Any]) -> dict[str, Any]:
        return {name: written(draw, meaning) for name, meaning in key.items()}

    same = {n: meant(v) for n, v in one.items()} == {n: meant(v) for n, v in other.items()}
    assert (item_key(data.draw(form(one))) == item_key(data.draw(form(other)))) == same


@given(texts, texts, texts, texts)
@example("a", "b#c", "a#b", "c")
@example("a", "b:sk:c", "a:sk:b", "c")
@example("ab", "", "a", "b")
def test_separators_inside_values_do_not_collide(pk: str, sk: str, other_pk: str, other_sk: str) -> None:
    assume((pk, sk) != (other_pk, other_sk))
    one = item_key({"pk": {"S": pk}, "sk": {"S": sk}})
    assert one != item_key({"pk": {"S": other_pk}, "sk": {"S": other_sk}})
    assert partition_value([{"S": pk}, {"S": sk}]) != partition_value([{"S": other_pk}, {"S": other_sk}])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": {"S": "1"}}, {"a": {"N": "1"}}),
        ({"a": {"S": "x"}}, {"a": {"B": b"x"}}),
        ({"a": {"S": "x"}}, {"b": {"S": "x"}}),
        ({"a": {"S": "x"}}, {"a": {"S": "x"}, "b": {"S": ""}}),
        ({"a": {"S": "b"}, "c": {"S": "d"}}, {"a": {"S": "d"}, "c": {"S": "b"}}),
        ({"a": {"S": "ü"}}, {"a": {"S": "u\u0308"}}),
        ({"a": {"N": "1"}}, {"a": {"N": "-1"}}),
        (
            {"a": {"N": "12345678901234567890123456789012345678"}},
            {"a": {"N": "12345678901234567890123456789012345679"}},
        ),
        ({"a": {"N": "1E-130"}}, {"a": {"N": "0"}}),
    ],
)
def test_what_only_looks_alike_is_two_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert item_key(one) != item_key(other)


@pytest.mark.parametrize(
    "value",
    [b"x", bytearray(b"x"), Binary(b"x"), Binary(bytearray(b"x"))],
    ids=["bytes", "bytearray", "Binary", "both"],
)
def test_binary_in_every_native_type_is_one_key(value: Any) -> None:
    assert item_key(typed_item({"pk": value})) == item_key({"pk": {"B": b"x"}})


@pytest.mark.parametrize(
    "value", [1, decimal.Decimal(1), decimal.Decimal("1.0"), decimal.Decimal("1e0"), {"N": "1.00"}]
)
def test_a_key_given_to_invalidate_may_be_native_or_typed(value: Any) -> None:
    assert item_key(typed_key({"pk": value})) == item_key({"pk": {"N": "1"}})


@pytest.mark.parametrize(
    "key",
    [
        {},
        None,
        [],
        "pk",
        {"pk": "bare"},
        {"pk": {}},
        {"pk": {"S": "a", "N": "1"}},
        {"pk": {"BOOL": True}},
        {"pk": {"SS": ["a"]}},
        {"pk": {"S": 1}},
        {"pk": {"N": 1}},
        {"pk": {"N": "one"}},
        {"pk": {"N": ""}},
        {"pk": {"S": "\ud800"}},
        {"\ud800": {"S": "a"}},
        {1: {"S": "a"}},
        {1: {"S": "a"}, "b": {"S": "a"}},
    ],
    ids=repr,
)
def test_what_is_no_key_is_not_guessed_at(key: Any) -> None:
    with pytest.raises(NotCacheable):
        item_key(key)


@given(st.dictionaries(texts, st.one_of(st.none(), texts, st.dictionaries(texts, texts, max_size=2)), max_size=3))
def test_anything_is_a_key_or_unrecognised(key: dict[str, Any]) -> None:
    with contextlib.suppress(NotCacheable):
        assert isinstance(item_key(key), bytes)


@pytest.mark.parametrize(
    "wrong", [((),), ((), ("a",)), (("a",), ("a",)), (("a", "a"),), (("",),), (("a", 1),), (("a",), (None,))], ids=repr
)
def test_a_wrong_key_schema_fails_where_it_is_written(wrong: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^(hash|range|hash and range) (is empty|has .* in it|have one name twice); .*must"
    ):
        KeySchema(*wrong)


def test_a_name_in_place_of_names_is_refused() -> None:
    """`KeySchema("pk")` looks right, and would be a key of the attributes p and k."""
    with pytest.raises((TypeError, ValueError)):
        KeySchema("pk")  # type: ignore[arg-type]
    with pytest.raises((TypeError, ValueError)):
        KeySchema(("pk",), "sk")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [{"key": "pk"}, {"key": ("pk", "sk")}, {"key": KeySchema.of("pk"), "global_indexes": {"i": "pk"}}],
    ids=repr,
)
def test_a_wrong_table_schema_fails_where_it_is_written(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        TableSchema(**wrong)


def test_partitions() -> None:
    schema = KeySchema(("a", "b"), ("c",))
    x, y = {"S": "x"}, {"S": "y"}
    assert schema.partition_of({"a": x, "b": y}) == schema.partition_of({"c": x, "b": y, "a": x})
    assert schema.partition_of({"a": x, "b": y}) != schema.partition_of({"a": y, "b": x})
    assert schema.partition_of({"a": x}) is None
    assert schema.partition_of(None) is None
    assert schema.holds({"a": x, "b": x, "c": x})
    assert not schema.holds({"a": x, "b": x})


def test_the_schema_of_a_description() -> None:
    def keys(*pairs: tuple[str, str]) -> list[dict[str, str]]:
        return [{"AttributeName": name, "KeyType": kind} for name, kind in pairs]

    described = {
        "KeySchema": keys(("sk", "RANGE"), ("pk", "HASH")),
        "GlobalSecondaryIndexes": [
            {"IndexName": "g", "KeySchema": keys(("a", "HASH"), ("b", "HASH"), ("c", "RANGE"), ("d", "RANGE"))}
        ],
        "LocalSecondaryIndexes": [{"IndexName": "l", "KeySchema": keys(("pk", "HASH"), ("x", "RANGE"))}],
    }
    assert schema_of(described) == TableSchema(
        KeySchema.of("pk", "sk"), {"g": KeySchema(("a", "b"), ("c", "d"))}, {"l": KeySchema.of("pk", "x")}
    )
    assert schema_of({"KeySchema": keys(("pk", "HASH"))}) == TableSchema(KeySchema.of("pk"))
