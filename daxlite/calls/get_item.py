"""GetItem: from the cached item, or from a projection that was cached before."""

from ..cache.entries import EntryKey
from ..cache.flights import ABSENT_ITEM, Fill, ReadFlight
from ..cache.table import Table
from ..core.encoding import decode
from ..core.expressions.projections import Projection
from ..core.not_cacheable import NotCacheable
from ..core.requests import ItemRead, Request, check_capacity, item_projection
from ..core.schema import item_key
from ..core.snapshot import snapshot
from ..core.steps import Params, Response, Steps
from ..core.values import Item
from .bypass import may_bypass
from .context import Context
from .listeners import announce
from .responses import hit_response, no_capacity
from .single_flight import follow_leader
from .tier import fill, find_items


def get_item(context: Context, params: Params) -> Response | Steps[Response]:
    """The whole item answers any projection of it; a projection that was read before answers itself."""
    # The most common call asks for a whole item and nothing else, so it runs through as few functions as possible.
    dialect = context.dialect
    request = params
    if not dialect.is_typed:
        request = dialect.request("GetItem", params)
    try:
        table = context.names.known[request["TableName"]]
    except (KeyError, TypeError):
        table = context.table(request["TableName"])
    if len(request) > 2 or table.off["item"] is not None or may_bypass():
        return _get_item(context, params, request, table)
    key = item_key(request["Key"])
    data = context.cache.lookup(table.counters["item"], (table.number, key))
    if data:
        return hit_response(Item=dialect.decode_for_caller(data))
    return _missed(context, params, table, key, None) if data is None else hit_response()  # of an ABSENT_ITEM


def _get_item(context: Context, params: Params, request: Request, table: Table) -> Response | Steps[Response]:
    reason = context.bypass_reason(table, "item", request)
    if reason is not None:
        raise context.bypassed(table, "item", reason)
    key = item_key(request["Key"])
    projection = item_projection(request)
    found = find_item(context, table, key, projection)
    if found is None:
        return _missed(context, params, table, key, projection)
    return _answer(context, request, found)


class CachedItem:
    """What the cache holds of an item; `item` is None if it holds that there is no such item."""

    __slots__ = ("item", "size")

    def __init__(self, data: bytes, projection: Projection | None = None) -> None:
        item: Item | None = None if data == ABSENT_ITEM else decode(data)
        self.item = item if item is None or projection is None else projection.select(item)
        self.size = len(data)
        """The bytes of what is stored."""


def entry_of(table: Table, key: bytes, projection: Projection | None) -> EntryKey:
    """Where an item, or a projection of it, stands in the cache."""
    return table.item(key) if projection is None else table.projected_item(key, projection.signature)


def find_item(context: Context, table: Table, key: bytes, projection: Projection | None) -> CachedItem | None:
    """The cached item, or the projection of it; None for a miss."""
    whole = table.item(key)
    counters = table.counters["item"]
    if projection is None:
        data = context.cache.lookup(counters, whole)
        return None if data is None else CachedItem(data)
    found = context.cache.lookup_first(counters, whole, entry_of(table, key, projection))
    if found is None:
        return None
    place, data = found
    return CachedItem(data, projection if place == whole else None)


def answer_found(flight: ReadFlight, key: bytes, projection: Projection | None, item: Item | None) -> Fill:
    """What DynamoDB returned for an item, as it is stored."""
    return flight.item(key, item) if projection is None else flight.projection(key, projection.signature, item)


def _answer(context: Context, request: Request, found: CachedItem) -> Response:
    response = hit_response()
    if found.item is not None:
        response["Item"] = context.dialect.to_caller(found.item)
    capacity = check_capacity(request)
    if capacity != "NONE":
        response["ConsumedCapacity"] = no_capacity(capacity, request["TableName"])
    return response


def _missed(
    context: Context, params: Params, table: Table, key: bytes, projection: Projection | None
) -> Steps[Response]:
    """The steps of a miss, for parameters that the caller cannot change any more."""
    params = snapshot(params)
    request = context.dialect.request("GetItem", params)
    if item_key(request["Key"]) != key or (projection is not None and item_projection(request) != projection):
        raise NotCacheable("the caller changes the request")
    return _miss(context, params, request, table, key, projection)


def _miss(
    context: Context, params: Params, request: Request, table: Table, key: bytes, projection: Projection | None
) -> Steps[Response]:
    with context.cache.read_flight(table, ItemRead(key), entry_of(table, key, projection)) as flight:
        leader = flight.start_or_follow()
        if leader is not None:
            followed = yield from follow_leader(context, flight, leader)
            if followed is not None:
                return _answer(context, request, CachedItem(followed))
        # After the start, so that readers of a table that is not known yet follow as well.
        if not context.cache.is_described(table):
            table = yield from context.described(params["TableName"])
            flight.catch_up(table, entry_of(table, key, projection))
        if context.tier is not None:
            (found,) = yield from find_items(context, [(flight, key, projection)])
            if found is not None:
                value, is_whole = found
                return _answer(context, request, CachedItem(value.data, projection if is_whole else None))
        if flight.is_settling:
            response = yield from context.send_strongly(table, "GetItem", params, flight)
        else:
            response = yield from context.send(table, "GetItem", params)
        if table.key_names != request["Key"].keys():
            yield from announce(context.cache, context.cache.learn_key(table, request["Key"].keys()))
        item = response.get("Item")
        answer = answer_found(flight, key, projection, None if item is None else context.dialect.from_caller(item))
        if flight.is_of_tier:
            yield from fill(context, (flight, answer))
        else:
            flight.fill(answer)
    return response
