"""The settle window in batches, in resources, and under a Stubber."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import StubAssertionError
from botocore.stub import Stubber

import daxlite
from daxlite import Cache, CacheConfig, TableConfig
from daxlite.testing import enabled
from tests.calls.lagging import NEW, OTHER, SCHEMA, WINDOW, batch_get, change, lagging
from tests.responses import is_hit
from tests.scripted_client import ITEM, KEY, TABLE, Clock, Params, ScriptedClient, made, refused


def batch(client: ScriptedClient, *keys: Any, **asked: Any) -> dict[str, Any]:
    return client("BatchGetItem", RequestItems={TABLE: {"Keys": list(keys), **asked}})


@pytest.mark.parametrize("asked", [{}, {"ProjectionExpression": "pk, note"}, {"ProjectionExpression": "note"}], ids=str)
def test_a_batch_with_something_that_settles_is_read_strongly(asked: Params) -> None:
    client = lagging()
    change(client)
    batch(client, OTHER, **asked)
    assert "ConsistentRead" not in client.dynamodb.last_params("RequestItems")[TABLE]
    response = batch(client, KEY, {"pk": {"S": "third"}}, **asked)
    assert client.dynamodb.last_params("RequestItems")[TABLE]["ConsistentRead"] is True
    assert [item["note"] for item in response["Responses"][TABLE]] == [NEW["note"]] * 2
    assert client.cache.stats().total.consistent_misses == 2, "what it costs: the item that changed, and its neighbour"
    client.dynamodb.take()
    assert client.is_hit(batch(client, KEY, OTHER, **asked))
    assert client.dynamodb.take() == []


def test_unprocessed_keys_are_returned_as_the_caller_sent_them() -> None:
    def leave(params: Params) -> dict[str, Any]:
        return made(Responses={TABLE: []}, UnprocessedKeys=params["RequestItems"])

    client = lagging(BatchGetItem=leave)
    change(client)
    assert batch(client, KEY)["UnprocessedKeys"] == {TABLE: {"Keys": [KEY]}}
    assert batch(client, KEY, ConsistentRead=False)["UnprocessedKeys"] == {
        TABLE: {"Keys": [KEY], "ConsistentRead": False}
    }


def test_a_batch_that_may_not_read_strongly_stores_only_what_has_settled() -> None:
    def refuse(params: Params) -> dict[str, Any]:
        if "ConsistentRead" in params["RequestItems"][TABLE]:
            raise refused("AccessDeniedException")
        return batch_get(params)

    client = lagging(BatchGetItem=refuse)
    change(client)
    batch(client, KEY, OTHER)
    client.dynamodb.take()
    assert client.is_hit(client.get(Key=OTHER))
    assert not client.is_hit(client.get())


@pytest.fixture
def wire() -> Iterator[tuple[Any, Any, Clock]]:
    """A client and a Table on one cache, and its clock."""
    connection: Any = {"region_name": "eu-west-1", "aws_access_key_id": "AKIA", "aws_secret_access_key": "-"}
    client, resource = boto3.client("dynamodb", **connection), boto3.resource("dynamodb", **connection)
    clock = Clock()
    cache = Cache(CacheConfig(tables={TABLE: TableConfig(schema=SCHEMA)}), clock=clock)
    yield daxlite.wrap(client, cache), daxlite.wrap(resource.Table(TABLE), cache), clock
    client.close()
    resource.meta.client.close()


def test_a_table_reads_strongly_too(wire: tuple[Any, Any, Clock]) -> None:
    _, table, _ = wire
    with enabled(), Stubber(table.meta.client) as stubber:
        stubber.add_response("delete_item", {}, {"TableName": TABLE, "Key": {"pk": "a"}, "ReturnValues": "ALL_OLD"})
        stubber.add_response(
            "query",
            {"Items": [], "Count": 0, "ScannedCount": 0},
            {"TableName": TABLE, "KeyConditions": _EQUAL, "ConsistentRead": True},
        )
        table.delete_item(Key={"pk": "a"})
        first = table.query(KeyConditions=_EQUAL)
        second = table.query(KeyConditions=_EQUAL)
        item = table.get_item(Key={"pk": "a"})
        stubber.assert_no_pending_responses()
    assert first["Items"] == second["Items"] == []
    assert is_hit(second)
    assert is_hit(item), "that there is none follows from the delete"


_EQUAL: Any = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": ["a"]}}


def test_a_stubber_that_expects_a_plain_read_gets_one_and_it_is_not_stored(wire: tuple[Any, Any, Clock]) -> None:
    client, _, clock = wire
    query = {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :a",
        "ExpressionAttributeValues": {":a": KEY["pk"]},
    }
    with enabled(), Stubber(client) as stubber:
        stubber.add_response("put_item", {}, {"TableName": TABLE, "Item": ITEM})
        for _ in range(2):
            stubber.add_response("query", {"Items": [ITEM], "Count": 1, "ScannedCount": 1}, query)
        client.put_item(TableName=TABLE, Item=ITEM)
        for _ in range(2):
            assert client.query(**query)["Items"] == [ITEM]
        stubber.assert_no_pending_responses()
        clock.now += WINDOW
        stubber.add_response("query", {"Items": [ITEM], "Count": 1, "ScannedCount": 1}, query)
        for _ in range(2):
            client.query(**query)
        stubber.add_response("query", {}, {**query, "TableName": "Another"})
        with pytest.raises(StubAssertionError):
            client.query(**{**query, "Limit": 1})
