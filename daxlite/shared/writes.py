"""Writes at the shared tier, as steps: begin before DynamoDB is asked, finish after its reply.

begin    the states of what may change get a new top and an open record; the others are told
finish   applied: the records are closed, and the new item is kept if no other write overlapped
         refused: what was displaced is put back
         unknown: the records stay until they expire, because the request may still be applied
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ..core.echoes import Epoch
from ..core.extents import EVERYTHING as EVERY_EXTENT
from ..core.extents import Extent, hulls
from ..core.hidden import Hidden
from ..core.schema import TableSchema
from ..core.steps import Command, Run, Steps, Told
from ..core.tables import Place, TableId
from ..core.tags import Tag
from .errors import CorruptValue, SharedUnavailable, Unavailable, Unstorable
from .following import questions
from .keyspace import Keyspace
from .reads import Name
from .scripts import Begin, begin, begins, bump, finish, new_token, replied
from .tags import HashOf, shared_tags
from .tier import FOREVER, SharedTable, Tier
from .upkeep import Errand
from .values import Value, encode_value

OPTIONAL: Final = "scan"
"""Tags of this kind have a state only where a result depends on one."""


REFUSED: Final = (
    "the server of the shared tier could not be told of the write, so it was not sent to DynamoDB "
    "(Shared(require_for_writes=True))"
)
RENEWED_AT_ONCE: Final = 100
"""So many writes are renewed in one round trip."""


class NewValue(Hidden, Struct, frozen=True):
    """What a write has left of an item."""

    data: bytes
    """Encoded; empty if there is no such item."""
    seconds: float
    """How long it may be kept."""


class _Part(Hidden, Struct, eq=False):
    """The states of one slot."""

    begin: Begin
    replies: Sequence[bytes] | None = None
    """What begin found; None if Redis could not be told."""


class SharedWrite(Hidden, Struct, eq=False, weakref=True):
    """One write of one item, or one change of anything of a table."""

    tier: Tier
    table: SharedTable | None
    """None where its keys or its account are not known: its change is announced all the same."""
    hash_of: HashOf
    early: dict[Tag, Extent]
    """What it may change, but for partitions of global indexes."""
    tags: dict[bytes, Extent]
    """The same by shared names."""
    optional: frozenset[bytes]
    lasts: float
    """Seconds for which its records last."""
    item: bytes = b""
    """The shared tag of the item, if it is one."""
    item_tag: Tag | None = None
    name: Name | None = None
    """Where the new value of the item goes."""
    id: bytes = b""
    parts: list[_Part] = []
    owner: bytes | None = None
    """What its value will belong to, as it was known when the write began."""
    began_at: float = 0.0
    """By Redis's clock."""
    was_told: bool = False
    """Whether Redis has answered to all of begin."""
    changed: Mapping[Tag, Extent] = {}
    """What it turned out to have changed."""
    value: NewValue | None = None
    """What it has left of the item, where that is known."""
    epoch: Epoch | None = None
    """That of the follower of the table's stream, as it was when the write began."""
    excuse: bytes = b""
    """That of the record in which a stream will tell of it; empty for none."""
    is_kept: bool = False
    """Whether Redis has kept that; where this process keeps nothing there, whether it would have."""
    is_answered: bool = False
    """Whether DynamoDB's answer is known."""
    is_over: bool = False
    """Whether Redis knows what became of it, or will be told by the outbox."""
    is_left: bool = False
    """Whether its record was left open."""


