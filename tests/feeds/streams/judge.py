"""What a reader owes: each record at least once, in order, after its parents' records; or a gap that says otherwise.

A gap costs the caches everything that they hold of the table, so it excuses what was written before it was told, if it
was written after the moment that the gap names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Any

from daxlite.feeds.streams.reader import Ask
from tests.feeds.streams.service import RETENTION, StreamService
from tests.feeds.streams.stored import StoredShard

MOST_READS = 5
"""GetRecords a second, of a shard."""
MOST_DESCRIPTIONS = 10
"""DescribeStream a second."""
ABOUT_TO_GO = 2 * 3600.0
"""Who begins with the oldest records may miss those that are trimmed so many seconds later."""
_EPSILON = 1e-6


class Judge:
    """Judges while the reader reads: the first record that comes too early fails the test."""

    def __init__(self, service: StreamService, wall_clock: Callable[[], float]) -> None:
        self._service, self._wall_clock = service, wall_clock
        self._next: dict[str, int] = {}
        """By shard: the first record that is owed still."""
        self._is_complete: set[str] = set()
        """Shards of which nothing more can be owed."""
        self._gaps: list[tuple[float, float, set[str]]] = []
        """Since when, when it was told, and the first shards that the reader could not know of by then."""
        self.has_begun = False
        self.is_lost = False
        """Whether the stream was gone, so that nobody can say what was in it."""

    def begins(self, start: str) -> None:
        """What was written before is not owed, or what is not there any more."""
        self.has_begun = True
        self._is_complete.clear()
        for id, shard in self._service.history.items():
            first = len(shard.records)
            if start == "trim_horizon" and id in self._service.shards:
                horizon = self._wall_clock() - RETENTION + ABOUT_TO_GO
                first = len([moment for moment in shard.moments if moment < horizon])
            self._next[id] = max(self._next.get(id, 0), first)

    def lost(self, since: float | None, known: Collection[str]) -> None:
        now = self._wall_clock()
        assert since is None or since <= now
        shards = self._service.history.values()
        unknown = {shard.id for shard in shards if not shard.parents and shard.id not in known}
        self._gaps.append((-math.inf if since is None else since, now, unknown))

    def ended(self, known: Collection[str], *, is_gone: bool) -> None:
        """known: the shards that the reader knew of. One that no listing ever showed it cannot read; who follows drops
        everything of the table when a stream ends."""
        self.is_lost = self.is_lost or is_gone
        owed = {id: each for id, each in self.owed().items() if id in known or self._service.history[id].parents}
        assert is_gone or not owed, f"ended, and did not read {owed}"

    def applied(self, id: str, records: Sequence[Any]) -> None:
        if not self.has_begun:
            return
        shard = self._service.history[id]
        for parent in shard.parents:
            self._check_complete(self._service.history[parent], id)
        for record in records:
            number, due = int(record["eventID"]), self._next.get(id, 0)
            if number < due:
                continue  # once more
            skipped = [each for each in range(due, number) if not self._is_excused(shard, each)]
            assert not skipped, f"{id} goes on at {number}, and skips {skipped}"
            self._next[id] = number + 1

    def _check_complete(self, shard: StoredShard, child: str) -> None:
        if shard.id in self._is_complete:
            return
        owed = self._owed_of(shard)
        assert not owed, f"{child} is read before {owed} of its parent {shard.id}"
        for parent in shard.parents:
            self._check_complete(self._service.history[parent], child)
        self._is_complete.add(shard.id)

    def owed(self) -> dict[str, list[int]]:
        """The records that neither came nor lie in a gap."""
        found = {id: self._owed_of(shard) for id, shard in self._service.history.items()}
        return {id: owed for id, owed in found.items() if owed}

    def is_behind(self) -> bool:
        return any(self._owed_of(shard) for shard in self._service.history.values())

    def _owed_of(self, shard: StoredShard) -> list[int]:
        numbers = range(self._next.get(shard.id, 0), len(shard.moments))
        return [each for each in numbers if not self._is_excused(shard, each)]

    def _is_excused(self, shard: StoredShard, number: int) -> bool:
        moment = shard.moments[number]
        return any(moment <= told and (since <= moment or shard.id in unknown) for since, told, unknown in self._gaps)


def check_rates(asks: Sequence[tuple[float, Ask]]) -> None:
    """Whether a reader kept to what DynamoDB allows."""
    moments: dict[str, list[float]] = {}
    for at, ask in asks:
        if ask.operation != "GetShardIterator":
            moments.setdefault(ask.shard or ask.operation, []).append(at)
    for what, found in moments.items():
        most = MOST_DESCRIPTIONS if what == "DescribeStream" else MOST_READS
        for first, last in zip(found, found[most:], strict=False):
            assert last - first >= 1.0 - _EPSILON, f"{most + 1} requests of {what} from {first} to {last}"
        assert all(before <= after for before, after in pairwise(found))
