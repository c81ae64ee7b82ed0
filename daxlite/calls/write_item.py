"""PutItem, UpdateItem and DeleteItem: through to DynamoDB, and the new state into the item cache."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from ..cache.table import Table
from ..core.changes import ABSENT, UNKNOWN, Change, Image
from ..core.expressions.updates import Update, read_attribute_updates, read_update
from ..core.extents import Extent
from ..core.not_cacheable import NotCacheable
from ..core.requests import Request
from ..core.schema import item_key, key_of
from ..core.snapshot import snapshot
from ..core.steps import Params, Response, Steps
from ..core.tags import Tag
from ..core.values import canonical_item
from .context import Context
from .listeners import announce, has_change_listeners
from .outcomes import Outcome
from .send_change import send_change
from .tier import begin, finish, is_kept, leave, leave_to_the_outbox, note_value, refuse


def write_item(context: Context, params: Params, *, operation: str) -> Steps[Response]:
    """A PutItem, UpdateItem or DeleteItem. The item that a put writes is the new state; of an update the new state is
    asked for, where the application asks for no return values; a delete leaves no item."""
    params = snapshot(params)
    dialect = context.dialect
    request = params if dialect.is_typed else dialect.request(operation, params)
    table = context.names.table(request["TableName"])
    write = _write if table.settings.enabled else _write_uncached
    return write(context, operation, params, request, table)


def _write_uncached(
    context: Context, operation: str, params: Params, request: Request, table: Table
) -> Steps[Response]:
    """A write of a table that is off. It makes others true again, and this cache, too: the table may be switched on
    while the write is under way."""
    table = yield from context.described(request["TableName"])

    def apply(response: Response | None) -> dict[Tag, Extent]:
        return context.cache.apply(change_of(table, operation, request))

    before = [(table, change_of(table, operation, request))]
    return (yield from send_change(context, operation, params, apply, before, is_batch=False))


def key_of_write(table: Table, operation: str, request: Request) -> bytes | None:
    """The canonical form of the primary key that a write names, or None if that cannot be told."""
    names = table.key_names
    try:
        if operation == "PutItem":
            item = request["Item"]
            return None if names is None else item_key({name: item[name] for name in names})
        key = request["Key"]
        # A key that is not one of this table is an error, or the table was made anew: it does not say what changed.
        return None if names is not None and names != key.keys() else item_key(key)
    except (NotCacheable, KeyError, TypeError, AttributeError):
        return None


def update_of(request: Request) -> Update | None:
    """What an update does to the attributes; None where that cannot be told."""
    with suppress(NotCacheable):
        if "AttributeUpdates" in request:
            return read_attribute_updates(request["AttributeUpdates"])
        if "UpdateExpression" in request:
            names, values = request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues")
            return read_update(request["UpdateExpression"], names, values)
        return Update(frozenset())  # it only makes sure that the item is there
    return None


def change_of(table: Table, operation: str, request: Request) -> Change:
    """What a write may change, before anything is known of its outcome."""
    return _change(table, operation, request, update_of(request) if operation == "UpdateItem" else None)


def _change(table: Table, operation: str, request: Request, update: Update | None) -> Change:
    item = key_of_write(table, operation, request)
    key = None if item is None else key_of(item)
    if update is None:
        return Change(table.place, key, item=item)
    return Change(table.place, key, touched=update.touched, assigned=update.new_values(), item=item)


def _write(context: Context, operation: str, params: Params, request: Request, table: Table) -> Steps[Response]:
    if not context.cache.is_described(table):
        table = yield from context.described(request["TableName"])
    update = update_of(request) if operation == "UpdateItem" else None
    change = _change(table, operation, request, update)
    additions = _additions(table, operation, request, update)
    # Before the flight begins to watch: begin counts as a change to whom it concerns.
    (shared,) = yield from begin(context, [(table, change)])
    try:
        with context.cache.write_flight(table, change.item) as flight:
            try:
                if additions:
                    response, is_added = yield from context.send_adding(table, operation, params, additions)
                else:
                    response, is_added = (yield from context.send(table, operation, params)), False
            except GeneratorExit:
                raise  # as in `send_change`
            except BaseException as error:
                outcome = context.outcome(error)
                if outcome is Outcome.FAILED_CONDITION:
                    # Nothing changed, but what the application had read, perhaps from here, is suspect.
                    change = replace(change, touched=frozenset(), assigned={})
                    told = yield from finish(context, [shared], [change])
                    yield from announce(context.cache, flight.apply(change), is_told=True, told=told)
                elif outcome is Outcome.REFUSED:
                    yield from refuse(context, [shared])
                else:
                    told = yield from leave(context, [shared], [change])
                    bumped = flight.apply(change)
                    context.cache.expect(bumped)
                    yield from announce(context.cache, bumped, is_told=True, told=told)
                raise
            returned = additions["ReturnValues"] if is_added else request.get("ReturnValues", "NONE")
            attributes = response.pop("Attributes", None) if is_added else response.get("Attributes")
            if additions and not is_added:
                table.may_ask_images = False
            retries = response.get("ResponseMetadata", {}).get("RetryAttempts")
            is_certain = not retries or context.outcome(response) is Outcome.APPLIED
            if is_certain:
                old, new = images(context, operation, request, returned, attributes)
            else:
                # An attempt whose reply was lost may have left the "old" image, and may be applied again on the new
                # one.
                old = new = UNKNOWN
            change = replace(change, old=old, new=new)
            change = change if update is None or new is not UNKNOWN else computed(change, update)
            if is_certain:
                note_value(context, shared, flight, change)
                told = yield from finish(context, [shared], [change])
            else:
                told = yield from leave(context, [shared], [change])
            bumped = flight.apply(change, is_kept=is_kept(context, shared, table.place))
            if not is_certain:
                context.cache.expect(bumped)
    finally:
        if shared is not None:
            leave_to_the_outbox(shared)
    if has_change_listeners():
        yield from announce(context.cache, bumped, is_told=True, told=told)
    yield from announce(context.cache, learn(context, table, operation, request, change.key))
    return response


def computed(change: Change, update: Update) -> Change:
    """The change with the new image, or the new values, that follow from its old image."""
    if change.old is UNKNOWN or change.key is None:
        return change
    met = change.old if isinstance(change.old, dict) else {}
    change = replace(change, assigned=update.new_values(met, change.key.keys()))
    return replace(change, new=change.image_after())


def _additions(table: Table, operation: str, request: Request, update: Update | None) -> dict[str, str]:
    """The return values to ask for, if the application asks for none and they would tell something."""
    if request.get("ReturnValues", "NONE") != "NONE" or not table.may_ask_images:
        return {}
    indexes = table.schema.indexes.values() if table.schema is not None else ()
    if operation == "UpdateItem":
        # The old image tells which place in an index the item left; where what it got instead follows from that
        # image, all is known. Otherwise the new image is worth more: it stays in the item cache.
        keys = {name for index in indexes for name in index.names}
        if update is not None and (keys := keys & update.touched) and keys <= {name for name, _ in update.terms}:
            return {"ReturnValues": "ALL_OLD"}
        return {"ReturnValues": "ALL_NEW"} if indexes or table.settings.item_ttl > 0 else {}
    # What a put or a delete leaves is known. What was there tells which places in indexes the item left.
    return {"ReturnValues": "ALL_OLD"} if indexes else {}


def images(context: Context, operation: str, request: Request, returned: str, attributes: Any) -> tuple[Image, Image]:
    """The item before and after a write that was applied once, as far as its request and its response tell."""
    image: Image = UNKNOWN
    if attributes is not None:
        with suppress(NotCacheable):
            image = context.dialect.from_caller(attributes)
    old: Image = UNKNOWN
    if returned == "ALL_OLD":
        old = ABSENT if attributes is None else image
    if operation == "PutItem":
        return old, _canonical(request["Item"])
    if operation == "DeleteItem":
        return old, ABSENT
    return old, image if returned == "ALL_NEW" else UNKNOWN


def _canonical(item: Any) -> Image:
    try:
        return canonical_item(item)
    except NotCacheable:
        return UNKNOWN


def learn(
    context: Context, table: Table, operation: str, request: Request, key: Mapping[str, Any] | None
) -> dict[Tag, Extent]:
    """Learn the table's key attributes from a write that DynamoDB accepted. Returns what that bumped."""
    if operation != "PutItem":
        return context.cache.learn_key(table, request["Key"].keys())
    if key is None and table.key_names is not None:
        # DynamoDB took an item without the keys that were known: they are others now.
        return context.cache.forget(table)
    return {}
