"""What is remembered of earlier requests never shows: each request is read as if it were the first."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daxlite.core.expressions.memo import MEMO
from daxlite.core.expressions.updates import Update, read_update
from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.requests import PageRead, item_projection, read_query, read_scan
from daxlite.core.values import value_signature
from tests.core import plain_requests
from tests.core.plain_requests import ALLOWED
from tests.volume import amount

Params = dict[str, Any]


class Word(str):
    """Text by inheritance, like a member of a StrEnum."""


class Folded(str):
    """Text for which the case of letters makes no difference; to DynamoDB it does."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.lower() == other.lower()

    def __hash__(self) -> int:
        return hash(self.lower())


class Mapped(dict[Any, Any]):
    """A dict by inheritance."""


class Sent(dict[Any, Any]):
    """A dict that botocore would send in upper case."""

    def items(self) -> Any:
        return {name: {"S": "SENT"} if isinstance(value, dict) else "SENT" for name, value in super().items()}.items()


def texts(*of: Any, wrong: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """One of these, mostly a right one and mostly plain."""
    return st.tuples(st.sampled_from(of * 8 + wrong), st.sampled_from([str] * 6 + [Word, Folded])).map(
        lambda drawn: drawn[1](drawn[0]) if isinstance(drawn[0], str) else drawn[0]
    )


def maps(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(of, st.sampled_from([dict] * 6 + [Mapped, Sent])).map(lambda drawn: drawn[1](drawn[0]))


WRONG = st.sampled_from([None, True, 0, 1.0, "", "x", b"x", [], {}, [None], {"a": None}, {"S": 1}, object()])
KEY_CONDITIONS = texts(
    *("pk = :p", " :p=pk", "#k = :p", "PK = :p", "pk = :p AND sk = :s", "sk=:s and (#k = :p)", "sk = :p AND pk = :s"),
    *(
        "pk = :p AND sk BETWEEN :s AND :t",
        "pk = :p AND begins_with(#s, :s)",
        "pk = :P AND sk < :s",
        "pk = :p AND :p = sk",
    ),
    "pk = :p AND :p = sk",
    wrong=("pk > :p", "name = :p", "pk = :p OR pk = :s", "", None, 1, ["pk = :p"]),
)
FILTERS = texts(
    *("a = :a", "#a=:a", "A = :a", "NOT a = :a", "not #a = :a", "a IN (:a, :p)", "a IN (:p, :a)"),
    *("attribute_exists(a)", "a = :a and #b > :b", "a = :a AND b > :a", "size(#a) > :b"),
    wrong=("Contains(a, :a)", "a == :a", "a = ", None, 0),
)
PROJECTIONS = texts("a", "#a", "a, b", "#b,a", "b , #a", "A", "a.b[0]", "#a.b[1]", wrong=("a, a.b", "a,", "Size", 2))
NAMES = texts("a", "b", "pk", "sk", "A", "x.y", wrong=("", 1))
VALUES = st.one_of(
    st.sampled_from([{"S": "x"}, {"N": "1"}, {"N": "1.0"}]),
    st.sampled_from([{"B": b"x"}, {"B": "x"}, {"SS": ["a", "b"]}, {"SS": ["b", "a"]}, {"M": {"a": {"NULL": True}}}]),
    st.sampled_from([{"S": Word("x")}, {Word("S"): "x"}, Mapped(S="x"), Sent(S="x"), {"S": "\ud800"}, {"BOOL": 1}]),
)
STARTS = st.dictionaries(texts("pk", "sk"), VALUES, min_size=1, max_size=2)
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "TableName": st.sampled_from(["T", "U"]),
    "IndexName": texts("i", "j", wrong=("\ud800", 1)),
    "Select": texts("COUNT", "ALL_ATTRIBUTES"),
    "Limit": st.sampled_from([1, 2, 100, 2**31]),
    "ConsistentRead": st.booleans(),
    "ReturnConsumedCapacity": texts("NONE", "TOTAL", "INDEXES", wrong=("SOME",)),
    "ScanIndexForward": st.booleans(),
    "Segment": st.sampled_from([0, 1]),
    "TotalSegments": st.sampled_from([1, 2]),
    "ExclusiveStartKey": maps(STARTS),
    "Future": st.just(1),
}


PLACEHOLDERS = {"ExpressionAttributeNames": ("#", NAMES), "ExpressionAttributeValues": (":", VALUES)}


@st.composite
def requests(draw: st.DrawFn, **expressions: st.SearchStrategy[Any]) -> Params:
    """A request that is mostly in order: what its expressions use is what it gives."""
    request: Params = {}
    for name, written in expressions.items():
        if name == "KeyConditionExpression" or draw(st.booleans()):
            request[name] = draw(written)
    words = " ".join(str.__str__(text) for text in request.values() if isinstance(text, str))
    for name, (mark, of) in PLACEHOLDERS.items():
        placeholders = set(re.findall(rf"{mark}\w+", words))
        if not draw(st.integers(0, 20)):
            placeholders ^= {draw(st.sampled_from([f"{mark}a", f"{mark}b", f"{mark}unused"]))}
        if placeholders:
            given = {draw(texts(placeholder)): draw(of) for placeholder in sorted(placeholders)}
            request[name] = draw(maps(st.just(given)))
    for name in draw(st.lists(st.sampled_from(sorted(OTHERS)), max_size=2)):
        request[name] = draw(OTHERS[name])
    return request


@st.composite
def pairs(draw: st.DrawFn, **expressions: st.SearchStrategy[Any]) -> list[Params]:
    """Two requests, which often differ little, or not at all."""
    one = draw(requests(**expressions))
    if draw(st.integers(0, 3)):
        other = dict(one)
        name = draw(st.sampled_from([*sorted(one), *sorted(OTHERS)]))
        if name in expressions:
            other[name] = draw(expressions[name])
        elif name in PLACEHOLDERS:
            placeholder = draw(st.sampled_from(list(one[name])))
            other[name] = {**one[name], placeholder: draw(PLACEHOLDERS[name][1])}
        else:
            other[name] = draw(OTHERS[name])
    else:
        other = draw(requests(**expressions))
    if not draw(st.integers(0, 5)):
        other[draw(st.sampled_from([*sorted(other), "Limit"]))] = draw(WRONG)
    return [one, {name: other[name] for name in draw(st.permutations(list(other)))}]


def outcome(read: Callable[[Params], Any], request: Params) -> Any:
    try:
        return read(request)
    except NotCacheable:
        return None


def essence(read: PageRead | None) -> Any:
    """What of a page can be compared with the plain way."""
    if read is None:
        return None
    equalities = {name: value_signature(value) for name, value in read.equalities.items()}
    return read.index, tuple(sorted(equalities.items())), frozenset([each.name for each in read.conditions])


def check_pages(kind: str, read: Callable[[Params], PageRead], given: list[Params]) -> None:
    """Each request is read as in the plain way; two are alike exactly if they are alike in the plain way."""
    pages = [outcome(read, request) for request in given]
    expected = [outcome(lambda request: plain_requests.page(kind, request), request) for request in given]
    for page, meaning in zip(pages, expected, strict=True):
        assert (page is None) == (meaning is None)
        if page is not None:
            assert essence(page) == (meaning["IndexName"], meaning["equalities"], meaning["attributes"])
    if None not in pages:
        assert (pages[0].signature == pages[1].signature) == (expected[0] == expected[1])
    assert [outcome(read, request) for request in given] == pages
    MEMO.clear()
    assert [outcome(read, request) for request in reversed(given)] == pages[::-1]


QUERIES = pairs(KeyConditionExpression=KEY_CONDITIONS, FilterExpression=FILTERS, ProjectionExpression=PROJECTIONS)
SCANS = pairs(FilterExpression=FILTERS, ProjectionExpression=PROJECTIONS)


@settings(max_examples=amount("remembered requests"))
@given(QUERIES)
def test_queries_are_read_as_in_the_plain_way(given: list[Params]) -> None:
    check_pages("query", read_query, given)


@settings(max_examples=amount("remembered requests"))
@given(SCANS)
def test_scans_are_read_as_in_the_plain_way(given: list[Params]) -> None:
    check_pages("scan", read_scan, given)


@given(pairs(ProjectionExpression=PROJECTIONS))
def test_projections_are_read_as_in_the_plain_way(given: list[Params]) -> None:
    given = [{name: value for name, value in request.items() if name in ALLOWED["item"]} for request in given]
    selected = [outcome(item_projection, request) for request in given]
    assert selected == [outcome(plain_requests.projection, request) for request in given]
    assert [outcome(item_projection, request) for request in given] == selected
    MEMO.clear()
    assert [outcome(item_projection, request) for request in reversed(given)] == selected[::-1]


UPDATES = texts(
    *("SET a = :a", "set a=:a", "SET #a = :a", "SET A = :a", "SET a = :a REMOVE #b", "ADD a :a", "SET a.b = :a"),
    wrong=("SET a", "", None, 1, ["SET a = :a"]),
)


def updated(request: Params) -> Update:
    names, values = request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues")
    return read_update(request["UpdateExpression"], names, values)


@given(pairs(UpdateExpression=UPDATES))
def test_updates_are_read_as_if_they_were_the_first(given: list[Params]) -> None:
    def first(request: Params) -> Any:
        MEMO.clear()
        return outcome(updated, request)

    given = [{"UpdateExpression": None} | request for request in given]
    expected = [first(request) for request in given]
    for number in (0, 1, 0):  # not by the requests: two that are equal may hold other values, by their classes
        assert outcome(updated, given[number]) == expected[number]


READS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "key condition": lambda text, alias, name: read_query(
        {
            "KeyConditionExpression": text("#a = :a AND b = :a"),
            "ExpressionAttributeNames": {alias("#a"): name("pk")},
            "ExpressionAttributeValues": {":a": {"S": "x"}},
        }
    ),
    "filter": lambda text, alias, name: read_scan(
        {
            "FilterExpression": text("#a = :a AND b = :a"),
            "ExpressionAttributeNames": {alias("#a"): name("pk")},
            "ExpressionAttributeValues": {":a": {"S": "x"}},
        }
    ),
    "projection of a page": lambda text, alias, name: read_scan(
        {"ProjectionExpression": text("#a, b"), "ExpressionAttributeNames": {alias("#a"): name("pk")}}
    ),
    "projection": lambda text, alias, name: item_projection(
        {"ProjectionExpression": text("#a, b"), "ExpressionAttributeNames": {alias("#a"): name("pk")}}
    ),
    "attributes": lambda text, alias, name: item_projection({"AttributesToGet": [name("pk"), text("b")]}),
    "update": lambda text, alias, name: read_update(text("SET #a = :a, b = :a"), {alias("#a"): name("pk")}, None),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_what_takes_two_texts_for_one_does_not_mix_up_what_is_remembered(read: Callable[[Any, Any, Any], Any]) -> None:
    def upper(text: str) -> str:
        return Folded(text.replace("b", "B").replace("pk", "PK"))

    def lower(text: str) -> str:
        return Folded(text)

    MEMO.clear()
    plain = read(str, str, str)
    assert read(lower, lower, lower) == read(Word, Word, Word) == plain
    assert read(upper, str, str) != plain
    assert read(str, str, upper) != plain
    MEMO.clear()
    other = read(upper, str, upper)
    assert read(str, str, str) == plain != other


def test_a_member_of_an_enumeration_is_remembered_as_text() -> None:
    class Column(StrEnum):
        A = "a"

    selected = item_projection({"ProjectionExpression": Column.A})
    assert selected == item_projection({"ProjectionExpression": "a"})
    assert selected is not None
    assert [type(part) for path in selected.paths for part in path] == [str]
