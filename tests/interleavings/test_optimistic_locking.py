"""P9: a loop of optimistic locking through the cache ends in as many turns as one without it."""

from __future__ import annotations

from typing import Any

import daxlite
from tests.interleavings.programs import KEYS, TABLE
from tests.interleavings.world import World


def turns(client: Any, other: Any) -> int:
    """Raise a number by one, while somebody else raises it three times, each time between our read and our write."""
    for turn in range(1, 20):
        item = client.get_item(TableName=TABLE, Key=KEYS[0])["Item"]
        if turn <= 3:
            raise_by_one(other, other.get_item(TableName=TABLE, Key=KEYS[0], ConsistentRead=True)["Item"])
        try:
            raise_by_one(client, item)
        except client.exceptions.ConditionalCheckFailedException:
            continue
        return turn
    raise AssertionError("it never ended")


def raise_by_one(client: Any, item: dict[str, Any]) -> None:
    client.update_item(
        TableName=TABLE,
        Key=KEYS[0],
        UpdateExpression="SET n = :new",
        ConditionExpression="n = :old",
        ExpressionAttributeValues={":old": item["n"], ":new": {"N": str(int(item["n"]["N"]) + 1)}},
    )


def test_p9_a_failed_condition_is_read_anew() -> None:
    world = World()
    counted = {}
    for name in ("plain", "wrapped"):
        world.reset([{**KEYS[0], "n": {"N": "0"}}])
        # Somebody else's writes are not heard of: only the failed condition tells that the cached item is old.
        client = world.plain if name == "plain" else daxlite.wrap(world.plain, cache=world.cache)
        client.get_item(TableName=TABLE, Key=KEYS[0])
        world.simulator.replicas.base_lag = 0.0 if name == "plain" else 3.0
        counted[name] = turns(client, world.plain)
        assert world.simulator.states(TABLE, KEYS[0])[-1].item["n"] == {"N": "4"}  # type: ignore[index]
    assert counted["wrapped"] == counted["plain"] == 4
    world.plain.close()
