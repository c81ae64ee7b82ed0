"""What read requests ask for, normalised: the noun Read.

Two requests get one signature only if DynamoDB must answer them alike. Where a function here does not understand a
request, or DynamoDB would refuse it, the function raises NotCacheable and the request goes to DynamoDB as it is. That
matters for a request that could be answered from the cache but is an error: the error is left to DynamoDB.
"""

from collections.abc import Hashable, Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from .encoding import encode
from .expressions.pages import page_expressions
from .expressions.placeholders import name_pairs, value_map
from .expressions.projections import Projection, projection_of, projection_of_attributes
from .extents import EVERYTHING, Condition, Extent, extent_of_page
from .hidden import Hidden
from .legacy import LEGACY_PARAMETERS, equalities_of, legacy_conditions, legacy_form
from .not_cacheable import NotCacheable
from .schema import TableSchema
from .tables import Place
from .tags import Tag, index_tag, partition_tag, scan_tag
from .values import item_signature, plain_text, value_signature

Request: TypeAlias = Mapping[str, Any]
"""A request's parameters as botocore takes them, with typed values."""

_Kind: TypeAlias = Literal["query", "scan"]

_ITEM: Final = frozenset({"ConsistentRead", "AttributesToGet", "ProjectionExpression", "ExpressionAttributeNames"})
_GET_ITEM: Final = _ITEM | {"TableName", "Key", "ReturnConsumedCapacity"}
_BATCH_TABLE: Final = _ITEM | {"Keys"}


class ItemRead(Hidden, Struct, frozen=True):
    """One item, or a projection of it."""

    key: bytes

    def tags(self, table: Place, schema: TableSchema | None) -> tuple[Tag, ...]:
        """What the answer depends on."""
        return (Tag("item", table, None, self.key),)


class PageRead(Hidden, Struct, frozen=True):
    """One page of a Query or a Scan."""

    kind: _Kind
    index: str | None
    signature: bytes
    """Equal for two requests on one table only if their answers are."""
    equalities: Mapping[str, Any]
    """The attributes that a Query's key condition fixes, with their typed values; the partition key is among them."""
    request: Request = {}
    """The request itself. The caller may change it once the call has returned."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What a Query asks of the key attributes."""
        return _key_conditions(self.request)

    def fits(self, schema: TableSchema) -> bool:
        """Whether DynamoDB could have answered the read if this were the schema."""
        keys = schema.keys_of(self.index)
        return keys is None or {condition.name for condition in self.conditions} <= set(keys.names)

    def extent(self, schema: TableSchema | None, last: Mapping[str, Any] | None = None) -> Extent:
        """Which sort keys of its partition the page covers: as few as the schema and the page can tell.

        last: the page's LastEvaluatedKey, typed; None before the page has arrived, or if there is none.
        """
        keys = None if schema is None or self.kind != "query" else schema.keys_of(self.index)
        if keys is None or not keys.range:
            return EVERYTHING
        start, is_forward = self.request.get("ExclusiveStartKey"), self.request.get("ScanIndexForward", True)
        try:
            return extent_of_page(keys.range[0], self.conditions, start=start, last=last, is_forward=is_forward)
        except NotCacheable:  # DynamoDB will refuse it
            return EVERYTHING

    def tags(self, table: Place, schema: TableSchema | None) -> tuple[Tag, ...]:
        """What the answer depends on: as little as the schema can tell, or any change of the table."""
        anything = (scan_tag(table, None),)
        keys = None if schema is None else schema.keys_of(self.index)
        if schema is None or keys is None:  # the index was added after the table was described
            return anything
        is_global = self.index in schema.global_indexes
        if self.kind == "scan":
            return (scan_tag(table, self.index),) if is_global else anything
        if not self.fits(schema):
            return anything
        try:
            partition = keys.partition_of(self.equalities)
        except NotCacheable:  # the value cannot stand in a key: DynamoDB will refuse it
            partition = None
        if partition is None:
            return anything
        by_partition = partition_tag(table, self.index, partition)
        # A change that cannot tell its partition of a global index bumps the index. Of the others each one can.
        return (by_partition, index_tag(table, self.index)) if is_global and self.index else (by_partition,)


