"""GetItem."""

from ..cache.codec import decode
from ..cache.flight import ABSENT_ITEM, Flight
from ..cache.table import Table
from ..core.projection import Projection
from ..core.requests import ItemRead, Request, check_capacity, item_projection
from ..core.schema import item_key
from ..core.values import Item
from .context import Context
from .responses import hit, no_capacity
from .steps import Params, Response, Steps


def get_item(context: Context, params: Params) -> Response | Steps:
    """The whole item answers any projection of it; a projection that was read before answers itself."""
    request = context.dialect.request("GetItem", params)
    table = context.table(request["TableName"])
    reason = context.way_around(table, "item", request)
    if reason is not None:
        raise context.go_around(table, "item", reason)
    key = item_key(request["Key"])
    projection = item_projection(request) if len(request) > 2 else None
    found = find_item(context, table, key, projection)
    if found is None:
        return _miss(context, params, request, table, key, projection)
    response = hit()
    if found.item is not None:
        response["Item"] = context.dialect.spoken(found.item)
    capacity = check_capacity(request)
    if capacity != "NONE":
        response["ConsumedCapacity"] = no_capacity(capacity, table.id.name)
    return response


class Found:
    """An item that the cache knows of; None is for one that does not exist."""

    __slots__ = ("item",)

    def __init__(self, item: Item | None) -> None:
        self.item = item


def find_item(context: Context, table: Table, key: bytes, projection: Projection | None) -> Found | None:
    """What the cache can say about an item, or None."""
    whole = table.item(key)
    counters = table.counters["item"]
    if projection is None:
        found = context.cache.lookup(counters, whole)
    else:
        found = context.cache.lookup(counters, whole, table.projected_item(key, projection.signature))
    if found is None:
        return None
    place, data = found
    if data == ABSENT_ITEM:
        return Found(None)
    item: Item = decode(data)
    return Found(projection.select(item) if projection is not None and place == whole else item)


def fill_found(flight: Flight, key: bytes, projection: Projection | None, item: Item | None) -> None:
    """Store what DynamoDB said about an item."""
    if projection is None:
        flight.fill_item(key, item)
    else:
        flight.fill_projection(key, projection.signature, item)


def _miss(
    context: Context, params: Params, request: Request, table: Table, key: bytes, projection: Projection | None
) -> Steps:
    with context.cache.flight(table, ItemRead(key)) as flight:
        response = yield from context.send(table, "GetItem", params)
        with context.cache.guard():
            context.cache.learn_key(table, request["Key"])
            item = response.get("Item")
            fill_found(flight, key, projection, None if item is None else context.dialect.typed(item))
    return response
