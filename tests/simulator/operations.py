"""The operations that the model knows, with the parameters that it knows of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.simulator import pages, reads, tables, writes
from tests.simulator.errors import RefusedError, UnsupportedError, invalid

_NAMES, _VALUES = "ExpressionAttributeNames", "ExpressionAttributeValues"
_CAPACITY = "ReturnConsumedCapacity"
_CONDITION = ("ConditionExpression", _NAMES, _VALUES, "ReturnValuesOnConditionCheckFailure")
_WRITE = (*_CONDITION, "TableName", "ReturnValues", _CAPACITY)
_PROJECTION = ("ProjectionExpression", "AttributesToGet", _NAMES)
_PAGES = ("TableName", "IndexName", "Select", "Limit", "ExclusiveStartKey", "ConsistentRead", "FilterExpression")

READS: dict[str, Callable[..., dict[str, Any]]] = {
    "GetItem": reads.get_item,
    "BatchGetItem": reads.batch_get_item,
    "TransactGetItems": reads.transact_get_items,
    "Query": pages.query,
    "Scan": pages.scan,
}
OPERATIONS: dict[str, Callable[..., dict[str, Any]]] = {
    **READS,
    "PutItem": writes.put_item,
    "UpdateItem": writes.update_item,
    "DeleteItem": writes.delete_item,
    "BatchWriteItem": writes.batch_write_item,
    "TransactWriteItems": writes.transact_write_items,
    "CreateTable": tables.create_table,
    "DescribeTable": tables.describe_table,
    "DeleteTable": tables.delete_table,
    "UpdateTable": tables.update_table,
    "ListTables": tables.list_tables,
    "DescribeTimeToLive": tables.describe_time_to_live,
    "UpdateTimeToLive": tables.update_time_to_live,
}

_KNOWN: dict[str, frozenset[str]] = {
    "GetItem": frozenset({"TableName", "Key", "ConsistentRead", _CAPACITY, *_PROJECTION}),
    "BatchGetItem": frozenset({"RequestItems", _CAPACITY}),
    "TransactGetItems": frozenset({"TransactItems", _CAPACITY}),
    "Query": frozenset({*_PAGES, "KeyConditionExpression", "ScanIndexForward", _VALUES, _CAPACITY, *_PROJECTION}),
    "Scan": frozenset({*_PAGES, "Segment", "TotalSegments", _VALUES, _CAPACITY, *_PROJECTION}),
    "PutItem": frozenset({*_WRITE, "Item"}),
    "UpdateItem": frozenset({*_WRITE, "Key", "UpdateExpression"}),
    "DeleteItem": frozenset({*_WRITE, "Key"}),
    "BatchWriteItem": frozenset({"RequestItems", _CAPACITY}),
    "TransactWriteItems": frozenset({"TransactItems", "ClientRequestToken", _CAPACITY}),
}
# Parameters that change nothing as long as they have this value.
_HARMLESS: dict[str, Any] = {"ReturnItemCollectionMetrics": "NONE", "AttributeUpdates": {}}
_LEGACY = frozenset(
    {"AttributeUpdates", "Expected", "ConditionalOperator", "KeyConditions", "QueryFilter", "ScanFilter"}
)


def find(operation: str, request: Mapping[str, Any]) -> Callable[..., dict[str, Any]]:
    """The function that answers an operation. A parameter that the model would ignore is an error of the test."""
    if operation not in OPERATIONS:
        raise RefusedError("UnknownOperationException", f"The simulator does not know {operation}")
    known = _KNOWN.get(operation, request.keys())
    unknown = {name for name in request.keys() - known if request[name] != _HARMLESS.get(name)}
    if unknown & _LEGACY and any("Expression" in name for name in request):
        raise invalid("Can not use both expression and non-expression parameters in the same request")
    if unknown:
        raise UnsupportedError(f"the simulator does not know these parameters of {operation}: {sorted(unknown)}")
    return OPERATIONS[operation]
