"""Signatures of filters and key conditions: equal when the meaning is, and never otherwise."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest
from boto3.dynamodb.conditions import Attr, ConditionBase, ConditionExpressionBuilder, Key
from hypothesis import assume, given
from hypothesis import strategies as st

from daxlite.core.expressions.conditions import parse_key_condition
from daxlite.core.expressions.placeholders import Names
from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.requests import read_query, read_scan
from daxlite.core.values import value_signature
from tests.strategies import attribute_names, attribute_values, bare_names, scalars

V = {f":{letter}": {"S": letter} for letter in "abcxyz"}


Names_ = Mapping[str, str] | None
Values = Mapping[str, Any] | None


def request(parameter: str, expression: Any, names: Names_, values: Values) -> dict[str, Any]:
    given = {parameter: expression, "ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
    return {name: value for name, value in given.items() if value or name == parameter}


def filter_signature(expression: Any, names: Names_, values: Values) -> bytes:
    """Of a filter that uses all placeholders."""
    return read_scan(request("FilterExpression", expression, names, values)).signature


class KeyCondition(NamedTuple):
    signature: bytes
    equalities: Mapping[str, Any]
    ranges: list[tuple[str, str, list[Any]]]
    """Attribute, operator, signatures of values."""


def key_condition(expression: Any, names: Names_, values: Values) -> KeyCondition:
    """Of a key condition that uses all placeholders."""
    read = read_query(request("KeyConditionExpression", expression, names, values))
    terms = parse_key_condition(expression, Names(tuple((names or {}).items()))).terms
    assert [(each.name, each.operator) for each in read.conditions] == [(each.name, each.operator) for each in terms]
    ranges = [
        (term.name, term.operator, [value_signature((values or {})[hole]) for hole in term.holes])
        for term in terms
        if term.operator != "="
    ]
    return KeyCondition(read.signature, read.equalities, ranges)


def used(placeholders: Mapping[str, Any] | None, expression: Any) -> dict[str, Any]:
    return {name: of for name, of in (placeholders or {}).items() if re.search(rf"{name}\b", str(expression))}


def signature(expression: Any, names: Names_ = None, values: Values = None) -> bytes:
    return filter_signature(expression, used(names, expression), used(values or V, expression))


def key(expression: Any, names: Names_ = None, values: Values = None) -> KeyCondition:
    return key_condition(expression, used(names, expression), used(values or V, expression))


# A filter as a list of words, each with its kind, to be written in many ways.
OPERAND = st.one_of(
    attribute_names.map(lambda name: [("name", name)]),
    st.tuples(attribute_names, attribute_names).map(lambda pair: [("name", pair[0]), ".", ("name", pair[1])]),
    st.tuples(attribute_names, st.integers(0, 9)).map(lambda pair: [("name", pair[0]), "[", str(pair[1]), "]"]),
    attribute_values.map(lambda value: [("value", value)]),
    attribute_names.map(lambda name: ["size", "(", ("name", name), ")"]),
)
COMPARATORS = ["=", "<>", "<", "<=", ">", ">="]
TERM = st.one_of(
    st.tuples(OPERAND, st.sampled_from(COMPARATORS), OPERAND).map(lambda t: [*t[0], t[1], *t[2]]),
    st.tuples(OPERAND, OPERAND, OPERAND).map(
        lambda t: [*t[0], ("keyword", "BETWEEN"), *t[1], ("keyword", "AND"), *t[2]]
    ),
    st.tuples(OPERAND, OPERAND, OPERAND).map(lambda t: [*t[0], ("keyword", "IN"), "(", *t[1], ",", *t[2], ")"]),
    st.tuples(st.sampled_from(["contains", "begins_with"]), OPERAND, OPERAND).map(
        lambda t: [t[0], "(", *t[1], ",", *t[2], ")"]
    ),
    attribute_names.map(lambda name: ["attribute_exists", "(", ("name", name), ")"]),
)
FILTER = st.recursive(
    TERM,
    lambda inner: st.one_of(
        inner.map(lambda words: [("keyword", "NOT"), *words]),
        inner.map(lambda words: ["(", *words, ")"]),
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda t: [*t[0], ("keyword", t[1]), *t[2]]),
    ),
    max_leaves=5,
)
Words = list[Any]


def canonical(words: Words) -> Words:
    """What two filters must have in common to have one signature."""
    return [("value", value_signature(word[1])) if word[0] == "value" else word for word in words]


def write(words: Words, draw: Callable[[Any], Any]) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Writes a filter with arbitrary white space, aliases, placeholders and cases of keywords."""
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    prefix = draw(st.sampled_from(["", "n", "_", "0"]))
    share = draw(st.booleans())
    text = ""
    for word in words:
        if isinstance(word, str):
            written = word
        elif word[0] == "keyword":
            written = "".join(draw(st.sampled_from([letter, letter.lower()])) for letter in word[1])
        elif word[0] == "value":
            written = f":{prefix}{len(values)}"
            values[written] = word[1]
        else:
            known = [alias for alias, name in names.items() if name == word[1]]
            written = known[0] if known and share else f"#{prefix}{len(names)}"
            names[written] = word[1]
        glued = isinstance(word, str) and not word[0].isalnum()
        text += draw(st.sampled_from(["", " "] if glued or text[-1:] in "([,.=<>" else [" ", "\n\t "])) + written
    return text, names, values


