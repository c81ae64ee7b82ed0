"""P9: a loop of optimistic locking takes as many turns with the cache as without."""

from __future__ import annotations

from typing import Any

import daxlite
from tests.interleavings.interleaving import Interleaving
from tests.interleavings.programs import KEYS, TABLE


def turns(client: Any, other: Any) -> int:
    """Increment a number, while another client increments it three times, each time between our read and our write."""
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
    interleaving = Interleaving()
    counted = {}
    for name in ("plain", "wrapped"):
        interleaving.reset([{**KEYS[0], "n": {"N": "0"}}])
        # The other client has no cache: only the failed condition shows that the cached item is old.
        client = interleaving.raw if name == "plain" else daxlite.wrap(interleaving.raw, cache=interleaving.cache)
        client.get_item(TableName=TABLE, Key=KEYS[0])
        interleaving.simulator.replicas.base_lag = 0.0 if name == "plain" else 3.0
        counted[name] = turns(client, interleaving.raw)
        assert interleaving.simulator.states(TABLE, KEYS[0])[-1].item["n"] == {"N": "4"}  # type: ignore[index]
    assert counted["wrapped"] == counted["plain"] == 4
    interleaving.raw.close()
