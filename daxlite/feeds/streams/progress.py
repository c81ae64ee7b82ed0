"""How far a stream has been read: the shards that are being read, those that wait, and those that are done.

    begin()     where to begin, by the first listing: the end, the oldest records, or the place of a checkpoint
    add()       a later listing: shards that are new
    missing()   shards that are not there any more
    finish()    a shard has been read to its end: its children are next

A gap excuses what happened before it was told, in all shards: whoever hears of it drops everything. So each moment up
to which a shard has been read moves on to that of the gap.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, Literal, TypeAlias

from .events import RETENTION, Gap
from .reading import HORIZON, Reading
from .shards import Shard, ShardGraph

Start: TypeAlias = Literal["latest", "trim_horizon"]

DONE: Final = "done"
"""The position of a shard that was read to its end. Sequence numbers are digits."""
ABSENCES: Final = 3
"""A shard is gone if so many listings in a row do not list it, or so many requests in a row do not find it."""
SAFE: Final = RETENTION - 60.0
"""Seconds after which a record may have been trimmed. The clocks of the service and of the reader differ."""
GRACE: Final = 3600.0
"""Records that will be trimmed within so many seconds are no part of a beginning with the oldest ones."""

TRIMMED: Final = "trimmed data"
MISSING: Final = "a missing shard"
AWAY: Final = "the follower was away for longer than a stream keeps its records"
"""Why changes were lost, for messages."""


class Progress:
    """How far one stream has been read."""

    def __init__(
        self,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        saved: Mapping[str, str] | None,
        saved_at: float | None,
    ) -> None:
        """saved: the positions of a checkpoint, and when it was made."""
        self._clock, self._wall_clock = clock, wall_clock
        self.has_checkpoint = saved is not None
        """Whether there is a place to begin at, which has no shards where all were told to be lost."""
        self._saved = dict(saved or {})
        self._floor = -math.inf if saved_at is None else saved_at
        """Seconds since the epoch: what happened until then was read or lost in every shard."""
        self.graph = ShardGraph()
        self.readings: dict[str, Reading] = {}
        self.has_begun = False
        """Whether there was a first listing."""
        self._reached: dict[str, float] = {}
        """The same moment, of shards that are done."""
        self._absences: dict[str, int] = {}
        self._dispensable: set[str] = set()
        """Shards that are awaited, and whose loss is no gap: they were closed before the beginning, and what they held
        was trimmed, or has been told to be lost."""

    # What there is to know

    def positions(self) -> dict[str, str]:
        """Where a restart is to begin, by shard."""
        if not self.has_begun:
            return dict(self._saved)
        found = dict.fromkeys(self.graph.done, DONE)
        for id in self.graph.unfinished():
            if id in self.readings:
                found[id] = self.readings[id].position
            elif id not in self._dispensable and not self._is_vague(id):
                found[id] = self._place(id)
        return found

    def _is_vague(self, id: str) -> bool:
        """Whether a shard waits for one that was never listed: a restart is to find both anew, and how they hang
        together."""
        if id in self.graph.awaited:
            return id not in self._saved and id not in self._dispensable
        parents = self.graph.shards[id].parents
        return any(self._is_vague(each) for each in parents if each in self.graph.shards)

    def reached(self) -> float | None:
        """Seconds since the epoch: what happened until then has been read, or was lost. None before the beginning."""
        found = [each.reached for each in self.readings.values()]
        found += [self._reached_before(id) for id in self.graph.readable() if id not in self.readings]
        found += [self._reached_of(id) for id in self.graph.childless()]
        reached = min(found, default=self._floor)
        return None if reached == -math.inf else reached

    def _reached_of(self, id: str) -> float:
        if id in self.readings:
            return self.readings[id].reached
        return self._reached[id] if id in self._reached else self._reached_before(id)

    def _reached_before(self, id: str) -> float:
        """The moment of a shard that nothing is known of but its parents: it begins where the last of them ends."""
        parents = self.graph.shards[id].parents
        return max([self._reached[each] for each in parents if each in self._reached], default=self._floor)

    def _is_begun(self, id: str) -> bool:
        return id in self.graph.done or id in self.readings or self._place(id) != HORIZON

    def _place(self, id: str) -> str:
        """Where a shard is to be begun."""
        return self._saved.get(id, HORIZON)

    # Gaps

    def lose(self, reason: str, since: float) -> Gap:
        """Something is lost that happened after `since`. This is the gap of all shards, so it begins where the one
        is that has come least far."""
        wall, reached = self._wall_clock(), self.reached()
        since = since if reached is None else min(since, reached)
        self._floor = max(self._floor, wall)
        self._reached = {id: max(reached, wall) for id, reached in self._reached.items()}
        for reading in self.readings.values():
            reading.reached = max(reading.reached, wall)
        return Gap(reason, since)

    def look_for_age(self, reached: float, reason: str = AWAY) -> list[Gap]:
        """A gap, if what happened after a moment may have been trimmed by now."""
        return [self.lose(reason, reached)] if self._wall_clock() - reached > SAFE else []

    # Listings

    def begin(self, listed: Collection[Shard], start: Start, created_at: float | None) -> list[Gap]:
        """Choose where to begin, by the first listing."""
        self.has_begun = True
        wall = self._wall_clock()
        gaps: list[Gap] = []
        if not self.has_checkpoint and start == "latest":
            self._floor = wall
            self.graph.add(listed)
            for shard in listed:
                if self.graph.children(shard.id):
                    self._finish(shard.id, wall)
                else:
                    self.readings[shard.id] = Reading(shard.id, HORIZON, self._clock(), wall, is_latest=True)
            return gaps
        if self._floor == -math.inf:
            self._floor = max(wall - SAFE + GRACE, created_at or 0.0)
        for id in self._saved:
            self.graph.wait_for(id)
        self._reached = {id: self._floor for id, position in self._saved.items() if position == DONE}
        self.graph.done.update(self._reached)
        if self.has_checkpoint:
            gaps = self.look_for_age(self._floor)
        is_young = created_at is not None and wall - created_at < SAFE  # nothing was trimmed so far
        self.add(listed, has_all=self.has_checkpoint or is_young)
        if gaps:  # which excuse what was closed by then
            self._dispensable |= {id for id in self.graph.awaited if self.graph.children(id)}
        return gaps

    def add(self, listed: Collection[Shard], *, has_all: bool = True) -> None:
        """Take over a later listing. has_all: whether all shards are known that were there before, so that an unknown
        parent is merely not listed yet."""
        new = [id for id in self.graph.add(listed) if id not in self._saved]
        for id in reversed(new):  # the children first
            if any(self._is_begun(child) for child in self.graph.children(id)):
                # It was not listed when it should have been, or was given up: what it holds was lost with it.
                self._finish(id, self._reached_before(id))
        for id in new:
            for parent in self.graph.shards[id].parents if id not in self.graph.done else ():
                if parent not in self.graph.shards:
                    self.graph.wait_for(parent)
                    if not has_all:
                        self._dispensable.add(parent)
        self._dispensable &= self.graph.awaited

    def missing(self, listed: Iterable[Shard]) -> tuple[list[Gap], bool]:
        """What a listing of all shards says of those that it leaves out: gaps, and whether one of them is in doubt."""
        gaps: list[Gap] = []
        is_in_doubt = False
        ids = {shard.id for shard in listed}
        for id in [*self.graph.shards]:
            reading = self.readings.get(id)
            if id in ids:
                self._absences.pop(id, None)
                if reading is not None and reading.absences >= ABSENCES:  # listed, and not there
                    reading.absences = 0
                    gaps.append(self.lose(MISSING, reading.reached))
            elif reading is None or reading.absences:  # else it tells itself that it is gone
                self._absences[id] = self._absences.get(id, 0) + 1
                if self._absences[id] < ABSENCES:
                    is_in_doubt = is_in_doubt or id not in self.graph.done
                elif id in self.graph.done:
                    self._forget(id)
                else:
                    gaps += self._give_up(id)
        for id in self.graph.childless():  # somewhere it must have gone on
            gaps += self.look_for_age(self._reached_of(id), MISSING)
        return gaps, is_in_doubt

    def _give_up(self, id: str) -> list[Gap]:
        """A shard is gone. If it comes back it is a new one."""
        gaps = [] if id in self._dispensable else [self.lose(MISSING, self._reached_of(id))]
        self.readings.pop(id, None)
        self._forget(id)
        return gaps

    def _forget(self, id: str) -> None:
        self.graph.forget(id)
        self._absences.pop(id, None)
        self._reached.pop(id, None)
        self._dispensable.discard(id)

    # Shards

    def finish(self, id: str) -> None:
        """A shard has been read to its end: its children are next."""
        self._finish(id, self._reached_of(id))
        self.readings.pop(id, None)
        self.take_up()

    def _finish(self, id: str, reached: float) -> None:
        self.graph.finish(id)
        self._reached[id] = reached

    def take_up(self) -> None:
        """Begin with the shards that can be read now."""
        for id in self.graph.readable():
            is_awaited = id in self.graph.awaited and self._place(id) == HORIZON  # its parents may come first
            if id not in self.readings and not is_awaited:
                self.readings[id] = Reading(id, self._place(id), self._clock(), self._reached_before(id))
