"""P4: an update that moves an item between partitions of an index leaves the other partitions' queries alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scripted_client import KEY, ScriptedClient, description, made, page

OLD = {**KEY, "owner": {"S": "ann"}, "age": {"N": "1"}, "note": {"S": "x"}}
MOVES: dict[str, dict[str, Any]] = {
    "plain": {"UpdateExpression": "SET #o = :o", "ExpressionAttributeNames": {"#o": "owner"}},
    "with a counter": {
        "UpdateExpression": "SET #o = :o ADD age :one",
        "ExpressionAttributeNames": {"#o": "owner"},
        "ExpressionAttributeValues": {":o": {"S": "bob"}, ":one": {"N": "1"}},
    },
    "legacy": {"AttributeUpdates": {"owner": {"Action": "PUT", "Value": {"S": "bob"}}}},
}


def client_with_queries(old: dict[str, Any] | None) -> ScriptedClient:
    """A client that has cached the queries of four owners."""
    client = ScriptedClient(
        schema=None,
        config={"settle_window": 0},
        DescribeTable=description("pk", indexes={"by_owner": ("owner",)}),
        UpdateItem=lambda params: made(
            **({"Attributes": old} if old and params.get("ReturnValues") == "ALL_OLD" else {})
        ),
        Query=page(),
        GetItem=made(),
    )
    for owner in ("ann", "bob", "cid", "dan"):
        query(client, owner)
    client.dynamodb.take()
    return client


def query(client: ScriptedClient, owner: str) -> bool:
    """Whether the query of an owner is a hit."""
    values = {":o": {"S": owner}}
    condition = {"KeyConditionExpression": "#o = :o", "ExpressionAttributeNames": {"#o": "owner"}}
    return client.is_hit(client("Query", IndexName="by_owner", ExpressionAttributeValues=values, **condition))


@pytest.mark.parametrize("how", MOVES)
@pytest.mark.parametrize("asked", [None, "ALL_OLD"])
def test_a_move_drops_what_the_item_left_and_what_it_entered(how: str, asked: str | None) -> None:
    client = client_with_queries(OLD)
    request = {"ExpressionAttributeValues": {":o": {"S": "bob"}}, **MOVES[how]}
    if how == "legacy":
        del request["ExpressionAttributeValues"]
    response = client("UpdateItem", Key=KEY, **request, **({"ReturnValues": asked} if asked else {}))
    assert ("Attributes" in response) is (asked is not None)
    assert [query(client, owner) for owner in ("ann", "bob", "cid", "dan")] == [False, False, True, True]


def test_a_move_by_plain_assignments_leaves_the_new_item_in_the_cache() -> None:
    client = client_with_queries(OLD)
    client("UpdateItem", Key=KEY, ExpressionAttributeValues={":o": {"S": "bob"}}, **MOVES["plain"])
    found = client.get()
    assert client.is_hit(found)
    assert found["Item"] == {**OLD, "owner": {"S": "bob"}}


def test_an_item_that_an_update_makes_enters_one_partition() -> None:
    client = client_with_queries(None)
    client("UpdateItem", Key=KEY, ExpressionAttributeValues={":o": {"S": "bob"}}, **MOVES["plain"])
    assert [query(client, owner) for owner in ("ann", "bob", "cid", "dan")] == [True, False, True, True]
    assert client.get()["Item"] == {**KEY, "owner": {"S": "bob"}}


def test_an_item_that_leaves_the_index_drops_what_it_left() -> None:
    client = client_with_queries(OLD)
    client("UpdateItem", Key=KEY, UpdateExpression="REMOVE #o", ExpressionAttributeNames={"#o": "owner"})
    assert [query(client, owner) for owner in ("ann", "bob", "cid", "dan")] == [False, True, True, True]


def test_a_move_between_unknown_partitions_drops_the_whole_index() -> None:
    client = client_with_queries(OLD)
    client(
        "UpdateItem",
        Key=KEY,
        UpdateExpression="SET #o = if_not_exists(note, :o)",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "bob"}},
    )
    assert not any(query(client, owner) for owner in ("ann", "bob", "cid", "dan"))
