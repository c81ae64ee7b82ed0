"""What `daxlite.core.requests` does, the plain way: nothing is remembered, each rule is a line of its own."""

from collections.abc import Hashable
from typing import Any

from daxlite.core.encoding import encode
from daxlite.core.expressions.conditions import parse_filter, parse_key_condition
from daxlite.core.expressions.placeholders import Names
from daxlite.core.expressions.projections import Projection, parse_projection
from daxlite.core.not_cacheable import NotCacheable
from daxlite.core.values import item_signature, value_signature

PAGE = {"TableName", "IndexName", "Select", "Limit", "ConsistentRead", "ExclusiveStartKey", "ReturnConsumedCapacity"}
PAGE |= {"FilterExpression", "ProjectionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"}
ALLOWED = {
    "query": PAGE | {"KeyConditionExpression", "ScanIndexForward"},
    "scan": PAGE | {"Segment", "TotalSegments"},
    "item": {"TableName", "Key", "ProjectionExpression", "ExpressionAttributeNames"},
}
Meaning = dict[str, Hashable]


def check(holds: bool) -> None:
    if not holds:
        raise NotCacheable


def is_count(value: Any, least: int) -> bool:
    return value is None or (type(value) is int and least <= value < 2**31)


def text(value: Any) -> str:
    check(isinstance(value, str))
    return "".join(value)  # plain characters, whatever class they came in


def check_parameters(kind: str, request: dict[str, Any]) -> None:
    check(set(request) <= ALLOWED[kind])
    check(all(value is not None for value in request.values()))


def names_of(request: dict[str, Any]) -> Names:
    if "ExpressionAttributeNames" not in request:
        return Names()
    given = request["ExpressionAttributeNames"]
    check(isinstance(given, dict) and len(given) > 0)
    return Names(tuple((text(alias), text(name)) for alias, name in given.items()))


def page(kind: str, request: dict[str, Any]) -> Meaning:
    """What a Query or a Scan without legacy parameters asks for, part by part."""
    check_parameters(kind, request)
    check(request.get("ReturnConsumedCapacity", "NONE") in ("NONE", "TOTAL", "INDEXES"))
    names, signed, equalities = names_of(request), [], {}
    values = request.get("ExpressionAttributeValues", {})
    check(isinstance(values, dict) and (len(values) > 0 or "ExpressionAttributeValues" not in request))
    values = dict(values.items())
    used = set()
    meaning: Meaning = {}
    attributes = set()
    if kind == "query":
        condition = parse_key_condition(text(request.get("KeyConditionExpression")), names)
        meaning["condition"] = condition.form
        for term in condition.terms:
            attributes.add(term.name)
            used.update(term.holes)
            check(values.keys() >= set(term.holes))
            signed.extend([value_signature(values[hole]) for hole in term.holes])
            if term.operator == "=":
                equalities[term.name] = signed[-1]
    if "FilterExpression" in request:
        filtered = parse_filter(text(request["FilterExpression"]), names)
        meaning["filter"] = filtered.form
        used.update(filtered.holes)
        check(values.keys() >= set(filtered.holes))
        signed.extend([value_signature(values[hole]) for hole in filtered.holes])
    if "ProjectionExpression" in request:
        meaning["projection"] = parse_projection(text(request["ProjectionExpression"]), names).signature
    names.check_all_used()
    check(len(used) == len(values))
    for name in ("IndexName", "Select"):
        meaning[name] = text(request[name]) if name in request else None
    check(is_count(request.get("Limit"), 1))
    check(isinstance(request.get("ScanIndexForward", True), bool))
    segment, segments = request.get("Segment"), request.get("TotalSegments")
    check((segment is None) == (segments is None) and is_count(segment, 0) and is_count(segments, 1))
    start = item_signature(request["ExclusiveStartKey"]) if "ExclusiveStartKey" in request else None
    others = (request.get("Limit"), request.get("ScanIndexForward", True), segment, segments, start)
    try:
        encode([signed, meaning["IndexName"], meaning["Select"], others])
    except UnicodeEncodeError:
        raise NotCacheable from None
    return meaning | {
        "values": tuple(signed),
        "equalities": tuple(sorted(equalities.items())),
        "attributes": frozenset(attributes),
        "others": others,
    }


def projection(request: dict[str, Any]) -> Projection | None:
    """What a GetItem without legacy parameters asks for."""
    check_parameters("item", request)
    names = names_of(request)
    asked = "ProjectionExpression" in request
    selected = parse_projection(text(request["ProjectionExpression"]), names) if asked else None
    names.check_all_used()
    return selected
