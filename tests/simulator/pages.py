"""Query and Scan: which entries, in which order, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from tests.simulator.capacity import Meter, read_units
from tests.simulator.conditions import Condition, holds, parse_condition, paths_of
from tests.simulator.documents import Path
from tests.simulator.errors import UnsupportedError, invalid
from tests.simulator.expressions import Placeholders
from tests.simulator.key_conditions import key_range
from tests.simulator.reads import Request, Response, Store, projected, selected_paths
from tests.simulator.schema import Index, Key, KeySchema, Schema
from tests.simulator.table import Table
from tests.simulator.values import Item, canonical_item, item_size, kind_of

_SELECTIONS = ("ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT")
_BUCKETS = 2**32

Rank = tuple[Any, ...]


@dataclass(frozen=True)
class Source:
    """What is read: a table or one of its indexes, and what the caller is to see of it."""

    table: Table
    index: Index | None
    paths: list[Path] | None
    whole: bool
    """Whether a local index is to fetch from the table what it does not have itself."""
    counts: bool

    @property
    def schema(self) -> Schema:
        return self.table.schema

    @property
    def keys(self) -> KeySchema:
        return self.schema.keys if self.index is None else self.index.keys

    @property
    def key_attributes(self) -> list[str]:
        """What a LastEvaluatedKey has: the key of the table, and that of the index."""
        return list(dict.fromkeys((*self.schema.keys.attributes, *self.keys.attributes)))

    def rank(self, item: Item) -> Rank:
        """The place of an entry in the order of all: by partition, by sort key, and then by the table's own key."""
        partition = self.keys.partition_of(item)
        return (bucket(partition), repr(partition), self.keys.order_of(item), _table_order(self.schema, item))


def bucket(partition: Key) -> int:
    """Where in the hash space a partition lies. Its segment follows from that, and its place in a Scan."""
    return crc32(repr(partition).encode())


def query(store: Store, request: Request) -> Response:
    placeholders = Placeholders(request, "KeyConditionExpression", "FilterExpression", "ProjectionExpression")
    text = request.get("KeyConditionExpression")
    if text is None:
        raise invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
    condition = parse_condition("KeyConditionExpression", text, placeholders)
    source = _source(store, request, placeholders)
    wanted = key_range(condition, source.keys, source.schema.types)
    chosen = _filter(request, source, placeholders)
    for path in () if chosen is None else paths_of(chosen):
        if path[0] in source.keys.attributes:
            raise invalid(f"Filter Expression can only contain non-primary key attributes: {path[0]}")
    placeholders.check_all_used()
    start = _start(request, source)
    if start is not None and source.keys.partition_of(start) != wanted.partition:
        raise invalid("The provided starting key is outside query boundaries based on provided conditions")
    view = _view(store, request, source)
    entries = [each for each in view.entries(source.index, wanted.partition) if wanted.includes(each[0])]
    return _page(store, request, source, entries, start, chosen, forward=request.get("ScanIndexForward", True))