Read: TypeAlias = ItemRead | PageRead
"""What a request asks for: where in the cache its answer is, and what the answer depends on."""


def is_consistent(request: Request) -> bool:
    """Whether the request asks for a strongly consistent read."""
    consistent = request.get("ConsistentRead", False)
    if not isinstance(consistent, bool):
        raise NotCacheable("ConsistentRead")
    return consistent


def item_projection(request: Request, *, in_batch: bool = False) -> Projection | None:
    """The projection of a GetItem, or of one table's part of a BatchGetItem; None for whole items."""
    if not (_BATCH_TABLE if in_batch else _GET_ITEM) >= request.keys():
        raise NotCacheable("a parameter that is not known")
    for name, value in request.items():
        if value is None:  # botocore does not accept it for "not given"
            raise NotCacheable(f"None for {name}")
    if "ReturnConsumedCapacity" in request:
        check_capacity(request)
    names = request.get("ExpressionAttributeNames")
    if "ProjectionExpression" in request:
        if "AttributesToGet" in request:
            raise NotCacheable("AttributesToGet with ProjectionExpression")
        pairs = None if names is None else name_pairs(names)
        return projection_of(plain_text(request["ProjectionExpression"]), pairs)
    if names is not None:
        raise NotCacheable("names without an expression")
    return projection_of_attributes(request["AttributesToGet"]) if "AttributesToGet" in request else None


def read_query(request: Request) -> PageRead:
    """What a Query asks for, normalised.

    >>> one = {"TableName": "t", "KeyConditionExpression": "pk = :a", "ExpressionAttributeValues": {":a": {"N": "1"}}}
    >>> other = one | {
    ...     "KeyConditionExpression": "#k  =  :b",
    ...     "ExpressionAttributeNames": {"#k": "pk"},
    ...     "ExpressionAttributeValues": {":b": {"N": "1.0"}},
    ... }
    >>> read_query(one).signature == read_query(other).signature
    True
    """
    condition = request.get("KeyConditionExpression")
    return _legacy_page("query", request) if condition is None else _page("query", request, condition)


def read_scan(request: Request) -> PageRead:
    """What a Scan asks for, normalised. Each segment of a parallel scan is a scan of its own."""
    is_legacy = not LEGACY_PARAMETERS["scan"].isdisjoint(request)
    return _legacy_page("scan", request) if is_legacy else _page("scan", request, None)


def check_capacity(request: Request) -> str:
    """The ReturnConsumedCapacity of a request: "NONE", "TOTAL" or "INDEXES". Raises NotCacheable for another one."""
    asked = request.get("ReturnConsumedCapacity", "NONE")
    if asked not in ("NONE", "TOTAL", "INDEXES"):
        raise NotCacheable("ReturnConsumedCapacity")
    return str(asked)


# Each function below counts down the parameters that it looks at. What is left over at the end is not understood, or it
# is None, which botocore does not accept for "not given". If nothing is left after the expressions, as in most queries,
# the other parameters need no look.


def _page(kind: _Kind, request: Request, condition: Any) -> PageRead:
    # Every hit of a query runs this.
    get = request.get
    left = len(request)
    if get("TableName") is not None:
        left -= 1
    if condition is not None:
        left -= 1
        condition = plain_text(condition)
    if (filtered := get("FilterExpression")) is not None:
        left -= 1
        filtered = plain_text(filtered)
    if (projected := get("ProjectionExpression")) is not None:
        left -= 1
        projected = plain_text(projected)
    if (pairs := get("ExpressionAttributeNames")) is not None:
        left -= 1
        pairs = name_pairs(pairs)
    expressions = page_expressions(condition, filtered, projected, pairs)
    signed: list[Hashable] = []
    equalities: dict[str, Any] = {}
    if (values := get("ExpressionAttributeValues")) is not None:
        left -= 1
        values = value_map(values)
        if len(values) != expressions.placeholders:
            raise NotCacheable("a value is undefined or unused")
        try:
            # Two loops: a comprehension would be a function call.
            for hole in expressions.holes:
                value = values[hole]
                signed.append(value_signature(value))
            for name, hole in expressions.equalities:
                equalities[name] = values[hole]
        except KeyError:
            raise NotCacheable("a value is undefined") from None
    elif expressions.holes:
        raise NotCacheable("no values")
    others = _other_parameters(kind, request, left) if left else _NO_OTHERS
    signature = _encode((expressions.form, signed, others))
    return PageRead(kind, others[0], signature, equalities, request)


