"""What read requests ask for, normalised: the noun Read.

Two requests get one signature only if DynamoDB must answer them alike. What a function here does not understand, or
what DynamoDB would refuse, raises NotCacheable: the request goes to DynamoDB as it is. That matters for a request that
could be answered from the cache but is an error: the error is DynamoDB's to give.
"""

from collections.abc import Hashable, Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from .encoding import encode
from .expressions.conditions import filter_signature, parse_key_condition
from .expressions.placeholders import Placeholders
from .expressions.projections import Projection, parse_projection, projection_of_attributes
from .not_cacheable import NotCacheable
from .schema import TableSchema
from .tables import TableId
from .tags import Tag, index_tag, partition_tag, scan_tag
from .values import item_signature, value_signature

Request: TypeAlias = Mapping[str, Any]
"""A request's parameters as botocore takes them, with typed values."""

_ITEM_PARAMETERS: Final = frozenset({"AttributesToGet", "ProjectionExpression", "ExpressionAttributeNames"})
_GET_ITEM: Final = _ITEM_PARAMETERS | {"TableName", "Key", "ConsistentRead", "ReturnConsumedCapacity"}
_BATCH_TABLE: Final = _ITEM_PARAMETERS | {"Keys", "ConsistentRead"}
_PAGE: Final = _ITEM_PARAMETERS | {
    "TableName",
    "IndexName",
    "Select",
    "Limit",
    "ConsistentRead",
    "ConditionalOperator",
    "ExclusiveStartKey",
    "ReturnConsumedCapacity",
    "FilterExpression",
    "ExpressionAttributeValues",
}
_QUERY: Final = _PAGE | {"KeyConditions", "QueryFilter", "ScanIndexForward", "KeyConditionExpression"}
_SCAN: Final = _PAGE | {"ScanFilter", "TotalSegments", "Segment"}
_LEGACY: Final = ("AttributesToGet", "KeyConditions", "QueryFilter", "ScanFilter", "ConditionalOperator")
_EXPRESSIONS: Final = ("ProjectionExpression", "FilterExpression", "KeyConditionExpression")


class ItemRead(Struct, frozen=True):
    """One item, or a projection of it."""

    key: bytes

    def tags(self, table: TableId, schema: TableSchema | None) -> tuple[Tag, ...]:
        """What the answer depends on."""
        return (Tag("item", table, None, self.key),)


class PageRead(Struct, frozen=True):
    """One page of a Query or a Scan."""

    kind: Literal["query", "scan"]
    index: str | None
    signature: bytes
    """Equal for two requests on one table only if their answers are."""
    equalities: Mapping[str, Any]
    """The attributes that a Query's key condition fixes, typed: its partition is among them."""
    attributes: frozenset[str] = frozenset()
    """All attributes of its key condition."""

    def fits(self, schema: TableSchema) -> bool:
        """Whether DynamoDB could have answered it if this were the schema."""
        keys = schema.key if self.index is None else schema.global_indexes.get(self.index)
        return keys is None or self.attributes <= set(keys.names)

    def tags(self, table: TableId, schema: TableSchema | None) -> tuple[Tag, ...]:
        """What the answer depends on: as little as the schema allows to tell, else any change of the table."""
        anything = (scan_tag(table, None),)
        if schema is None:
            return anything
        if self.index is None or self.index in schema.local_indexes:
            index, keys = None, schema.key
        elif self.index in schema.global_indexes:
            index, keys = self.index, schema.global_indexes[self.index]
        else:
            return anything  # an index that was added since the table was described
        if self.kind == "scan":
            return (scan_tag(table, index),)
        if not self.fits(schema):
            return anything
        try:
            partition = keys.partition_of(self.equalities)
        except NotCacheable:  # not a value for a key: an error, which DynamoDB will give
            partition = None
        if partition is None:
            return anything
        by_partition = partition_tag(table, index, partition)
        return (by_partition,) if index is None else (by_partition, index_tag(table, index))


Read: TypeAlias = ItemRead | PageRead
"""What a request asks for: where in the cache its answer stands, and what that depends on."""


def is_consistent(request: Request) -> bool:
    """Whether the request asks for a strongly consistent read."""
    consistent = request.get("ConsistentRead", False)
    if not isinstance(consistent, bool):
        raise NotCacheable("ConsistentRead")
    return consistent


def item_projection(request: Request, *, in_batch: bool = False) -> Projection | None:
    """What a GetItem, or one table's part of a BatchGetItem, asks of its items; None for all of it."""
    allowed = _BATCH_TABLE if in_batch else _GET_ITEM
    if not allowed >= request.keys():
        raise NotCacheable("parameter")
    if not in_batch:
        check_capacity(request)
    _check_given(request)
    placeholders = Placeholders(request.get("ExpressionAttributeNames"))
    projection = _projection(request, placeholders)
    placeholders.finish()
    return projection


def read_query(request: Request) -> PageRead:
    """A Query's request, normalised.

    >>> one = {"TableName": "t", "KeyConditionExpression": "pk = :a", "ExpressionAttributeValues": {":a": {"N": "1"}}}
    >>> other = one | {
    ...     "KeyConditionExpression": "#k  =  :b",
    ...     "ExpressionAttributeNames": {"#k": "pk"},
    ...     "ExpressionAttributeValues": {":b": {"N": "1.0"}},
    ... }
    >>> read_query(one).signature == read_query(other).signature
    True
    """
    placeholders = _checked_page(request, _QUERY)
    forward = request.get("ScanIndexForward", True)
    if not isinstance(forward, bool):
        raise NotCacheable("ScanIndexForward")
    condition: Hashable
    equalities: Mapping[str, Any]
    if "KeyConditionExpression" in request:
        parsed = parse_key_condition(request["KeyConditionExpression"], placeholders)
        equalities, condition = parsed.equalities, parsed.signature
        attributes = parsed.equalities.keys() | {name for name, _, _ in parsed.ranges}
    else:
        equalities, condition = _legacy_key_conditions(request)
        attributes = request["KeyConditions"].keys()
    legacy_filter = _legacy_filter(request, "QueryFilter")
    signature = _signature(request, placeholders, condition, legacy_filter, forward)
    return PageRead("query", request.get("IndexName"), signature, equalities, frozenset(attributes))


