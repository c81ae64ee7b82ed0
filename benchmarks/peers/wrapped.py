"""daxlite. The calls are boto3's, as in `plain`; here they are hits, which is checked."""

from collections.abc import Mapping
from typing import Any

import daxlite
from benchmarks.interleave import Call
from benchmarks.items import TABLE, Item, key
from benchmarks.peers import plain
from benchmarks.servers import instant_client


def get_item(client: Any) -> Call:
    return hit(plain.get_item(daxlite.wrap(client)))


def get_flat_item(item: Item) -> Call:
    """A hit on another item than the canned one."""
    return hit(plain.get_item(daxlite.wrap(instant_client(GetItem=lambda params: {"Item": item}))))


def table_get_item(resource: Any) -> Call:
    return hit(plain.table_get_item(daxlite.wrap(resource)))


def batch_get_item(client: Any) -> Call:
    """Each item is looked up by its own key, and the canned reply does not show which one was asked for; so they are
    put."""
    wrapped = daxlite.wrap(client)
    for item in client.batch_get_item(RequestItems={TABLE: {"Keys": [key()]}})["Responses"][TABLE]:
        wrapped.put_item(TableName=TABLE, Item=item)
    return hit(plain.batch_get_item(wrapped))


def projected_get_item(client: Any) -> Call:
    """A hit on an item that is cached whole."""
    wrapped = daxlite.wrap(client)
    plain.get_item(wrapped)()
    return hit(plain.projected_get_item(wrapped))


def query(client: Any, request: Mapping[str, Any]) -> Call:
    return hit(plain.query(daxlite.wrap(client), request))


def hit(call: Call) -> Call:
    """The call, which is known to be a hit from the second time on."""
    call()
    response: Any = call()
    assert response["ResponseMetadata"]["HTTPHeaders"].get("x-cache") == "Hit from daxlite", "no hit"
    return call
