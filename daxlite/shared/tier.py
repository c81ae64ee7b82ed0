"""The shared tier: answers in Redis that all processes of a namespace share. `reads.py` and `writes.py` use it.

lookup   process memory  -->  Redis: value and state, one command  -->  DynamoDB, after a note of the state
fill     process memory  <--  Redis, if the noted token is still on top  <--  the reply
write    begin in Redis  -->  DynamoDB  -->  finish in Redis, with the new value  -->  process memory
"""

import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from time import perf_counter
from typing import Any, Final, Literal, Protocol, TypeAlias

from msgspec import Struct

from ..core.encoding import encode
from ..core.extents import EVERYTHING as EVERY_EXTENT
from ..core.extents import Extent
from ..core.hidden import Hidden
from ..core.schema import TableSchema, key_of, partition_value
from ..core.steps import Get, Run, Server, Steps, Told
from ..core.tables import Place, TableId
from ..core.tags import Tag, index_tag, table_tag
from .again import Again, KeepsForLater
from .counts import TierCounts
from .distrust import Distrust
from .envelope import Envelope
from .errors import Unavailable
from .following import Epochs
from .generations import Generation, Generations, owner_of
from .keyspace import Keyspace
from .messages import ID_BYTES, Message
from .names import KnownTags
from .recent import Recent
from .redis_time import RedisTime
from .scripts import MARGIN, NotedState, note, noted
from .tags import EVERYTHING, NAMESPACE, TABLE_BYTES, HashOf, shared_tag, shared_tags, tag_of_partition
from .upkeep import Upkeep

WriteThrough: TypeAlias = Literal["always", "cached", "never"]

MAX_DISTRUSTED: Final = 20_000
"""So many states are distrusted one by one. Beyond, everything is."""
MAX_OWN: Final = 20_000
"""So many of this process's own operations are told apart from those of others."""
FOREVER: Final = 30 * 86400.0
"""Seconds for which a value without a TTL lives."""


class Local(Protocol):
    """The cache in this process's memory; `cache.memory.MemoryCache` is one."""

    def invalidate_tags(self, changes: Iterable[tuple[Tag, Extent, float]]) -> None: ...

    def invalidate_all(self, *, everywhere: bool = True) -> Any: ...

    def drop_all(self) -> None: ...

    def uses(self, tag: Tag) -> bool: ...

    def fault(self, error: Exception) -> None: ...


class Hears(Protocol):
    """What tells whether this process hears the others; `hearing.Hearing` is one."""

    epoch: int

    def listen(self, table: bytes) -> None: ...

    def hears(self, table: bytes) -> bool: ...


class SharedTable(Hidden, Struct, frozen=True):
    """One table, as the tier knows it."""

    id: TableId
    schema: TableSchema
    identity: bytes
    """Account, endpoint and principal, as a digest."""
    digest: bytes
    """Its part of each shared tag, which its channel goes by."""
    feed: bytes
    """What the follower of its stream goes by; see `Tier.feed_of`."""
    generations: tuple[bytes, ...]
    """The tags whose generations each value of the table has in it."""


class Settings(Struct, frozen=True):
    """What the tier is told to do."""

    reads: bool = True
    local: bool = True
    account: str | None = None
    write_through: WriteThrough = "always"
    max_wait: float = 1.0
    """Seconds for which a reader leads, and the others wait for it."""
    settle_window: float = 5.0
    index_settle_factor: float = 1.0
    longest_ttl: float = 300.0
    """The longest that a value may live."""
    require_for_writes: bool = False
    """Whether a write of which Redis cannot be told is refused before DynamoDB is asked."""

    @property
    def state_life(self) -> float:
        """Seconds for which a state lasts at least, once it is noted."""
        return max(2 * min(self.longest_ttl, FOREVER), 2 * self.settle_window) + MARGIN