@given(st.data(), FILTER)
def test_a_filter_has_one_signature_however_it_is_written(data: st.DataObject, words: Words) -> None:
    signatures = [filter_signature(*write(words, data.draw)) for _ in range(2)]
    assert signatures[0] == signatures[1]


@given(st.data(), FILTER, FILTER)
def test_two_filters_have_two_signatures(data: st.DataObject, one: Words, other: Words) -> None:
    same = canonical(one) == canonical(other)
    assert (filter_signature(*write(one, data.draw)) == filter_signature(*write(other, data.draw))) == same


@given(st.data(), FILTER)
def test_a_filter_with_one_word_changed_has_another_signature(data: st.DataObject, words: Words) -> None:
    place = data.draw(st.integers(0, len(words) - 1))
    word = words[place]
    changed: Any
    if isinstance(word, str):
        assume(word in COMPARATORS or word in ("contains", "begins_with"))
        changed = data.draw(st.sampled_from(COMPARATORS if word in COMPARATORS else ["contains", "begins_with"]))
    elif word[0] == "keyword":
        changed = ("keyword", data.draw(st.sampled_from(["AND", "OR"])))
    else:
        changed = (word[0], data.draw(attribute_names if word[0] == "name" else attribute_values))
    others = [*words[:place], changed, *words[place + 1 :]]
    assume(canonical(others) != canonical(words))
    assert filter_signature(*write(words, data.draw)) != filter_signature(*write(others, data.draw))


@given(bare_names)
def test_a_bare_name_is_its_alias(name: str) -> None:
    assert signature(f"{name} = :x") == signature("#n=:x", {"#n": name})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a=:x AND b=:y", " a = :x  and\tb\n=:y "),
        ("NOT contains(a, :v)", "not contains ( a ,:v )"),
        ("size(a) > :n", "size( a )>:n"),
        ("a IN (:a, :b, :c)", "a in(:a,:b,:c)"),
        ("a between :a and :b Or a.b[0] = :c", "a BETWEEN :a AND :b OR a . b [ 0 ] = :c"),
        ("attribute_not_exists(a)", "attribute_not_exists (a)"),
        ("begins_with = :x", "begins_with=:x"),  # a function's name is not a reserved word
    ],
)
def test_filters_that_are_one(one: str, other: str) -> None:
    values = {**V, ":v": {"S": "v"}, ":n": {"N": "1"}}
    assert signature(one, values=values) == signature(other, values=values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a=:x AND b=:y", "b=:y AND a=:x"),  # not worth proving equal
        ("a=:x AND b=:y", "a=:x OR b=:y"),
        ("a=:x AND b=:y", "(a=:x) AND b=:y"),
        ("a=:x AND b=:y", "(a=:x AND b=:y)"),
        ("(a=:x)", "((a=:x))"),  # DynamoDB refuses the second
        ("NOT a=:x AND b=:y", "NOT (a=:x AND b=:y)"),
        ("a=:x", "a=:y"),
        ("a=:x", ":x=a"),
        ("a=:x", "A=:x"),
        ("a=b", "a=:b"),
        ("a IN (:a, :b)", "a IN (:b, :a)"),
        ("a.b = :x", "#d = :x"),
        ("a[1] = :x", "a[01] = :x"),
        ("a[1] = :x", "#i = :x"),
        ("a = :x", "size(a) = :x"),
        ("size(a) = :x", "#s(a) = :x"),
        ("a BETWEEN :a AND :b", "a = :a AND :b"),
    ],
)
def test_filters_that_are_two(one: str, other: str) -> None:
    names = {"#d": "a.b", "#i": "a[1]", "#s": "size"}
    assert signature(one, names) != signature(other, names)


def test_equal_numbers_are_equal_values() -> None:
    one, other, text = ({":v": value} for value in ({"N": "1.0"}, {"N": "1"}, {"S": "1"}))
    assert signature("a = :v", values=one) == signature("a = :v", values=other) != signature("a = :v", values=text)


