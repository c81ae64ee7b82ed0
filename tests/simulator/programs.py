"""Hypothesis strategies for programs: lists of valid requests to one table, small enough to meet each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.differential.tables import attributes, keys

Call = tuple[str, dict[str, Any]]
Text = tuple[str, dict[str, Any]]
"""A part of an expression, and the values of its placeholders."""

SHAPE: dict[str, Any] = {
    "KeySchema": keys("pk", "sk"),
    "AttributeDefinitions": attributes(pk="S", sk="N", gk="S", px="N"),
    "LocalSecondaryIndexes": [
        {"IndexName": "by-px", "KeySchema": keys("pk", "px"), "Projection": {"ProjectionType": "ALL"}},
    ],
    "GlobalSecondaryIndexes": [
        {"IndexName": "by-gk", "KeySchema": keys("gk", "px"), "Projection": {"ProjectionType": "KEYS_ONLY"}},
        {
            "IndexName": "by-px-alone",
            "KeySchema": keys("px"),
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["tx"]},
        },
    ],
}

RICH: list[dict[str, Any]] = [
    {
        "pk": {"S": "a"},
        "sk": {"N": "1"},
        "gk": {"S": "a"},
        "px": {"N": "1.5"},
        "nx": {"N": "10"},
        "tx": {"S": "ab"},
        "sx": {"SS": ["x", "y"]},
        "lx": {"L": [{"N": "1"}, {"S": "a"}, {"N": "2"}, {"S": "b"}]},
        "mx": {"M": {"aa": {"N": "2"}, "bb": {"S": "ab"}, "cc": {"L": [{"N": "0"}, {"N": "1"}]}}},
    },
    {"pk": {"S": "a"}, "sk": {"N": "2"}, "gk": {"S": "ab"}, "nx": {"N": "9"}, "tx": {"S": "b"}, "lx": {"L": []}},
    {"pk": {"S": "a"}, "sk": {"N": "10"}, "px": {"N": "2"}, "nx": {"S": "10"}, "tx": {"B": b"ab"}, "mx": {"M": {}}},
    {"pk": {"S": "b"}, "sk": {"N": "1"}, "gk": {"S": "a"}, "px": {"N": "-1"}, "sx": {"NS": ["1", "2"]}},
    {"pk": {"S": "b"}, "sk": {"N": "2"}, "tx": {"BOOL": True}, "nx": {"NULL": True}},
]
"""Items for conditions: something that each of them holds for. The values of the first two have their usual types."""

_partitions = st.sampled_from(("a", "b")).map(lambda text: {"S": text})
_numbers = st.sampled_from(("-1", "0", "1", "1.5", "2", "10")).map(lambda text: {"N": text})
_texts = st.sampled_from(("a", "ab", "b", "é")).map(lambda text: {"S": text})
_groups = st.sampled_from(("a", "ab")).map(lambda text: {"S": text})
_sets = st.sets(st.sampled_from("xyz"), min_size=1).map(lambda texts: {"SS": sorted(texts)})
_lists = st.lists(_numbers | _texts, max_size=3).map(lambda members: {"L": members})
_maps = st.fixed_dictionaries({}, optional={"aa": _numbers, "bb": _texts, "cc": _lists}).map(lambda map_: {"M": map_})
_TYPED = {"gk": _groups, "px": _numbers, "nx": _numbers, "tx": _texts, "sx": _sets, "lx": _lists, "mx": _maps}
_others = st.fixed_dictionaries({}, optional=_TYPED)

_keys = st.fixed_dictionaries({"pk": _partitions, "sk": st.sampled_from("123").map(lambda text: {"N": text})})
_items = st.builds(lambda key, others: {**key, **others}, _keys, _others)
_ordered = st.sampled_from((("nx", _numbers), ("tx", _texts), ("sk", _numbers), ("mx.aa", _numbers), ("lx[0]", _texts)))
_paths = st.sampled_from(("pk", "gk", "nx", "tx", "lx", "mx", "lx[1]", "mx.bb", "mx.cc[0]", "zz"))


@st.composite
def _conditions(draw: st.DrawFn, depth: int = 2) -> Text:
    kind = draw(
        st.sampled_from(("compare", "between", "in", "exists", "text", "contains", "size", "type", "join", "not"))
    )
    if kind in ("join", "not") and depth:
        left, values = draw(_conditions(depth - 1))
        if kind == "not":
            return f"NOT {left}" if left.startswith("(") else f"NOT ({left})", values
        right, more = draw(_conditions(depth - 1))
        joined = draw(st.sampled_from(("({} AND {})", "({} OR {})")))
        return joined.format(left, right), values | more
    path, strategy = draw(_ordered)
    names = [f":v{next(_COUNT)}" for _ in range(2)]
    low, high = draw(strategy), draw(strategy)
    if kind == "between":
        bounds = sorted((low, high), key=lambda value: float(value["N"]) if "N" in value else value["S"].encode())
        return f"{path} BETWEEN {names[0]} AND {names[1]}", dict(zip(names, bounds, strict=True))
    if kind == "in":
        return f"{path} IN ({names[0]}, {names[1]})", {names[0]: low, names[1]: high}
    if kind == "exists":
        return f"{draw(st.sampled_from(('attribute_exists', 'attribute_not_exists')))}({draw(_paths)})", {}
    if kind == "text":
        return f"begins_with({draw(st.sampled_from(('tx', 'gk', 'mx.bb')))}, {names[0]})", {names[0]: {"S": "a"}}
    if kind == "contains":
        path, value = draw(st.sampled_from((("tx", {"S": "b"}), ("sx", {"S": "x"}), ("lx", {"N": "1"}))))
        return f"contains({path}, {names[0]})", {names[0]: value}
    if kind == "size":
        path = draw(st.sampled_from(("tx", "sx", "lx", "mx")))
        return f"size({path}) {draw(_SIGNS)} {names[0]}", {names[0]: {"N": draw(st.sampled_from("012"))}}
    if kind == "type":
        return f"attribute_type({draw(_paths)}, {names[0]})", {names[0]: {"S": draw(st.sampled_from(("S", "N", "L")))}}
    return f"{path} {draw(_SIGNS)} {names[0]}", {names[0]: low}


_COUNT: Iterator[int] = itertools.count()
_SIGNS = st.sampled_from(("=", "<>", "<", "<=", ">", ">="))

_ACTIONS = {
    "SET nx = {}": _numbers,
    "SET tx = {}": _texts,
    "SET gk = {}": _groups,
    "SET px = {}": _numbers,
    "SET mx = {}": _maps,
    "SET lx = {}": _lists,
    "SET nx = nx + {}": _numbers,
    "SET px = if_not_exists(px, {})": _numbers,
    "SET lx = list_append(lx, {})": _lists,
    "SET lx[1] = {}": _texts,
    "SET mx.aa = {}": _numbers,
    "SET tx = gk": None,
    "REMOVE gk": None,
    "REMOVE tx, px": None,
    "REMOVE lx[0]": None,
    "REMOVE lx[0], lx[2]": None,
    "REMOVE lx[1], lx[2], lx[3]": None,
    "REMOVE mx.cc": None,
    "ADD nx {}": _numbers,
    "ADD px {}": _numbers,
    "ADD sx {}": _sets,
    "DELETE sx {}": _sets,
}


@st.composite
def _updates(draw: st.DrawFn) -> Text:
    """Up to three clauses that do not get in each other's way."""
    clauses: dict[str, str] = {}
    touched: set[str] = set()
    values: dict[str, Any] = {}
    for action in draw(st.lists(st.sampled_from(sorted(_ACTIONS)), min_size=1, max_size=3)):
        clause, _, rest = action.partition(" ")
        targets = {part.strip()[:2] for part in rest.split("=")[0].split(",")}
        if clause in clauses or targets & touched:
            continue
        touched |= targets
        strategy = _ACTIONS[action]
        name = f":u{len(values)}"
        if strategy is not None:
            values[name] = draw(strategy)
        clauses[clause] = rest.format(name)
    return " ".join(f"{clause} {rest}" for clause, rest in clauses.items()), values


