"""Signatures of Query and Scan: equal however a request is written, unequal if the answer can differ."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.requests import PageRead, item_projection, read_query, read_scan
from daxlite.core.schema import KeySchema, TableSchema
from daxlite.core.tables import TableId
from daxlite.core.values import value_signature
from tests.strategies import scalars

Params = dict[str, Any]
TABLE = TableId("https://here", "eu-west-1", ("account", "1"), "T")
SCHEMA = TableSchema(
    KeySchema.of("pk", "sk"), {"gsi": KeySchema.of("owner", "age")}, {"lsi": KeySchema.of("pk", "day")}
)

QUERY: Params = {
    "TableName": "T",
    "IndexName": "gsi",
    "KeyConditionExpression": "pk = :pk AND sk BETWEEN :lo AND :hi",
    "FilterExpression": "(a = :a OR NOT contains(tags, :t)) AND size(b.c[0]) > :lo",
    "ProjectionExpression": "pk, a, b.c[1]",
    "ExpressionAttributeValues": {
        ":pk": {"S": "x"},
        ":lo": {"N": "1"},
        ":hi": {"N": "20"},
        ":a": {"SS": ["p", "q"]},
        ":t": {"B": b"t"},
    },
    "Limit": 10,
    "ScanIndexForward": False,
    "Select": "SPECIFIC_ATTRIBUTES",
    "ExclusiveStartKey": {"pk": {"S": "x"}, "sk": {"N": "5"}},
}
SAME: dict[str, Params] = {
    "white space": {"KeyConditionExpression": " pk=:pk   AND\tsk  between :lo\nAND :hi "},
    "order of terms": {"KeyConditionExpression": "sk BETWEEN :lo AND :hi AND pk = :pk"},
    "parentheses of terms": {"KeyConditionExpression": "(pk = :pk) AND (sk BETWEEN :lo AND :hi)"},
    "sides": {"KeyConditionExpression": ":pk = pk AND sk BETWEEN :lo AND :hi"},
    "aliases": {
        "KeyConditionExpression": "#k = :pk AND sk BETWEEN :lo AND :hi",
        "FilterExpression": "(#a = :a OR NOT contains(#t, :t)) AND size(#b.#c[0]) > :lo",
        "ProjectionExpression": "#b.#c[1], #k, #a",
        "ExpressionAttributeNames": {"#k": "pk", "#a": "a", "#t": "tags", "#b": "b", "#c": "c"},
    },
    "names of values": {
        "KeyConditionExpression": "pk = :1 AND sk BETWEEN :2 AND :3",
        "FilterExpression": "(a = :4 OR NOT contains(tags, :5)) AND size(b.c[0]) > :6",
        "ExpressionAttributeValues": {
            ":6": {"N": "1"},
            ":5": {"B": bytearray(b"t")},
            ":4": {"SS": ["q", "p"]},
            ":3": {"N": "2e1"},
            ":2": {"N": "+1.0"},
            ":1": {"S": "x"},
        },
    },
    "notation in the start key": {"ExclusiveStartKey": {"sk": {"N": "5.00"}, "pk": {"S": "x"}}},
    "case of keywords": {"FilterExpression": "(a = :a or not contains(tags, :t)) and size(b.c[0]) > :lo"},
    "what it costs": {"ReturnConsumedCapacity": "INDEXES"},
    "an eventually consistent read, made explicit": {"ConsistentRead": False},
}
DIFFERENT: dict[str, Params] = {
    "index": {"IndexName": "lsi"},
    "no index": {"IndexName": None},
    "partition": {"ExpressionAttributeValues": QUERY["ExpressionAttributeValues"] | {":pk": {"S": "y"}}},
    "type of the partition": {"ExpressionAttributeValues": QUERY["ExpressionAttributeValues"] | {":pk": {"B": b"x"}}},
    "range": {"ExpressionAttributeValues": QUERY["ExpressionAttributeValues"] | {":hi": {"N": "21"}}},
    "operator": {"KeyConditionExpression": "pk = :pk AND sk > :lo", "FilterExpression": "a = :a OR a = :t OR a = :hi"},
    "filter": {"FilterExpression": "(a = :a OR contains(tags, :t)) AND size(b.c[0]) > :lo"},
    "parentheses of the filter": {"FilterExpression": "a = :a OR NOT contains(tags, :t) AND size(b.c[0]) > :lo"},
    "list index": {"FilterExpression": "(a = :a OR NOT contains(tags, :t)) AND size(b.c[1]) > :lo"},
    "a path or a name with a dot": {
        "FilterExpression": "(a = :a OR NOT contains(tags, :t)) AND size(#bc[0]) > :lo",
        "ExpressionAttributeNames": {"#bc": "b.c"},
    },
    "projection": {"ProjectionExpression": "pk, a, b.c[2]"},
    "no projection": {"ProjectionExpression": None, "Select": "ALL_ATTRIBUTES"},
    "limit": {"Limit": 11},
    "no limit": {"Limit": None},
    "direction": {"ScanIndexForward": True},
    "usual direction": {"ScanIndexForward": None},
    "select": {"Select": "COUNT"},
    "no select": {"Select": None},
    "start": {"ExclusiveStartKey": {"pk": {"S": "x"}, "sk": {"N": "6"}}},
    "type in the start": {"ExclusiveStartKey": {"pk": {"S": "x"}, "sk": {"S": "5"}}},
    "no start": {"ExclusiveStartKey": None},
}


def changed(change: Params, base: Params = QUERY) -> Params:
    """The request with these changes, None being to leave the parameter out, in another order."""
    return {name: value for name, value in reversed((base | change).items()) if value is not None}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_what_does_not_change_the_answer_does_not_change_the_signature(change: Params) -> None:
    assert read_query(changed(change)).signature == read_query(QUERY).signature


def test_all_that_can_change_the_answer_changes_the_signature() -> None:
    reads = {name: read_query(changed(change)) for name, change in DIFFERENT.items() if name != "usual direction"}
    signatures: dict[bytes, str] = {read_query(QUERY).signature: "the query itself"}
    for name, read in reads.items():
        assert signatures.setdefault(read.signature, name) == name
    assert read_query(changed(DIFFERENT["usual direction"])).signature == reads["direction"].signature


SCANS: dict[str, Params] = {
    "plain": {},
    "index": {"IndexName": "gsi"},
    "limit": {"Limit": 1},
    "select": {"Select": "COUNT"},
    "segment 0 of 2": {"Segment": 0, "TotalSegments": 2},
    "segment 1 of 2": {"Segment": 1, "TotalSegments": 2},
    "segment 0 of 3": {"Segment": 0, "TotalSegments": 3},
    "segment 0 of 1": {"Segment": 0, "TotalSegments": 1},
    "start": {"ExclusiveStartKey": {"pk": {"S": "x"}}},
    "filter": {"FilterExpression": "a = :a", "ExpressionAttributeValues": {":a": {"S": "x"}}},
    "other filter": {"FilterExpression": "a = :a", "ExpressionAttributeValues": {":a": {"S": "y"}}},
    "filter on a name of the same letters": {
        "FilterExpression": "#a = :a",
        "ExpressionAttributeNames": {"#a": "#a"},
        "ExpressionAttributeValues": {":a": {"S": "x"}},
    },
    "legacy filter": {"ScanFilter": {"a": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "x"}]}}},
    "legacy or": {
        "ScanFilter": {"a": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "x"}]}},
        "ConditionalOperator": "OR",
    },
    "legacy other operator": {"ScanFilter": {"a": {"ComparisonOperator": "NE", "AttributeValueList": [{"S": "x"}]}}},
    "legacy null": {"ScanFilter": {"a": {"ComparisonOperator": "NULL"}}},
    "projection": {"ProjectionExpression": "a"},
    "legacy projection": {"AttributesToGet": ["a"]},
    "legacy projection of a dotted name": {"AttributesToGet": ["a.b"]},
    "projection of a path": {"ProjectionExpression": "a.b"},
}


def test_scans_differ() -> None:
    signatures: dict[bytes, str] = {}
    for name, scan in SCANS.items():
        assert signatures.setdefault(read_scan({"TableName": "T"} | scan).signature, name) == name


@given(scalars, scalars)
@example({"N": "0"}, {"N": "0.000"})
def test_values_decide(one: Params, other: Params) -> None:
    def read(value: Params) -> PageRead:
        expression = {"FilterExpression": "a = :a", "ExpressionAttributeValues": {":a": value}}
        return read_scan({"TableName": "T", **expression})

    assert (read(one).signature == read(other).signature) == (value_signature(one) == value_signature(other))


PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "IndexName": st.sampled_from(["gsi", "lsi", "AND", ""]),
        "Limit": st.sampled_from([1, 2, 10, 100]),
        "ScanIndexForward": st.booleans(),
        "Select": st.sampled_from(["COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"]),
        "ExclusiveStartKey": st.sampled_from([{"pk": {"S": "1"}}, {"pk": {"N": "1"}}, {"sk": {"S": "1"}}]),
    },
)


@given(PARAMETERS, PARAMETERS, st.sampled_from(["x", "1"]), st.sampled_from(["x", "1"]))
def test_two_queries_merge_only_if_every_parameter_agrees(one: Params, other: Params, first: str, second: str) -> None:
    def read(parameters: Params, partition: str) -> PageRead:
        values = {":v": {"S": partition}}
        return read_query(parameters | {"KeyConditionExpression": "pk = :v", "ExpressionAttributeValues": values})

    def essence(parameters: Params) -> Params:
        return {"ScanIndexForward": True} | parameters

    same = essence(one) == essence(other) and first == second
    assert (read(one, first).signature == read(other, second).signature) == same


UNKNOWN: dict[str, Params] = {
    "a parameter of the future": {"SortBy": "age"},
    "None": {"Select": None},
    "unused value": {"ExpressionAttributeValues": QUERY["ExpressionAttributeValues"] | {":unused": {"S": ""}}},
    "unused name": {"ExpressionAttributeNames": {"#unused": "a"}},
    "undefined value": {"KeyConditionExpression": "pk = :nowhere"},
    "legacy beside expressions": {"QueryFilter": {}},
    "limit of none": {"Limit": 0},
    "limit of text": {"Limit": "10"},
    "limit of truth": {"Limit": True},
    "direction of text": {"ScanIndexForward": "no"},
    "unknown capacity": {"ReturnConsumedCapacity": "SOME"},
    "half a segment": {"Segment": 0},
    "start that is none": {"ExclusiveStartKey": "x"},
    "text that is none": {"IndexName": "\ud800"},
}


@pytest.mark.parametrize("change", UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("read", [read_query, read_scan])
def test_what_is_not_understood_is_left_to_dynamodb(change: Params, read: Callable[[Params], PageRead]) -> None:
    names = ("KeyConditionExpression", "ScanIndexForward") if read is read_scan else ()
    request = {name: value for name, value in (QUERY | change).items() if name not in names}
    with pytest.raises(NotCacheable):
        read(request)


@pytest.mark.parametrize(
    "request_",
    [
        {"NewParameter": 1},
        {"ProjectionExpression": "a, a.b"},
        {"ProjectionExpression": "a", "AttributesToGet": ["a"]},
        {"ProjectionExpression": ""},
        {"AttributesToGet": []},
        {"AttributesToGet": ["a", "a"]},
        {"ExpressionAttributeNames": {"#a": "a"}},
        {"ProjectionExpression": None},
        {"ProjectionExpression": 1},
        {"ProjectionExpression": b"a"},
        {"ProjectionExpression": ["a"]},
        {"ReturnConsumedCapacity": "SOME"},
    ],
    ids=repr,
)
def test_item_requests_that_are_left_to_dynamodb(request_: Params) -> None:
    with pytest.raises(NotCacheable):
        item_projection({"TableName": "T", "Key": {}} | request_)


def tags(request: Params, schema: TableSchema | None = SCHEMA) -> list[tuple[str, str | None, bool]]:
    read = read_scan(request) if "KeyConditionExpression" not in request else read_query(request)
    return [(tag.kind, tag.index_name, tag.value is not None) for tag in read.tags(TABLE, schema)]


def test_what_a_page_depends_on() -> None:
    by_pk = {"KeyConditionExpression": "pk = :a", "ExpressionAttributeValues": {":a": {"S": "x"}}}
    by_owner = by_pk | {"KeyConditionExpression": "#o = :a", "ExpressionAttributeNames": {"#o": "owner"}}
    anything = [("scan", None, False)]
    assert tags(by_pk) == [("partition", None, True)]
    assert tags(by_pk | {"IndexName": "lsi"}) == [("partition", "lsi", True)]
    assert tags(by_owner | {"IndexName": "gsi"}) == [("partition", "gsi", True), ("index", "gsi", False)]
    assert tags(by_pk | {"IndexName": "gsi"}) == anything
    assert tags(by_pk | {"IndexName": "new"}) == anything
    assert tags(by_pk, None) == anything
    assert tags({}) == tags({"IndexName": "lsi"}) == tags({"IndexName": "new"}) == anything
    assert tags({"IndexName": "gsi"}) == [("scan", "gsi", False)]
