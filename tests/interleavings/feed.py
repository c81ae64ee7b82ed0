"""The stream of the simulated table, and a follower in one of the processes.

Each change of an item is a record, whoever made it; a write that changes nothing has none, as with DynamoDB. The
follower takes records in order, but may begin again with earlier ones, in another process, or lose some: then it drops
everything of the table, and believes the excuses of another epoch.
"""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any, Final

from daxlite.core.echoes import Epoch
from daxlite.feeds.applying import Applier
from daxlite.feeds.described import FollowedTable
from daxlite.feeds.stats import FeedCounts
from daxlite.shared.errors import Unavailable
from daxlite.shared.following import Announcement, announce
from tests.interleavings.processes import Driver, Killed, Process, Processes
from tests.simulated_client import TABLE

VIEWS: Final = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY")


class Feed:
    """The stream, and its follower."""

    def __init__(self, world: Processes, view: str, *, is_ordered: bool = True) -> None:
        self.world = world
        self.view = view
        self.is_ordered = is_ordered
        """Whether records come in the order in which they were written."""
        self.records: list[dict[str, Any]] = []
        self.taken = 0
        """So many of them have been applied."""
        self.epochs = 0
        self.counts = FeedCounts(TABLE)
        self._note_records()
        self.move(world.processes[0])

    def _note_records(self) -> None:
        simulator = self.world.simulator
        store = type(simulator)._store

        def noted(table: Any, key: Any, item: Any, change: Any) -> None:
            old = table.at(simulator.history.now).item(key)
            store(simulator, table, key, item, change)
            self.records.append(self._record(key, old, item))

        simulator._store = noted  # type: ignore[method-assign]

    def _record(self, key: Any, old: Any, new: Any) -> dict[str, Any]:
        told: dict[str, Any] = {"Keys": {name: key[name] for name in ("pk", "sk")}}
        if old is not None and self.view in ("NEW_AND_OLD_IMAGES", "OLD_IMAGE"):
            told["OldImage"] = dict(old)
        if new is not None and self.view in ("NEW_AND_OLD_IMAGES", "NEW_IMAGE"):
            told["NewImage"] = dict(new)
        return {"eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY", "dynamodb": told}

    def move(self, process: Process) -> None:
        """Follow in this process from here on."""
        self.process = process
        context = process.client._self_dispatcher.context
        self.table = FollowedTable(context, TABLE)
        self.table.has_old = self.view in ("NEW_AND_OLD_IMAGES", "OLD_IMAGE")
        self.table.has_new = self.view in ("NEW_AND_OLD_IMAGES", "NEW_IMAGE")
        self.applier = Applier(self.table, self.counts, self.world.simulator.clock.now, lambda _: self.table.flush())
        self._believe()

    def _believe(self) -> None:
        if self.is_ordered and self.table.has_new:
            self.applier.epoch = Epoch(b"%016d" % self.epochs, self.table.has_old)

    def _drive(self, steps: Any) -> None:
        Driver(lambda operation, params: {}, self.world).drive(steps)

    def announce(self) -> None:
        """Tell the writers."""
        if self.applier.epoch is None:
            return
        tier = self.process.tier
        (table,) = tier._tables.values()
        command = announce(tier.keyspace, table.feed, Announcement(self.applier.epoch, b"f" * 16), 3600.0)
        with suppress(Unavailable):
            self.process.way.run([command])

    def read(self, count: int = 1) -> None:
        """Take the next records."""
        first, last = self.taken, min(self.taken + count, len(self.records))
        if first < last and not self.process.is_dead:
            self._drive(self.applier.apply_raw(self.records[first:last]))
            self.taken = last

    def read_one_of(self, random: Random) -> None:
        """Take a record that may not be the next one, and perhaps once more."""
        if self.taken < len(self.records) and not self.process.is_dead:
            place = random.randrange(self.taken, min(self.taken + 3, len(self.records)))
            self._drive(self.applier.apply_raw([self.records[place]]))
            if random.random() < 0.7:
                self.records[place], self.records[self.taken] = self.records[self.taken], self.records[place]
                self.taken += 1

    def lose(self, count: int) -> None:
        """The next records are lost."""
        self.taken = min(self.taken + count, len(self.records))
        self.epochs += 1
        self._believe()
        self._drive(self.table.flush())

    def act(self, random: Random) -> None:
        """Do something of what a follower does."""
        if self.process.is_dead:
            self.taken = max(0, self.taken - random.randint(0, 3))
            self.move(random.choice(self.world.living))
        chance = random.random()
        if not self.is_ordered and chance < 0.85:
            self.read_one_of(random)
        elif chance < 0.7:
            self.read(random.choice((1, 1, 2, 4)))
        elif chance < 0.8:
            self.announce()
        elif chance < 0.9:
            self.taken = max(0, self.taken - random.randint(1, 3))  # it was killed before it kept its place
            self.move(random.choice(self.world.living))
        elif chance < 0.94 and self.taken < len(self.records):
            self.lose(random.randint(1, 2))

    def end(self) -> None:
        """All that was written has been heard of."""
        if self.process.is_dead:
            self.move(self.world.living[0])
        with suppress(Killed):
            self.read(len(self.records))