def read_scan(request: Request) -> PageRead:
    """A Scan's request, normalised. Each segment of a parallel scan is a scan of its own."""
    placeholders = _checked_page(request, _SCAN)
    segment, segments = request.get("Segment"), request.get("TotalSegments")
    if (segment is None) != (segments is None) or not _is_count(segment, 0) or not _is_count(segments, 1):
        raise NotCacheable("Segment")
    signature = _signature(request, placeholders, (segment, segments), _legacy_filter(request, "ScanFilter"), True)
    return PageRead("scan", request.get("IndexName"), signature, {})


def check_capacity(request: Request) -> str:
    """The ReturnConsumedCapacity of a request: "NONE", "TOTAL" or "INDEXES"."""
    asked = request.get("ReturnConsumedCapacity", "NONE")
    if asked not in ("NONE", "TOTAL", "INDEXES"):
        raise NotCacheable("ReturnConsumedCapacity")
    return str(asked)


def _checked_page(request: Request, allowed: frozenset[str]) -> Placeholders:
    if not allowed >= request.keys():
        raise NotCacheable("parameter")
    if any(name in request for name in _LEGACY) and any(name in request for name in _EXPRESSIONS):
        raise NotCacheable("legacy parameters with expressions")
    _check_given(request)
    check_capacity(request)
    if not _is_count(request.get("Limit"), 1):
        raise NotCacheable("Limit")
    for name in ("IndexName", "Select"):
        if name in request and not isinstance(request[name], str):
            raise NotCacheable(name)
    return Placeholders(request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues"))


def _signature(
    request: Request, placeholders: Placeholders, condition: Hashable, legacy_filter: Hashable, forward: bool
) -> bytes:
    """All that the answer depends on, but for the table."""
    projection = _projection(request, placeholders)
    expression = request.get("FilterExpression")
    filtered = None if expression is None else filter_signature(expression, placeholders)
    placeholders.finish()
    start = request.get("ExclusiveStartKey")
    what = (
        request.get("IndexName"),
        condition,
        filtered,
        legacy_filter,
        request.get("ConditionalOperator"),
        request.get("Select"),
        None if projection is None else (projection.signature, "AttributesToGet" in request),
        request.get("Limit"),
        None if start is None else item_signature(start),
        forward,
    )
    try:
        return encode(what)
    except (UnicodeEncodeError, OverflowError):
        raise NotCacheable("text that is not Unicode, or a number too large") from None


def _projection(request: Request, placeholders: Placeholders) -> Projection | None:
    if "ProjectionExpression" in request:
        if "AttributesToGet" in request:
            raise NotCacheable("AttributesToGet with ProjectionExpression")
        return parse_projection(request["ProjectionExpression"], placeholders)
    if "AttributesToGet" in request:
        return projection_of_attributes(request["AttributesToGet"])
    return None


def _legacy_key_conditions(request: Request) -> tuple[Mapping[str, Any], Hashable]:
    conditions = request.get("KeyConditions")
    if not isinstance(conditions, dict):
        raise NotCacheable("Query without key conditions")
    equalities = {
        name: condition["AttributeValueList"][0]
        for name, condition in conditions.items()
        if isinstance(condition, dict)
        and condition.get("ComparisonOperator") == "EQ"
        and len(condition.get("AttributeValueList", ())) == 1
    }
    return equalities, _legacy_conditions(conditions)


def _legacy_filter(request: Request, name: str) -> Hashable:
    return None if name not in request else _legacy_conditions(request[name])


def _legacy_conditions(conditions: Any) -> Hashable:
    """KeyConditions, QueryFilter or ScanFilter: per attribute an operator and a list of values, in any order of
    attributes."""
    if not isinstance(conditions, dict):
        raise NotCacheable("conditions")
    return tuple(
        sorted((_one_legacy_condition(name, value) for name, value in conditions.items()), key=lambda it: it[0])
    )


def _one_legacy_condition(name: Any, condition: Any) -> tuple[str, str, tuple[Hashable, ...] | None]:
    if not isinstance(name, str) or not isinstance(condition, dict):
        raise NotCacheable("condition")
    operator, values = condition.get("ComparisonOperator"), condition.get("AttributeValueList")
    if not isinstance(operator, str) or not isinstance(values, list | None) or condition.keys() - _CONDITION_PARTS:
        raise NotCacheable("condition")
    return name, operator, None if values is None else tuple(value_signature(value) for value in values)


_CONDITION_PARTS: Final = frozenset({"ComparisonOperator", "AttributeValueList"})


def _is_count(value: Any, least: int) -> bool:
    """Whether this is absent or a whole number, which True is not."""
    return value is None or (type(value) is int and least <= value < 2**31)


def _check_given(request: Request) -> None:
    """botocore takes no None for "not given"."""
    for name, value in request.items():
        if value is None:
            raise NotCacheable(f"None for {name}")
