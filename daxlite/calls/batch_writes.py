"""BatchWriteItem and TransactWriteItems: through to DynamoDB, and what they put or deleted into the item cache.

Each of their writes is in flight like a write of its own, so the same overlaps leave no entry. The responses tell
nothing of what stood there before, nor what an update made.
"""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ..cache.flights import WriteFlight
from ..cache.table import Table
from ..core.changes import Change
from ..core.extents import Extent, hulls
from ..core.hidden import Hidden
from ..core.not_cacheable import NotCacheable
from ..core.requests import Request
from ..core.schema import item_key
from ..core.snapshot import snapshot
from ..core.steps import Params, Response, Steps, Told
from ..core.tables import Place
from ..core.tags import Tag
from .context import Context
from .outcomes import Outcome
from .send_change import send_change
from .tier import begin, finish, is_kept, leave_to_the_outbox, note_value, refuse
from .write_item import change_of, images, learn

if TYPE_CHECKING:
    from ..shared.writes import SharedWrite

_BATCH_WRITES: Final = {"PutRequest": "PutItem", "DeleteRequest": "DeleteItem"}
_TRANSACT_WRITES: Final = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": ""}


class _Write(Hidden, Struct, frozen=True, eq=False):
    """One of the writes, in flight."""

    operation: str
    """Empty for the condition check of a transaction, which writes nothing."""
    request: Request
    table: Table
    change: Change
    flight: WriteFlight


_Written: TypeAlias = Callable[[Response, Collection[_Write]], Set[_Write]]
"""Those of the writes that this call itself, by its response, is certain to have written."""


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

    def written(response: Response, writes: Collection[_Write]) -> Set[_Write]:
        if context.outcome(response, is_batch=True) is not Outcome.APPLIED:
            return frozenset()
        unprocessed = _unprocessed(context, response)
        if None in unprocessed:
            return frozenset()
        return {write for write in writes if (write.table.place, write.change.item) not in unprocessed}

    return _write(context, "BatchWriteItem", params, writes, written)


def transact_write_items(context: Context, params: Params) -> Steps[Response]:
    """A transaction. A cancelled one casts doubt on what the application had read, so that goes too."""
    params = snapshot(params)
    request = context.dialect.request("TransactWriteItems", params)
    has_token = "ClientRequestToken" in params  # looked at now: botocore puts one of its own in here
    writes = [
        (write["TableName"], _TRANSACT_WRITES[kind], write)
        for entry in request["TransactItems"]
        for kind, write in entry.items()
    ]

    def written(response: Response, writes: Collection[_Write]) -> Set[_Write]:
        # DynamoDB answers a token that it has seen with success, and writes nothing: others may have written since the
        # first time. botocore makes a token for each call that has none, and sends it again when it tries again.
        is_first = context.outcome(response) is Outcome.APPLIED and not has_token
        return frozenset(writes if is_first else ())

    return _write(context, "TransactWriteItems", params, writes, written)


def _write(
    context: Context, operation: str, params: Params, writes: list[tuple[str, str, Request]], written: _Written
) -> Steps[Response]:
    for name in dict.fromkeys(name for name, _, _ in writes):
        yield from context.described(name)
    tables = [context.table(name) for name, _, _ in writes]
    changes = [change_of(table, single, request) for table, (_, single, request) in zip(tables, writes, strict=True)]
    before = [*zip(tables, changes, strict=True)]
    # Before the flights begin to watch: begin counts as a change to whom it concerns.
    shared = yield from begin(context, before)
    try:
        with ExitStack() as flights:
            started = []
            for (_, single, request), (table, change) in zip(writes, before, strict=True):
                flight = flights.enter_context(context.cache.write_flight(table, change.item))
                started.append(_Write(single, request, table, change, flight))

            kept: dict[_Write, bool] = {}

            def finish_all(shared: "Sequence[SharedWrite | None]", response: Response) -> Steps[Told | None]:
                certain = written(response, started)
                begun = [
                    (write, each, _after(context, write, certain)) for write, each in zip(started, shared, strict=True)
                ]
                yield from refuse(context, [each for write, each, _ in begun if not write.operation])
                wrote = [(write, each, change) for write, each, change in begun if write.operation]
                for write, each, change in wrote:
                    note_value(context, each, write.flight, change)
                told = yield from finish(context, [each for _, each, _ in wrote], [change for _, _, change in wrote])
                kept.update({write: is_kept(context, each, write.table.place) for write, each, _ in wrote})
                return told

            def apply(response: Response | None) -> dict[Tag, Extent]:
                return _apply(context, started, response, written, kept)

            return (
                yield from send_change(
                    context,
                    operation,
                    params,
                    apply,
                    before,
                    is_batch=operation == "BatchWriteItem",
                    writes=shared,
                    finish_all=finish_all,
                )
            )
    finally:
        leave_to_the_outbox(*shared)


def _after(context: Context, write: _Write, certain: Collection[_Write]) -> Change:
    """What became of a write: the change, with the item that it has certainly left."""
    if write not in certain:
        return write.change
    _, new = images(context, write.operation, write.request, "NONE", None)
    return replace(write.change, new=new)


def _apply(
    context: Context, writes: list[_Write], response: Response | None, written: _Written, kept: Mapping[_Write, bool]
) -> dict[Tag, Extent]:
    """Apply all of the writes, and leave in the cache what they certainly left in their tables."""
    changed = [write for write in writes if write.operation or response is None]
    certain: Set[_Write] = frozenset() if response is None else written(response, changed)
    bumped = [write.flight.apply(_after(context, write, certain), is_kept=kept.get(write, True)) for write in changed]
    learned = [
        learn(context, each.table, each.operation, each.request, each.change.key) for each in changed if each in certain
    ]
    return hulls([*bumped, *learned])


def _unprocessed(context: Context, response: Response) -> Set[tuple[Place, bytes] | None]:
    """The items that DynamoDB hands back; None among them if one cannot be told."""
    found: set[tuple[Place, bytes] | None] = set()
    try:
        for name, entries in (response.get("UnprocessedItems") or {}).items():
            table = context.table(name)
            for write in (write for entry in entries for write in entry.values()):
                attributes = write["Item"] if "Item" in write else write["Key"]
                key = {name: attributes[name] for name in table.key_names or ()}
                found.add((table.place, item_key(context.dialect.from_caller(key))))
    except (NotCacheable, KeyError, TypeError, AttributeError):
        found.add(None)
    return found
