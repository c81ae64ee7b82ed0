"""How a cache joins the tier that processes share."""

import weakref
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from ..cache.indexes import hash_of
from ..cache.memory import MemoryCache
from ..cache.table import Table
from ..config import CacheConfig
from ..core.checks import shown
from ..core.extents import Extent
from ..core.steps import Steps, Told
from ..core.tags import Tag
from ..drivers.threads import ThreadDriver
from ..shared.leases import Lease
from .shared import Shared, settings_of


def join(memory: MemoryCache, shared: Shared, clock: Callable[[], float], wall_clock: Callable[[], float]) -> Any:
    """Let a cache have part in the tier. Returns its `shared.assembly.Membership`, to which nothing refers but the
    cache, by `tell`: so the tier is there for as long as a wrapped client uses the cache, and goes with it. Raises
    TypeError or ValueError for what is not allowed."""
    if not isinstance(shared, Shared):
        raise TypeError(f"shared is {shown(shared)}; it must be a daxlite.Shared")
    config = memory.config
    if config.query_invalidation == "ttl":
        raise ValueError('query_invalidation is "ttl"; with shared it must be "exact"')
    # Imported here because it imports redis, which a program without a tier need not have.
    from ..shared.assembly import Membership
    from ..shared.names import NAME_OVERHEAD

    # Nothing that the cache refers to refers to it, so that it goes with the last reference.
    local = weakref.proxy(memory)
    membership = Membership(shared, settings_of(shared, config), local, clock, wall_clock, ThreadDriver().drive)
    tier, hearing, state = membership.tier, membership.hearing, memory._state

    def serve(lease: Lease) -> None:
        state.heard_until, state.heard_wall_until = lease.until, lease.wall_until

    # The hearing refers to the state, which is not to refer back by way of the tier.
    known = weakref.ref(tier)

    def may_keep(table: Table) -> bool:
        if not table.settings.shared:
            return True
        tier = known()
        return tier is not None and tier.may_keep_of(table.place)

    def configured(config: CacheConfig) -> None:
        tier = known()
        if tier is not None:
            # Never a shorter one: what stands there already may live as long as it was to.
            longest = max(tier.settings.longest_ttl, settings_of(shared, config).longest_ttl)
            tier.settings = replace(tier.settings, longest_ttl=longest)

    def tell(tags: Mapping[Tag, Extent] | None) -> Steps[Told | None]:
        return membership.tier.tell(tags, hash_of)

    hearing.on_serves = serve
    serve(hearing.serves)
    state.may_keep = may_keep
    state.configured = configured
    state.name_overhead = NAME_OVERHEAD
    memory.tell = tell
    return membership