def _legacy_page(kind: _Kind, request: Request) -> PageRead:
    left = len(request) - sum([request.get(name) is not None for name in ("TableName", *LEGACY_PARAMETERS[kind])])
    others = _other_parameters(kind, request, left)
    signature = _encode((legacy_form(kind, request), others))
    conditions = request.get("KeyConditions", {})
    return PageRead(kind, others[0], signature, equalities_of(conditions), request)


def _key_conditions(request: Request) -> tuple[Condition, ...]:
    """What a Query that is understood asks of the key attributes."""
    expression = request.get("KeyConditionExpression")
    if expression is None:
        return legacy_conditions(request.get("KeyConditions", {}))
    names, values = request.get("ExpressionAttributeNames"), request["ExpressionAttributeValues"]
    filtered, projected = [
        None if text is None else plain_text(text)
        for text in (request.get("FilterExpression"), request.get("ProjectionExpression"))
    ]
    pairs = None if names is None else name_pairs(names)
    expressions = page_expressions(plain_text(expression), filtered, projected, pairs)
    return tuple(
        [
            Condition(each.name, each.operator, tuple([values[hole] for hole in each.holes]))
            for each in expressions.terms
        ]
    )


_Others: TypeAlias = tuple[str | None, str | None, int | None, Hashable, bool, tuple[int, int] | None]
_NO_OTHERS: Final[_Others] = (None, None, None, None, True, None)


def _other_parameters(kind: _Kind, request: Request, left: int) -> _Others:
    """What the answer depends on beside expressions or conditions: index, Select, Limit, start, direction, segment.

    left: the number of parameters that have not been looked at.
    """
    get = request.get
    if (index := get("IndexName")) is not None:
        left -= 1
        index = plain_text(index)
    if (select := get("Select")) is not None:
        left -= 1
        select = plain_text(select)
    if (limit := get("Limit")) is not None:
        left -= 1
        _check_count("Limit", limit, 1)
    if (start := get("ExclusiveStartKey")) is not None:
        left -= 1
        start = item_signature(start)
    forward, segment = True, None
    if kind == "query" and "ScanIndexForward" in request:
        left -= 1
        forward = request["ScanIndexForward"]
        if not isinstance(forward, bool):
            raise NotCacheable("ScanIndexForward")
    elif kind == "scan" and "Segment" in request and "TotalSegments" in request:
        left -= 2
        segment = request["Segment"], request["TotalSegments"]
        _check_count("Segment", segment[0], 0)
        _check_count("TotalSegments", segment[1], 1)
    if get("ConsistentRead") is not None:
        left -= 1
    if get("ReturnConsumedCapacity") is not None:
        left -= 1
        check_capacity(request)
    if left:
        raise NotCacheable("a parameter that is not known or is None")
    return index, select, limit, start, forward, segment


def _check_count(name: str, value: Any, least: int) -> None:
    """Raises NotCacheable for a value that is not a whole number in the range of an Integer. True is not one."""
    if type(value) is not int or not least <= value < 2**31:
        raise NotCacheable(name)


def _encode(parts: tuple[object, ...]) -> bytes:
    try:
        return encode(parts)
    except UnicodeEncodeError:
        raise NotCacheable("text that is not Unicode") from None