@st.composite
def _write(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    request: dict[str, Any] = {"Item": draw(_items)} if kind == "put_item" else {"Key": draw(_keys)}
    values: dict[str, Any] = {}
    if kind == "update_item":
        request["UpdateExpression"], values = draw(_updates())
    if kind == "condition_check" or draw(st.booleans()):
        request["ConditionExpression"], more = draw(_conditions())
        values = values | more
        request["ReturnValuesOnConditionCheckFailure"] = draw(st.sampled_from(("NONE", "ALL_OLD")))
    if values:
        request["ExpressionAttributeValues"] = values
    return request


@st.composite
def _single_writes(draw: st.DrawFn) -> Call:
    kind = draw(st.sampled_from(("put_item", "update_item", "update_item", "delete_item")))
    request = draw(_write(kind))
    wanted = (
        ("NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW") if kind == "update_item" else ("NONE", "ALL_OLD")
    )
    return kind, {**request, "ReturnValues": draw(st.sampled_from(wanted))}


@st.composite
def _batches(draw: st.DrawFn) -> Call:
    chosen = draw(st.lists(_items, min_size=1, max_size=3, unique_by=lambda item: (item["pk"]["S"], item["sk"]["N"])))
    parts: list[dict[str, Any]] = []
    for item in chosen:
        key = {name: item[name] for name in ("pk", "sk")}
        parts.append({"PutRequest": {"Item": item}} if draw(st.booleans()) else {"DeleteRequest": {"Key": key}})
    return "batch_write_item", {"RequestItems": parts}


_ACTION_NAMES = {
    "put_item": "Put",
    "update_item": "Update",
    "delete_item": "Delete",
    "condition_check": "ConditionCheck",
}


@st.composite
def _transactions(draw: st.DrawFn) -> Call:
    actions: list[dict[str, Any]] = []
    seen = set()
    for kind in draw(st.lists(st.sampled_from(sorted(_ACTION_NAMES)), min_size=1, max_size=3)):
        request = draw(_write(kind))
        key = request["Item" if kind == "put_item" else "Key"]
        place = (key["pk"]["S"], key["sk"]["N"])
        if place not in seen:
            actions.append({_ACTION_NAMES[kind]: request})
            seen.add(place)
    return "transact_write_items", {"TransactItems": actions}


_PROJECTIONS = ("pk, sk", "tx, nx", "mx.aa, mx.cc[0]", "lx[0]", "zz", "mx, lx")


@st.composite
def _reads(draw: st.DrawFn) -> Call:
    kind = draw(st.sampled_from(("get_item", "batch_get_item", "query", "query", "scan")))
    request: dict[str, Any] = {}
    if draw(st.booleans()):
        request["ProjectionExpression"] = draw(st.sampled_from(_PROJECTIONS))
    if kind == "get_item":
        return kind, {**request, "Key": draw(_keys), "ConsistentRead": draw(st.booleans())}
    if kind == "batch_get_item":
        several = st.lists(_keys, min_size=1, max_size=4, unique_by=lambda key: (key["pk"]["S"], key["sk"]["N"]))
        return kind, {"RequestItems": {**request, "Keys": draw(several)}}
    index = draw(st.sampled_from((None, "by-px", "by-gk", "by-px-alone")))
    if index is not None:
        request["IndexName"] = index
        request.pop("ProjectionExpression", None)
    values: dict[str, Any] = {}
    if kind == "query":
        request["KeyConditionExpression"], values = draw(_key_conditions(index))
        request["ScanIndexForward"] = draw(st.booleans())
    if draw(st.booleans()) and index != "by-gk":
        # An index filters by what it has.
        text, more = draw(_conditions()) if index != "by-px-alone" else ("tx > :f", {":f": draw(_texts)})
        if kind == "scan" or "sk" not in text:
            request["FilterExpression"], values = text, values | more
    if draw(st.booleans()) and "ProjectionExpression" not in request:
        request["Select"] = "COUNT"
    if values:
        request["ExpressionAttributeValues"] = values
    return kind, {**request, "Limit": draw(st.sampled_from((1, 2, 100)))}


@st.composite
def _key_conditions(draw: st.DrawFn, index: str | None) -> Text:
    if index == "by-px-alone":
        return "px = :p", {":p": draw(_numbers)}
    first, second = {None: ("pk", "sk"), "by-px": ("pk", "px"), "by-gk": ("gk", "px")}[index]
    values: dict[str, Any] = {":p": draw(_groups if first == "gk" else _partitions)}
    kind = draw(st.sampled_from(("all", "between", "=", "<", "<=", ">", ">=")))
    if kind == "all":
        return f"{first} = :p", values
    low, high = sorted((draw(_numbers), draw(_numbers)), key=lambda value: float(value["N"]))
    if kind == "between":
        return f"{first} = :p AND {second} BETWEEN :l AND :h", values | {":l": low, ":h": high}
    return f"{first} = :p AND {second} {kind} :l", values | {":l": low}


def programs(*, transactions: bool) -> st.SearchStrategy[list[Call]]:
    writes = _single_writes() | _batches()
    calls = writes | _transactions() if transactions else writes
    return st.lists(st.one_of(calls, _reads()), min_size=4, max_size=16)


def addressed(call: Call, table: str) -> Call:
    """The call with the name of the table that it goes to."""
    kind, request = call
    if kind.startswith("batch"):
        return kind, {"RequestItems": {table: request["RequestItems"]}}
    if kind.startswith("transact"):
        actions = [
            {name: {**each, "TableName": table} for name, each in action.items()} for action in request["TransactItems"]
        ]
        return kind, {"TransactItems": actions}
    return kind, {**request, "TableName": table}
