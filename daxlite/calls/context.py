"""What every plan needs to know of the client that it plans for."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, Struct, UnsetType

from ..cache.counters import Kind
from ..cache.flights import ReadFlight
from ..cache.memory import MemoryCache
from ..cache.table import ZERO_TTL, Table
from ..cache.table_names import TableNames
from ..core.attempts import Attempts
from ..core.requests import Request, is_consistent
from ..core.schema import schema_of
from ..core.steps import Call, Params, Response, Steps
from ..core.tables import made_of
from ..core.ttl import ttl_attribute_of
from .bypass import Bypassed, is_bypassing
from .dialects import Dialect
from .forbidden import WITHOUT_A_SCHEMA, WITHOUT_A_TTL, warn_if_forbidden, warn_of_unknown_account
from .listeners import announce
from .outcomes import Outcome, is_missing_table, outcome_of, refuses_addition

if TYPE_CHECKING:
    from ..shared.tier import Tier

STRONGLY: Final = {"ConsistentRead": True}
"""What is added to a read of something that has just changed."""


def _nothing_seen() -> Params:
    raise ValueError("requests are not looked at")


def _no_attempts(result: object) -> Attempts:
    return ()


class Context(Struct):
    """One wrapped client: its cache, its dialect and its table names."""

    cache: MemoryCache
    dialect: Dialect
    names: TableNames
    sent: Callable[[], Params] = _nothing_seen
    """The parameters of the last request as they went over the wire. Raises ValueError if that is not known."""
    attempts: Callable[[object], Attempts] = _no_attempts
    """How the attempts ended of the call that has just returned or raised this; empty where that is not known."""
    tier: "Tier | None" = None
    """The tier that the cache shares with other processes."""
    record_lasts: float = 0.0
    """Seconds for which a record of a write under way lasts: as one attempt takes at most, and the settle window."""
    is_blocking: bool = True
    """Whether a call blocks its thread until it is over; False for asyncio."""

    def table(self, name: Any) -> Table:
        """The table that a request names. Raises NotCacheable for what is not a name."""
        return self.names.table(name)

    def tier_of(self, table: Table) -> "Tier | None":
        """The tier in which a table has part; None if it has none."""
        return self.tier if table.settings.shared else None

    def outcome(self, result: Response | BaseException, *, is_batch: bool = False) -> Outcome:
        """What became of the write that has just returned or raised this. To be asked before anything else is sent."""
        return outcome_of(result, self.attempts(result), is_batch=is_batch)

    def bypassed(self, table: Table, kind: Kind, reason: str) -> Bypassed:
        """Count a read that goes straight to DynamoDB; the caller raises what is returned."""
        self.cache.count(table.counters[kind], reason)
        return Bypassed(reason)

    def bypass_reason(self, table: Table, kind: Kind, request: Request) -> str | None:
        """Why a read of this table must not touch the cache, by name, or None."""
        if is_bypassing():
            return "bypass"
        off = table.off[kind]
        if (off is None or off == ZERO_TTL) and "ConsistentRead" in request and is_consistent(request):
            return "consistent_read"
        return off

    def described(self, name: str, index: str | None = None) -> Steps[Table]:
        """The table, after a DescribeTable if one is due. If that fails, invalidation is only coarser than it could
        be."""
        table = self.table(name)
        # The writes of a table that is off are told to others, in the same words as those of any other table.
        is_used = table.settings.enabled or self.tier_of(table) is not None
        if not is_used or not self.cache.is_description_due(table, index):
            return table
        with self.cache.read_flight(table, None) as flight:
            try:
                response = yield Call("DescribeTable", {"TableName": name})
            except Exception as error:  # noqa: BLE001 - throttled, unreachable: the call itself shows what matters
                warn_if_forbidden(self.cache, error, "DescribeTable", name, WITHOUT_A_SCHEMA)
                self.warn_of_unknown_account(table)
                return table
            description = response.get("Table")
            if not isinstance(description, dict):  # a test's stand-in for DynamoDB, which knows one operation only
                return table
            schema = schema_of(description)
            ttl_attribute = yield from self._ttl_attribute(name)
            self.names.learn_account(table, description.get("TableArn", ""))
            table = self.table(name)
            bumped = self.cache.describe(table, schema, ttl_attribute, flight, made=made_of(description))
            yield from announce(self.cache, bumped)
        return table

    def _ttl_attribute(self, name: str) -> Steps[str | UnsetType | None]:
        try:
            response = yield Call("DescribeTimeToLive", {"TableName": name})
        except Exception as error:  # noqa: BLE001 - as above; it is asked for again before long
            warn_if_forbidden(self.cache, error, "DescribeTimeToLive", name, WITHOUT_A_TTL)
            return UNSET
        return ttl_attribute_of(response)

    def warn_of_unknown_account(self, table: Table) -> None:
        """Log, once for a table, that the tier stores nothing of it because its account is not known, if that is so."""
        tier = self.tier_of(table)
        if tier is not None and tier.account(table.id) is None:
            warn_of_unknown_account(self.cache, table.id.name)

    def send(self, table: Table, operation: str, params: Params) -> Steps[Response]:
        """Send a call on one table."""
        try:
            response: Response = yield Call(operation, params)
        except Exception as error:
            if is_missing_table(error):
                yield from announce(self.cache, self.cache.forget(table))
            raise
        return response

    def send_strongly(self, table: Table, operation: str, params: Params, flight: ReadFlight) -> Steps[Response]:
        """Send a read of something that has just changed as a strongly consistent one."""
        response, is_added = yield from self.send_adding(table, operation, params, STRONGLY)
        self.cache.note_strength(flight, is_added)
        return response

    def send_adding(
        self, table: Table, operation: str, params: Params, additions: Params
    ) -> Steps[tuple[Response, bool]]:
        """Send a call with additions of daxlite's own, or without them where they are refused; returns also which."""
        try:
            return (yield from self.send(table, operation, {**params, **additions})), True
        except Exception as error:
            if not refuses_addition(operation, error, self.attempts(error)):
                raise
        return (yield from self.send(table, operation, params)), False
