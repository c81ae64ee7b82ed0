"""A simulated DynamoDB with one table and one item, a raw client, and a wrapped one."""

from typing import Any

import daxlite
from daxlite import Cache, CacheConfig
from tests.simulator import Simulator

TABLE = "Orders"
INDEX = "by_owner"
KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
OLD = {**KEY, "owner": {"S": "ann"}, "v": {"N": "1"}, "nested": {"M": {"list": {"L": [{"S": "x"}]}}}}
NEW = {**OLD, "v": {"N": "2"}}
SHAPE: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": kind} for name, kind in (("pk", "S"), ("sk", "N"), ("owner", "S"))
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": INDEX,
            "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
LAG = 2.0  # seconds by which replicas may be behind; less than the settle window


class World:
    """A DynamoDB with one table and one item, a raw client, and a wrapped one."""

    def __init__(self, simulator: Simulator, raw: Any) -> None:
        self.simulator, self.raw = simulator, raw
        simulator.reset()
        raw.create_table(TableName=TABLE, **SHAPE)
        raw.put_item(TableName=TABLE, Item=OLD)
        self.cache = Cache(CacheConfig(jitter=0), clock=simulator.clock.now)
        self.client = daxlite.wrap(raw, self.cache)

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
