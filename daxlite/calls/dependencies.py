"""What the answer of a read depends on, told to whoever watches the reads of a context.

It is told before anything is looked up or sent, and whether or not the cache has a part in the answer: a strongly
consistent read depends on the same as any other.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ..cache.listeners import ReadListener
from ..cache.table import Table
from ..core.expressions.partiql import read_statement
from ..core.not_cacheable import NotCacheable
from ..core.operations import WRITES
from ..core.requests import ItemRead, PageRead, Read, Request, is_consistent, item_projection, read_query, read_scan
from ..core.schema import item_key
from ..core.tags import Tag, scan_tag, table_tag
from .context import Context, table_names
from .steps import Params, Response, Step


class ReadDependencies(NamedTuple):
    """What an answer depends on."""

    tags: set[Tag] | None
    """None where nobody can tell."""
    lagging: set[Tag]
    """Those that are read eventually consistent even when they have just changed."""


UNKNOWN: Final = ReadDependencies(None, set())

_STATEMENTS: Final = {"BatchExecuteStatement": "Statements", "ExecuteTransaction": "TransactStatements"}
_PARTIQL: Final = frozenset({"ExecuteStatement", *_STATEMENTS})
_READING_WORDS: Final = ("Get", "BatchGet", "TransactGet", "Query", "Scan", "Search")
_NO_ITEMS: Final = frozenset({"GetResourcePolicy"})


def reads_items(operation: str) -> bool:
    """Whether the operation may return items without changing any; one that AWS adds later, by its first word.

    >>> reads_items("GetItem"), reads_items("ExecuteStatement"), reads_items("DescribeTable"), reads_items("PutItem")
    (True, True, False, False)
    """
    if operation in WRITES:
        return operation in _PARTIQL
    return operation.startswith(_READING_WORDS) and operation not in _NO_ITEMS


def tell_read(
    context: Context, operation: str, params: Params, listener: ReadListener
) -> Generator[Step, Response, Exception | None]:
    """Tell the listener what the answer of a read depends on. Returns what kept us from telling it more than None, if
    anything did: a fault of ours, or a request that is none."""
    read = UNKNOWN
    wrong: Exception | None = None
    try:
        read = yield from dependencies(context, operation, params)
    except Exception as error:  # noqa: BLE001 - the caller sees what it was
        wrong = error
    if read.tags is None or read.tags:
        try:
            listener.will_read(context.cache, read.tags, read.lagging)
        except Exception as error:  # noqa: BLE001 - not the application's
            context.cache.fault(error)
    return wrong


def dependencies(context: Context, operation: str, params: Params) -> Generator[Step, Response, ReadDependencies]:
    """What the answer of a read depends on: as little as can be told, once its tables are described."""
    if operation in _PARTIQL:
        return _of_statements(context, [params] if operation == "ExecuteStatement" else params[_STATEMENTS[operation]])
    tags: set[Tag] = set()
    lagging: set[Tag] = set()
    try:
        for name, asked, read in _reads(operation, context.dialect.request(operation, params)):
            table = yield from context.described(name, read.index if isinstance(read, PageRead) else None)
            # Whatever becomes of the schema now, what is told stays right: it was, for the schema that was looked at,
            # and nothing takes its place but one with more indexes or after a change of the whole table.
            own = {table_tag(table.id), *read.tags(table.id, table.schema)}
            tags |= own
            if operation != "TransactGetItems" and not _is_read_strongly(context, table, read, asked):
                lagging |= own
    except NotCacheable:
        return _of_anything_in(context, params)
    return ReadDependencies(tags, lagging)


def _is_read_strongly(context: Context, table: Table, read: Read, asked: Request) -> bool:
    """Whether it is read as strongly consistent, by the application's wish, or by ours where it has just changed."""
    if is_consistent(asked):
        return True
    if isinstance(read, ItemRead):
        return context.bypass_reason(table, "item", asked) is None
    return context.bypass_reason(table, read.kind, asked) is None and table.reads_strongly(read.index)


def _reads(operation: str, request: Request) -> Iterator[tuple[Any, Request, Read]]:
    """What a request reads: of which table, as which part of it, and what. Raises NotCacheable for one that is not
    understood."""
    match operation:
        case "GetItem":
            yield _item(request)
        case "Query":
            yield request["TableName"], request, read_query(request)
        case "Scan":
            yield request["TableName"], request, read_scan(request)
        case "BatchGetItem":
            _check_batch(request, "RequestItems")
            for name, asked in request["RequestItems"].items():
                item_projection(asked, in_batch=True)
                yield from ((name, asked, ItemRead(item_key(key))) for key in asked["Keys"])
        case "TransactGetItems":
            _check_batch(request, "TransactItems")
            for entry in request["TransactItems"]:
                if entry.keys() != {"Get"}:
                    raise NotCacheable("parameter")
                yield _item(entry["Get"])
        case _:
            raise NotCacheable("operation")


def _item(request: Request) -> tuple[Any, Request, ItemRead]:
    item_projection(request)  # which shows whether it is understood
    return request["TableName"], request, ItemRead(item_key(request["Key"]))


def _check_batch(request: Request, entries: str) -> None:
    if not {entries, "ReturnConsumedCapacity"} >= request.keys():
        raise NotCacheable("parameter")


def _of_statements(context: Context, statements: Iterable[Mapping[str, Any]]) -> ReadDependencies:
    read = [read_statement(statement.get("Statement")) for statement in statements]
    return _of_tables(context, [statement.table for statement in read if statement.is_read])


def _of_anything_in(context: Context, params: Params) -> ReadDependencies:
    try:
        names = table_names(params)
    except (KeyError, TypeError, AttributeError):
        return UNKNOWN
    return _of_tables(context, names)


def _of_tables(context: Context, names: Iterable[Any]) -> ReadDependencies:
    """What depends on any change of these tables."""
    try:
        ids = [context.names.id(name) for name in names]
    except NotCacheable:  # not names
        return UNKNOWN
    tags = {tag for id in ids for tag in (table_tag(id), scan_tag(id, None))}
    return ReadDependencies(tags, tags)
