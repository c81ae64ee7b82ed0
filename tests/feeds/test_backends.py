"""What moto cannot do: tables that are replicated between regions, and streams that are enabled again.

`make test-backends` runs it on ministack, which has both.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import boto3
import pytest

import daxlite
from daxlite.feeds import StreamMissingError, follow
from daxlite.feeds.clients import Clients
from daxlite.feeds.follower import Follower
from daxlite.feeds.following import Settings
from tests.aggregations.servers.waiting import wait_until
from tests.stream_fixtures import STREAM, create

HERE, THERE = "us-east-1", "eu-west-1"
KEY = {"pk": {"S": "a"}}


@pytest.fixture
def client_in(connection: dict[str, Any]) -> Iterator[Callable[[str], Any]]:
    """A plain client in a region."""
    clients = []

    def make(region: str) -> Any:
        clients.append(boto3.client("dynamodb", **{**connection, "region_name": region}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def table(client_in: Callable[[str], Any]) -> Iterator[str]:
    """A table with a stream, in the first region."""
    name, client = f"followed-{uuid.uuid4().hex[:12]}", client_in(HERE)
    create(client, name)
    yield name
    for region in (THERE, HERE):
        with suppress(client.exceptions.ClientError):
            client_in(region).delete_table(TableName=name)


def item(version: int) -> dict[str, Any]:
    return {**KEY, "v": {"N": str(version)}}


def version(client: Any, table: str) -> int:
    """What a read says; 0 if there is no item."""
    found = client.get_item(TableName=table, Key=KEY).get("Item")
    return 0 if found is None else int(found["v"]["N"])


def sees_and_keeps(client: Any, table: str, expected: int) -> None:
    """Wait until a wrapped client sees a version and has it from its cache."""

    def holds() -> bool:
        answer = client.get_item(TableName=table, Key=KEY)
        is_cached = "x-cache" in answer["ResponseMetadata"]["HTTPHeaders"]
        return is_cached and version(client, table) == expected

    wait_until(f"version {expected} is seen and cached", holds)


@contextmanager
def caching(client: Any, table: str) -> Iterator[tuple[Any, Follower]]:
    """A wrapped client whose process follows the stream of its own region."""
    cache = daxlite.Cache()
    with follow(cache, [table], client=client, poll=0.2) as follower:
        yield daxlite.wrap(client, cache), follower


@pytest.mark.needs("global_tables")
def test_p6_a_write_in_one_region_is_seen_by_a_cache_in_another_one(
    client_in: Callable[[str], Any], table: str
) -> None:
    here, there = client_in(HERE), client_in(THERE)
    here.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": THERE}}])
    wait_until("there is a replica", lambda: has_stream(there, table))
    with caching(client_in(HERE), table) as (cached_here, _), caching(client_in(THERE), table) as (cached_there, feed):
        here.put_item(TableName=table, Item=item(1))
        for number in (2, 3):
            sees_and_keeps(cached_there, table, number - 1)
            here.put_item(TableName=table, Item=item(number))  # a program without a cache
        sees_and_keeps(cached_there, table, 3)
        sees_and_keeps(cached_here, table, 3)
        cached_here.put_item(TableName=table, Item=item(4))
        sees_and_keeps(cached_there, table, 4)
        cached_there.put_item(TableName=table, Item=item(5))
        sees_and_keeps(cached_here, table, 5)
        here.delete_item(TableName=table, Key=KEY)  # as a deletion by TTL arrives in other regions
        wait_until("the deletion is seen", lambda: version(cached_there, table) == 0)
        assert feed.stats()[table].applied >= 5
        assert feed.error is None


def has_stream(client: Any, table: str) -> bool:
    with suppress(client.exceptions.ResourceNotFoundException):
        return "LatestStreamArn" in client.describe_table(TableName=table)["Table"]
    return False


@pytest.mark.needs("streams")
def test_a_stream_that_is_enabled_again_is_followed_on(client_in: Callable[[str], Any], table: str) -> None:
    client, cache = client_in(HERE), daxlite.Cache()
    wrapped = daxlite.wrap(client_in(HERE), cache)
    follower = Follower(cache, [table], Clients(wrapped), Settings(poll=0.2, describe_every=0.1, look_again=0.1))
    follower.begin()
    with follower:
        client.put_item(TableName=table, Item=item(1))
        sees_and_keeps(wrapped, table, 1)
        client.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
        wait_until("it is told", lambda: isinstance(follower.error, StreamMissingError))
        client.put_item(TableName=table, Item=item(2))
        client.update_table(TableName=table, StreamSpecification=STREAM)
        wait_until("it follows again", lambda: follower.error is None)
        sees_and_keeps(wrapped, table, 2)
        client.put_item(TableName=table, Item=item(3))
        sees_and_keeps(wrapped, table, 3)
