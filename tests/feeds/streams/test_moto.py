"""The reader over HTTP, on the streams of a moto server: one shard, no filter, and numbers that are not 21 digits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from daxlite.feeds.clients import Clients
from daxlite.feeds.errors import code_of
from daxlite.feeds.streams.events import Event, Records
from daxlite.feeds.streams.reader import Start, StreamReader
from tests import servers
from tests.feeds.streams.driver import Clock

KEY = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with servers.running(servers.SERVERS["moto"]) as backend:
        client = boto3.client("dynamodb", **servers.connection(backend.endpoint))
        yield client
        client.close()


@pytest.fixture
def stream(dynamodb: Any) -> Iterator[str]:
    """The ARN of the stream of a table that is new."""
    attributes = [{"AttributeName": "pk", "AttributeType": "S"}]
    table = dynamodb.create_table(
        TableName="notes",
        AttributeDefinitions=attributes,
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=STREAM,
        **KEY,
    )
    yield table["TableDescription"]["LatestStreamArn"]
    dynamodb.delete_table(TableName="notes")


def put(dynamodb: Any, *texts: str) -> None:
    for text in texts:
        dynamodb.put_item(TableName="notes", Item={"pk": {"S": text}})


def reader_of(stream: str, clock: Clock, start: Start, before: StreamReader | None = None) -> StreamReader:
    return StreamReader(
        stream,
        clock=clock.monotonic,
        wall_clock=clock.wall,
        random=lambda: 0.5,
        start=start,
        positions=None if before is None else before.positions(),
        saved_at=None if before is None else before.reached(),
    )


def read(reader: StreamReader, dynamodb: Any, clock: Clock, requests: int) -> list[str]:
    """The keys of the records that so many requests bring."""
    clients = Clients(dynamodb)
    keys = []
    for _ in range(requests):
        due = reader.due()
        while isinstance(due, float):
            clock.now += due
            due = reader.due()
        events: list[Event]
        try:
            events = reader.replied(due, clients.send(due.operation, due.params))
        except Exception as error:  # noqa: BLE001 - the reader is asked what to make of it
            events = reader.failed(due, code_of(error))
        for event in events:
            assert isinstance(event, Records), event
            keys += [record["dynamodb"]["Keys"]["pk"]["S"] for record in event.records]
            reader.applied(event)
    return keys


@pytest.mark.parametrize(("start", "expected"), [("latest", ["c", "d"]), ("trim_horizon", ["a", "b", "c", "d"])])
def test_records_come_from_where_it_begins(dynamodb: Any, stream: str, start: Start, expected: list[str]) -> None:
    clock = Clock()
    put(dynamodb, "a", "b")
    reader = reader_of(stream, clock, start)
    before = read(reader, dynamodb, clock, requests=4)
    assert reader.has_begun
    put(dynamodb, "c", "d")
    assert before + read(reader, dynamodb, clock, requests=8) == expected


def test_a_restart_goes_on_where_the_checkpoint_says(dynamodb: Any, stream: str) -> None:
    clock = Clock()
    first = reader_of(stream, clock, "latest")
    read(first, dynamodb, clock, requests=3)
    put(dynamodb, "a")
    assert read(first, dynamodb, clock, requests=3) == ["a"]
    put(dynamodb, "b")
    second = reader_of(stream, clock, "latest", first)
    assert read(second, dynamodb, clock, requests=6) == ["b"]