def shared_write(
    tier: Tier, id: TableId | None, schema: TableSchema | None, tags: Mapping[Tag, Extent] | None, lasts: float
) -> SharedWrite:
    """A write about to be sent. tags: what it may change; None for anything at all. lasts: seconds for which its
    records last."""
    if tags is None:
        return SharedWrite(tier, None, _unknown_hash, {}, shared_tags(None, _unknown_hash), frozenset(), lasts)
    table = None if id is None else tier.table(id, schema)
    hash_name = None if schema is None else schema.key.hash[0]
    global_indexes = {} if schema is None else schema.global_indexes
    early = {
        tag: extent for tag, extent in tags.items() if tag.index_name not in global_indexes and tag.kind != "index"
    }
    write = SharedWrite(tier, table, lambda place: hash_name, early, {}, frozenset(), lasts)
    write.tags, write.optional = shared_changes(early, write.hash_of)
    items = [tag for tag in early if tag.kind == "item"]
    if table is not None and len(items) == 1:
        write.item, write.item_tag = tier.shared(table, items[0]), items[0]
        tier.known.note(write.item, items[0])  # this process may keep what it writes
        write.name = Name(*tier.value_key(table, write.item, "item", b""))
    return write


def _unknown_hash(place: Place) -> str | None:
    return None


def begin_writes(tier: Tier, writes: Sequence[SharedWrite]) -> Steps[None]:
    """Begin writes, in one round trip, even where the circuit breaker is open. Where Redis fails they go on all the
    same; but raises SharedUnavailable if the settings want that."""
    commands: list[Command] = []
    for write in writes:
        write.id = tier.new_operation()
        tier.remember(write.tags, write.lasts)
        for tag in write.tags:
            tier.generations.forget(tag)
        write.parts = [
            _Part(each)
            for each in begins(write.id, write.tags, write.optional, is_cluster=tier.server.is_cluster, item=write.item)
        ]
        commands += _begins(write)
        tier.upkeep.start(write.id, write, write.lasts)
    tier.outbox.attend()
    asked = tier.time.asked()
    unasked = tier.epochs.due({write.table.feed for write in writes if write.table is not None})
    commands += questions(tier.keyspace, unasked)
    try:
        try:
            replies = yield from tier.ask(Run(tier.server, tuple(commands), is_urgent=True))
            parts = [(write, part) for write in writes for part in write.parts]
            tier.epochs.learn(unasked, replies[len(parts) :])
            for (write, part), reply in zip(parts, replies[: len(parts)], strict=True):
                write.began_at, part.replies = replied(reply, len(part.begin.tags))
                tier.time.saw(write.began_at, asked)
            yield from _learn_owners(tier, writes)
        except (Unavailable, CorruptValue) as error:
            if isinstance(error, Unavailable) and error.is_of_writes:
                with suppress(Unavailable):
                    yield from tier.distrust.tell(hulls([write.tags for write in writes]))
        for write in writes:
            write.was_told = all(part.replies is not None for part in write.parts)
            # As it is now: of an epoch that begins while the write is under way, its record may not be heard of.
            write.epoch = None if write.table is None else tier.epochs.of(write.table.feed)
            tier.counts.writes += 1
            tier.counts.untold_writes += not write.was_told
        if tier.settings.require_for_writes and not all(write.was_told for write in writes):
            raise SharedUnavailable(REFUSED)
    except BaseException:  # DynamoDB is not asked
        _refuse_later(tier, writes)
        raise


def _begins(write: SharedWrite) -> list[Command]:
    """What opens the records of a write, or moves their deadlines."""
    return _opening(
        write.tier.keyspace, [part.begin for part in write.parts], write.tier.settings.state_life, write.lasts
    )


def _opening(keyspace: Keyspace, begins: Sequence[Begin], state_life: float, lasts: float) -> list[Command]:
    return [begin(keyspace, each, lasts, max(state_life, 2 * lasts)) for each in begins]


def _again(each: Begin) -> Begin:
    """To open a record once more, or to move its deadline. Where the record had ended, readers may have kept values
    under the token of the first time, which must not be on top again."""
    return replace(each, tokens=tuple([new_token() for _ in each.tokens]))


def _learn_owners(tier: Tier, writes: Sequence[SharedWrite]) -> Steps[None]:
    """Learn what the values of these writes will belong to."""
    if not tier.settings.reads:
        return
    owners: dict[bytes, bytes | None] = {}
    """By the digest of a table and what identifies its values."""
    for write in writes:
        table = write.table
        if table is None or write.name is None:
            continue
        place = table.digest + table.identity
        if place not in owners:
            owners[place] = yield from owner_of_table(tier, table)
        write.owner = owners[place]