def scan(store: Store, request: Request) -> Response:
    placeholders = Placeholders(request, "FilterExpression", "ProjectionExpression")
    source = _source(store, request, placeholders)
    chosen = _filter(request, source, placeholders)
    placeholders.check_all_used()
    segment, total = request.get("Segment"), request.get("TotalSegments")
    if (segment is None) != (total is None) or (segment is not None and not 0 <= segment < total):
        raise invalid("Segment and TotalSegments go together, and Segment is less than TotalSegments")
    start = _start(request, source)
    view = _view(store, request, source)
    entries = list(view.entries(source.index))
    if total is not None:
        entries = [each for each in entries if bucket(source.keys.partition_of(each[0])) * total // _BUCKETS == segment]
    return _page(store, request, source, entries, start, chosen, forward=True)


def _source(store: Store, request: Request, placeholders: Placeholders) -> Source:
    table = store.table(request["TableName"])
    index = None if request.get("IndexName") is None else table.schema.index(request["IndexName"])
    if index is not None and index.is_global and request.get("ConsistentRead"):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    if request.get("Limit", 1) < 1:
        raise invalid(
            "Value at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"
        )
    paths = selected_paths(request, placeholders)
    select = request.get("Select")
    if select is not None and select not in _SELECTIONS:
        raise invalid(f"Value at 'select' failed to satisfy enum value set: {_SELECTIONS}")
    if paths is not None and select not in (None, "SPECIFIC_ATTRIBUTES"):
        raise invalid(f"Cannot specify the ProjectionExpression when choosing to get {select}")
    if paths is None and select == "SPECIFIC_ATTRIBUTES":
        raise invalid("Must specify the AttributesToGet or ProjectionExpression when choosing SPECIFIC_ATTRIBUTES")
    if index is None and select == "ALL_PROJECTED_ATTRIBUTES":
        raise invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    whole = False
    if index is not None:
        missing = [path[0] for path in paths or () if not index.projects(str(path[0]))]
        whole = bool(missing) or (select == "ALL_ATTRIBUTES" and index.projection != "ALL")
        if whole and index.is_global:
            raise invalid(
                "One or more parameter values were invalid: "
                f"Global secondary index {index.name} does not project {missing or 'all attributes'}"
            )
    return Source(table, index, paths, whole, select == "COUNT")


def _view(store: Store, request: Request, source: Source) -> Any:
    return store.view(
        source.table,
        consistent=bool(request.get("ConsistentRead", False)),
        of_global_index=source.index is not None and source.index.is_global,
    )


def _filter(request: Request, source: Source, placeholders: Placeholders) -> Condition | None:
    text = request.get("FilterExpression")
    if text is None:
        return None
    chosen = parse_condition("FilterExpression", text, placeholders)
    index = source.index
    missing = [] if index is None else [path[0] for path in paths_of(chosen) if not index.projects(str(path[0]))]
    if index is not None and missing:
        if not index.is_global:
            raise UnsupportedError(f"a filter by {missing}, which the local index {index.name} does not have")
        raise invalid(
            "One or more parameter values were invalid: "
            f"Secondary index {index.name} does not project one or more filter attributes: {missing}"
        )
    return chosen


def _start(request: Request, source: Source) -> Item | None:
    if request.get("ExclusiveStartKey") is None:
        return None
    start = canonical_item(request["ExclusiveStartKey"])
    if start.keys() != set(source.key_attributes) or any(
        kind_of(value) != source.schema.types[name] for name, value in start.items()
    ):
        raise invalid("The provided starting key is invalid")
    return start


def _page(
    store: Store,
    request: Request,
    source: Source,
    entries: Sequence[tuple[Item, Item]],
    start: Item | None,
    chosen: Condition | None,
    *,
    forward: bool,
) -> Response:
    meter = Meter(request)
    limit = request.get("Limit")
    scanned: list[tuple[Item, Item]] = []
    size = 0
    complete = True
    for entry, item in _after(source, entries, start, forward=forward):
        weight = item_size(item if source.whole else entry)
        if len(scanned) == limit or (scanned and size + weight > store.page_bytes):
            complete = False
            break
        scanned.append((entry, item))
        size += weight
    found = [item if source.whole else entry for entry, item in scanned]
    if chosen is not None:
        found = [item for item in found if holds(chosen, item)]
    response: Response = {"Count": len(found), "ScannedCount": len(scanned)}
    if not source.counts:
        response["Items"] = [projected(item, source.paths) for item in found]
    # Having read as many as the limit allows, DynamoDB does not look whether there is another one.
    if not complete or (limit is not None and len(scanned) == limit):
        last = scanned[-1][1]
        response["LastEvaluatedKey"] = {name: last[name] for name in source.key_attributes}
    meter.read(source.schema, read_units(size, consistent=bool(request.get("ConsistentRead", False))), source.index)
    return {**response, **meter.member()}


def _after(
    source: Source, entries: Sequence[tuple[Item, Item]], start: Item | None, *, forward: bool
) -> Iterator[tuple[Item, Item]]:
    """The entries in their order, from the one after the start. The start itself need not exist any more."""
    ranked = sorted(((source.rank(entry), entry, item) for entry, item in entries), key=_first, reverse=not forward)
    first = None if start is None else source.rank(start)
    for rank, entry, item in ranked:
        if first is None or (rank > first if forward else rank < first):
            yield entry, item


def _first(ranked: tuple[Rank, Item, Item]) -> Rank:
    return ranked[0]


def _table_order(schema: Schema, item: Item) -> Rank:
    return (repr(schema.keys.partition_of(item)), schema.keys.order_of(item))
