"""What a cache knows of one table: its settings, its keys as far as they are known, its counts."""

import math
from collections.abc import Set
from typing import Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ..config import TableSettings
from ..core.schema import TableSchema
from ..core.tables import MOCKED, TableId
from .clock import Stamps
from .counters import KINDS, Kind, KindCounters
from .entries import EntryKey
from .moment import LONG_AGO, NEVER, Moment
from .switch import SWITCH

# After a DescribeTable that failed, the table is described again no sooner than this. A missing permission may be
# granted, a throttled call may pass; until then invalidation is right, only coarser.
DESCRIBE_AGAIN: Final = 60.0  # seconds
DESCRIPTION_TTL: Final = 3600.0
"""Seconds for which a description is believed."""

ZERO_TTL: Final = "zero_ttl"
"""Why reads of a kind that is kept for no time do not touch the cache."""


def _off(settings: TableSettings, kind: Kind) -> str | None:
    if not settings.enabled:
        return "table_off"
    ttl = max(settings.item_ttl, settings.negative_ttl) if kind == "item" else settings.query_ttl
    return ZERO_TTL if ttl <= 0 else None


class Table:
    """One table in a cache. The cache's lock guards what changes."""

    def __init__(
        self, id: TableId, number: int, settings: TableSettings, own: Stamps, since: float = -math.inf
    ) -> None:
        self.id = id
        self.place = id.place
        """Where changes of it are felt."""
        self.number = number
        """Stands for the table in entry keys."""
        self.given = settings
        """The settings."""
        self.settings = settings
        """What of the settings holds now: see `_hold`."""
        self.off: dict[Kind, str | None] = {}
        """Why reads of a kind do not touch the cache, by name; None where they do."""
        self.switch()
        self.since = since
        """The moment of the cache's clock at which settings came to hold that make void what was cached before."""
        self.schema: TableSchema | None = settings.schema
        self.key_names: frozenset[str] | None = frozenset(self.schema.key.names) if self.schema else None
        """The primary key's attributes: they show in every request with a Key, schema or not."""
        self.made: tuple[str, ...] | None = None
        """What tells it from another table of its name; see `core.tables.made_of`."""
        self.ttl_attribute = settings.ttl_attribute
        """The attribute after whose moment DynamoDB deletes an item."""
        self.may_ask_images = True
        """False once IAM refused a write only because daxlite asked for its return values."""
        self.may_ask_keys = True
        """The same for the key attributes of a projected BatchGetItem."""
        self.is_left = False
        """True once its account is known: its name means the table under that account now, and not this one."""
        self.own = own
        """The stamp of the table tag: every entry of the table depends on it, so the table holds it for good."""
        self.begin()

    def begin(self) -> None:
        """Start with nothing cached and nothing in flight."""
        self.described_until = LONG_AGO if self.settings.schema is None else NEVER
        """The moment at which DynamoDB is to be asked once more what table this is."""
        self._ask_again_at = LONG_AGO
        self.counters: dict[Kind, KindCounters] = {kind: KindCounters() for kind in KINDS}

    def configure(self, settings: TableSettings, now: float) -> bool:
        """Let other settings hold from this moment on. Returns whether what is cached may stay."""
        before = self.given
        self._hold(settings)
        keeps = settings.differs_by_ttls(before)
        if not keeps:
            self.since = now
            if settings.schema is not None:
                self.schema, self.key_names = settings.schema, frozenset(settings.schema.key.names)
            if settings.ttl_attribute != before.ttl_attribute:
                self.ttl_attribute = settings.ttl_attribute
            self.described_until = LONG_AGO if settings.schema is None else NEVER
            self._ask_again_at = LONG_AGO
        self.given = (
            settings  # after all of that: what an exception of a signal handler leaves unfinished is done again
        )
        self.switch()  # another thread may have let those of before hold meanwhile
        return keeps and not settings.shortens(before)

    def switch(self) -> None:
        """Heed what the process is told: see `SWITCH`."""
        self._hold(self.given)

    def _hold(self, settings: TableSettings) -> None:
        """Let settings hold: as they are, or, where the process is told not to cache and where a mock answers, as those
        of a table that is off."""
        is_mocked = self.id.endpoint == MOCKED
        off = replace(settings.switched_off(), shared=settings.shared and not is_mocked)
        while True:
            is_off = SWITCH.is_off
            reason = "disabled" if is_off else "mocked" if is_mocked else None
            self.settings = settings if reason is None else off
            self.off = {kind: reason or _off(settings, kind) for kind in KINDS}
            if SWITCH.is_off is is_off:  # else another thread has changed it, and may have been here first
                return

    # Keys of entries

    def item(self, key: bytes) -> EntryKey:
        return self.number, key

    def projected_item(self, key: bytes, projection: bytes) -> EntryKey:
        return self.number, key, projection

    def page(self, kind: Kind, signature: bytes) -> EntryKey:
        return self.number, kind, signature

    # Knowledge of keys

    def contradicts(self, names: Set[str]) -> bool:
        """Whether a key with these attributes, which DynamoDB accepted, cannot be one of the table as it was known: the
        table must have been made anew."""
        return self.key_names is not None and self.key_names != names

    def is_description_due(self, now: Moment, index: str | None) -> bool:
        """Whether to call DescribeTable now. True for one caller only; the others go on without a description."""
        if self.settings.schema is not None or self.is_described(now, index) or not self._ask_again_at.is_over(now):
            return False
        self._ask_again_at = now.after(DESCRIBE_AGAIN)
        return True

    def is_described(self, now: Moment, index: str | None) -> bool:
        """Whether the table, and this index of it, need no description now."""
        return not self.described_until.is_over(now) and (index is None or self.knows(index))

    def knows(self, index: str | None) -> bool:
        """Whether the schema of the table, and of this index, is known."""
        schema = self.schema
        if schema is None:
            return False
        return index is None or index in schema.global_indexes or index in schema.local_indexes

    def reads_strongly(self, index: str | None) -> bool:
        """Whether strongly consistent reads of the table, or of this index, are known to be possible."""
        return index is None or (self.schema is not None and index in self.schema.local_indexes)

    def may_read_strongly(self, index: str | None) -> bool:
        """The same, or unknown because the table has not been described: DynamoDB will tell."""
        return self.schema is None or self.reads_strongly(index)

    def describe(self, schema: TableSchema, ttl_attribute: str | UnsetType | None, now: Moment) -> None:
        self.schema = schema
        # Another program may change it, so it is described again now and then; soon, if only half of it could be
        # learned.
        self.described_until = now.after(DESCRIBE_AGAIN if ttl_attribute is UNSET else DESCRIPTION_TTL)
        if self.settings.ttl_attribute is None and not isinstance(ttl_attribute, UnsetType):
            self.ttl_attribute = ttl_attribute
        self.key_names = frozenset(schema.key.names)

    def doubt_description(self) -> None:
        """The table may have got another index, so it is due to be described, unless the application did that."""
        if self.settings.schema is None:
            self.described_until = LONG_AGO

    def start_over(self) -> None:
        """Know no more than the settings, and count from zero."""
        self.forget()
        self.ttl_attribute = self.settings.ttl_attribute
        self.may_ask_images = self.may_ask_keys = True
        self.begin()

    def forget(self) -> None:
        """The table may have been made anew, with other keys."""
        self.made = None
        if self.settings.schema is None:
            self.schema = None
            self.key_names = None
            self.described_until = self._ask_again_at = LONG_AGO