def owner_of_table(tier: Tier, table: SharedTable) -> Steps[bytes | None]:
    """What values of a table belong to now; None while that is changing."""
    tags = tier.generations_of(table, None)
    if tier.hears(table):
        yield from tier.learn_generations(tags)
        known = tier.generations.known(tags)
    else:
        states = yield from tier.note(tags)
        known = [each for state in states.values() if (each := tier.generations.of(state)) is not None]
    return tier.owner(table, known) if known is not None and len(known) == len(tags) else None


def finish_applied(tier: Tier, writes: Sequence[SharedWrite]) -> Steps[Told | None]:
    """Finish writes that DynamoDB has applied, or whose condition failed; see `changed` and `value`. Returns what the
    others know then; None if Redis failed."""
    for write in writes:
        write.is_answered = True
    named = _named(writes)
    rest, optional = _rest(writes, named)
    if not _may_tell(tier, writes):
        _finish_later(tier, writes, rest)
        return None
    commands: list[Command] = []
    keeping: list[SharedWrite | None] = []
    for write, (changed, _) in zip(writes, named, strict=True):
        for part in write.parts:
            is_of_item = next(iter(part.begin.tags)) == write.item
            value = _encoded(write) if is_of_item else None
            life = tier.settings.state_life
            if_cached = tier.settings.write_through == "cached"
            commands.append(
                finish(
                    tier.keyspace,
                    part.begin,
                    part.replies or (),
                    life,
                    value=value,
                    if_cached=if_cached,
                    changed=changed,
                    excuse=write.excuse if is_of_item else b"",
                )
            )
            # Without a value, whether no other write overlapped is all that a process learns that does not read there.
            keeping.append(write if value is not None or (is_of_item and not tier.settings.reads) else None)
    commands += _bumps(tier, rest, optional)
    try:
        replies = yield from tier.ask(Run(tier.server, tuple(commands), is_urgent=True))
        for write_, reply in zip(keeping, replies, strict=False):
            if write_ is not None:
                _note_kept(tier, write_, replied(reply, len(reply) - 2)[1][0])
    except (Unavailable, CorruptValue):
        _finish_later(tier, writes, rest)
        return None
    _end(writes)
    return tier.told(_all_of(writes, rest))


def _may_tell(tier: Tier, writes: Sequence[SharedWrite]) -> bool:
    """Whether Redis is to be told now what became of writes. If it did not answer when they began, that has cost its
    time already; and what is owed to it comes first."""
    return all(write.was_told for write in writes) and not tier.again.is_owed


def _end(writes: Sequence[SharedWrite]) -> None:
    for write in writes:
        write.is_over = True
        write.tier.upkeep.end(write.id)


def _finish_later(tier: Tier, writes: Sequence[SharedWrite], rest: Mapping[bytes, Extent]) -> None:
    """Have the outbox close the records of writes, and bump what they changed."""
    _note(tier, rest)
    for write in writes:
        # Whether begin was answered or not: no value is kept, so what it replied does not matter.
        begun = [(part.begin, _unknown_replies(part.begin)) for part in write.parts]
        errand = partial(_closing, tier.keyspace, begun, tier.settings.state_life, is_refused=False)
        tier.outbox.owe(write.id, errand, write.tags)
    tier.outbox.add(rest)
    _end(writes)


def _refuse_later(tier: Tier, writes: Sequence[SharedWrite]) -> None:
    """Have the outbox close the records of writes that changed nothing."""
    for write in writes:
        begun = [(part.begin, part.replies or _unknown_replies(part.begin)) for part in write.parts]
        errand = partial(_closing, tier.keyspace, begun, tier.settings.state_life, is_refused=True)
        tier.outbox.owe(write.id, errand, {})
    _end(writes)