class Tier:
    """One process's part of the shared tier."""

    def __init__(
        self,
        settings: Settings,
        keyspace: Keyspace,
        server: Server,
        envelope: Envelope,
        outbox: KeepsForLater,
        hearing: Hears,
        local: Local,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.keyspace = keyspace
        self.server = server
        self.envelope = envelope
        self.outbox = outbox
        self.hearing = hearing
        self.local = local
        self.clock = clock
        self.time = RedisTime(clock, wall_clock)
        self.generations = Generations(clock)
        self.recent = Recent(clock)
        self.epochs = Epochs(clock)
        self.counts = TierCounts()
        self.report: Callable[[], object] = lambda: None
        self.report_every = math.inf
        self._report_at = math.inf
        self.known = KnownTags(lambda tag: local.uses(tag))
        self.upkeep = Upkeep(clock)
        self.again = Again(self.recent, self.upkeep, outbox, clock)
        self.distrust = Distrust(keyspace, server, clock)
        self._distrusted: dict[bytes, float] = {}
        """States that a writer could not change, and until when that may be so."""
        self._own: OrderedDict[bytes, None] = OrderedDict()
        self._busy: dict[bytes, float] = {}
        """By table: until when writes of it may be under way that were heard of, or of which the outcome is unknown."""
        self._heard_since: dict[bytes, tuple[int, float]] = {}
        """By table: since which moment, and which renewal, it is known to be heard."""
        self._tables: dict[TableId, SharedTable] = {}

    def begin(self) -> None:
        """Begin anew in a child process: what the parent does is done by another process."""
        self._own = OrderedDict()
        self._busy, self._heard_since, self._distrusted = {}, {}, {}
        self._tables = {}  # this process has to listen to each of them itself
        self.known.begin()
        self.generations.begin()
        self.epochs.begin()
        self.counts.begin()
        self.upkeep.begin()
        self.again.begin()

    def report_to(self, report: Callable[[], object], every: float) -> None:
        """Have a function called now and then."""
        self.report, self.report_every, self._report_at = report, every, 0.0

    # Names

    def table(self, id: TableId, schema: TableSchema | None) -> SharedTable | None:
        """A table as the tier knows it; None where its keys or its account are not known, so that nothing of it can be
        named."""
        known = self._tables.get(id)
        if known is not None and known.schema is schema:
            self.hearing.listen(known.digest)  # again, for a process that has forked has not listened yet
            return known
        account = self.account(id)
        if schema is None or account is None:
            return None
        identity = blake2b(encode((account, id.endpoint, id.principal)), digest_size=16, person=b"daxlite-table")
        (shared,) = shared_tag(table_tag(id.place), lambda place: None)
        generations = (EVERYTHING, shared)
        table = SharedTable(id, schema, identity.digest(), shared[:TABLE_BYTES], self.feed_of(id), generations)
        self._tables[id] = table
        self.known.note(shared, table_tag(id.place))  # a change of anything of it concerns all that is kept here
        self.hearing.listen(table.digest)
        return table

    def account(self, id: TableId) -> str | None:
        """The AWS account of a table, where it is known."""
        return id.account or self.settings.account

    def feed_of(self, id: TableId) -> bytes:
        """What the follower of a table's stream goes by: a digest. Tables of one place in two accounts, or at two
        endpoints, have a stream each."""
        parts = encode((self.account(id), id.endpoint, id.region, id.name))
        return blake2b(parts, digest_size=16, person=b"daxlite-feed").digest()

    def shared(self, table: SharedTable, tag: Tag) -> bytes:
        """The shared name of a tag of this table."""
        if tag.value is None:
            return shared_tag(tag, lambda place: None)[0]
        if tag.kind == "partition":
            return tag_of_partition(table.digest, tag, tag.value)
        value = key_of(tag.value).get(table.schema.key.hash[0])
        if value is None:  # a key that is none of this table's, which DynamoDB will refuse
            return shared_tag(tag, lambda place: None)[0]
        return tag_of_partition(table.digest, tag, partition_value([value]))

    def generations_of(self, table: SharedTable, index: str | None) -> tuple[bytes, ...]:
        """The tags whose generations a value of this table, or of this global index, has in it."""
        if index is None:
            return table.generations
        tag = index_tag(table.id.place, index)
        shared = self.shared(table, tag)
        self.known.note(shared, tag)
        return *table.generations, shared

    def value_key(self, table: SharedTable, tag: bytes, kind: str, signature: bytes) -> tuple[str, bytes]:
        """The key of a value beside the state of a tag, and what the value is bound to."""
        name = blake2b(table.identity + encode((kind, signature)), digest_size=16, person=b"daxlite-value").digest()
        return self.keyspace.value_of(tag, name), tag + name

    # What is known

    def learn_generations(self, tags: Sequence[bytes]) -> Steps[None]:
        """Ask for the generations of these tags that this process does not know, or that it asks for again. Raises
        Unavailable, CorruptValue."""
        missing = self.generations.unknown(tags)
        if missing:
            asked = self.generations.ask(missing)
            try:
                self.generations.learn(asked, (yield from self.note(missing)))
            finally:
                self.generations.asked(asked)

    def note(self, tags: Sequence[bytes], lead: bytes = b"") -> Steps[dict[bytes, NotedState | None]]:
        """The states of these tags, made where there are none. lead: the id under which the reader would lead, of one
        tag. Raises Unavailable, CorruptValue."""
        asked, is_cluster, settings = self.time.asked(), self.server.is_cluster, self.settings
        commands = note(
            self.keyspace, tags, settings.state_life, is_cluster=is_cluster, lead=lead, leads_for=settings.max_wait
        )
        states = noted((yield from self.ask(Run(self.server, tuple(commands)))), tags, is_cluster=is_cluster)
        for state in states.values():
            if state is not None:
                self.time.saw(state.noted_at, asked)
        return states

    def ask(self, step: Get | Run) -> Steps[Any]:
        """Take a step with the server. Raises Unavailable."""
        began = perf_counter()
        try:
            return (yield step)
        finally:
            self.counts.timed(began)
            if began >= self._report_at:
                self._report(began)

    def _report(self, now: float) -> None:
        self._report_at = now + self.report_every
        try:
            self.report()
        except Exception as error:  # noqa: BLE001 - the application's, and none of the call that happens to report
            self.local.fault(error)

    def hears(self, table: SharedTable) -> bool:
        """Whether this process hears of changes of a table, and of the namespace."""
        return self.hearing.hears(table.digest)

    def owner(self, table: SharedTable, generations: Sequence[Generation]) -> bytes:
        """What values of this table belong to."""
        return owner_of(table.identity, generations)

    def may_keep(self, table: SharedTable) -> bool:
        """Whether this process may keep answers about a table in its memory."""
        return self.settings.local and self.hearing.hears(table.digest)

    def may_keep_of(self, place: Place) -> bool:
        """The same of a table at a place."""
        (shared,) = shared_tag(table_tag(place), lambda place: None)
        return self.settings.local and self.hearing.hears(shared[:TABLE_BYTES])

    def tell(self, tags: Mapping[Tag, Extent] | None, hash_of: HashOf) -> Steps[Told | None]:
        """Tell of a change that is over; None for anything at all. Returns what was told; None if that failed."""
        changed = shared_tags(tags, hash_of)
        with suppress(Unavailable):  # what Redis cannot be told now it is told later
            yield from self.outbox.invalidate(changed)
            return self.told(changed)
        return None

    def told(self, changed: Mapping[bytes, Extent]) -> Told:
        """What Redis has taken, so that all know it who share this tier."""
        return Told(self.keyspace.identity, changed)

    # Own operations, and those of others

    def new_operation(self) -> bytes:
        """The id of an operation of this process's own."""
        id = os.urandom(ID_BYTES)
        self._own[id] = None
        while len(self._own) > MAX_OWN:
            self._own.popitem(last=False)  # in one go, for other threads add to it
        return id

    def heard(self, message: Message) -> None:
        """Another process, or this one, told of a change."""
        if message.id in self._own:
            return  # its caller sees to it
        self._trust(message)
        self.take(message.changed, message.lasts)

    def _trust(self, message: Message) -> None:
        """Distrust the states that a writer could not change, until it could: until a change of them is over. That
        another write begins says nothing: it may be refused, and then what was on top before is there again."""
        if message.is_distrust:
            until = self.clock() + message.lasts
            self._distrusted.update(dict.fromkeys(message.changed, until))
            if len(self._distrusted) > MAX_DISTRUSTED:
                self._distrusted = {EVERYTHING: max(self._distrusted.values())}
        elif self._distrusted and not message.lasts:
            for tag in message.changed:
                self._distrusted.pop(tag, None)

    def distrusts(self, tags: Iterable[bytes]) -> bool:
        """Whether what stands in Redis under one of these states is not to be believed, nor anything at all."""
        if not self._distrusted:
            return False
        now = self.clock()
        return any(self._distrusted.get(tag, 0.0) > now for tag in (EVERYTHING, *tags))

    def take(self, changed: Mapping[bytes, Extent], lasts: float) -> None:
        """Make this process's caches true after a change elsewhere, of which a record may be open for so long."""
        changes: list[tuple[Tag, Extent, float]] = []
        self.remember(changed, lasts)
        self.expect(changed, lasts)
        for shared, extent in changed.items():
            self.generations.forget(shared)
            if shared == EVERYTHING:
                self.forget_all()
                return
            tag = self.known.get(shared)
            if tag is not None:
                changes.append((tag, extent, 0.0))
        tables = {shared[:TABLE_BYTES] for shared in changed}
        changes += [(tag, EVERY_EXTENT, 0.0) for tag in self.known.scans(tables)]
        if changes:
            self.local.invalidate_tags(changes)

    def expect(self, changed: Iterable[bytes], lasts: float) -> None:
        """A write that is not over may change these tags for so long."""
        until = self.clock() + lasts
        for table in {shared[:TABLE_BYTES] for shared in changed}:
            self._busy[table] = max(self._busy.get(table, until), until)

    def remember(self, changed: Iterable[bytes], lasts: float) -> None:
        """Remember that these tags changed lately, or are about to."""
        seconds = lasts + 2 * self.settings.settle_window
        self.again.heard(changed)
        for shared in changed:
            self.recent.add(shared, seconds)

    def forget_all(self) -> None:
        """Keep nothing: anything may have changed just now."""
        self.generations.forget_all()
        self.local.invalidate_all(everywhere=False)

    def renew(self) -> None:
        """Keep nothing: messages may have been missed. What they told of, Redis knows."""
        self.generations.forget_all()
        self.local.drop_all()

    def may_scan(self, table: SharedTable, lasts: float) -> bool:
        """Whether what a scan reads may be kept in this process's memory: it has heard everything for as long as a
        record lasts, and of no write that may be under way."""
        busy_until = max([self._busy.get(each, -math.inf) for each in (table.digest, NAMESPACE)])
        return self._has_heard(table, lasts) and busy_until <= self.clock()

    def may_keep_alone(self, table: SharedTable, tags: Sequence[bytes], lasts: float) -> bool:
        """The same of an answer that depends on these tags, where this process does not ask for their states."""
        return self._has_heard(table, lasts) and not self.recent.has(*tags)

    def _has_heard(self, table: SharedTable, lasts: float) -> bool:
        """Whether this process has heard everything of a table for so long."""
        if not self.settings.local or not self.hears(table):
            self._heard_since.pop(table.digest, None)
            return False
        now, epoch = self.clock(), self.hearing.epoch
        since = self._heard_since.get(table.digest)
        if since is None or since[0] != epoch:
            since = self._heard_since[table.digest] = epoch, now
        return now - since[1] >= lasts
