"""Tables that lose their stream, or are deleted and made anew, while they are followed: on moto, in threads."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

import daxlite
from daxlite.feeds import StreamMissingError
from daxlite.feeds.clients import Clients
from daxlite.feeds.follower import Follower
from daxlite.feeds.following import Settings
from tests import servers
from tests.aggregations.servers.waiting import wait_until
from tests.stream_fixtures import STREAM, create

QUICK = Settings(poll=0.2, describe_every=0.1, look_again=0.1)


@pytest.fixture
def cache() -> daxlite.Cache:
    return daxlite.Cache()


@pytest.fixture
def wrapped(moto_url: str, cache: daxlite.Cache) -> Iterator[Any]:
    client = boto3.client("dynamodb", **servers.connection(moto_url))
    yield daxlite.wrap(client, cache)
    client.close()


@pytest.fixture
def follow(cache: daxlite.Cache, wrapped: Any) -> Iterator[Callable[..., Follower]]:
    """A follower that looks at its tables often."""
    followers = []

    def begin(*tables: str, settings: Settings = QUICK) -> Follower:
        follower = Follower(cache, tables, Clients(wrapped), settings)
        followers.append(follower)
        follower.begin()
        return follower

    yield begin
    for follower in followers:
        follower.close()
        assert not follower.is_alive


def item(version: int) -> dict[str, Any]:
    return {"pk": {"S": "a"}, "v": {"N": str(version)}}


def version(client: Any, table: str) -> int:
    """What a read says; 0 if there is no item."""
    found = client.get_item(TableName=table, Key={"pk": {"S": "a"}}).get("Item")
    return 0 if found is None else int(found["v"]["N"])


def sees(client: Any, table: str, expected: int) -> None:
    wait_until(f"version {expected} is seen", lambda: version(client, table) == expected)


def is_cached(client: Any, table: str) -> bool:
    """Whether a read asks DynamoDB no more."""
    answer = client.get_item(TableName=table, Key={"pk": {"S": "a"}})
    return "x-cache" in answer["ResponseMetadata"]["HTTPHeaders"]


def put_and_cache(other_program: Any, client: Any, table: str) -> None:
    """Version 1, which stays cached unless a feed drops it."""
    other_program.put_item(TableName=table, Item=item(1))
    wait_until("it is cached", lambda: version(client, table) == 1 and is_cached(client, table))


def gaps(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The reasons of the gaps that were logged."""
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    return [message.split(": ")[1].partition(";")[0] for message in messages if message.startswith("a gap")]


def test_a_table_that_is_made_anew_with_a_stream_is_followed_on(
    follow: Callable[..., Follower],
    streamed: Callable[..., str],
    other_program: Any,
    wrapped: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = streamed()
    follower = follow(table)
    put_and_cache(other_program, wrapped, table)
    other_program.delete_table(TableName=table)
    create(other_program, table)
    sees(wrapped, table, 0)
    wait_until("it is told", lambda: gaps(caplog)[-1:] == ["the table has another stream"])
    for number in (2, 3):
        other_program.put_item(TableName=table, Item=item(number))
        sees(wrapped, table, number)
    assert (follower.error, follower.is_alive, follower.stats()[table].shards) == (None, True, 1)


def test_a_table_that_is_made_anew_without_a_stream_is_waited_for(
    follow: Callable[..., Follower],
    streamed: Callable[..., str],
    other_program: Any,
    wrapped: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = streamed()
    follower = follow(table)
    put_and_cache(other_program, wrapped, table)
    other_program.delete_table(TableName=table)
    create(other_program, table, None)
    sees(wrapped, table, 0)
    wait_until("it is told", lambda: isinstance(follower.error, StreamMissingError))
    assert follower.is_alive
    other_program.put_item(TableName=table, Item=item(2))
    other_program.update_table(TableName=table, StreamSpecification=STREAM)
    wait_until("it follows again", lambda: follower.error is None)
    sees(wrapped, table, 2)
    other_program.put_item(TableName=table, Item=item(3))
    sees(wrapped, table, 3)
    assert gaps(caplog)[-2:] == ["the stream has ended", "the table has another stream"]
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1, "it is told once, however often it looks"
    assert errors[0].startswith(f"the changes of {table} are not heard of any more: ")


@pytest.mark.parametrize("is_disabled", [True, False])
def test_who_is_not_patient_ends_with_the_error(
    follow: Callable[..., Follower],
    streamed: Callable[..., str],
    other_program: Any,
    wrapped: Any,
    is_disabled: bool,
) -> None:
    table = streamed()
    follower = follow(table, settings=Settings(poll=0.2, describe_every=0.1, look_again=0.1, is_patient=False))
    put_and_cache(other_program, wrapped, table)
    if is_disabled:
        other_program.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    else:
        other_program.delete_table(TableName=table)
        create(other_program, table, None)
    wait_until("its thread has ended", lambda: not follower.is_alive)
    assert isinstance(follower.error, StreamMissingError)
    wait_until("it is dropped: nobody hears of its changes any more", lambda: not is_cached(wrapped, table))


def test_a_disabled_stream_drops_what_is_cached_and_the_other_tables_go_on(
    follow: Callable[..., Follower], streamed: Callable[..., str], other_program: Any, wrapped: Any
) -> None:
    table, other = streamed(), streamed()
    follower = follow(table, other)
    put_and_cache(other_program, wrapped, table)
    other_program.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    wait_until("it is told", lambda: isinstance(follower.error, StreamMissingError))
    wait_until("it is dropped", lambda: not is_cached(wrapped, table))
    for number in (1, 2):
        other_program.put_item(TableName=other, Item=item(number))
        sees(wrapped, other, number)
    assert follower.is_alive
