"""Responses from the cache, in the shape of DynamoDB's own."""

from typing import Any, Final

from ..core.steps import Response

CACHE_HEADER: Final = "x-cache"
CACHE_HIT: Final = "Hit from daxlite"


def hit_response(**members: Any) -> Response:
    """A complete response that came from the cache. Every part is fresh: the caller may do with it what it likes.

    >>> response = hit_response(Count=0)
    >>> response["ResponseMetadata"]["HTTPStatusCode"], response["ResponseMetadata"]["HTTPHeaders"]
    (200, {'x-cache': 'Hit from daxlite'})
    """
    members["ResponseMetadata"] = {
        "RequestId": "",
        "HTTPStatusCode": 200,
        "HTTPHeaders": {CACHE_HEADER: CACHE_HIT},
        "RetryAttempts": 0,
    }
    return members


def no_capacity(asked: str, table: str, index: str | None = None, *, is_local: bool = False) -> dict[str, Any]:
    """The ConsumedCapacity of a read that consumed none. asked: "TOTAL" or "INDEXES".

    >>> no_capacity("TOTAL", "Orders")
    {'TableName': 'Orders', 'CapacityUnits': 0.0}
    """
    consumed: dict[str, Any] = {"TableName": table, "CapacityUnits": 0.0}
    if asked == "INDEXES":
        consumed["Table"] = {"CapacityUnits": 0.0}
        if index is not None:
            of_kind = "LocalSecondaryIndexes" if is_local else "GlobalSecondaryIndexes"
            consumed[of_kind] = {index: {"CapacityUnits": 0.0}}
    return consumed
