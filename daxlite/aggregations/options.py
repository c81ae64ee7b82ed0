"""How the results of a function are cached. A wrong setting raises where it is written."""

import math
from dataclasses import dataclass
from typing import Any, Final

from ..core.checks import is_number, shown

MAX_TTL: Final = 30 * 86400.0
"""Seconds. Every key in Redis has a TTL."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AggregationOptions:
    """How the results of a function are cached. Times are in seconds.

    >>> AggregationOptions(ttl=60, stale_while_revalidate=600).ttl
    60
    >>> AggregationOptions(ttl=0)
    Traceback (most recent call last):
    ...
    ValueError: ttl is 0; it must be a number of seconds above 0, up to 2592000 (30 days)
    """

    ttl: float = 300.0
    """How long a result is fresh, unless one of its dependencies changes."""
    stale_while_revalidate: float = 0.0
    """How long after its TTL a result is still served, while one caller computes the next one in the background. A
    result whose dependencies changed is not."""
    stale_if_error: float = 0.0
    """How long after its TTL a result is served if the computation of the next one raises. So is a result whose
    dependencies changed: an old result instead of none."""
    early_refresh: float = 1.0
    """How early the next result is computed in the background, before the TTL ends, so that no caller waits and not all
    processes compute at once: the `beta` of XFetch ("Optimal Probabilistic Cache Stampede Prevention", VLDB 2015). The
    longer a computation takes, the earlier it starts. 0: off."""
    jitter: float = 0.1
    """Each TTL is shortened by a random fraction of up to this."""
    lock_ttl: float = 10.0
    """The process that computes a result holds a lock, and renews it. If the process dies, the others wait so long."""
    max_wait: float = 60.0
    """A caller that has waited this long for the computation of another computes the result itself."""
    capture: bool = True
    """Whether reads through wrapped clients during a computation become dependencies. False: only given ones count."""

    def __post_init__(self) -> None:
        _check("ttl", self.ttl, least=0.0, most=MAX_TTL, open_below=True)
        for name in ("stale_while_revalidate", "stale_if_error"):
            _check(name, getattr(self, name), least=0.0, most=MAX_TTL)
        if not is_number(self.early_refresh) or not 0 <= self.early_refresh < math.inf:
            raise ValueError(f"early_refresh is {shown(self.early_refresh)}; it must be a number from 0 (off)")
        if not is_number(self.jitter) or not 0 <= self.jitter < 1:
            raise ValueError(f"jitter is {shown(self.jitter)}; it must be a fraction from 0 to below 1")
        _check("lock_ttl", self.lock_ttl, least=0.1, most=3600.0)
        _check("max_wait", self.max_wait, least=0.0, most=86400.0)
        if not isinstance(self.capture, bool):
            raise TypeError(f"capture is {shown(self.capture)}; it must be True or False")

    @property
    def grace(self) -> float:
        """How long a result stays in Redis after its TTL, in seconds."""
        return max(self.stale_while_revalidate, self.stale_if_error)


def _check(name: str, value: Any, *, least: float, most: float, open_below: bool = False) -> None:
    if is_number(value) and least <= value <= most and not (open_below and value == least):
        return
    days = f" ({most / 86400:.0f} days)" if most >= 86400 else ""
    above = f"above {least:g}" if open_below else f"from {least:g}"
    raise ValueError(f"{name} is {shown(value)}; it must be a number of seconds {above}, up to {most:.0f}{days}")
