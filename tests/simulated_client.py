"""`SimulatedClient`: a wrapped boto3 client on the simulated DynamoDB of `tests/simulator`.

Use it where DynamoDB's own behaviour matters: replicas that lag, faults, conditions, calls that overlap. Where only
the requests and answers of one call matter, use `ScriptedClient`; for the cache by itself, `CacheBench`.
"""

from collections.abc import Sequence
from typing import Any

import daxlite
from daxlite import Cache, CacheConfig
from tests.differential.tables import attributes, index, keys
from tests.edges import Awaited, run_at_once
from tests.simulator import Simulator

TABLE = "Orders"
INDEX = "by_owner"
KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
OLD = {**KEY, "owner": {"S": "ann"}, "v": {"N": "1"}, "nested": {"M": {"list": {"L": [{"S": "x"}]}}}}
NEW = {**OLD, "v": {"N": "2"}}
SHAPE: dict[str, Any] = {
    "KeySchema": keys("pk", "sk"),
    "AttributeDefinitions": attributes(pk="S", sk="N", owner="S"),
    "GlobalSecondaryIndexes": [index(INDEX, "owner")],
    "BillingMode": "PAY_PER_REQUEST",
}
LAG = 2.0  # seconds by which replicas may be behind; less than the settle window


class SimulatedClient:
    """A simulated DynamoDB with one table, a raw client, and a wrapped one. Making it is slow; `reset` is not.

    edge: that of the wrapped client, "threads" or "asyncio". The raw one is boto3's.
    """

    def __init__(self, edge: str = "threads") -> None:
        self.simulator = Simulator()
        self.raw = self.simulator.client()
        self.edge = edge
        self.inner = self.raw if edge == "threads" else self.simulator.async_client()
        """What is wrapped."""

    def reset(self, items: Sequence[Any] = (OLD,), shape: dict[str, Any] = SHAPE) -> None:
        """Make the table anew, with these items, and a cache that is empty."""
        self.simulator.reset()
        self.raw.create_table(TableName=TABLE, **shape)
        for item in items:
            self.raw.put_item(TableName=TABLE, Item=item)
        self.use_cache(CacheConfig(jitter=0))

    def use_cache(self, config: CacheConfig) -> None:
        """Wrap the client anew, with an empty cache of these settings."""
        self.cache = Cache(config, clock=self.simulator.clock.now)
        wrapped = daxlite.wrap(self.inner, self.cache)
        self.client = wrapped if self.edge == "threads" else Awaited(wrapped, run_at_once)

    def close(self) -> None:
        self.raw.close()

    def get(self, client: Any = None, **params: Any) -> Any:
        return (client or self.client).get_item(TableName=TABLE, Key=KEY, **params)

    def query(self, pk: str = "a", client: Any = None, **params: Any) -> Any:
        return (client or self.client).query(
            TableName=TABLE,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": pk}},
            **params,
        )

    def by_owner(self, owner: str = "ann", client: Any = None) -> Any:
        return (client or self.client).query(
            TableName=TABLE,
            IndexName=INDEX,
            KeyConditionExpression="#o = :o",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={":o": {"S": owner}},
        )

    def scan(self, client: Any = None, **params: Any) -> Any:
        return (client or self.client).scan(TableName=TABLE, **params)

    def put(self, item: Any = NEW, client: Any = None, **params: Any) -> Any:
        return (client or self.client).put_item(TableName=TABLE, Item=item, **params)

    def drop_item(self) -> None:
        """Make the next read of the item a miss."""
        self.cache.invalidate(TABLE, KEY)
