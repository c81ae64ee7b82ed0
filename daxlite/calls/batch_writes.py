"""BatchWriteItem and TransactWriteItems: through to DynamoDB, and what they may have changed out of the cache.

The responses do not tell what stood there before, and a batch may be applied in part, so these leave no new state
behind.
"""

from typing import Final

from ..core.requests import Request
from ..core.snapshot import snapshot
from ..core.steps import Params, Response, Steps
from ..core.tags import Tag
from .context import Context
from .send_change import send_change
from .write_item import change_of

_BATCH_WRITES: Final = {"PutRequest": "PutItem", "DeleteRequest": "DeleteItem"}
_TRANSACT_WRITES: Final = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": ""}


def batch_write_item(context: Context, params: Params) -> Steps[Response]:
    """A batch. An unprocessed item counts as changed, because an internal failure is one of the reasons why an item may
    be unprocessed."""
    params = snapshot(params)
    request = context.dialect.request("BatchWriteItem", params)
    writes = [
        (name, _BATCH_WRITES[kind], write)
        for name, entries in request["RequestItems"].items()
        for entry in entries
        for kind, write in entry.items()
    ]
    return _write(context, "BatchWriteItem", params, writes)


def transact_write_items(context: Context, params: Params) -> Steps[Response]:
    """A transaction. A cancelled one casts doubt on what the application had read, so that goes too."""
    params = snapshot(params)
    request = context.dialect.request("TransactWriteItems", params)
    writes = [
        (write["TableName"], _TRANSACT_WRITES[kind], write)
        for entry in request["TransactItems"]
        for kind, write in entry.items()
    ]
    return _write(context, "TransactWriteItems", params, writes)


def _write(context: Context, operation: str, params: Params, writes: list[tuple[str, str, Request]]) -> Steps[Response]:
    for name in dict.fromkeys(name for name, _, _ in writes):
        yield from context.described(name)

    def apply(is_certain: bool) -> list[Tag]:
        changed = [write for write in writes if write[1] or not is_certain]
        return context.cache.apply(*[change_of(context.table(name), single, write) for name, single, write in changed])

    is_batch = operation == "BatchWriteItem"
    return (yield from send_change(context, operation, params, apply, is_batch=is_batch))
