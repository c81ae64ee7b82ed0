"""PutItem, UpdateItem and DeleteItem, alone, in batches and in transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.simulator.capacity import Meter
from tests.simulator.conditions import Condition, holds, parse_condition
from tests.simulator.errors import RefusedError, condition_failed, invalid
from tests.simulator.expressions import Placeholders
from tests.simulator.reads import Request, Response, Store
from tests.simulator.table import Table
from tests.simulator.updates import Update, parse_update
from tests.simulator.values import Item, canonical_item

_UPDATE_RETURNS = ("NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")
_ONE_OR_NONE = ("NONE", "ALL_OLD")


@dataclass(frozen=True)
class Write:
    """A write that has been understood, and that may be tried on the item that is there."""

    table: Table
    key: Item
    condition: Condition | None
    shows_item: bool
    """Whether a failed condition tells what item it met."""
    becomes: Callable[[Item | None], Item | None]

    def attempt(self, old: Item | None) -> Item | None:
        """What the item becomes; raises what DynamoDB refuses."""
        if self.condition is not None and not holds(self.condition, old or {}):
            raise condition_failed(old if self.shows_item else None)
        return self.becomes(old)


class WritableStore(Store, Protocol):
    def present(self, write: Write) -> Item | None:
        """The item that a write meets."""

    def commit(self, changes: Sequence[tuple[Write, Item | None]]) -> None:
        """Make the items what they became, all at one moment."""

    def repeated(self, token: str, request: Request) -> Response | None:
        """What a transaction with this token answered before."""

    def remember(self, token: str, request: Request, response: Response) -> None: ...


def put_item(store: WritableStore, request: Request) -> Response:
    meter, wanted = Meter(request), _return_values(request, _ONE_OR_NONE)
    old, _ = _one(store, _put(store, request), meter)
    return {**_attributes(old if wanted == "ALL_OLD" else None), **meter.member()}


def delete_item(store: WritableStore, request: Request) -> Response:
    meter, wanted = Meter(request), _return_values(request, _ONE_OR_NONE)
    old, _ = _one(store, _delete(store, request), meter)
    return {**_attributes(old if wanted == "ALL_OLD" else None), **meter.member()}


def update_item(store: WritableStore, request: Request) -> Response:
    meter, wanted = Meter(request), _return_values(request, _UPDATE_RETURNS)
    update, write = _update(store, request)
    old, new = _one(store, write, meter)
    shown = {
        "ALL_OLD": old,
        "ALL_NEW": new,
        "UPDATED_OLD": update.updated(old or {}),
        "UPDATED_NEW": update.updated(new or {}),
    }
    return {**_attributes(shown.get(wanted)), **meter.member()}


def batch_write_item(store: WritableStore, request: Request) -> Response:
    meter = Meter(request)
    parts = [(name, part) for name, parts in request["RequestItems"].items() for part in parts]
    if not 1 <= len(parts) <= 25 or not all(request["RequestItems"].values()):
        raise invalid("Too many or too few items requested for the BatchWriteItem call")
    writes = [(name, part, _part(store, name, part)) for name, part in parts]
    _check_distinct(write for _, _, write in writes)
    left: dict[str, Any] = {}
    for number, (name, part, write) in enumerate(writes):
        if number:
            store.between_parts()
        if store.leaves_out(name, part):
            left.setdefault(name, []).append(part)
        else:
            _one(store, write, meter)
    return {"UnprocessedItems": left, **meter.members()}


def transact_write_items(store: WritableStore, request: Request) -> Response:
    meter = Meter(request)
    if not 1 <= len(request["TransactItems"]) <= 100:
        raise invalid("Member must have length between 1 and 100")
    token = request.get("ClientRequestToken")
    answered = None if token is None else store.repeated(token, request)
    if answered is not None:
        return answered
    writes = [_action(store, action) for action in request["TransactItems"]]
    _check_distinct(writes)
    changes, reasons = [], []
    for write in writes:
        try:
            changes.append((write, write.attempt(store.present(write))))
            reasons.append({"Code": "None"})
        except RefusedError as refused:
            reasons.append(_reason(refused))
    if len(changes) < len(writes):
        codes = ", ".join(reason["Code"] for reason in reasons)
        message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
        raise RefusedError("TransactionCanceledException", message, CancellationReasons=reasons)
    for write, new in changes:
        meter.write(write.table.schema, store.present(write), new, 2.0)
    store.commit(changes)
    response: Response = {**meter.members()}
    if token is not None:
        store.remember(token, request, response)
    return response


def _one(store: WritableStore, write: Write, meter: Meter) -> tuple[Item | None, Item | None]:
    old = store.present(write)
    new = write.attempt(old)
    meter.write(write.table.schema, old, new)
    store.commit([(write, new)])
    return old, new


def _put(store: Store, request: Request) -> Write:
    condition, shows = _condition(request)
    item = canonical_item(request["Item"])
    table = store.table(request["TableName"])
    table.schema.check_item(item)
    return Write(table, table.schema.key_in(item), condition, shows, lambda old: item)


def _delete(store: Store, request: Request) -> Write:
    condition, shows = _condition(request)
    table, key = _table_and_key(store, request)
    return Write(table, key, condition, shows, lambda old: None)


def _check(store: Store, request: Request) -> Write:
    """A ConditionCheck of a transaction: a write that leaves things as they are."""
    condition, shows = _condition(request)
    table, key = _table_and_key(store, request)
    return Write(table, key, condition, shows, lambda old: old)


def _update(store: Store, request: Request) -> tuple[Update, Write]:
    placeholders = Placeholders(request, "ConditionExpression", "UpdateExpression")
    text = request.get("UpdateExpression")
    update = Update() if text is None else parse_update(text, placeholders)
    condition, shows = _condition(request, placeholders)
    table, key = _table_and_key(store, request)
    for path in update.paths:
        if path[0] in table.schema.keys.attributes:
            raise invalid(f"Cannot update attribute {path[0]}. This attribute is part of the key")

    def becomes(old: Item | None) -> Item:
        new = update.apply(key if old is None else old)
        table.schema.check_item(new)
        return new

    return update, Write(table, key, condition, shows, becomes)


def _part(store: Store, name: str, part: Request) -> Write:
    if part.keys() == {"PutRequest"}:
        return _put(store, {"TableName": name, **part["PutRequest"]})
    if part.keys() == {"DeleteRequest"}:
        return _delete(store, {"TableName": name, **part["DeleteRequest"]})
    raise invalid("Supplied AttributeValue has more than one or no request in a write request")


_ACTIONS: dict[str, Callable[[Store, Request], Write]] = {
    "Put": _put,
    "Delete": _delete,
    "ConditionCheck": _check,
    "Update": lambda store, request: _update(store, request)[1],
}


def _action(store: Store, action: Request) -> Write:
    if len(action) != 1:
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    ((kind, request),) = action.items()
    return _ACTIONS[kind](store, request)


def _table_and_key(store: Store, request: Request) -> tuple[Table, Item]:
    key = canonical_item(request["Key"])
    table = store.table(request["TableName"])
    table.schema.check_key(key)
    return table, key


def _condition(request: Request, placeholders: Placeholders | None = None) -> tuple[Condition | None, bool]:
    """The condition of a write, and whether its failure shows the item."""
    text = request.get("ConditionExpression")
    if placeholders is None:
        placeholders = Placeholders(request, "ConditionExpression")
    condition = None if text is None else parse_condition("ConditionExpression", text, placeholders)
    placeholders.check_all_used()
    shown = request.get("ReturnValuesOnConditionCheckFailure", "NONE")
    if shown not in _ONE_OR_NONE:
        raise invalid("Value at 'returnValuesOnConditionCheckFailure' failed to satisfy enum value set")
    return condition, shown == "ALL_OLD"


def _return_values(request: Request, allowed: Sequence[str]) -> str:
    wanted: str = request.get("ReturnValues", "NONE")
    if wanted not in allowed:
        raise invalid(f"ReturnValues can only be one of {allowed}")
    return wanted


def _attributes(item: Item | None) -> Response:
    return {"Attributes": item} if item else {}


def _check_distinct(writes: Any) -> None:
    places = [(write.table.schema.name, write.table.schema.key_of(write.key)) for write in writes]
    if len(set(places)) != len(places):
        raise invalid("Provided list of item keys contains duplicates")


def _reason(refused: RefusedError) -> dict[str, Any]:
    code = {"ConditionalCheckFailedException": "ConditionalCheckFailed", "ValidationException": "ValidationError"}
    return {"Code": code[refused.code], "Message": refused.message, **refused.members}
