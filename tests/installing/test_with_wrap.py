"""Clients that are wrapped by hand under `install`: their own cache answers, and no call is cached twice."""

from typing import Any

import boto3
import pytest

import daxlite
from daxlite import Cache
from tests.installing.reading import NEW, answered, get, new_client, put
from tests.responses import is_hit
from tests.scripted_client import ITEM, KEY, TABLE, made
from tests.wrapping.wire import HERE, answer

QUERY = {"TableName": TABLE, "KeyConditionExpression": "pk = :a", "ExpressionAttributeValues": {":a": KEY["pk"]}}


@pytest.fixture
def own(cache: Cache) -> Cache:
    """The cache of the clients that are wrapped by hand."""
    return Cache(cache.config)


@pytest.mark.parametrize("first", ["wrap", "install"])
def test_their_own_cache_answers(client: Any, cache: Cache, own: Cache, first: str) -> None:
    dynamodb = answered(client)
    if first == "install":
        daxlite.install(cache)
    wrapped = daxlite.wrap(client, own)
    if first == "wrap":
        daxlite.install(cache)
    for _ in range(2):
        get(wrapped)
        wrapped.query(**QUERY)
        wrapped.batch_get_item(RequestItems={TABLE: {"Keys": [KEY]}})
        get(wrapped, ConsistentRead=True)
    put(wrapped)
    assert dynamodb.take() == ["GetItem", "Query", "GetItem", "GetItem", "PutItem"]
    assert own.stats().total.hits == 4
    assert cache.stats().tables == {}
    daxlite.uninstall()
    assert is_hit(get(wrapped)), "it is as wrapped as before"


def test_the_inner_client_used_plainly_is_answered_by_the_installed_cache(
    client: Any, cache: Cache, own: Cache
) -> None:
    answered(client)
    daxlite.install(cache)
    wrapped = daxlite.wrap(client, own)
    get(wrapped)
    assert not is_hit(get(client))
    assert is_hit(get(client))
    put(wrapped)
    assert get(client)["Item"] == ITEM, "read anew; this server gives the old item"
    get(wrapped)
    put(client)
    assert not is_hit(get(wrapped)), "each hears of the other's writes"
    assert is_hit(get(client))


def test_a_wrapped_resource_and_session_too(resource: Any, cache: Cache, own: Cache) -> None:
    daxlite.install(cache)
    table = daxlite.wrap(resource, own).Table(TABLE)
    dynamodb = answered(resource.meta.client)
    table.get_item(Key={"pk": "a"})
    assert is_hit(table.get_item(Key={"pk": "a"}))
    made_by_it = daxlite.wrap(boto3.Session(region_name="eu-west-1"), own).client("dynamodb", **HERE)
    assert is_hit(get(made_by_it))
    made_by_it.close()
    assert dynamodb.take() == ["GetItem"]
    assert cache.stats().tables == {}


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
def test_a_call_of_a_hook_s_within_one_of_theirs_is_none_of_theirs(
    client: Any, cache: Cache, own: Cache, operation: str
) -> None:
    """An audit, for example. It has another call's parameters, or the same ones."""
    daxlite.install(cache)
    within: list[Any] = []

    def audit(**_: Any) -> None:
        if not within:
            within.append(None)
            within[0] = get(client, "Other")
            within.append(get(client, "Other"))
            within.append(put(client, "Other"))
            within.append(get(client, "Other"))
            within.append(get(client))
            within.append(get(client))

    client.meta.events.register(f"request-created.dynamodb.{operation}", audit)
    answered(client)
    wrapped = daxlite.wrap(client, own)
    get(wrapped) if operation == "GetItem" else put(wrapped)
    assert [is_hit(each) for each in within] == [False, True, False, True, False, True]
    assert within[3]["Item"] == NEW
    assert set(own.stats().tables) == {TABLE}
    assert set(cache.stats().tables) == {TABLE, "Other"}


def test_two_wrapped_clients_of_one_client_within_each_other(client: Any, cache: Cache, own: Cache) -> None:
    """A hook of one call uses another stand-in of the same client."""
    other = Cache(cache.config)
    daxlite.install(cache)
    first, second = daxlite.wrap(client, own), daxlite.wrap(client, other)
    seen: list[Any] = []

    def within(**_: Any) -> None:
        if not seen:
            seen.append(None)
            seen[:] = [get(second, "Other"), get(second, "Other")]

    client.meta.events.register("before-sign.dynamodb.GetItem", within)
    dynamodb = answered(client)
    get(first)
    assert is_hit(get(first))
    assert [is_hit(each) for each in seen] == [False, True]
    assert dynamodb.take() == ["GetItem"] * 2
    assert cache.stats().tables == {}


def test_writes_of_a_client_that_cannot_be_cached_by_hand_reach_them(client: Any, cache: Cache, own: Cache) -> None:
    answered(client)
    wrapped = daxlite.wrap(client, own)
    get(wrapped)
    assert is_hit(get(wrapped))
    with new_client() as other:
        put(other)
        assert is_hit(get(wrapped)), "without install nothing tells"
        daxlite.install(cache)
        put(other)
    assert not is_hit(get(wrapped))


def test_calls_of_which_nothing_follows_are_theirs_too(client: Any, cache: Cache, own: Cache) -> None:
    daxlite.install(cache)
    dynamodb = answer(client, TransactGetItems=made(Responses=[]), ListTables=made(TableNames=[]))
    wrapped = daxlite.wrap(client, own)
    wrapped.list_tables()
    wrapped.transact_get_items(TransactItems=[{"Get": {"TableName": TABLE, "Key": KEY}}])
    assert dynamodb.take() == ["ListTables", "TransactGetItems"]
    assert cache.stats().tables == {}
    client.transact_get_items(TransactItems=[{"Get": {"TableName": TABLE, "Key": KEY}}])
    assert cache.stats().tables[TABLE]["item"].bypasses == {"transaction": 1}
