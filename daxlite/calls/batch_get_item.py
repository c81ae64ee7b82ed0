"""BatchGetItem: what is cached is answered, what is missing is forwarded."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from ..cache.flight import Flight
from ..cache.table import Table
from ..core.projection import Projection
from ..core.requests import ItemRead, check_capacity, item_projection
from ..core.schema import item_key
from ..core.unrecognised import Unrecognised
from .context import Context
from .get_item import fill_found, find_item
from .responses import hit, no_capacity
from .steps import Params, Response, Steps

_MOST_KEYS: Final = 100
_ALIAS: Final = "#daxlite_key"


@dataclass(slots=True)
class _Part:
    """What a BatchGetItem asks of one table."""

    name: str
    table: Table
    projection: Projection | None
    is_cached: bool
    keys: list[tuple[bytes, Any, Any]]
    """Of each item: its canonical key, its key as given and its typed key."""
    answers: list[Any] = field(default_factory=list)
    missing: list[tuple[bytes, Any, Any]] = field(default_factory=list)
    flights: dict[bytes, Flight] = field(default_factory=dict)

    @property
    def shows_keys(self) -> bool:
        """Whether the items of the response can be told by their keys, without asking for more."""
        return self.projection is None or all((name,) in self.projection.paths for name in self.keys[0][2])

    @property
    def added(self) -> frozenset[str]:
        """The key attributes to ask for beside what the application asks for, so that items can be told by their
        keys."""
        if self.projection is None or not self.is_cached:
            return frozenset()
        wanted = [name for name in self.keys[0][2] if (name,) not in self.projection.paths]
        # Below a key attribute there is nothing to project; such a request is left alone, for the paths would overlap.
        return frozenset(wanted) if self.projection.attributes.isdisjoint(wanted) else frozenset()


def batch_get_item(context: Context, params: Params) -> Response | Steps:
    """Items from the cache beside items from DynamoDB; in no particular order, as ever."""
    if not {"RequestItems", "ReturnConsumedCapacity"} >= params.keys():
        raise Unrecognised("parameter")
    capacity = check_capacity(params)
    request = context.dialect.request("BatchGetItem", params)
    parts = [_part(context, params, name, asked) for name, asked in request["RequestItems"].items()]
    if not 0 < sum(len(part.keys) for part in parts) <= _MOST_KEYS or len({part.table.id for part in parts}) < len(
        parts
    ):
        raise Unrecognised("number of keys")
    for part in parts:
        _look_up(context, part)
    if any(part.missing for part in parts):
        return _miss(context, params, parts, capacity)
    response = hit(Responses={part.name: part.answers for part in parts}, UnprocessedKeys={})
    if capacity != "NONE":
        response["ConsumedCapacity"] = [no_capacity(capacity, part.table.id.name) for part in parts]
    return response


def _part(context: Context, params: Params, name: str, asked: Mapping[str, Any]) -> _Part:
    table = context.table(name)
    projection = item_projection(asked, in_batch=True)
    reason = context.way_around(table, "item", asked)
    as_given = params["RequestItems"][name]["Keys"]
    keys = [(item_key(key), given, key) for key, given in zip(asked["Keys"], as_given, strict=True)]
    if not keys or len({key for key, _, _ in keys}) < len(keys):
        raise Unrecognised("no keys, or duplicates")
    if reason is not None:
        context.cache.bypassed(table.counters["item"], reason)
    return _Part(name, table, projection, reason is None, keys)


def _look_up(context: Context, part: _Part) -> None:
    for wanted in part.keys:
        found = find_item(context, part.table, wanted[0], part.projection) if part.is_cached else None
        if found is None:
            part.missing.append(wanted)
        elif found.item is not None:
            part.answers.append(context.dialect.spoken(found.item))


def _miss(context: Context, params: Params, parts: list[_Part], capacity: str) -> Steps:
    asked = params["RequestItems"]
    forwarded = [part for part in parts if part.missing]
    plain = {part.name: {**asked[part.name], "Keys": [given for _, given, _ in part.missing]} for part in forwarded}
    with_keys = {part.name: _with_keys(plain[part.name], part.added) for part in forwarded}
    additions = {"RequestItems": with_keys} if with_keys != plain else {}
    with ExitStack() as stack:
        for part in forwarded:
            for key, _, _ in part.missing if part.is_cached else ():
                part.flights[key] = stack.enter_context(context.cache.flight(part.table, ItemRead(key)))
        # The first table stands for all: DynamoDB does not tell which of them it is that does not exist.
        response, is_added = yield from context.send_adding(
            forwarded[0].table, "BatchGetItem", {**params, "RequestItems": plain}, additions
        )
        with context.cache.guard():
            for part in forwarded:
                added = part.added if is_added else frozenset[str]()
                _take_apart(context, part, response, added)
                if added and part.name in response.get("UnprocessedKeys", {}):
                    rest = response["UnprocessedKeys"][part.name]
                    response["UnprocessedKeys"][part.name] = {**asked[part.name], "Keys": rest["Keys"]}
    for part in parts:
        if part.answers or not part.missing:
            response.setdefault("Responses", {}).setdefault(part.name, []).extend(part.answers)
        if not part.missing and capacity != "NONE":
            response.setdefault("ConsumedCapacity", []).append(no_capacity(capacity, part.table.id.name))
    return response


def _take_apart(context: Context, part: _Part, response: Response, added: frozenset[str]) -> None:
    """Take from the response what was added to the request, and store each item that can be told by its key."""
    names = part.keys[0][2].keys()
    unprocessed = response.get("UnprocessedKeys", {}).get(part.name, {}).get("Keys", ())
    unseen = part.flights.keys() - {item_key(context.dialect.typed(key)) for key in unprocessed}
    for answer in response.get("Responses", {}).get(part.name, ()):
        item = context.dialect.typed(answer)
        key = item_key({name: item[name] for name in names}) if names <= item.keys() else None
        for name in added:
            del answer[name]
            item.pop(name)
        if key in unseen:
            unseen.discard(key)
            fill_found(part.flights[key], key, part.projection, item)
    if part.flights:
        context.cache.learn_key(part.table, part.keys[0][2])
    if part.shows_keys or added:
        for key in unseen:
            part.flights[key].fill_item(key, None)


def _with_keys(asked: Params, names: frozenset[str]) -> Params:
    """The same request for more attributes."""
    if not names:
        return asked
    if "AttributesToGet" in asked:
        return {**asked, "AttributesToGet": [*asked["AttributesToGet"], *sorted(names)]}
    aliases = {f"{_ALIAS}{number}": name for number, name in enumerate(sorted(names))}
    return {
        **asked,
        "ProjectionExpression": ", ".join([asked["ProjectionExpression"], *aliases]),
        "ExpressionAttributeNames": {**asked.get("ExpressionAttributeNames", {}), **aliases},
    }
