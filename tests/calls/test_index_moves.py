"""P4: an update that moves an item between partitions of an index leaves the other partitions' queries alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scripted_client import ITEM, KEY, ScriptedClient, description, made, page

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


COMPUTED = {
    "if_not_exists": "SET #o = if_not_exists(nickname, :o)",
    "an attribute": "SET #o = nick",
    "beside what is not certain": "SET #o = :o, labels = list_append(labels, :l)",
}


@pytest.mark.parametrize("how", COMPUTED)
def test_a_move_to_what_follows_from_the_old_item_drops_what_it_left_and_what_it_entered(how: str) -> None:
    client = client_with_queries({**OLD, "nick": {"S": "bob"}})
    values = {name: value for name, value in {":o": {"S": "bob"}, ":l": {"L": []}}.items() if name in COMPUTED[how]}
    client(
        "UpdateItem",
        Key=KEY,
        UpdateExpression=COMPUTED[how],
        ExpressionAttributeNames={"#o": "owner"},
        **({"ExpressionAttributeValues": values} if values else {}),
    )
    assert client.dynamodb.last_params("ReturnValues") == "ALL_OLD"
    assert [query(client, owner) for owner in ("ann", "bob", "cid", "dan")] == [False, False, True, True]
    found = client.get()
    if how == "beside what is not certain":
        assert not client.is_hit(found)
    else:
        assert client.is_hit(found)
        assert found["Item"] == {**OLD, "nick": {"S": "bob"}, "owner": {"S": "bob"}}


def test_a_counter_in_the_key_of_an_index_leaves_the_item_in_the_cache() -> None:
    client = ScriptedClient(UpdateItem=made(Attributes=ITEM), Query=page(), GetItem=made())
    for owner in ("ann", "bob"):
        client.by_owner(owner)
    client("UpdateItem", Key=KEY, UpdateExpression="ADD age :n", ExpressionAttributeValues={":n": {"N": "41"}})
    assert client.dynamodb.last_params("ReturnValues") == "ALL_OLD"
    found = client.get()
    assert client.is_hit(found)
    assert found["Item"] == {**ITEM, "age": {"N": "42"}}
    assert [client.is_hit(client.by_owner(owner)) for owner in ("ann", "bob")] == [False, True]


@pytest.mark.parametrize(
    "old", [{**OLD, "age": {"S": "a text"}}, {**OLD, "age": {"N": "1" + "0" * 37 + ".1"}}], ids=["type", "digits"]
)
def test_what_turns_out_not_to_be_certain_drops_the_whole_index_and_the_item(old: Any) -> None:
    client = ScriptedClient(UpdateItem=made(Attributes=old), Query=page(), GetItem=made(Item=old))
    for owner in ("ann", "bob"):
        client.by_owner(owner)
    client.get()
    client("UpdateItem", Key=KEY, UpdateExpression="ADD age :n", ExpressionAttributeValues={":n": {"N": "1"}})
    assert not client.is_hit(client.get())
    assert not any(client.is_hit(client.by_owner(owner)) for owner in ("ann", "bob"))


@pytest.mark.parametrize("returned", ["ALL_OLD", None])
def test_p9_nothing_follows_from_the_old_item_of_a_retried_update(returned: str | None) -> None:
    """It may be what the first attempt made: a counter would be one too high."""
    client = ScriptedClient(UpdateItem=made(Attributes=ITEM, retries=1), Query=page(), GetItem=made(Item=ITEM))
    asked = {} if returned is None else {"ReturnValues": returned}
    client("UpdateItem", Key=KEY, UpdateExpression="ADD age :n", ExpressionAttributeValues={":n": {"N": "1"}}, **asked)
    assert not client.is_hit(client.get())


def test_whether_an_update_that_only_takes_away_makes_an_item_is_not_known() -> None:
    client = client_with_queries(None)
    client("UpdateItem", Key=KEY, UpdateExpression="REMOVE #o", ExpressionAttributeNames={"#o": "owner"})
    assert not client.is_hit(client.get())


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
        UpdateExpression="SET #o = note.x",
        ExpressionAttributeNames={"#o": "owner"},
    )
    assert not any(query(client, owner) for owner in ("ann", "bob", "cid", "dan"))
