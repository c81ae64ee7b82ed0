"""A client with a cache, another program without one, and a follower in the process of the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import daxlite
from daxlite import CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.core.echoes import Epoch
from daxlite.core.tables import Place
from daxlite.drivers.threads import ThreadDriver
from daxlite.feeds.applying import Applier
from daxlite.feeds.described import FollowedTable
from daxlite.feeds.stats import FeedCounts
from daxlite.shared.following import Announcement, announce
from tests.simulated_client import INDEX, KEY, SHAPE, TABLE, SimulatedClient

SCHEMA = TableSchema(KeySchema.of("pk", "sk"), {INDEX: KeySchema.of("owner")})
CONFIG = CacheConfig(jitter=0, tables={TABLE: TableConfig(schema=SCHEMA)})
ANN: dict[str, Any] = {"owner": {"S": "ann"}}
BOB: dict[str, Any] = {"owner": {"S": "bob"}}


class World(SimulatedClient):
    """All of that; the stream of its table is a list of records."""

    def start(self, view: str = "NEW_AND_OLD_IMAGES", *, shared: daxlite.Shared | None = None) -> None:
        """Begin anew. shared: the tier of the cache, which goes by the real clock then."""
        self.simulator.__dict__.pop("_store", None)
        self.reset([{**KEY, "n": {"N": "0"}, **ANN}], SHAPE)
        self.use_cache(CONFIG)
        if shared is not None:
            self.cache = daxlite.Cache(CONFIG, shared=shared)
            self.client = daxlite.wrap(self.raw, self.cache)
        self.simulator.replicas.choose = lambda call, ticks: ticks[-1]
        context = self.client._self_dispatcher.context
        table = FollowedTable(context, TABLE)
        table.has_old, table.has_new = "OLD" in view, "NEW" in view
        self.place: Place = table.table.place
        self.counts = FeedCounts(TABLE)
        self.applier = Applier(table, self.counts, self.simulator.clock.now, lambda _: table.flush())
        self.table = table
        self.view = view
        self.records: list[dict[str, Any]] = []
        self.epoch(1)
        self._note_records()

    def epoch(self, number: int) -> None:
        followed = Epoch(b"%016d" % number, self.table.has_old)
        self.applier.epoch = followed
        tier = self.cache._tier
        if tier is None:
            self.cache._memory.echoes.follow(self.table.table.id, followed)
        else:
            table = tier.table(self.table.table.id, SCHEMA)
            assert table is not None
            tier.server.threads.run([announce(tier.keyspace, table.feed, Announcement(followed, b"f" * 16))])

    def _note_records(self) -> None:
        simulator = self.simulator
        store: Callable[..., None] = type(simulator)._store

        def noted(table: Any, key: Any, item: Any, change: Any) -> None:
            old = table.at(simulator.history.now).item(key)
            store(simulator, table, key, item, change)
            told = {"Keys": {name: key[name] for name in ("pk", "sk")}}
            if old is not None and "OLD" in self.view:
                told["OldImage"] = dict(old)
            if item is not None and "NEW" in self.view:
                told["NewImage"] = dict(item)
            event = "INSERT" if old is None else "REMOVE" if item is None else "MODIFY"
            self.records.append({"eventName": event, "dynamodb": told})

        simulator._store = noted  # type: ignore[method-assign]

    def read(self) -> None:
        """The follower takes all records that there are."""
        records, self.records = self.records, []
        ThreadDriver().drive(self.applier.apply_raw(records))

    def lose(self) -> None:
        self.records = []
        self.epoch(2)
        ThreadDriver().drive(self.table.flush())

    def others_put(self, n: int, **more: Any) -> None:
        self.raw.put_item(TableName=TABLE, Item={**KEY, "n": {"N": str(n)}, **more})

    def put_n(self, n: int, **more: Any) -> None:
        self.client.put_item(TableName=TABLE, Item={**KEY, "n": {"N": str(n)}, **more})

    def update(self, n: int) -> None:
        values = {":n": {"N": str(n)}}
        self.client.update_item(
            TableName=TABLE, Key=KEY, UpdateExpression="SET n = :n", ExpressionAttributeValues=values
        )

    @property
    def n(self) -> str:
        """What the cache answers."""
        found: str = self.get()["Item"]["n"]["N"]
        return found

    @property
    def sent(self) -> int:
        return len(self.simulator.history.calls)
