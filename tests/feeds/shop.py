"""A table with a stream, a scripted Redis, and processes that share it: what a feed is tested on.

`Shop` notes a record for each write of an item, as a DynamoDB stream has it in a Lambda event. Time is the simulator's.
"""

import base64
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3

import daxlite
from daxlite import Cache, CacheConfig
from daxlite.aggregations import AggregationCache
from tests.aggregations.scripted import Client, Server, scripted_hearing
from tests.cache_fixtures import process
from tests.simulated_client import SHAPE, TABLE, SimulatedClient
from tests.simulator.tables import ACCOUNT, REGION

Item = dict[str, Any]
TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}"
STREAM = f"{TABLE_ARN}/stream/2026-11-29T15:00:00.000"
KINESIS = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/changes"
LONG: dict[str, Any] = {"item_ttl": 3600, "negative_ttl": 3600, "query_ttl": 3600, "jitter": 0}
"""No answer goes by itself."""
EXPIRED = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


class Shop(SimulatedClient):
    """The table Orders, with items of one partition: pk "a", and a number."""

    def __init__(self) -> None:
        super().__init__()
        answer = self.simulator.answer
        self.view: str | None = "NEW_AND_OLD_IMAGES"
        """What the stream's records have; None where there is no stream."""
        self.stream = STREAM
        self.made = 1.0
        self.refusing: Exception | None = None
        """What DescribeTable raises."""
        self.descriptions = self._reads = 0

        def with_a_stream(operation: str, request: dict[str, Any]) -> dict[str, Any]:
            self._reads += operation in ("GetItem", "Query")
            if operation == "DescribeTable":
                self.descriptions += 1
                if self.refusing is not None:
                    raise self.refusing
            response = answer(operation, request)
            if operation == "DescribeTable":
                response["Table"]["CreationDateTime"] = self.made
                if self.view is not None:
                    specification = {"StreamEnabled": True, "StreamViewType": self.view}
                    response["Table"] |= {"StreamSpecification": specification, "LatestStreamArn": self.stream}
            return response

        self.simulator.answer = with_a_stream  # type: ignore[method-assign]
        self.raw.close()
        self.raw = boto3.client("dynamodb", region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b")
        """One of AWS's own endpoint, which is never reached."""
        self.simulator.connect(self.raw)

    def open(self, *items: Item, **shape: Any) -> None:
        """Make the table anew, with these items, an empty Redis, and nobody who uses them."""
        self.simulator.reset()
        self.raw.create_table(TableName=TABLE, **{**SHAPE, **shape})
        self.view, self.stream, self.made, self.refusing, self.descriptions = "NEW_AND_OLD_IMAGES", STREAM, 1.0, None, 0
        self._reads = 0
        self.server = Server(self.simulator.clock.now)
        self.records: list[dict[str, Any]] = []
        """One for each write, in their order."""
        self.numbers = itertools.count(1)
        for item in items:
            self.raw.put_item(TableName=TABLE, Item=item)
        self.simulator.clock.advance(60)  # they have settled
        self.feed = self.process()
        """The cache of the process that hears of changes."""
        self.reader = daxlite.wrap(self.raw, self.process())

    def process(
        self, config: CacheConfig | None = None, *, wall_clock: Callable[[], float] | None = None, **shared: Any
    ) -> Cache:
        """The cache of one more process. Nothing of it runs by itself."""
        now = self.simulator.clock.now
        with process():
            given = daxlite.Shared(Client(self.server), namespace="shop", **{"local": False, **shared})
            cache = Cache(config or CacheConfig(**LONG), shared=given, clock=now, wall_clock=wall_clock or now)
        member = cache._joined
        member.hearing._starting.acquire()
        member._outbox.attend = lambda: None
        return cache

    @contextmanager
    def aggregations(self, namespace: str = "shop") -> Iterator[AggregationCache]:
        """An aggregation cache. Nothing of it runs by itself, either."""
        now = self.simulator.clock.now
        cache = AggregationCache(Client(self.server), namespace, clock=now, wall_clock=now)
        scripted_hearing(cache)
        cache._outbox.attend = lambda: None  # type: ignore[method-assign]
        try:
            yield cache
        finally:
            cache.close()

    def write(
        self, item: Item, *, delete: bool = False, client: Any = None, who: Mapping[str, str] | None = None
    ) -> Any:
        """Write an item, or delete it, and note the record. Returns the record."""
        key = {name: item[name] for name in ("pk", "sk")}
        old = self.now(key)
        if delete:
            (client or self.raw).delete_item(TableName=TABLE, Key=key)
        else:
            (client or self.raw).put_item(TableName=TABLE, Item=item)
        new = None if delete else item
        event = "REMOVE" if new is None else "MODIFY" if old else "INSERT"
        told: dict[str, Any] = {
            "ApproximateCreationDateTime": int(self.simulator.clock.now()),
            "Keys": key,
            "SequenceNumber": str(next(self.numbers)),
            "SizeBytes": 26,
            "StreamViewType": self.view,
        }
        told |= {"OldImage": old} if old else {}
        told |= {"NewImage": new} if new else {}
        record = {
            "eventID": f"id{told['SequenceNumber']}",
            "eventName": event,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": told,
            "eventSourceARN": self.stream,
            **({} if who is None else {"userIdentity": who}),
        }
        self.records.append(json.loads(json.dumps(record)))
        return self.records[-1]

    def now(self, key: Item) -> Item | None:
        """The item as it is in DynamoDB."""
        found: Item | None = self.raw.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item")
        self._reads -= 1
        return found

    def read(self, number: int = 1, client: Any = None) -> int | None:
        """The version of an item that a client is answered; None if there is none."""
        found = (client or self.reader).get_item(TableName=TABLE, Key=key_of(number)).get("Item")
        return None if found is None else int(found["v"]["N"])

    def page(self, client: Any = None) -> dict[int, int]:
        """The same for all items, by a Query."""
        items = self.query(client=client or self.reader)["Items"]
        return {int(each["sk"]["N"]): int(each["v"]["N"]) for each in items}

    @property
    def reads(self) -> int:
        """How often DynamoDB was asked for items since this was last asked, but by `now`."""
        count, self._reads = self._reads, 0
        return count


def key_of(number: int) -> Item:
    return {"pk": {"S": "a"}, "sk": {"N": str(number)}}


def item_of(number: int, version: int, **more: Any) -> Item:
    return {**key_of(number), "v": {"N": str(version)}, "owner": {"S": "ann"}, **more}


def payload(record: dict[str, Any], **told: Any) -> dict[str, Any]:
    """The same record as a Kinesis data stream for DynamoDB has it."""
    seconds = record["dynamodb"]["ApproximateCreationDateTime"]
    parts = {name: record["dynamodb"][name] for name in ("Keys", "OldImage", "NewImage") if name in record["dynamodb"]}
    return {
        "awsRegion": REGION,
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "userIdentity": record.get("userIdentity"),
        "recordFormat": "application/json",
        "tableName": TABLE,
        "dynamodb": {"ApproximateCreationDateTime": seconds * 1000, **parts, "SizeBytes": 26, **told},
        "eventSource": "aws:dynamodb",
    }


def kinesis_record(data: Any, sequence: str = "1", arn: str = KINESIS) -> dict[str, Any]:
    """A record of a Lambda event of a Kinesis stream. data: what it holds, as JSON or as bytes."""
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "a",
            "sequenceNumber": sequence,
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": 1545084650.987,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000006:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
        "awsRegion": REGION,
        "eventSourceARN": arn,
    }