def _unknown_replies(each: Begin) -> list[bytes]:
    """What stands for the replies to a begin of which they are not known."""
    return [b"-" if tag in each.optional else b"" for tag in each.tags]


def _closing(
    keyspace: Keyspace, begun: Sequence[tuple[Begin, Sequence[bytes]]], life: float, *, is_refused: bool
) -> list[Command]:
    return [finish(keyspace, each, replies, life, is_refused=is_refused) for each, replies in begun]


def _note_kept(tier: Tier, write: SharedWrite, reply: bytes) -> None:
    write.is_kept = reply == b"kept"
    if not tier.settings.reads:
        return
    if write.is_kept:
        tier.counts.fills += 1
    else:
        tier.counts.refused[_NOT_KEPT.get(reply, "unavailable")] += 1


_NOT_KEPT: Final = {b"changed": "overlapped", b"lost": "lost", b"unwanted": "unwanted", b"full": "full"}


def finish_refused(tier: Tier, writes: Sequence[SharedWrite]) -> Steps[None]:
    """Finish writes that DynamoDB has certainly refused: what was there before is valid again."""
    if not _may_tell(tier, writes):
        _refuse_later(tier, writes)
        return
    begun = [(part.begin, part.replies or ()) for write in writes for part in write.parts]
    commands = _closing(tier.keyspace, begun, tier.settings.state_life, is_refused=True)
    try:
        if commands:
            yield Run(tier.server, tuple(commands), is_urgent=True)
    except Unavailable:
        _refuse_later(tier, writes)
    _end(writes)


def leave_open(tier: Tier, writes: Sequence[SharedWrite]) -> Steps[Told | None]:
    """Writes of which the outcome is not known may still be applied. Their records stay, or stand again, until they
    expire. What else they may have changed is bumped now, and once more then. Returns what the others know then; None
    if Redis failed."""
    rest, optional = _rest(writes, _named(writes))
    reopening = [(write, _left_open(tier, write)) for write in writes]
    tier.upkeep.bump_later(rest, max((write.lasts for write in writes), default=0.0))
    if _may_tell(tier, writes):
        commands = [command for _, reopen in reopening for command in reopen()]
        try:
            yield Run(tier.server, (*commands, *_bumps(tier, rest, optional)), is_urgent=True)
        except Unavailable:
            pass
        else:
            _end(writes)
            return tier.told(_all_of(writes, rest))
    _note(tier, rest)
    for write, reopen in reopening:
        tier.outbox.owe(write.id, reopen, write.tags)
    tier.outbox.add(rest)
    _end(writes)
    return None


def _left_open(tier: Tier, write: SharedWrite) -> Errand:
    """Remember that a write is left open. Returns what opens its record once more."""
    tier.remember(write.tags, write.lasts)
    tier.expect(write.tags, write.lasts)
    until = tier.clock() + write.lasts
    begun = [part.begin for part in write.parts]
    reopen = partial(_reopening, tier.keyspace, begun, tier.settings.state_life, tier.clock, until)
    tier.upkeep.leave(write.id, reopen, write.tags, until)
    write.is_left = True
    return reopen


def _reopening(
    keyspace: Keyspace, begun: Sequence[Begin], life: float, clock: Callable[[], float], until: float
) -> list[Command]:
    """What opens records for as long as they are to last; once that is over, the new tokens alone matter."""
    lasts = until - clock()
    if lasts <= 0:
        return _closing(keyspace, [(each, _unknown_replies(each)) for each in begun], life, is_refused=False)
    return _opening(keyspace, [_again(each) for each in begun], life, lasts)


def abandon(writes: Sequence[SharedWrite]) -> None:
    """Writes whose call is interrupted: Ctrl-C, a time limit, the end of a generator. Without I/O, for there may be no
    driver any more."""
    for write in writes:
        if write.is_over:
            continue
        tier = write.tier
        rest, _ = _rest([write], _named([write]))
        if write.is_answered:
            _finish_later(tier, [write], rest)
            continue
        tier.upkeep.bump_later(rest, write.lasts)
        tier.outbox.owe(write.id, _left_open(tier, write), write.tags)
        tier.outbox.add(rest)
        _end([write])


