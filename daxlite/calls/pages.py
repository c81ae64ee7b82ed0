"""Query and Scan: pages of items."""

from collections.abc import Callable
from typing import Any, Final

from ..cache.table import Table
from ..core.encoding import decode
from ..core.not_cacheable import NotCacheable
from ..core.requests import PageRead, Request, check_capacity, read_query, read_scan
from ..core.snapshot import snapshot
from ..core.steps import Params, Response, Steps
from .context import Context
from .listeners import announce
from .responses import hit_response, no_capacity
from .single_flight import follow_leader
from .tier import fill, find_page

# What a page holds beside its items is stored as it came; these two say something of the call, not of the page.
_OF_THE_CALL: Final = frozenset({"ResponseMetadata", "ConsumedCapacity"})


def query(context: Context, params: Params) -> Response | Steps[Response]:
    """One page of a Query."""
    return _page(context, params, "Query", read_query)


def scan(context: Context, params: Params) -> Response | Steps[Response]:
    """One page of a Scan, or of one segment of it."""
    return _page(context, params, "Scan", read_scan)


def _page(
    context: Context, params: Params, operation: str, read_request: Callable[[Request], PageRead]
) -> Response | Steps[Response]:
    request = context.dialect.request(operation, params)
    table = context.table(request["TableName"])
    read = read_request(request)
    reason = context.bypass_reason(table, read.kind, request)
    if reason is not None:
        raise context.bypassed(table, read.kind, reason)
    found = context.cache.lookup(table.counters[read.kind], table.page(read.kind, read.signature))
    if found is None:
        params = snapshot(params)
        request = context.dialect.request(operation, params)
        again = read_request(request)
        if again.signature != read.signature:
            raise NotCacheable("the caller changes the request")
        return _miss(context, params, request, operation, again)
    return _answer(context, request, table, read, found)


def _answer(context: Context, request: Request, table: Table, read: PageRead, data: bytes) -> Response:
    dialect, page = context.dialect, decode(data)
    response = hit_response(**(page if dialect.is_typed else _converted(page, dialect.to_caller)))
    capacity = check_capacity(request)
    if capacity != "NONE":
        is_local = table.schema is not None and read.index in table.schema.local_indexes
        response["ConsumedCapacity"] = no_capacity(capacity, request["TableName"], read.index, is_local=is_local)
    return response


def _miss(context: Context, params: Params, request: Request, operation: str, read: PageRead) -> Steps[Response]:
    table = context.table(params["TableName"])
    with context.cache.read_flight(table, read, table.page(read.kind, read.signature)) as flight:
        leader = flight.start_or_follow()
        if leader is not None:
            answer = yield from follow_leader(context, flight, leader)
            if answer is not None:
                return _answer(context, request, table, read, answer)
        # After the start, so that readers of a table that is not known yet follow as well.
        table = yield from context.described(params["TableName"], read.index)
        flight.catch_up(table, table.page(read.kind, read.signature))
        found = yield from find_page(context, table, flight, read)
        if found is not None:
            return _answer(context, request, table, read, found)
        # Global indexes have no strongly consistent reads; what they answer while they settle is kept by its age.
        if flight.is_settling and table.may_read_strongly(read.index):
            response = yield from context.send_strongly(table, operation, params, flight)
        else:
            response = yield from context.send(table, operation, params)
        if table.schema is not None and not read.fits(table.schema):
            # DynamoDB could not have answered, had the index the keys that we know: it was made anew.
            yield from announce(context.cache, context.cache.forget(table))
        page = {name: member for name, member in response.items() if name not in _OF_THE_CALL}
        filled = flight.page(read.kind, read.signature, _converted(page, context.dialect.from_caller))
        yield from fill(context, (flight, filled))
    return response


def _converted(page: dict[str, Any], convert: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    if "Items" in page:  # a Query that selects the count alone has none
        page["Items"] = [convert(item) for item in page["Items"]]
    if "LastEvaluatedKey" in page:
        page["LastEvaluatedKey"] = convert(page["LastEvaluatedKey"])
    return page
