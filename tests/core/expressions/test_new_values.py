"""What an update makes of an attribute: rule by rule. `tests/simulator/test_new_values.py` asks real servers."""

from typing import Any

import pytest

from daxlite.core.expressions.updates import read_attribute_updates, read_update

OLD: dict[str, Any] = {
    "pk": {"S": "k"},
    "n": {"N": "40"},
    "s": {"S": "text"},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2"]},
    "bs": {"BS": [b"x", b"y"]},
    "l": {"L": [{"N": "1"}]},
    "m": {"M": {"x": {"N": "1"}}},
}
VALUES: dict[str, Any] = {
    ":two": {"N": "2.0"},
    ":s": {"S": "new"},
    ":x": {"SS": ["x"]},
    ":xy": {"SS": ["y", "x"]},
    ":z": {"SS": ["z", "x"]},
    ":one": {"NS": ["1.0"]},
    ":bx": {"BS": [bytearray(b"x")]},
    ":list": {"L": [{"N": "1.50"}]},
    ":none": {"SS": []},
}


def new_values(expression: str, old: Any = OLD, values: Any = VALUES) -> Any:
    return read_update(expression, {"#x": "x.y", "#n": "n"}, values).new_values(old, ("pk",))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # SET
        ("SET a = :two", {"a": {"N": "2"}}),
        ("SET a = :list", {"a": {"L": [{"N": "1.5"}]}}),
        ("SET a = n", {"a": {"N": "40"}}),
        ("SET a = m", {"a": {"M": {"x": {"N": "1"}}}}),
        ("SET a = pk", {"a": {"S": "k"}}),
        ("SET #x = #n", {"x.y": {"N": "40"}}),
        ("SET n = n + :two", {"n": {"N": "42"}}),
        ("SET n = n - :two", {"n": {"N": "38"}}),
        ("SET n = :two - n", {"n": {"N": "-38"}}),
        ("SET n = n - n", {"n": {"N": "0"}}),
        ("SET a = :two + :two", {"a": {"N": "4"}}),
        ("SET n = if_not_exists(n, :two)", {"n": {"N": "40"}}),
        ("SET a = if_not_exists(a, :two)", {"a": {"N": "2"}}),
        ("SET a = if_not_exists(a, n)", {"a": {"N": "40"}}),
        ("SET a = if_not_exists(a, if_not_exists(b, :two))", {"a": {"N": "2"}}),
        ("SET a = if_not_exists(a, :two) + :two", {"a": {"N": "4"}}),
        ("SET a = :two - if_not_exists(n, :two)", {"a": {"N": "-38"}}),
        ("SET n = :s, a = n", {"n": {"S": "new"}, "a": {"N": "40"}}),  # the right side sees the old item
        ("SET a = n REMOVE n", {"a": {"N": "40"}, "n": None}),
        # REMOVE
        ("REMOVE n, zz", {"n": None, "zz": None}),
        # ADD
        ("ADD n :two", {"n": {"N": "42"}}),
        ("ADD a :two", {"a": {"N": "2"}}),
        ("ADD ss :z", {"ss": {"SS": ["x", "y", "z"]}}),
        ("ADD a :xy", {"a": {"SS": ["y", "x"]}}),
        ("ADD ns :one", {"ns": {"NS": ["1", "2"]}}),
        ("ADD bs :bx", {"bs": {"BS": [b"x", b"y"]}}),
        # DELETE
        ("DELETE ss :x", {"ss": {"SS": ["y"]}}),
        ("DELETE ss :z", {"ss": {"SS": ["y"]}}),
        ("DELETE ss :xy", {"ss": None}),  # there are no empty sets
        ("DELETE a :x", {"a": None}),
        ("DELETE ns :one", {"ns": {"NS": ["2"]}}),
        ("DELETE bs :bx", {"bs": {"BS": [b"y"]}}),
    ],
)
def test_what_is_certain(expression: str, expected: Any) -> None:
    assert new_values(expression) == expected


@pytest.mark.parametrize(
    "right",
    [
        # below an attribute, or of lists
        *("m.x", "l[0]", "m.x + :two", "if_not_exists(m.x, :two)", "if_not_exists(zz, m.x)", "list_append(l, :list)"),
        *(
            "if_not_exists(list_append(l, l), :two)",
            "if_not_exists(zz, list_append(l, :list))",
            "n + list_append(l, l)",
        ),
        # what DynamoDB refuses
        *("zz", "zz + :two", "s + :two", ":two + s", "n + :s", "if_not_exists(zz, zy)", "n + :two + :two", ":zz"),
        *("if_not_exists(n)", "if_not_exists(n, :two, :two)", "if_not_exists(:two, n)", "if_not_exists(zz, n + :two)"),
        # what it may refuse
        *("(n)", "(n + :two)", "if_not_exists((zz), :two)"),
    ],
)
def test_what_is_not_certain_of_an_assignment(right: str) -> None:
    assert new_values(f"SET s = {right}, b = :s REMOVE n") == {"b": {"S": "new"}, "n": None}


