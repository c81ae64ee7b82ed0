"""A followed table, as DynamoDB describes it: its keys, its stream, and whether it is still the same table."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import UNSET

from ..cache.table import Table
from ..calls.context import Context
from ..calls.listeners import announce
from ..core.changes import Change
from ..core.extents import Extent
from ..core.hidden import Hidden
from ..core.schema import schema_of
from ..core.steps import Call, Steps
from ..core.tables import made_of
from ..core.tags import Tag
from ..shared.tier import Tier

DESCRIBE_EVERY: Final = 60.0
"""Seconds after which a table is described again. An index that is added is listed long before it can be queried."""
LOOK_AGAIN: Final = 5.0
"""Seconds after which a table without a stream, or that is not there, is looked at again."""
MISSING: Final = frozenset({"ResourceNotFoundException", "TableNotFoundException"})


class FollowedTable(Hidden):
    """One table that a feed tells of."""

    def __init__(self, context: Context, name: str) -> None:
        """context: of the client by which the table is described. name: its name or ARN."""
        self.context = context
        self.name = name
        self.stream: str | None = None
        """The ARN of its newest stream; None if it has none."""
        self.has_old = self.has_new = False
        """Which images that stream's records have."""
        self.made: tuple[str, ...] = ()
        """What tells it from another table of its name."""
        self.was_made_anew = False
        """Whether the last description is of another table than the one before."""

    @property
    def table(self) -> Table:
        """What the cache knows of it."""
        return self.context.table(self.name)

    @property
    def tier(self) -> Tier | None:
        """The tier that is told of its changes; None if the table has no part in one."""
        tier: Tier | None = self.context.tier
        return tier if self.table.settings.shared else None

    @property
    def feed(self) -> bytes:
        """By which its keys in Redis go; empty where it has no part in a tier."""
        tier = self.tier
        return b"" if tier is None else tier.feed_of(self.table.id)

    def describe(self) -> Steps[None]:
        """Ask DynamoDB. Raises what DynamoDB answers."""
        with self.context.cache.read_flight(self.table, None) as flight:
            response = yield Call("DescribeTable", {"TableName": self.name})
            description: Mapping[str, Any] = response["Table"]
            self.context.names.learn_account(self.table, description.get("TableArn", ""))
            table, schema = self.table, schema_of(description)
            made = made_of(description)
            self.was_made_anew, self.made = bool(self.made) and made != self.made, made
            if table.settings.schema is None and (table.schema != schema or table.made != made):
                # UNSET: a client of this process that wants to know the TTL attribute asks for it itself.
                bumped = self.context.cache.describe(table, schema, UNSET, flight, made=made)
                yield from announce(self.context.cache, bumped)
        self._read_stream(description)

    def _read_stream(self, description: Mapping[str, Any]) -> None:
        specification = description.get("StreamSpecification") or {}
        view = specification.get("StreamViewType") or ""
        self.stream = description.get("LatestStreamArn") if specification.get("StreamEnabled") else None
        self.has_old = view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES")
        self.has_new = view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")

    def flush(self) -> Steps[None]:
        """Drop everything that depends on the table, at both levels: changes of it may have been missed."""
        cache = self.context.cache
        bumped: dict[Tag, Extent] = cache.apply(Change(self.table.place))
        yield from announce(cache, bumped)