def attend(tier: Tier) -> Steps[bool]:
    """What the outbox's thread does now and then: renew the records of calls under way, and note what is to be bumped
    once more. Returns whether there will be more of it. Raises Unavailable."""
    tier.outbox.add(tier.upkeep.ripe())
    due: list[SharedWrite] = tier.upkeep.due()
    for first in range(0, len(due), RENEWED_AT_ONCE):
        writes = [write for write in due[first : first + RENEWED_AT_ONCE] if not write.is_over]
        commands = [
            command
            for write in writes
            for command in _opening(
                tier.keyspace, [_again(part.begin) for part in write.parts], tier.settings.state_life, write.lasts
            )
        ]
        if not commands:
            continue
        yield Run(tier.server, tuple(commands), is_urgent=True)
        for write in writes:
            if write.is_over and not write.is_left:  # it ended meanwhile, and its record may stand again
                _finish_later(tier, [write], {})
            else:
                tier.upkeep.renewed(write.id, write.lasts)
    return tier.upkeep.is_needed


def _all_of(writes: Sequence[SharedWrite], rest: Mapping[bytes, Extent]) -> dict[bytes, Extent]:
    return hulls([*[write.tags for write in writes], rest])


def _bumps(tier: Tier, rest: Mapping[bytes, Extent], optional: frozenset[bytes]) -> list[Command]:
    """What bumps the partitions of global indexes, and whatever else was not begun."""
    if not rest:
        return []
    _note(tier, rest)
    id = tier.new_operation()
    return bump(tier.keyspace, rest, is_cluster=tier.server.is_cluster, optional=optional, id=id)


def _note(tier: Tier, rest: Mapping[bytes, Extent]) -> None:
    """Note, in this process, that this changed."""
    tier.remember(rest, 0.0)
    for tag in rest:
        tier.generations.forget(tag)


_Named: TypeAlias = tuple[dict[bytes, Extent], frozenset[bytes]]
"""Tags by their shared names, and those whose states may be missing."""


def _named(writes: Sequence[SharedWrite]) -> list[_Named]:
    """What each of these writes has changed."""
    return [shared_changes(write.changed, write.hash_of) for write in writes]


def _rest(writes: Sequence[SharedWrite], named: Sequence[_Named]) -> _Named:
    """What writes bumped beyond what they began. named: what they have changed."""
    begun = {tag for write in writes for tag in write.tags}
    rest = {tag: extent for tag, extent in hulls([tags for tags, _ in named]).items() if tag not in begun}
    return rest, frozenset().union(*[optional for _, optional in named])


def shared_changes(tags: Mapping[Tag, Extent], hash_of: HashOf) -> _Named:
    """Tags by their shared names, and those whose states may be missing."""
    optional = {tag: extent for tag, extent in tags.items() if tag.kind == OPTIONAL}
    return shared_tags(tags, hash_of), frozenset(shared_tags(optional, hash_of))


def _encoded(write: SharedWrite) -> tuple[str, bytes, float] | None:
    """The key, the bytes and the life of what is to be kept; None if that is nothing."""
    tier, name, value = write.tier, write.name, write.value
    if value is None or name is None or write.owner is None or value.seconds <= 0:
        return None
    if tier.settings.write_through == "never":
        return None
    seconds = min(value.seconds, FOREVER)
    token = next(part.begin.tokens[0] for part in write.parts if next(iter(part.begin.tags)) == write.item)
    stored = Value(value.data, token, write.owner, EVERY_EXTENT, write.began_at, write.began_at + seconds)
    with suppress(Unstorable):
        return name.key, encode_value(stored, tier.envelope, name.bound_to), seconds
    return None
