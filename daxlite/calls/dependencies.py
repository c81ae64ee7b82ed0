"""What the answer of a read depends on, announced to the listener of a context before the read is made.

It is announced whether or not the cache has a part in the answer: a strongly consistent read depends on the same as any
other.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from ..cache.table import Table
from ..core.extents import EVERYTHING, Extent, hulls
from ..core.not_cacheable import NotCacheable
from ..core.requests import ItemRead, PageRead, Read, Request, is_consistent, item_projection, read_query, read_scan
from ..core.schema import item_key
from ..core.steps import Params, Steps
from ..core.tags import Tag, scan_tag, table_tag
from .context import Context
from .tables_named import tables_of_any


class ReadDependencies(NamedTuple):
    """What an answer depends on."""

    tags: dict[Tag, Extent] | None
    """With what of each is read; None where that cannot be told."""
    lagging: set[Tag]
    """Those that are read eventually consistent even when they have just changed."""


UNKNOWN: Final = ReadDependencies(None, set())

DependsOn: TypeAlias = Callable[[Context, str, Params], Steps[ReadDependencies]]
"""What the answer of an operation with these parameters depends on."""
_Reads: TypeAlias = Callable[[Request], Iterator[tuple[Any, Request, Read]]]
"""What a request reads: of which table, as which part of the request, and what. Raises NotCacheable for a request that
is not understood."""


def depends_on(reads: _Reads, *, is_isolated: bool = False) -> DependsOn:
    """For an operation of which it is known what it reads: as little as can be told once its tables are described.

    is_isolated: it is a transaction, which reads nothing old.
    """

    def dependencies(context: Context, operation: str, params: Params) -> Steps[ReadDependencies]:
        parts: list[dict[Tag, Extent]] = []
        lagging: set[Tag] = set()
        try:
            for name, asked, read in reads(context.dialect.request(operation, params)):
                table = yield from context.described(name, read.index if isinstance(read, PageRead) else None)
                # Even if the schema changes now, what is announced stays right. It was right for the schema that was
                # looked at, and another schema has more indexes or follows a change of the whole table.
                own = _tags_of(table, read)
                parts.append(own)
                if not is_isolated and not _is_read_strongly(context, table, read, asked):
                    lagging.update(own)
        except NotCacheable:
            return _on_tables_of(context, params)
        return ReadDependencies(hulls(parts), lagging)

    return dependencies


def on_whole_tables(context: Context, operation: str, params: Params) -> Steps[ReadDependencies]:
    """For an operation of which it is not known what it reads."""
    yield from ()
    return _on_tables_of(context, params)


def on_statements(context: Context, operation: str, params: Params) -> Steps[ReadDependencies]:
    """For PartiQL: the tables that its statements read."""
    from .statements import statements_of  # imported here for the same reason as the plan of PartiQL

    yield from ()
    return _on_tables(context, [each.table for each in statements_of(operation, params) if each.is_read])


# What each operation reads


def item_of(request: Request) -> Iterator[tuple[Any, Request, Read]]:
    """A GetItem, or the Get of a transaction."""
    item_projection(request)  # which shows whether it is understood
    yield request["TableName"], request, ItemRead(item_key(request["Key"]))


def query_of(request: Request) -> Iterator[tuple[Any, Request, Read]]:
    """A Query."""
    yield request["TableName"], request, read_query(request)


def scan_of(request: Request) -> Iterator[tuple[Any, Request, Read]]:
    """A Scan."""
    yield request["TableName"], request, read_scan(request)


def items_of_batch(request: Request) -> Iterator[tuple[Any, Request, Read]]:
    """A BatchGetItem."""
    _check_batch(request, "RequestItems")
    for name, asked in request["RequestItems"].items():
        item_projection(asked, in_batch=True)
        yield from ((name, asked, ItemRead(item_key(key))) for key in asked["Keys"])


def items_of_transaction(request: Request) -> Iterator[tuple[Any, Request, Read]]:
    """A TransactGetItems."""
    _check_batch(request, "TransactItems")
    for entry in request["TransactItems"]:
        if entry.keys() != {"Get"}:
            raise NotCacheable("a parameter that is not known")
        yield from item_of(entry["Get"])


def _check_batch(request: Request, entries: str) -> None:
    if not {entries, "ReturnConsumedCapacity"} >= request.keys():
        raise NotCacheable("a parameter that is not known")


def _tags_of(table: Table, read: Read) -> dict[Tag, Extent]:
    """What the answer of one read depends on, and how much of it."""
    schema = table.schema
    extent = read.extent(schema) if isinstance(read, PageRead) else EVERYTHING
    tags = {tag: extent if tag.kind == "partition" else EVERYTHING for tag in read.tags(table.place, schema)}
    return {table_tag(table.place): EVERYTHING, **tags}


def _is_read_strongly(context: Context, table: Table, read: Read, asked: Request) -> bool:
    """Whether it is read as strongly consistent, by the application's wish, or by daxlite's where it has just
    changed."""
    if is_consistent(asked):
        return True
    if isinstance(read, ItemRead):
        return context.bypass_reason(table, "item", asked) is None
    return context.bypass_reason(table, read.kind, asked) is None and table.reads_strongly(read.index)


def _on_tables_of(context: Context, params: Params) -> ReadDependencies:
    try:
        names = tables_of_any(params)
    except (KeyError, TypeError, AttributeError):
        return UNKNOWN
    return _on_tables(context, names)


def _on_tables(context: Context, names: Iterable[Any]) -> ReadDependencies:
    """What depends on any change of these tables."""
    try:
        places = [context.names.place(name) for name in names]
    except NotCacheable:  # not names
        return UNKNOWN
    tags = {tag: EVERYTHING for place in places for tag in (table_tag(place), scan_tag(place, None))}
    return ReadDependencies(tags, {*tags})