def test_which_values_are_the_same_placeholder_makes_no_difference() -> None:
    values = {":x": {"S": "s"}, ":y": {"S": "s"}}
    assert signature("a = :x OR b = :x", values=values) == signature("a = :x OR b = :y", values=values)


@pytest.mark.parametrize(
    "expression",
    [
        *("", "name = :x", "a.Name = :x", "SIZE(a) > :x", "Contains(a, :x)", "f(a)", "if_not_exists(a, :x)"),
        *("a = :x + :y", "a = 'x'", "a == :undefined", "#undefined = :x", "a = :x;", "_a = :x", None, 1, ["a"]),
    ],
)
def test_filters_that_are_left_to_dynamodb(expression: Any) -> None:
    with pytest.raises(NotCacheable):
        signature(expression)


def test_unused_placeholders_are_found_after_all_expressions() -> None:
    placeholders = {"#a": "a", "#p": "p"}, {":x": {"S": ""}, ":p": {"S": ""}}
    with pytest.raises(NotCacheable):
        filter_signature("#a = :x", *placeholders)
    with pytest.raises(NotCacheable):
        key_condition("#p = :p", *placeholders)
    both = request("FilterExpression", "#a = :x", *placeholders) | {"KeyConditionExpression": "#p = :p"}
    assert read_query(both).equalities == {"p": {"S": ""}}


KEY_OPERATORS = ["=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"]
SWAPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
KEY_TERM = st.tuples(st.sampled_from(KEY_OPERATORS), scalars, scalars)
KEY_TERMS = st.dictionaries(attribute_names, KEY_TERM, min_size=1, max_size=4).filter(
    lambda terms: any(operator == "=" for operator, _, _ in terms.values())
)
Terms = dict[str, tuple[str, Any, Any]]


def write_key(terms: Terms, draw: Callable[[Any], Any]) -> tuple[str, dict[str, str], dict[str, Any]]:
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    written = []
    prefix = draw(st.sampled_from(["", "n", "_"]))
    for name in draw(st.permutations(sorted(terms))):
        operator, low, high = terms[name]
        alias = f"#{prefix}{len(names)}"
        names[alias] = name
        one, two = f":{prefix}{len(values)}", f":{prefix}{len(values) + 1}"
        values[one] = low
        if operator == "BETWEEN":
            values[two] = high
            text = f"{alias} between {one} And {two}"
        elif operator == "begins_with":
            text = f"begins_with( {alias},{one} )"
        elif draw(st.booleans()):
            text = f"{one}{SWAPPED[operator]} {alias}"
        else:
            text = f"{alias} {operator}{one}"
        written.append(text)
    style = draw(st.sampled_from(["plain", "each", "around"]))
    if style == "each":
        written = [f"({text})" if draw(st.booleans()) else text for text in written]
    expression = f" {draw(st.sampled_from(['AND', 'and', 'aNd']))}\n".join(written)
    return f"({expression})" if style == "around" else expression, names, values


def meaning(terms: Terms) -> Any:
    return {
        name: (operator, value_signature(low), value_signature(high) if operator == "BETWEEN" else None)
        for name, (operator, low, high) in terms.items()
    }


@given(st.data(), KEY_TERMS)
def test_a_key_condition_is_the_same_however_it_is_written(data: st.DataObject, terms: Terms) -> None:
    one, other = (key_condition(*write_key(terms, data.draw)) for _ in range(2))
    assert one == other
    assert one.equalities == {name: low for name, (operator, low, _) in terms.items() if operator == "="}
    assert {(name, operator) for name, operator, _ in one.ranges} == {
        (name, operator) for name, (operator, _, _) in terms.items() if operator != "="
    }


@given(st.data(), KEY_TERMS, KEY_TERMS)
def test_two_key_conditions_are_two(data: st.DataObject, one: Terms, other: Terms) -> None:
    same = meaning(one) == meaning(other)
    conditions = [key_condition(*write_key(terms, data.draw)) for terms in (one, other)]
    assert (conditions[0] == conditions[1]) == (conditions[0].signature == conditions[1].signature) == same


@given(st.data(), KEY_TERMS, KEY_TERM, attribute_names)
def test_a_key_condition_with_one_term_changed_is_another(
    data: st.DataObject, terms: Terms, term: tuple[str, Any, Any], name: str
) -> None:
    place = data.draw(st.sampled_from(sorted(terms)))
    rename = data.draw(st.booleans())
    others = {
        (name if rename and key == place else key): (value if rename or key != place else term)
        for key, value in terms.items()
    }
    assume(meaning(others) != meaning(terms) and any(operator == "=" for operator, _, _ in others.values()))
    one, other = (key_condition(*write_key(each, data.draw)) for each in (terms, others))
    assert one.signature != other.signature


