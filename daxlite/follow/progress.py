"""How far the feeds of a command are: what its output and its health file show."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from ..feeds.stats import FeedStats
from ..feeds.streams.reading import BLANKS

BEHIND: Final = 60.0
"""Seconds, and one poll: a feed that is further behind is not healthy."""


class TableProgress(Struct, frozen=True):
    """One table, at one moment."""

    table: str
    shards: int
    records: int
    per_second: float
    """Records a second, since the moment before."""
    lag: float | None
    """Seconds between the last record's creation and its effect; None before the first record."""
    behind: float | None
    """Seconds: what happened before that has taken effect. None where that is not known."""
    applied: int
    """Changes that dropped what depended on them."""
    echoes: int
    """Records of the namespace's own writes, which dropped nothing."""
    unchanged: int
    expiries: int
    """Deletions of items whose time was over."""
    gaps: int
    throttled: int
    failures: int


class Rates:
    """Makes progress of counts."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[float, int]] = {}

    def progress(self, stats: Mapping[str, FeedStats], now: float, wall: float) -> list[TableProgress]:
        """now: by a clock that never goes back. wall: seconds since the epoch.

        >>> counts = FeedStats("Orders", records=6, at=90.0)
        >>> rates = Rates()
        >>> [before] = rates.progress({"Orders": FeedStats("Orders")}, 1.0, 98.0)
        >>> [after] = rates.progress({"Orders": counts}, 3.0, 100.0)
        >>> before.behind, after.per_second, after.behind
        (None, 3.0, 10.0)
        """
        found, seconds = [], behind(stats, wall)
        for table, each in stats.items():
            moment, records = self._before.get(table, (now, each.records))
            self._before[table] = now, each.records
            found.append(
                TableProgress(
                    table,
                    each.shards,
                    each.records,
                    round((each.records - records) / (now - moment), 1) if now > moment else 0.0,
                    None if each.lag is None else round(each.lag, 1),
                    seconds[table],
                    each.applied,
                    each.echoes,
                    each.unchanged,
                    each.expiries,
                    each.gaps,
                    each.throttled,
                    each.failures,
                )
            )
        return found


def behind(stats: Mapping[str, FeedStats], wall: float) -> dict[str, float | None]:
    """By table, the seconds before `wall` until which all that happened has taken effect; None if that is not known.

    >>> behind({"Orders": FeedStats("Orders", at=90.0), "Prices": FeedStats("Prices")}, 100.0)
    {'Orders': 10.0, 'Prices': None}
    """
    return {table: round(max(0.0, wall - each.at), 1) if each.at else None for table, each in stats.items()}


def troubles(seconds: Mapping[str, float | None], *, poll: float, pending: float) -> list[str]:
    """Why feeds are not healthy, in words. seconds: by table, how far each is behind. pending: the seconds for which
    Redis has not taken what it is told.

    >>> troubles({"Orders": 67.5, "Prices": 66.5}, poll=1.0, pending=0.0)
    ['Orders is 68 seconds behind']
    """
    # A reader is known to be at the end of a shard once some replies in a row brought nothing.
    limit = BEHIND + (BLANKS + 2) * poll
    found = [f"{table} is {each:,.0f} seconds behind" for table, each in seconds.items() if (each or 0.0) > limit]
    if pending > BEHIND:
        found.append(f"Redis has not taken for {pending:,.0f} seconds what it is told")
    return found
