"""Responses from the cache, in the shape of DynamoDB's own."""

import math
from email.utils import formatdate
from time import monotonic
from typing import Any, Final

from ..core.steps import Response

CACHE_HEADER: Final = "x-cache"
CACHE_HIT: Final = "Hit from daxlite"

_headers: dict[str, str] = {}
"""The headers of all hits of one second. Each hit gets a copy."""
_headers_until = -math.inf
"""The end of that second by the monotonic clock, which is never set back."""


def hit_response(**members: Any) -> Response:
    """A complete response that came from the cache. Every part is fresh: the caller may do with it what it likes.

    There was no request, so its id is empty, and there are no length and no checksum of a body.

    >>> metadata = hit_response(Count=0)["ResponseMetadata"]
    >>> metadata["HTTPStatusCode"], metadata["RequestId"], metadata["HTTPHeaders"]["x-cache"]
    (200, '', 'Hit from daxlite')
    >>> sorted(metadata["HTTPHeaders"])
    ['content-type', 'date', 'x-amzn-requestid', 'x-cache']
    """
    global _headers, _headers_until
    if monotonic() >= _headers_until:  # to format a date for each hit would cost a third of it
        _headers = {
            "date": formatdate(usegmt=True),
            "content-type": "application/x-amz-json-1.0",
            "x-amzn-requestid": "",
            CACHE_HEADER: CACHE_HIT,
        }
        _headers_until = monotonic() + 1.0
    members["ResponseMetadata"] = {
        "RequestId": "",
        "HTTPStatusCode": 200,
        "HTTPHeaders": {**_headers},
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
