"""Reads of a table of which the cache answers none, for a reason that the application did not choose: said once.

`bypass()`, ConsistentRead, transactions, a table that is switched off and a TTL of 0 are choices; nothing is said.
"""

import logging
import re
from typing import Any, Final

from ..cache.counters import Kind
from ..cache.state import MAX_TABLES
from ..cache.table import Table
from .said_once import is_said_first

_logger: Final = logging.getLogger("daxlite")

AFTER: Final = 100
"""It is said when so many reads of a kind have bypassed the cache and none was looked up."""
UNRECOGNISED: Final = "unrecognised"
HOOKS: Final = "hooks"
PARTIQL: Final = "partiql"

_CAUSES: Final = {
    UNRECOGNISED: "daxlite does not understand the requests, or DynamoDB would refuse them. Compare them with "
    "DynamoDB's documentation; if they are right, please report it",
    HOOKS: "a hook that the application has registered with botocore may rewrite the calls, as the log has said by its "
    "name. Register it for the operations that need it, or as one that only looks, for before-send",
    PARTIQL: "PartiQL statements are never cached. Use GetItem, BatchGetItem or Query",
}
_ZEROS: Final = (0,) * len(_CAUSES)
_OPERATIONS: Final[dict[Kind, str]] = {"item": "GetItem and BatchGetItem", "query": "Query", "scan": "Scan"}
# What comes behind one of these in the message of a NotCacheable is a part of the request.
_QUOTED: Final = re.compile(r"[:,;] .*", re.DOTALL)


def count_unwanted_bypass(cache: Any, table: Table, kind: Kind, reason: str, error: Exception | None = None) -> None:
    """Count a read that bypasses the cache for a reason of daxlite's. error: the NotCacheable, if it was one."""
    counters = table.counters[kind]
    cache.count(counters, reason)
    if counters.hits or counters.misses or sum(map(counters.bypasses.get, _CAUSES, _ZEROS)) < AFTER:
        return
    if is_said_first(cache, ("never cached", table.id.name, kind)):
        operations = "ExecuteStatement" if reason == PARTIQL else _OPERATIONS[kind]
        last = "" if error is None else f". The last one: {_QUOTED.sub('', str(error))}"
        message = "the cache has answered no %s on %s in %d calls: %s%s"
        _logger.warning(message, operations, table.id.name, AFTER, _CAUSES[reason], last)


def warn_of_too_many_tables(cache: Any) -> None:
    """Log once that reads of further tables bypass the cache."""
    if is_said_first(cache, "too many tables"):
        _logger.warning(
            "a cache keeps answers of %d tables, and this one has as many: calls on other tables bypass it. Give the "
            "clients of other tables a cache of their own",
            MAX_TABLES,
        )
