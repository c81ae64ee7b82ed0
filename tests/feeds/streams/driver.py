"""Runs a reader against the simulated service, by a virtual clock, and keeps its place as a follower does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daxlite.feeds.streams.events import Ended, Event, Gap, Records, Trouble
from daxlite.feeds.streams.progress import DONE
from daxlite.feeds.streams.reader import Ask, Start, StreamReader
from tests.feeds.streams.judge import Judge
from tests.feeds.streams.service import ARN, ServiceError, StreamService
from tests.feeds.streams.stored import StoredShard

EPOCH = 1_800_000_000.0
LATENCY = 0.002
"""Seconds that a request takes."""


class Clock:
    """Seconds, which pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return EPOCH + self.now


class Driver:
    """One follower of a stream, and those that take its place when it dies."""

    def __init__(
        self,
        service: StreamService,
        clock: Clock,
        *,
        start: Start = "latest",
        poll: float = 1.0,
        save_every: int = 1,
        chance: float = 0.5,
    ) -> None:
        """save_every: how many steps lie between two checkpoints; 0: there are none but those of `save()`."""
        self.service, self.clock = service, clock
        self._start, self._poll, self._save_every, self._chance = start, poll, save_every, chance
        self.judge = Judge(service, clock.wall)
        self.events: list[Event] = []
        self.asks: list[tuple[float, Ask]] = []
        """Since the last start."""
        self.saved: tuple[dict[str, str], float | None] | None = None
        self.failing = 0
        """So many applications of records fail from here on."""
        self.dies_applying = False
        """Whether the follower dies in the next one."""
        self.not_found = 0
        self.has_ended = False
        self._steps = 0
        self.reader: StreamReader
        self.restart()

    def restart(self) -> None:
        """Begin at the checkpoint, as the next follower does after this one has died."""
        positions, saved_at = self.saved if self.saved is not None else (None, None)
        self.reader = StreamReader(
            ARN,
            clock=self.clock.monotonic,
            wall_clock=self.clock.wall,
            random=lambda: self._chance,
            start=self._start,
            positions=positions,
            saved_at=saved_at,
            poll=self._poll,
        )
        self.asks = []
        self._has_begun = self.saved is not None
        self.dies_applying = False

    def save(self) -> None:
        """Keep the place."""
        if self.reader.has_begun and not self.has_ended:
            reached, wall = self.reader.reached(), self.clock.wall()
            self.saved = self.reader.positions(), wall if reached is None else min(reached, wall)

    def step(self) -> float:
        """Send the request that is due. Returns the seconds to wait if there is none."""
        due = self.reader.due()
        if isinstance(due, float):
            return due
        self.asks.append((self.clock.now, due))
        try:
            response = self.service.send(due.operation, due.params)
        except ServiceError as error:
            self.clock.now += LATENCY
            events = self.reader.failed(due, error.code)
        else:
            self.clock.now += LATENCY
            events = self.reader.replied(due, response)
        for event in events:
            if not self._take(event):
                return 0.0
        if not self._has_begun and self.reader.has_begun:
            self._has_begun = True
            self.judge.begins(self._start)
        self._steps += 1
        if self._save_every and self._steps % self._save_every == 0:
            self.save()
        return 0.0

    def _take(self, event: Event) -> bool:
        """Returns whether the follower goes on."""
        self.events.append(event)
        match event:
            case Records(shard, records):
                if self.dies_applying:
                    self.restart()
                    return False
                if self.failing:
                    self.failing -= 1
                    self.reader.rewind(event)
                    return True
                self.judge.applied(shard, records)
                self.reader.applied(event)
            case Gap(_, since):
                self.judge.lost(since, self.reader.positions())
            case Ended(is_gone):
                self.has_ended = True
                self.judge.ended(self.reader.positions(), is_gone=is_gone)
            case Trouble():
                pass
        return True

    def steps(self, count: int) -> None:
        """Send so many requests, however long that takes."""
        for _ in range(count):
            while (pause := self.step()) > 0 and not self.has_ended:
                self.clock.now += pause

    def run(self, seconds: float, until: Callable[[], Any] = lambda: False) -> bool:
        """Go on for so long. Returns whether `until` came true before."""
        end = self.clock.now + seconds
        while self.clock.now < end and not self.has_ended:
            pause = self.step()
            if until():
                return True
            self.clock.now = min(self.clock.now + pause, end) if pause > 0 else self.clock.now
        return bool(until())

    def caught_up(self, seconds: float = 600.0) -> None:
        """Go on until everything is read. Raises AssertionError if that takes longer."""
        judge = self.judge
        assert self.run(seconds, lambda: judge.has_begun and not judge.is_behind()) or self.has_ended, judge.owed()

    def knows(self, shard: StoredShard) -> bool:
        """Whether this follower, and the one after it, can tell that a shard was there."""
        return self.saved is not None and shard.id in self.saved[0] and shard.id in self.reader.positions()

    def reads_open_shards(self) -> bool:
        """Whether the reader has come to the shards that are open, and is done with all others."""
        positions = self.reader.positions()
        unfinished = {id for id, position in positions.items() if position != DONE}
        return self.reader.has_begun and unfinished == {shard.id for shard in self.service.open_shards()}

    # What was told

    @property
    def gaps(self) -> list[Gap]:
        return [event for event in self.events if isinstance(event, Gap)]

    def asked(self, operation: str) -> list[tuple[float, Ask]]:
        return [(at, ask) for at, ask in self.asks if ask.operation == operation]

    def told(self, shard: str) -> int:
        """How many records of a shard were told."""
        told = [event for event in self.events if isinstance(event, Records) and event.shard == shard]
        return sum([len(event.records) for event in told])
