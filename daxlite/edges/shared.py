"""`Shared`: the Redis or Valkey in which processes share what they cache."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final, SupportsIndex

from ..config import CacheConfig, TableConfig, settings_for
from ..core.checks import check_function, is_name, is_number, shown
from ..core.patterns import matched_by_both
from ..core.shared_stats import SharedStats
from ..core.tables import is_table_name
from ..shared.tier import Settings, WriteThrough

_ACCOUNT: Final = re.compile("[0-9]{12}")


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """A tier that all processes of one namespace share, beside the memory of each. All times are in seconds.

    It needs `pip install "daxlite[redis]"`. Raises TypeError or ValueError for what is not allowed.

    >>> import fakeredis
    >>> Shared(fakeredis.FakeRedis(), namespace="shop", local=False).local
    False
    """

    server: Any = field(repr=False)  # a URL may hold a password
    """A URL such as "redis://localhost:6379/0", a redis.Redis, a redis.RedisCluster or a redis.asyncio.Redis. Of a
    client its settings are taken, not its connections: threads and each event loop have connections of their own."""
    namespace: str = "daxlite"
    """What all keys begin with. Processes of one namespace share what they cache."""
    _: KW_ONLY
    local: bool = True
    """False: this process keeps nothing in its own memory, and asks the server for each read."""
    reads: bool = True
    """False: this process tells the others of its writes, and neither reads nor stores anything there: the first step
    of a deployment."""
    write_through: WriteThrough = "always"
    """Which written items are kept: all of them, as DAX does it, those that were cached before, or none."""
    account: str | None = None
    """The AWS account of all tables whose account cannot be told otherwise: 12 digits."""
    budget: float = 0.05
    """How long one step with the server may take. A read that gets no answer goes to DynamoDB, a write goes on."""
    require_for_writes: bool = False
    """True: a write of which the server cannot be told raises `SharedUnavailable` before DynamoDB is asked."""
    outage_ttl: float = 0.0
    """For how long what this process keeps is served although it cannot hear what others change."""
    max_wait: float = 1.0
    """How long a reader waits for the answer of a reader of another process before it asks DynamoDB itself."""
    proxy: bool | None = None
    """True: a proxy stands before the server, or several servers behind one address. None: find out."""
    encryption_keys: Sequence[bytes] = field(default=(), repr=False)
    """Keys of 32 bytes. The first key encrypts, every key decrypts. Needs the `encryption` extra."""
    compress_above: int | None = None
    """Answers of more bytes are compressed. None: none is."""
    report: Callable[[SharedStats], object] | None = None
    """Is called with the counts of this process, for a fleet's metrics, by a call that uses the tier, at most once in
    `report_every` seconds."""
    report_every: float = 10.0

    def __post_init__(self) -> None:
        for name in ("local", "reads", "require_for_writes"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} is {shown(getattr(self, name))}; it must be True or False")
        if self.proxy is not None and not isinstance(self.proxy, bool):
            raise TypeError(f"proxy is {shown(self.proxy)}; it must be True, False or None")
        if self.write_through not in ("always", "cached", "never"):
            raise ValueError(f'write_through is {shown(self.write_through)}; it must be "always", "cached" or "never"')
        for name, least in (("budget", 0.001), ("outage_ttl", 0.0), ("max_wait", 0.0)):
            value = getattr(self, name)
            if not is_number(value) or not least <= value <= 3600:
                raise ValueError(f"{name} is {shown(value)}; it must be a number of seconds from {least} to 3600")
        if self.account is not None and not (is_name(self.account) and _ACCOUNT.fullmatch(self.account)):
            raise ValueError(f"account is {shown(self.account)}; it must be the 12 digits of an AWS account, as a str")
        if not is_number(self.report_every) or not 0 < self.report_every <= 86400:
            raise ValueError(f"report_every is {shown(self.report_every)}; it must be a number of seconds up to 86400")
        if self.report is not None:
            check_function("report", self.report, "that takes a daxlite.SharedStats, or None")
        from ..shared.clients import client_of
        from ..shared.encryption import check_keys
        from ..shared.envelope import Envelope
        from ..shared.keyspace import Keyspace

        client_of(self.server, self.budget, takes_async=True)
        Keyspace(self.namespace)
        check_keys("encryption_keys", self.encryption_keys)
        Envelope(self.compress_above)

    # Settings do not change, so a copy is the same object, and needs no pickling.

    def __copy__(self) -> "Shared":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Shared":
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        if self.encryption_keys:
            raise TypeError(
                "this Shared has encryption_keys, which must not be written to where pickles go; make one in each "
                "process, with keys from where secrets are kept"
            )
        if not isinstance(self.server, str):
            raise TypeError(
                "this Shared has a client, whose connections are those of this process; give it a URL, or make one in "
                "each process"
            )
        return object.__reduce_ex__(self, protocol)  # `super()` does not know a class with slots of dataclass's


def check_parts(before: CacheConfig, after: CacheConfig, names: Iterable[str]) -> None:
    """Raise ValueError for a table that other settings would let into the tier, or out of it. Processes do not change
    at one moment, and those that share it would not hear of the writes of those that do not.

    names: of the tables that are in use.
    """
    # Tables that are not in use yet, by the patterns that held for them and by those that would.
    examples = [
        matched_by_both(one, other)
        for one, was_shared in _patterns(before).items()
        for other, is_shared in _patterns(after).items()
        if was_shared is not is_shared
    ]
    for name in {**before.tables, **after.tables, **dict.fromkeys(names), **dict.fromkeys(filter(None, examples))}:
        shared = before.for_table(name).shared
        if shared is not after.for_table(name).shared:
            raise ValueError(
                f"shared of {shown(name)} must stay {shared} for as long as the cache has a tier; "
                "enabled=False is allowed at any time"
            )


def _patterns(config: CacheConfig) -> dict[str, bool]:
    """Whether the tables of each pattern have part in a tier."""
    given = {name: table.shared for name, table in config.tables.items() if not is_table_name(name)}
    return {"*": TableConfig().shared, **given}


def settings_of(shared: Shared, config: CacheConfig) -> Settings:
    """What the tier is told to do, by the settings of the tier and of the cache."""
    tables = [settings_for(config, table) for table in (TableConfig(), *config.tables.values())]
    return Settings(
        reads=shared.reads,
        local=shared.local,
        account=shared.account,
        write_through=shared.write_through,
        max_wait=shared.max_wait,
        require_for_writes=shared.require_for_writes,
        settle_window=config.settle_window,
        index_settle_factor=config.index_settle_factor,
        longest_ttl=max(max(each.item_ttl, each.negative_ttl, each.query_ttl) for each in tables),
    )
