"""GetItem, BatchGetItem and TransactGetItems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from zlib import crc32

from tests.simulator.capacity import Meter, read_units
from tests.simulator.documents import Path, project
from tests.simulator.errors import invalid
from tests.simulator.expressions import Placeholders, parse_projection
from tests.simulator.table import Table, View
from tests.simulator.values import Item, canonical_item, item_size

Request = Mapping[str, Any]
Response = dict[str, Any]


class Store(Protocol):
    """What an operation needs of the simulator."""

    page_bytes: int

    def table(self, name: str) -> Table: ...

    def view(self, table: Table, *, consistent: bool, of_global_index: bool = False) -> View:
        """The table as this read sees it."""

    def between_parts(self) -> None:
        """Called between two parts of an operation that is not atomic: here others may come in between."""

    def leaves_out(self, table: str, part: Any) -> bool:
        """Whether this part of a batch is to be left unprocessed."""


def get_item(store: Store, request: Request) -> Response:
    meter = Meter(request)
    paths = projection_of(request)
    key = canonical_item(request["Key"])
    table = store.table(request["TableName"])
    table.schema.check_key(key)
    consistent = bool(request.get("ConsistentRead", False))
    item = store.view(table, consistent=consistent).item(key)
    meter.read(table.schema, read_units(item_size(item or {}), consistent=consistent))
    return {**({} if item is None else {"Item": projected(item, paths)}), **meter.member()}


def batch_get_item(store: Store, request: Request) -> Response:
    meter = Meter(request)
    if not 1 <= sum(len(part["Keys"]) for part in request["RequestItems"].values()) <= 100:
        raise invalid("Too many or too few items requested for the BatchGetItem call")
    wanted = []
    for name, part in request["RequestItems"].items():
        paths = projection_of(part)
        table = store.table(name)
        keys = [canonical_item(key) for key in part["Keys"]]
        for key in keys:
            table.schema.check_key(key)
        if not keys or len({table.schema.key_of(key) for key in keys}) != len(keys):
            raise invalid("Provided list of item keys is empty or contains duplicates")
        # DynamoDB promises no order, so the answer is not in that of the request.
        keys.sort(key=lambda key, schema=table.schema: crc32(repr(schema.key_of(key)).encode()))  # type: ignore[misc]
        wanted += [(name, table, key, paths, bool(part.get("ConsistentRead", False))) for key in keys]
    responses: dict[str, list[Item]] = {name: [] for name in request["RequestItems"]}
    left: dict[str, Any] = {}
    for number, (name, table, key, paths, consistent) in enumerate(wanted):
        if number:
            store.between_parts()
        if store.leaves_out(name, key):
            rest = {name: each for name, each in request["RequestItems"][name].items() if name != "Keys"}
            left.setdefault(name, {"Keys": [], **rest})["Keys"].append(key)
            continue
        # Each key has a replica of its own.
        item = store.view(table, consistent=consistent).item(key)
        meter.read(table.schema, read_units(item_size(item or {}), consistent=consistent))
        if item is not None:
            responses[name].append(projected(item, paths))
    return {"Responses": responses, "UnprocessedKeys": left, **meter.members()}


def transact_get_items(store: Store, request: Request) -> Response:
    meter = Meter(request)
    if not 1 <= len(request["TransactItems"]) <= 100:
        raise invalid("Member must have length between 1 and 100")
    found = []
    seen = set()
    for action in request["TransactItems"]:
        get = action["Get"]
        paths = projection_of(get)
        key = canonical_item(get["Key"])
        table = store.table(get["TableName"])
        table.schema.check_key(key)
        place = (table.schema.name, table.schema.key_of(key))
        if place in seen:
            raise invalid("Transaction request cannot include multiple operations on one item")
        seen.add(place)
        item = store.view(table, consistent=True).item(key)
        meter.read(table.schema, read_units(item_size(item or {}), consistent=True, transaction=True))
        found.append({} if item is None else {"Item": projected(item, paths)})
    return {"Responses": found, **meter.members()}


def projection_of(request: Request) -> list[Path] | None:
    """The paths that a read asks for; None for the whole item. The placeholders serve nothing else."""
    placeholders = Placeholders(request, "ProjectionExpression")
    paths = selected_paths(request, placeholders)
    placeholders.check_all_used()
    return paths


def selected_paths(request: Request, placeholders: Placeholders) -> list[Path] | None:
    text, names = request.get("ProjectionExpression"), request.get("AttributesToGet")
    if text is not None and names is not None:
        raise invalid("Can not use both expression and non-expression parameters in the same request")
    if text is not None:
        return parse_projection(text, placeholders)
    if names is not None and (not names or len(set(names)) != len(names)):
        raise invalid("AttributesToGet is empty or contains duplicates")
    return None if names is None else [(name,) for name in names]


def projected(item: Item, paths: list[Path] | None) -> Item:
    return item if paths is None else project(item, paths)
