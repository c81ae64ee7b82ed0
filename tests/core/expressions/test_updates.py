"""Which attributes an update may change."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daxlite.core.expressions.updates import read_attribute_updates, read_update
from daxlite.core.not_cacheable import NotCacheable
from tests.strategies import attribute_names

PATH_TAIL = st.lists(st.one_of(st.just(".x"), st.just(".#tail"), st.integers(0, 9).map(lambda i: f"[{i}]")), max_size=3)
RIGHT_SIDES = [
    ":v",
    "#read",
    "#read.x[0] + :v",
    ":v - #read",
    "if_not_exists(#read, :v)",
    "list_append(if_not_exists(#read, :v), :v)",
    "if_not_exists(#read.x, :v) + :v",
    "(#read + :v)",
    "list_append(:v, (#read))",
]


def touched_attributes(expression: str, names: dict[str, str] | None) -> frozenset[str]:
    return read_update(expression, names).touched


CLAUSES = st.dictionaries(
    st.sampled_from(["SET", "REMOVE", "ADD", "DELETE"]), st.lists(attribute_names, min_size=1, max_size=4), min_size=1
)


@given(st.data(), CLAUSES)
def test_targets_are_touched_and_what_is_read_is_not(data: st.DataObject, clauses: dict[str, list[str]]) -> None:
    names = {"#tail": "tail", "#read": "read"}
    texts = []
    touched: set[str] = set()
    for clause, targets in clauses.items():
        actions = []
        for target in targets:
            alias = f"#n{len(names)}"
            names[alias] = target
            touched.add(target)
            path = alias + "".join(data.draw(PATH_TAIL))
            right = {"SET": f" = {data.draw(st.sampled_from(RIGHT_SIDES))}", "REMOVE": ""}.get(clause, " :v")
            actions.append(path + right)
        keyword = data.draw(st.sampled_from([clause, clause.lower(), clause.capitalize()]))
        texts.append(f"{keyword} {', '.join(actions)}")
    assert touched_attributes(data.draw(st.sampled_from([" ", "\n"])).join(texts), names) == touched


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("SET a = :v", {"a"}),
        ("SET a=:v,b=c", {"a", "b"}),
        ("SET a = b + :v REMOVE c.d[1], e ADD f :v DELETE g.h :v", {"a", "c", "e", "f", "g"}),
        ("remove a set b[0] = list_append (b, :v)", {"a", "b"}),
        ("SET a = if_not_exists(b, c)", {"a"}),
        ("ADD a :v, b.c :w", {"a", "b"}),
        ("SET #a.#b = :v", {"x.y"}),
        ("SET #a = #b, #a.b = :v", {"x.y"}),
    ],
)
def test_touched(expression: str, expected: set[str]) -> None:
    assert touched_attributes(expression, {"#a": "x.y", "#b": "z", "#condition": "c"}) == expected


def test_the_names_are_part_of_the_question() -> None:
    assert touched_attributes("SET #a = :v", {"#a": "x"}) == {"x"}
    assert touched_attributes("SET #a = :v", {"#a": "y"}) == {"y"}
    assert touched_attributes("SET a = :v", None) == touched_attributes("SET a = :v", {}) == {"a"}


@pytest.mark.parametrize(
    "expression",
    [
        *("", "a = :v", "SET", "SET a", "SET a =", "SET a = :v,", "SET a = :v b = :v", "SET = :v", "SET a < :v"),
        *("SET a = :v SET b = :v", "SET a = f(b)", "SET a = size(b)", "SET a = IF_NOT_EXISTS(b, :v)", "SET a = 1"),
        *("SET name = :v", "SET a = name", "SET a = (:v", "SET a = " + "(" * 99 + ":v" + ")" * 99),
        *("REMOVE", "REMOVE a = :v", "REMOVE :v", "ADD a", "ADD a = :v", "ADD a b", "DELETE a", "UPSERT a = :v"),
        *("SET #undefined = :v", "SET a = #undefined", None, 1, ["SET"]),
    ],
)
def test_what_is_not_understood_may_touch_anything(expression: Any) -> None:
    with pytest.raises(NotCacheable):
        touched_attributes(expression, None)


@pytest.mark.parametrize("names", [{"#a": ""}, {"#a": 1}, {"#a": None}, [("#a", "a")]])
def test_names_that_are_none(names: Any) -> None:
    with pytest.raises(NotCacheable):
        touched_attributes("SET #a = :v", names)


@given(st.lists(attribute_names))
def test_attribute_updates_touch_what_they_name(names: list[str]) -> None:
    assert read_attribute_updates({name: {"Action": "PUT"} for name in names}).touched == set(names)


@pytest.mark.parametrize("updates", [None, ["a"], {1: {}}, "a"])
def test_attribute_updates_that_are_none(updates: Any) -> None:
    with pytest.raises(NotCacheable):
        read_attribute_updates(updates)


VALUES = {":v": {"N": "1.0"}, ":w": {"S": "w"}}


@pytest.mark.parametrize(
    ("expression", "assigned"),
    [
        ("SET a = :v", {"a": {"N": "1"}}),
        ("SET #a = :w, b = :v REMOVE c", {"x.y": {"S": "w"}, "b": {"N": "1"}, "c": None}),
        ("set a = :v remove b", {"a": {"N": "1"}, "b": None}),
        ("SET a = :v + :v", {"a": {"N": "2"}}),
        ("SET a = a + :v, b = :w", {"b": {"S": "w"}}),
        ("SET a = if_not_exists(a, :v)", {}),
        ("SET a = b", {}),
        ("SET a.b = :v, c[0] = :v REMOVE d.e, f[1]", {}),
        ("ADD a :v DELETE b :w", {}),
        ("SET a = (:v)", {}),
    ],
)
def test_what_is_assigned_is_known(expression: str, assigned: dict[str, object]) -> None:
    names = {"#a": "x.y"} if "#a" in expression else None
    assert read_update(expression, names, VALUES).new_values() == assigned


def test_legacy_updates_that_put_or_remove_are_known() -> None:
    update = read_attribute_updates(
        {
            "a": {"Value": {"N": "1.0"}},
            "b": {"Action": "DELETE"},
            "c": {"Action": "ADD", "Value": {"N": "1"}},
            "d": {"Action": "DELETE", "Value": {"SS": ["x"]}},
        }
    )
    assert update.new_values() == {"a": {"N": "1"}, "b": None}
    assert update.touched == {"a", "b", "c", "d"}
