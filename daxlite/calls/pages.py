"""Query and Scan: pages of items."""

from collections.abc import Callable
from typing import Any, Final

from ..cache.codec import decode
from ..core.requests import PageRead, Request, check_capacity, read_query, read_scan
from .context import Context
from .dialects import Dialect
from .responses import hit, no_capacity
from .steps import Params, Response, Steps

# What a page holds beside its items is stored as it came; these two say something of the call, not of the page.
_OF_THE_CALL: Final = frozenset({"ResponseMetadata", "ConsumedCapacity"})


def query(context: Context, params: Params) -> Response | Steps:
    """One page of a Query."""
    return _page(context, params, "Query", read_query)


def scan(context: Context, params: Params) -> Response | Steps:
    """One page of a Scan, or of one segment of it."""
    return _page(context, params, "Scan", read_scan)


def _page(
    context: Context, params: Params, operation: str, read_request: Callable[[Request], PageRead]
) -> Response | Steps:
    request = context.dialect.request(operation, params)
    table = context.table(request["TableName"])
    read = read_request(request)
    reason = context.way_around(table, read.kind, request)
    if reason is not None:
        raise context.go_around(table, read.kind, reason)
    found = context.cache.lookup(table.counters[read.kind], table.page(read.kind, read.signature))
    if found is None:
        return _miss(context, params, operation, read)
    response = hit(**_spoken(context.dialect, decode(found[1])))
    capacity = check_capacity(request)
    if capacity != "NONE":
        is_local = table.schema is not None and read.index in table.schema.local_indexes
        response["ConsumedCapacity"] = no_capacity(capacity, table.id.name, read.index, is_local=is_local)
    return response


def _miss(context: Context, params: Params, operation: str, read: PageRead) -> Steps:
    table = yield from context.described(params["TableName"], read.index)
    with context.cache.flight(table, read) as flight:
        response = yield from context.send(table, operation, params)
        with context.cache.guard():
            page = {name: member for name, member in response.items() if name not in _OF_THE_CALL}
            flight.fill_page(read.kind, read.signature, _typed(context.dialect, page))
    return response


def _spoken(dialect: Dialect, page: dict[str, Any]) -> dict[str, Any]:
    return _converted(page, dialect.spoken)


def _typed(dialect: Dialect, page: dict[str, Any]) -> dict[str, Any]:
    return _converted(page, dialect.typed)


def _converted(page: dict[str, Any], convert: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    if "Items" in page:  # a Query that selects the count alone has none
        page["Items"] = [convert(item) for item in page["Items"]]
    if "LastEvaluatedKey" in page:
        page["LastEvaluatedKey"] = convert(page["LastEvaluatedKey"])
    return page