@pytest.mark.parametrize(
    "clause",
    [
        *("SET m.x = :s", "SET l[0] = :s", "REMOVE m.x", "REMOVE l[0]", "ADD m.x :two", "DELETE m.x :x"),
        *("SET m.x = :s, m.y = :s", "REMOVE m, m.x", "SET m.x = :s REMOVE m", "SET m = :s REMOVE m"),
        *(
            "ADD s :two",
            "ADD n :x",
            "ADD ss :one",
            "ADD ss :two",
            "ADD l :list",
            "ADD a :list",
            "ADD a :s",
            "ADD a :none",
        ),
        *(
            "DELETE ss :one",
            "DELETE n :two",
            "DELETE n :x",
            "DELETE a :s",
            "DELETE ss :none",
            "ADD a :zz",
            "DELETE a :zz",
        ),
    ],
)
def test_what_is_not_certain_of_another_clause(clause: str) -> None:
    assert new_values(clause) == {}


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        ("1" + "0" * 37, "1", "1" + "0" * 36 + "1"),
        ("1" + "0" * 38, "1", None),
        ("1" + "0" * 37, "0.1", None),
        ("9" * 38, "1", "1" + "0" * 38),
        ("9e125", "9e125", None),
        ("1e125", "-1e125", "0"),
        ("1e-130", "1e-130", "0." + "0" * 129 + "2"),
        ("1.1e-129", "-1e-129", "0." + "0" * 129 + "1"),
        ("1.05e-129", "-1e-129", None),
        ("0.1", "0.2", "0.3"),
        ("1.50", "0.50", "2"),
        ("-0.5", "0.5", "0"),
        ("1E2", "+5", "105"),
    ],
)
def test_sums_have_38_digits_and_one_form(left: str, right: str, total: str | None) -> None:
    """None where DynamoDB would have to round, or refuses the result."""
    values, old = {":v": {"N": right}}, {"pk": {"S": "k"}, "n": {"N": left}}
    expected = {} if total is None else {"n": {"N": total}}
    assert new_values("SET n = n + :v", old, values) == expected
    assert new_values("ADD n :v", old, values) == expected
    negated = {":v": {"N": right.lstrip("+-") if right.startswith("-") else "-" + right.lstrip("+")}}
    assert new_values("SET n = n - :v", old, negated) == expected


def test_where_there_was_no_item() -> None:
    assert new_values("SET a = if_not_exists(a, :two) ADD b :two, c :x DELETE d :x REMOVE e", {}) == {
        "a": {"N": "2"},
        "b": {"N": "2"},
        "c": {"SS": ["x"]},
        "d": None,
        "e": None,
    }
    # Whether an item that is being made has its key already, is for DynamoDB to say.
    assert new_values("SET a = if_not_exists(pk, :two), b = pk", {}) == {}
    assert new_values("SET a = if_not_exists(pk, :two), b = pk") == {"a": {"S": "k"}, "b": {"S": "k"}}


def test_where_the_old_item_is_not_known() -> None:
    expression = "SET a = :two, b = n, c = if_not_exists(n, :two), d = :two - :two ADD e :two DELETE f :x REMOVE g"
    assert new_values(expression, None) == {"a": {"N": "2"}, "d": {"N": "0"}, "g": None}


def test_legacy_updates() -> None:
    update = read_attribute_updates(
        {
            "s": {"Value": {"S": "new"}},
            "m": {"Action": "DELETE"},
            "n": {"Action": "ADD", "Value": {"N": "2.0"}},
            "zz": {"Action": "ADD", "Value": {"N": "2.0"}},
            "ss": {"Action": "DELETE", "Value": {"SS": ["x"]}},
            "ns": {"Action": "ADD", "Value": {"NS": ["3"]}},
            "l": {"Action": "ADD", "Value": {"L": [{"N": "2"}]}},
            "bs": {"Action": "SOMETHING", "Value": {"N": "1"}},
            "a": {"Action": "PUT"},
        }
    )
    assert update.new_values(OLD, ("pk",)) == {
        "s": {"S": "new"},
        "m": None,
        "n": {"N": "42"},
        "zz": {"N": "2"},
        "ss": {"SS": ["y"]},
        "ns": {"NS": ["1", "2", "3"]},
    }
    assert update.touched == {"s", "m", "n", "zz", "ss", "ns", "l", "bs", "a"}


def test_nothing_of_the_old_item_or_of_the_values_is_changed_or_shared() -> None:
    old: Any = {"pk": {"S": "k"}, "m": {"M": {"x": {"L": []}}}, "ss": {"SS": ["x"]}}
    values: Any = {":m": {"M": {"x": {"L": []}}}, ":y": {"SS": ["y"]}}
    found = new_values("SET a = m, b = :m ADD ss :y", old, values)
    found["a"]["M"]["x"]["L"].append(1)
    found["b"]["M"]["x"]["L"].append(1)
    assert old == {"pk": {"S": "k"}, "m": {"M": {"x": {"L": []}}}, "ss": {"SS": ["x"]}}
    assert values == {":m": {"M": {"x": {"L": []}}}, ":y": {"SS": ["y"]}}
