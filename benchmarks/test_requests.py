"""What it costs to understand a request whose expressions were seen before."""

from functools import partial
from typing import Any

from benchmarks.conftest import Compare
from benchmarks.interleave import Case
from benchmarks.items import FILTERED_QUERY, PROJECTION, QUERY, TABLE, key
from daxlite.core.expressions.updates import read_update
from daxlite.core.requests import item_projection, read_query

GET_ITEM: dict[str, Any] = {"TableName": TABLE, "Key": key(), **PROJECTION}
UPDATE: tuple[str, dict[str, str], dict[str, Any]] = (
    "SET #status = :status, note = :note REMOVE address.street",
    {"#status": "status"},
    {":status": {"S": "shipped"}, ":note": {"S": "n"}},
)


def test_requests(compare: Compare) -> None:
    compare(
        [
            Case("Query, one value", partial(read_query, QUERY)),
            Case("Query with a filter, three values", partial(read_query, FILTERED_QUERY)),
            Case("GetItem with a projection", partial(item_projection, GET_ITEM)),
            Case("UpdateItem, two values", partial(read_update, *UPDATE)),
        ],
        share=0.5,
    )
