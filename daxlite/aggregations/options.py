"""How results of one kind are kept. A wrong setting fails where it is written."""

import math
from dataclasses import dataclass
from typing import Any, Final

MAX_TTL: Final = 30 * 86400.0
"""Every key in Redis ends some time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AggregationOptions:
    """How the results of a function are kept. Times are in seconds.

    >>> AggregationOptions(ttl=60, stale_while_revalidate=600).ttl
    60
    >>> AggregationOptions(ttl=0)
    Traceback (most recent call last):
    ...
    ValueError: ttl is 0; it must be a number of seconds above 0, up to 2592000 (30 days)
    """

    ttl: float = 300.0
    """How long a result is fresh, unless something that it depends on changes."""
    stale_while_revalidate: float = 0.0
    """For so long after its TTL a result that nothing changed is still served, while one caller computes the next one
    in the background."""
    stale_if_error: float = 0.0
    """For so long after its TTL a result is served where its computation fails. Also one that something changed: rather
    an old result than none."""
    early_refresh: float = 1.0
    """How early a result is computed anew in the background before its TTL ends, so that nobody waits and not all
    computers do it at once: the `beta` of XFetch ("Optimal Probabilistic Cache Stampede Prevention", VLDB 2015). What
    takes longer to compute is begun earlier. 0: off."""
    jitter: float = 0.1
    """Each TTL is shortened by a random part of up to this fraction."""
    lock_ttl: float = 10.0
    """Whoever computes renews his lock while he lives; if he dies, the others wait no longer than this."""
    max_wait: float = 60.0
    """A caller that has waited so long for another's computation computes for himself."""
    capture: bool = True
    """Whether what is read through wrapped clients while computing becomes a dependency. False: only what is given."""

    def __post_init__(self) -> None:
        _check("ttl", self.ttl, least=0.0, most=MAX_TTL, open_below=True)
        for name in ("stale_while_revalidate", "stale_if_error"):
            _check(name, getattr(self, name), least=0.0, most=MAX_TTL)
        if not _is_number(self.early_refresh) or not 0 <= self.early_refresh < math.inf:
            raise ValueError(f"early_refresh is {self.early_refresh!r}; it must be a number from 0 (off)")
        if not _is_number(self.jitter) or not 0 <= self.jitter < 1:
            raise ValueError(f"jitter is {self.jitter!r}; it must be a fraction from 0 to below 1")
        _check("lock_ttl", self.lock_ttl, least=0.1, most=3600.0)
        _check("max_wait", self.max_wait, least=0.0, most=86400.0)
        if not isinstance(self.capture, bool):
            raise TypeError(f"capture is {self.capture!r}; it must be True or False")

    @property
    def grace(self) -> float:
        """How long a result stays in Redis after its TTL."""
        return max(self.stale_while_revalidate, self.stale_if_error)


def _check(name: str, value: Any, *, least: float, most: float, open_below: bool = False) -> None:
    if _is_number(value) and least <= value <= most and not (open_below and value == least):
        return
    days = f" ({most / 86400:.0f} days)" if most >= 86400 else ""
    above = f"above {least:g}" if open_below else f"from {least:g}"
    raise ValueError(f"{name} is {value!r}; it must be a number of seconds {above}, up to {most:.0f}{days}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
