"""Projections: what they select, and when two of them are the same."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from daxlite.core.expressions.placeholders import Names
from daxlite.core.expressions.projections import (
    Projection,
    parse_projection,
    projection_of,
    projection_of_attributes,
)
from daxlite.core.expressions.tokens import Path
from daxlite.core.not_cacheable import NotCacheable
from tests.strategies import FEW_NAMES, attribute_names, bare_names, items

paths = st.builds(
    lambda first, rest: (first, *rest),
    st.sampled_from(FEW_NAMES),
    st.lists(st.sampled_from([*FEW_NAMES[:3], 0, 1, 2, 11]), max_size=3),
)


def compatible(selection: Iterable[Path]) -> bool:
    """Would DynamoDB accept these paths together? Compares each with each."""
    selection = list(selection)
    for number, one in enumerate(selection):
        for other in selection[:number]:
            common = 0
            while common < min(len(one), len(other)) and one[common] == other[common]:
                common += 1
            if common == min(len(one), len(other)) or type(one[common]) is not type(other[common]):
                return False
    return True


def written(selection: Iterable[Path], draw: Any = None) -> tuple[str, dict[str, str]]:
    """The paths as an expression with an alias for every name."""
    names: dict[str, str] = {}
    aliases: dict[str, str] = {}
    texts = []
    for path in selection:
        text = ""
        for part in path:
            if isinstance(part, int):
                text += f"[{part}]"
            else:
                alias = aliases.setdefault(part, f"#n{len(aliases)}")
                names[alias] = part
                text += f".{alias}" if text else alias
        texts.append(text)
    return ", ".join(texts), names


def of(expression: str, names: Mapping[str, str] | None = None) -> Projection:
    return projection_of(expression, None if names is None else tuple(names.items()))


def parsed(selection: Iterable[Path]) -> Projection:
    return of(*written(selection))


def reference(item: dict[str, Any], selection: set[Path]) -> dict[str, Any]:
    """Flattens the item into nodes, keeps those on a selected path that exists or below one, and rebuilds."""
    nodes: dict[Path, Any] = {}

    def flatten(path: Path, value: dict[str, Any]) -> None:
        nodes[path] = value
        if "M" in value:
            for key, entry in value["M"].items():
                flatten((*path, key), entry)
        if "L" in value:
            for index, element in enumerate(value["L"]):
                flatten((*path, index), element)

    flatten((), {"M": item})
    existing = {path for path in selection if path in nodes}
    kept = {node for node in nodes for path in existing if node[: len(path)] == path or path[: len(node)] == node}

    def rebuild(path: Path) -> Any:
        children = sorted(node for node in kept if len(node) == len(path) + 1 and node[: len(path)] == path)
        if "M" in nodes[path]:
            return {"M": {child[-1]: rebuild(child) for child in children}}
        if "L" in nodes[path]:
            return {"L": [rebuild(child) for child in children]}
        return nodes[path]

    result: dict[str, Any] = rebuild(())["M"]
    return result


@given(items, st.sets(paths, min_size=1, max_size=6))
@example({"a": {"L": [{"M": {}}, {"M": {"c": {"N": "1"}}}]}}, {("a", 1, "c"), ("a", 0)})
@example({"a": {"M": {"b": {"M": {}}}}}, {("a", "b")})
@example({"a": {"M": {"b": {"M": {}}}}}, {("a", "b", "c")})
@example({"a": {"M": {"0": {"S": "x"}}}}, {("a", 0)})
def test_project_is_what_flattening_and_rebuilding_gives(item: dict[str, Any], selection: set[Path]) -> None:
    assume(compatible(selection))
    before = copy.deepcopy(item)
    assert parsed(selection).select(item) == reference(item, selection)
    assert item == before


@given(st.lists(paths, min_size=1, max_size=5))
def test_what_overlaps_or_conflicts_is_unrecognised_and_nothing_else(selection: list[Path]) -> None:
    if compatible(selection):
        projection = parsed(selection)
        assert set(projection.paths) == set(selection)
        assert projection.attributes == {path[0] for path in selection}
    else:
        with pytest.raises(NotCacheable):
            parsed(selection)


@given(st.data(), st.lists(paths, min_size=1, max_size=5))
def test_equal_however_it_is_written(data: st.DataObject, selection: list[Path]) -> None:
    assume(compatible(selection))
    one = parsed(selection)
    expression, names = written(data.draw(st.permutations(selection)))
    for symbol in ".[],":
        expression = expression.replace(symbol, f" \t{symbol}\n ")
    other = of(expression.replace("#n", "#other"), {f"#other{a[2:]}": names[a] for a in names})
    assert one == other
    assert hash(one) == hash(other)
    assert one.signature == other.signature
    assert one.paths == other.paths


@given(st.sets(paths, min_size=1, max_size=4), st.sets(paths, min_size=1, max_size=4))
@example({("a.b",)}, {("a", "b")})
@example({("a", "0")}, {("a", 0)})
def test_equal_only_if_the_paths_are(selection: set[Path], other: set[Path]) -> None:
    assume(compatible(selection) and compatible(other))
    assert (parsed(selection) == parsed(other)) == (selection == other)
    assert (parsed(selection).signature == parsed(other).signature) == (selection == other)


@given(st.lists(bare_names, min_size=1, max_size=4, unique=True))
def test_bare_names_need_no_alias(names: list[str]) -> None:
    projection = of(",".join(names))
    assert projection == parsed([(name,) for name in names]) == projection_of_attributes(names)


@given(st.lists(attribute_names, min_size=1, max_size=4, unique=True), items)
def test_attributes_to_get_are_literal_names(names: list[str], item: dict[str, Any]) -> None:
    projection = projection_of_attributes(names)
    assert projection == parsed([(name,) for name in names])
    assert projection.attributes == set(names)
    assert projection.select(item) == {name: item[name] for name in names if name in item}


def test_an_alias_with_dots_is_one_name() -> None:
    item: dict[str, Any] = {"x.y": {"S": "one"}, "x": {"M": {"y": {"S": "two"}}}}
    assert of("#a", {"#a": "x.y"}).select(item) == {"x.y": {"S": "one"}}
    assert of("x.y").select(item) == {"x": {"M": {"y": {"S": "two"}}}}


def test_elements_close_up_in_the_order_of_the_list() -> None:
    item: dict[str, Any] = {"a": {"L": [{"N": "0"}, {"M": {"c": {"N": "1"}, "d": {"N": "2"}}}, {"N": "3"}]}}
    assert of("a[1].c, a[0]").select(item) == {"a": {"L": [{"N": "0"}, {"M": {"c": {"N": "1"}}}]}}
    assert of("a[2], a[1].d, a[1].c, a[9]").select(item) == {
        "a": {"L": [{"M": {"c": {"N": "1"}, "d": {"N": "2"}}}, {"N": "3"}]}
    }


def test_indexes_are_ordered_as_numbers() -> None:
    item = {"a": {"L": [{"N": str(number)} for number in range(12)]}}
    assert of("a[10], a[9]").select(item) == {"a": {"L": [{"N": "9"}, {"N": "10"}]}}


def test_nothing_selected_of_an_item_is_an_empty_item() -> None:
    item: dict[str, Any] = {"a": {"M": {"x": {"S": ""}}}, "l": {"L": []}}
    assert of("a.b, l[0], z, a.x.y").select(item) == {}
    assert of("a").select({}) == {}


@pytest.mark.parametrize(
    "expression",
    [
        *("", " ", ",", "a,", ",a", "a b", "a,,b", ":v", "(a)", "a = b", "a + b", "_a", "a[*]", "*"),
        *("a, a", "a, a.b", "a.b, a", "a.b, a[0]", "a[0], a[0]", "a[0], a[0].b"),
        *("name", "a, Status", "a.size", "#undefined"),
    ],
)
def test_what_dynamodb_refuses_is_unrecognised(expression: str) -> None:
    with pytest.raises(NotCacheable):
        of(expression)


def test_overlaps_are_found_behind_aliases() -> None:
    with pytest.raises(NotCacheable):
        of("#a, #b", {"#a": "x", "#b": "x"})
    with pytest.raises(NotCacheable):
        of("#a, x", {"#a": "x"})
    assert len(of("#a, x.y", {"#a": "x.y"}).paths) == 2


def test_one_expression_with_other_names_is_another_projection() -> None:
    expression = "#a, b"
    one = of(expression, {"#a": "x"})
    assert one == parse_projection(expression, Names((("#a", "x"), ("#elsewhere", "z"))))
    assert one != of(expression, {"#a": "y"})


@pytest.mark.parametrize("names", [[], (), ["a", "a"], [""], [None], [1], "ab", None, {"a": 1}, ["\ud800"], [["a"]]])
def test_attributes_to_get_that_dynamodb_or_botocore_refuses(names: Any) -> None:
    with pytest.raises(NotCacheable):
        projection_of_attributes(names)


def test_a_projection_is_immutable_and_hashable() -> None:
    projection = of("a, b")
    with pytest.raises(AttributeError):
        projection.signature = b""  # type: ignore[misc]
    assert {projection: 1}[projection_of_attributes(["b", "a"])] == 1
