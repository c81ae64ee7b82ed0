"""What each operation of DynamoDB means to a cache.

The names are botocore's. An operation that is in no set, because AWS added it after this was written, goes straight
through; whether it may have written is told by its first word, and when in doubt it has.
"""

from typing import Literal, TypeAlias

Meaning: TypeAlias = Literal["cached read", "uncached read", "write", "table change", "harmless"]

CACHED_READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan"})
UNCACHED_READS = frozenset({"TransactGetItems", "SearchVectors"})
WRITES = frozenset(
    {
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "BatchWriteItem",
        "TransactWriteItems",
        # PartiQL reads and writes by the same operations; the statement tells which.
        "ExecuteStatement",
        "BatchExecuteStatement",
        "ExecuteTransaction",
    }
)
TABLE_CHANGES = frozenset(
    {
        "CreateTable",
        "DeleteTable",
        "UpdateTable",
        "RestoreTableFromBackup",
        "RestoreTableToPointInTime",
        "ImportTable",
        "StartBulkPutItems",
        "UpdateTimeToLive",
        "CreateGlobalTable",
        "UpdateGlobalTable",
    }
)
"""These may replace what a table holds, or how its keys look."""

_HARMLESS = frozenset(
    {
        "CancelBulkOperation",
        "CreateBackup",
        "DeleteBackup",
        "DeleteResourcePolicy",
        "DisableKinesisStreamingDestination",
        "EnableKinesisStreamingDestination",
        "ExportTableToPointInTime",
        "PutResourcePolicy",
        "TagResource",
        "UntagResource",
        "UpdateContinuousBackups",
        "UpdateContributorInsights",
        "UpdateGlobalTableSettings",
        "UpdateKinesisStreamingDestination",
        "UpdateTableReplicaAutoScaling",
    }
)
_READING_WORDS = ("Describe", "List", "Get", "BatchGet", "TransactGet", "Query", "Scan", "Search", "Export")


def classify(operation: str) -> Meaning:
    """What a call of the operation means to a cache.

    >>> classify("GetItem"), classify("DescribeTable"), classify("PatchItemInTheYear2030")
    ('cached read', 'harmless', 'table change')
    """
    if operation in CACHED_READS:
        return "cached read"
    if operation in UNCACHED_READS:
        return "uncached read"
    if operation in WRITES:
        return "write"
    if operation in _HARMLESS or (operation not in TABLE_CHANGES and operation.startswith(_READING_WORDS)):
        return "harmless"
    return "table change"
