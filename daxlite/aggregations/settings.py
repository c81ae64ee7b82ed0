"""The settings of an aggregation cache, apart from its server and its namespace."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, SupportsIndex, TypedDict

from msgspec import UNSET

from ..core.checks import MOST_BYTES, is_number, is_whole, kind_of, shown
from ..shared.encryption import check_keys
from ..shared.envelope import Envelope
from .options import AggregationOptions

MIB: Final = 1024 * 1024
MAX_BACKGROUND: Final = 10_000


class OptionNames(TypedDict, total=False):
    """The fields of AggregationOptions except `ttl`, as keyword arguments."""

    stale_while_revalidate: float
    stale_if_error: float
    early_refresh: float
    jitter: float
    lock_ttl: float
    max_wait: float
    capture: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AggregationConfig:
    """Settings of an aggregation cache.

    >>> AggregationConfig(on_error="raise").near_bytes
    67108864
    """

    ttl: float = 300.0
    """How long results are fresh, in seconds, unless a function has a TTL of its own."""
    near_bytes: int = 64 * MIB
    """The capacity of the near cache, which keeps results in this process. 0: every call asks Redis."""
    max_value_bytes: int = 16 * MIB
    """The size of the largest result that is stored, before compression."""
    compress_above: int | None = 1024
    """Results of more bytes are compressed. None: no result is."""
    encryption_keys: Sequence[bytes] = field(default=(), repr=False)
    """Keys of 32 bytes. The first key encrypts, every key decrypts, so that keys can be rotated. Needs the `encryption`
    extra. A config with keys cannot be pickled."""
    timeout: float = 0.5
    """Seconds to wait for Redis, if the server is given as a URL. A given client has timeouts of its own."""
    on_error: Literal["compute", "raise"] = "compute"
    """What a call does when Redis fails: compute the result, as without a cache, or raise the error of redis-py."""
    max_background: int = 8
    """How many results this cache computes in the background at a time, before and after the end of their TTLs; two
    threads each. Others are served as they are until there is room."""
    capture_threads: bool = True
    """Whether what is read in threads that a computation starts becomes a dependency of its result. For that,
    `threading.Thread.start`, `_thread.start_new_thread`, the methods of ThreadPoolExecutor and of multiprocessing's
    ThreadPool that take functions, `Future.add_done_callback`, and what creates tasks of asyncio are wrapped, once and
    for the whole process, when the first cache with this setting is made. False: this cache has nothing wrapped, and
    unless another one has, what such threads read, and tasks with a context of their own, must be given with
    `depends_on`. Other tasks, `asyncio.to_thread` and greenlets are captured in any case."""

    def __post_init__(self) -> None:
        for name, least in (("near_bytes", 0), ("max_value_bytes", 1)):
            value = getattr(self, name)
            if not is_whole(value, least):
                raise ValueError(
                    f"{name} is {shown(value)}; it must be a whole number of bytes, at least {least}, at most "
                    f"{MOST_BYTES}"
                )
        if not is_whole(self.max_background, 1, MAX_BACKGROUND):
            raise ValueError(
                f"max_background is {shown(self.max_background)}; it must be a whole number, at least 1, at most "
                f"{MAX_BACKGROUND}"
            )
        if self.on_error not in ("compute", "raise"):
            raise ValueError(f'on_error is {shown(self.on_error)}; it must be "compute" or "raise"')
        if not isinstance(self.capture_threads, bool):
            raise TypeError(f"capture_threads is {shown(self.capture_threads)}; it must be True or False")
        if not is_number(self.timeout) or not 0 < self.timeout <= 60:
            raise ValueError(f"timeout is {shown(self.timeout)}; it must be a number of seconds above 0, up to 60")
        check_keys("encryption_keys", self.encryption_keys)
        AggregationOptions(ttl=self.ttl)  # raises for a wrong TTL
        Envelope(self.compress_above)

    # Settings do not change, so a copy is the same object, and needs no pickling.

    def __copy__(self) -> "AggregationConfig":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "AggregationConfig":
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        if self.encryption_keys:
            raise TypeError(
                "this AggregationConfig has encryption_keys, which must not be written to where pickles go; make one "
                "in each process, with keys from where secrets are kept"
            )
        return object.__reduce_ex__(self, protocol)  # `super()` does not know a class with slots of dataclass's


def config_of(config: AggregationConfig | None, on_error: Any = UNSET) -> AggregationConfig:
    """The settings that a caller gave, or one of them alone. Raises TypeError for what are none."""
    if config is None:
        return AggregationConfig() if on_error is UNSET else AggregationConfig(on_error=on_error)
    if on_error is not UNSET:
        raise TypeError("give either on_error or a config, which has its own")
    if not isinstance(config, AggregationConfig):
        raise TypeError(f"config is {kind_of(config)}; it must be a daxlite.aggregations.AggregationConfig")
    return config
