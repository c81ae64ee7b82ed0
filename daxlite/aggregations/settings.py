"""The settings of a whole aggregation cache, beside its server and its namespace."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict

from ..shared.envelope import Envelope
from .options import AggregationOptions

MIB: Final = 1024 * 1024


class OptionNames(TypedDict, total=False):
    """The fields of AggregationOptions, for those who pass them on."""

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
    """How long results are fresh, in seconds, where a function does not say otherwise."""
    near_bytes: int = 64 * MIB
    """The most that results kept in this process may take. 0: each call asks Redis."""
    max_value_bytes: int = 16 * MIB
    """The largest result worth storing, before it is compressed."""
    compress_above: int | None = 1024
    """Results of more bytes are compressed. None: never."""
    encryption_keys: Sequence[bytes] = ()
    """Keys of 32 bytes. The first one encrypts, each one decrypts, so that keys can be changed. Needs the `encryption`
    extra."""
    timeout: float = 0.5
    """Seconds to wait for Redis, where a URL is given. A client of the application's has its own timeouts."""
    on_error: Literal["compute", "raise"] = "compute"
    """What a call does when Redis fails: compute, as if there were no cache, or raise redis-py's error."""

    def __post_init__(self) -> None:
        for name, least in (("near_bytes", 0), ("max_value_bytes", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} is {value!r}; it must be a whole number of bytes, at least {least}")
        if self.on_error not in ("compute", "raise"):
            raise ValueError(f'on_error is {self.on_error!r}; it must be "compute" or "raise"')
        if not _is_number(self.timeout) or not 0 < self.timeout <= 60:
            raise ValueError(f"timeout is {self.timeout!r}; it must be a number of seconds above 0, up to 60")
        if isinstance(self.encryption_keys, bytes | str) or not isinstance(self.encryption_keys, Sequence):
            raise TypeError("encryption_keys must be a list of keys of 32 bytes")
        AggregationOptions(ttl=self.ttl)  # which says what is allowed
        Envelope(self.compress_above)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
