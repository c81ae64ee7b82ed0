"""Changes from outside at the shared tier, as steps: excused records are left out, the others bump.

    look       the states and the values of the items      one MGET
    excused    which records the items' states excuse      the script excuse, for items that have excuses
    take       the others bump what they may have changed, and end the excuses of their items, in one go

A writer that ends between look and take does no harm: either its token is displaced, or it finds another one on top,
and then it leaves no excuse.

A record that shows an item as it is stored spares that value, which then stands under a new token, and nothing else:
projections may have been read before, and pages of the item's partition do not show it as it is now.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from ..core.changes import Image, shows
from ..core.echoes import Epoch
from ..core.extents import EVERYTHING as EVERY_EXTENT
from ..core.extents import Extent
from ..core.hidden import Hidden
from ..core.steps import Command, Get, Run, Steps, Told
from ..core.tags import Tag
from .errors import CorruptValue, Unavailable, Unstorable
from .feed_scripts import excuse, spare
from .following import announced
from .reads import Name
from .scripts import bump, new_token
from .states import has_excuses
from .tags import shared_tag
from .tier import SharedTable, Tier
from .values import Value, decode_value, encode_value
from .writes import OPTIONAL, owner_of_table


class Seen(Hidden, Struct, frozen=True):
    """What stands at the tier of an item."""

    tag: bytes
    """Its shared tag."""
    name: Name
    """Where its value stands."""
    has_excuses: bool
    value: bytes | None
    """As it is stored; None if there is none, or none that may be served."""


class Spared(Hidden, Struct, frozen=True):
    """A stored item that a change has left as it is."""

    seen: Seen
    value: Value


def look(tier: Tier, table: SharedTable, items: Iterable[Tag]) -> Steps[tuple[dict[Tag, Seen], Epoch | None]]:
    """What stands at the tier of these items, and the epoch in which writers leave excuses. Raises Unavailable."""
    shared = {tag: tier.shared(table, tag) for tag in items}
    names = {tag: Name(*tier.value_key(table, of_all, "item", b"")) for tag, of_all in shared.items()}
    keys = [key for tag, of_all in shared.items() for key in (tier.keyspace.state(of_all), names[tag].key)]
    asked = Get(tier.server, (*keys, tier.keyspace.follower(table.feed)))
    *found, announcement = yield from tier.ask(asked)
    seen = {
        tag: Seen(of_all, names[tag], has_excuses(state), value)
        for (tag, of_all), state, value in zip(shared.items(), found[::2], found[1::2], strict=True)
    }
    standing = announced(announcement)
    return seen, None if standing is None else standing.epoch


def excused(tier: Tier, records: Sequence[tuple[bytes, bytes]], *, is_strict: bool) -> Steps[list[bool]]:
    """Whether each of these records is excused: the shared tag of its item, and its digests, joined; the records of an
    item in order. is_strict: see `core.echoes.without`. Raises Unavailable, CorruptValue."""
    # In a cluster those of one slot together.
    order = sorted(range(len(records)), key=lambda place: records[place][0]) if tier.server.is_cluster else None
    asked = records if order is None else [records[place] for place in order]
    commands = excuse(tier.keyspace, asked, is_strict=is_strict, is_cluster=tier.server.is_cluster)
    replies = yield from tier.ask(Run(tier.server, tuple(commands), is_urgent=True))
    try:
        found = [bool(int(each)) for reply in replies for each in reply]
    except (TypeError, ValueError):
        raise CorruptValue("a reply of a script that is none") from None
    if len(found) != len(records):
        raise CorruptValue("a reply of a script that is none")
    return found if order is None else [is_excused for _, is_excused in sorted(zip(order, found, strict=True))]


def find_spared(
    tier: Tier, table: SharedTable, seen: Mapping[Tag, Seen], items: Mapping[Tag, Image]
) -> Steps[list[Spared]]:
    """The stored items that are as the records show them. items: as they are after the last of their records. Raises
    Unavailable, CorruptValue."""
    stored = [(seen[tag], image) for tag, image in items.items() if tag in seen and seen[tag].value is not None]
    if not stored or not tier.settings.reads or tier.outbox or tier.again.is_owed:
        return []
    owner = yield from owner_of_table(tier, table)
    spared: list[Spared] = []
    for each, image in stored if owner is not None else ():
        with suppress(CorruptValue):
            value = decode_value(each.value or b"", owner or b"", tier.envelope, each.name.bound_to)
            if shows(value.data, image):
                spared.append(Spared(each, value))
    return spared


def take(
    tier: Tier,
    table: SharedTable | None,
    tags: Mapping[Tag, Extent],
    spared: Sequence[Spared],
    apply: Callable[[], object],
) -> Steps[Told | None]:
    """Bump what changed, at the tier and then in this process. Returns what the others know then; None where Redis
    failed, which is told later.

    apply: makes this process's own answers true again.
    """

    def hash_of(place: object) -> str | None:
        return None if table is None else table.schema.key.hash[0]

    changed: dict[bytes, Extent] = {}
    by_kind: dict[str, set[bytes]] = {}
    for tag, extent in tags.items():
        for shared in shared_tag(tag, hash_of):
            changed[shared] = extent
            by_kind.setdefault(tag.kind, set()).add(shared)
    items, optional = frozenset(by_kind.get("item", ())), frozenset(by_kind.get(OPTIONAL, ()))
    alone = {each.seen.tag for each in spared}
    id = tier.new_operation()
    try:
        rest = {tag: extent for tag, extent in changed.items() if tag not in alone}
        commands: list[Command] = []
        if rest:
            is_cluster = tier.server.is_cluster
            commands += bump(tier.keyspace, rest, is_cluster=is_cluster, optional=optional, items=items, id=id)
        commands += [_spare(tier, each, id) for each in spared]
        yield from tier.ask(Run(tier.server, tuple(commands), is_urgent=True))
    except Unavailable as error:
        if error.is_of_writes:
            with suppress(Unavailable):
                yield from tier.distrust.tell(changed)
        tier.outbox.add(changed)
        return None
    finally:
        # Last: what is read from Redis meanwhile, and was still true there, must not be kept here.
        tier.take(changed, 0.0)
        apply()
    return tier.told(changed)


def _spare(tier: Tier, spared: Spared, id: bytes) -> Command:
    seen, value, token = spared.seen, spared.value, new_token()
    renewed = Value(value.data, token, value.owner, value.extent, value.noted_at, value.until, value.is_on_probation)
    with suppress(Unstorable):
        data = encode_value(renewed, tier.envelope, seen.name.bound_to)
        return spare(tier.keyspace, seen.tag, seen.name.key, value.token, token, data, value.until, id)
    everything, of_item = {seen.tag: EVERY_EXTENT}, frozenset({seen.tag})
    (command,) = bump(tier.keyspace, everything, is_cluster=False, items=of_item, id=id)
    return command