def test_between_keeps_its_own_and() -> None:
    condition = key("a BETWEEN :a AND :b AND b = :c")
    assert condition.equalities == {"b": {"S": "c"}}
    assert condition.ranges == [("a", "BETWEEN", [value_signature({"S": "a"}), value_signature({"S": "b"})])]


def test_the_sides_of_a_comparison_may_be_swapped() -> None:
    assert key(":a = a AND :b <= b") == key("a = :a AND b >= :b")
    assert key("a = :a AND :b < b") != key("a = :a AND b < :b")


def test_several_equalities_for_keys_of_several_attributes() -> None:
    condition = key("a = :a AND b = :b AND c = :c AND d > :x")
    assert condition.equalities == {"a": {"S": "a"}, "b": {"S": "b"}, "c": {"S": "c"}}
    assert [(name, operator) for name, operator, _ in condition.ranges] == [("d", ">")]


@pytest.mark.parametrize("expression", ["(a=:x AND b=:y)", "(a=:x) AND (b=:y)", "a=:x and (b=:y)", "b=:y AND(a=:x)"])
def test_ordinary_parentheses_are_no_difference(expression: str) -> None:
    assert key(expression) == key("a=:x AND b=:y")


@pytest.mark.parametrize(
    "expression", ["((a=:x AND b=:y) AND c=:z)", "a=:x AND (b=:y AND c=:z)", "((a=:x) AND b=:y AND c=:z)"]
)
def test_nested_parentheses_are_understood_but_kept_apart(expression: str) -> None:
    plain = key("a=:x AND b=:y AND c=:z")
    assert key(expression).equalities == plain.equalities
    assert key(expression) == key(expression.replace("AND", " and\n"))
    assert key(expression) != plain


@pytest.mark.parametrize(
    "expression",
    [
        *("", "a", "a =", "= :a", "a = :a AND", "AND a = :a", "a = :a b = :b", "a = :a, b = :b"),
        *("()", "(a = :a", "a = :a)", "((a = :a))", "((a=:x AND b=:y))", "((a = :a)) AND (b = :b)"),
        "(" * 20 + "a = :a AND b = :b)" + "AND c = :c)" * 19,
        *("a <> :a", "a = :a OR b = :b", "NOT a = :a", "a IN (:a)", "a = b", ":a = :b"),
        *("contains(a, :a)", "size(a) = :a", "a = :a AND a > :b", "a > :a", "begins_with(a, :a)"),
        *("a = :a AND b BETWEEN :a", "a = :a AND b BETWEEN :a AND c", "a = :a AND :x BETWEEN b AND c"),
        *("a = :a AND begins_with(:b, b)", "a = :a AND Begins_With(b, :b)", "a = :a AND begins_with(b)"),
        *("a.b = :a", "a[0] = :a", "name = :a", "(a) = :a", "a = (:a)", "a = :a + :b"),
        *("a = :undefined", "#undefined = :a", None, 1, ["a"]),
    ],
)
def test_key_conditions_that_are_left_to_dynamodb(expression: Any) -> None:
    with pytest.raises(NotCacheable):
        key(expression)


def test_the_same_attribute_behind_two_aliases_is_found() -> None:
    with pytest.raises(NotCacheable):
        key("#a = :a AND #b > :b", {"#a": "x", "#b": "x"})


def test_an_alias_with_dots_is_a_key_attribute() -> None:
    assert key("#a = :a", {"#a": "x.y"}).equalities == {"x.y": {"S": "a"}}


def built(condition: ConditionBase, *, is_key: bool) -> tuple[str, dict[str, str], dict[str, Any]]:
    """As a boto3 Table writes it; plain strings stand for typed values."""
    expression, names, values = ConditionExpressionBuilder().build_expression(condition, is_key_condition=is_key)
    return expression, names, {placeholder: {"S": value} for placeholder, value in values.items()}


def test_what_boto3_builds_is_understood() -> None:
    expression, names, values = built(Key("pk").eq("p") & Key("sk").between("a", "b"), is_key=True)
    assert key(expression, names, values) == key(
        "pk = :a AND sk BETWEEN :b AND :c", None, {":a": {"S": "p"}, ":b": {"S": "a"}, ":c": {"S": "b"}}
    )
    expression, names, values = built(Key("a").eq("1") & Key("b").eq("2") & Key("c").begins_with("3"), is_key=True)
    assert key(expression, names, values).equalities == {"a": {"S": "1"}, "b": {"S": "2"}}
    condition = (Attr("a.b[0]").eq("x") | ~Attr("name").contains("y")) & Attr("n").is_in(["1", "2"])
    expression, names, values = built(condition, is_key=False)
    assert signature(expression, names, values)
