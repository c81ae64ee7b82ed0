"""Feeds over a cluster, where items, their partitions and those of global indexes lie in slots of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from daxlite import Shared
from tests.aggregations.servers.waiting import wait_until
from tests.feeds.world import ANN, BOB, World
from tests.simulated_client import TABLE
from tests.valkey import Cluster

NAMES = [f"p{number}" for number in range(12)]
"""Partition keys, which lie on all nodes."""


@pytest.fixture(scope="module")
def made() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def world(made: World, valkey_cluster: Cluster, namespace: str) -> Iterator[World]:
    made.start(shared=Shared(valkey_cluster.client(), namespace, account="123456789012", budget=5.0, local=False))
    # While the process begins to hear it believes nothing that stands there.
    wait_until("all nodes are heard", lambda: made.cache.stats().shared.is_hearing)  # type: ignore[union-attr]
    yield made
    made.cache.close()


def _key(name: str) -> dict[str, Any]:
    return {"pk": {"S": name}, "sk": {"N": "1"}}


def _read(world: World) -> list[str]:
    found = [world.client.get_item(TableName=TABLE, Key=_key(name))["Item"]["n"]["N"] for name in NAMES]
    assert world.cache.stats().faults == 0
    return found


def test_p6_records_of_many_slots_are_taken_at_once(world: World) -> None:
    for name in NAMES:
        world.client.put_item(TableName=TABLE, Item={**_key(name), "n": {"N": "1"}, **ANN})
    assert world.by_owner("ann")["Count"] == len(NAMES) + 1
    for name in NAMES[::2]:
        world.raw.put_item(TableName=TABLE, Item={**_key(name), "n": {"N": "2"}, **BOB})
    world.read()
    assert (world.counts.echoes, world.counts.applied) == (len(NAMES), len(NAMES) // 2)
    sent = world.sent
    assert _read(world) == ["2", "1"] * (len(NAMES) // 2)
    assert world.sent == sent + len(NAMES) // 2, "an item was dropped that was not written, or one was not dropped"
    assert world.by_owner("bob")["Count"] == len(NAMES) // 2


def test_an_item_that_is_stored_as_its_record_shows_it_stays(world: World) -> None:
    for name in NAMES:
        world.raw.put_item(TableName=TABLE, Item={**_key(name), "n": {"N": "3"}, **ANN})
    for _ in range(2):
        for name in NAMES:  # strongly, so that the tier may keep them at once
            world.client.put_item(TableName=TABLE, Item={**_key(name), "n": {"N": "3"}, **ANN})
    world.epoch(2)  # none of the excuses is believed
    sent = world.sent
    world.read()
    assert world.counts.echoes == 0
    assert _read(world) == ["3"] * len(NAMES)
    assert world.sent == sent
