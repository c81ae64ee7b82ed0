"""P4: an update that moves an item between partitions of an index leaves the other partitions' queries alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.calls.scripted import KEY, Lab, description, made, page

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


def lab_with_queries(old: dict[str, Any] | None) -> Lab:
    """A lab in which the queries of four owners are cached."""
    lab = Lab(
        schema=None,
        settle_window=0,
        DescribeTable=description("pk", indexes={"by_owner": ("owner",)}),
        UpdateItem=lambda params: made(
            **({"Attributes": old} if old and params.get("ReturnValues") == "ALL_OLD" else {})
        ),
        Query=page(),
        GetItem=made(),
    )
    for owner in ("ann", "bob", "cid", "dan"):
        query(lab, owner)
    lab.dynamodb.take()
    return lab


def query(lab: Lab, owner: str) -> bool:
    """Whether the query of an owner is a hit."""
    values = {":o": {"S": owner}}
    condition = {"KeyConditionExpression": "#o = :o", "ExpressionAttributeNames": {"#o": "owner"}}
    return lab.is_hit(lab("Query", IndexName="by_owner", ExpressionAttributeValues=values, **condition))


@pytest.mark.parametrize("how", MOVES)
@pytest.mark.parametrize("asked", [None, "ALL_OLD"])
def test_a_move_drops_what_the_item_left_and_what_it_entered(how: str, asked: str | None) -> None:
    lab = lab_with_queries(OLD)
    request = {"ExpressionAttributeValues": {":o": {"S": "bob"}}, **MOVES[how]}
    if how == "legacy":
        del request["ExpressionAttributeValues"]
    response = lab("UpdateItem", Key=KEY, **request, **({"ReturnValues": asked} if asked else {}))
    assert ("Attributes" in response) is (asked is not None)
    assert [query(lab, owner) for owner in ("ann", "bob", "cid", "dan")] == [False, False, True, True]


def test_a_move_by_plain_assignments_leaves_the_new_item_in_the_cache() -> None:
    lab = lab_with_queries(OLD)
    lab("UpdateItem", Key=KEY, ExpressionAttributeValues={":o": {"S": "bob"}}, **MOVES["plain"])
    found = lab.get()
    assert lab.is_hit(found)
    assert found["Item"] == {**OLD, "owner": {"S": "bob"}}


def test_an_item_that_an_update_makes_enters_one_partition() -> None:
    lab = lab_with_queries(None)
    lab("UpdateItem", Key=KEY, ExpressionAttributeValues={":o": {"S": "bob"}}, **MOVES["plain"])
    assert [query(lab, owner) for owner in ("ann", "bob", "cid", "dan")] == [True, False, True, True]
    assert lab.get()["Item"] == {**KEY, "owner": {"S": "bob"}}


def test_an_item_that_leaves_the_index_drops_what_it_left() -> None:
    lab = lab_with_queries(OLD)
    lab("UpdateItem", Key=KEY, UpdateExpression="REMOVE #o", ExpressionAttributeNames={"#o": "owner"})
    assert [query(lab, owner) for owner in ("ann", "bob", "cid", "dan")] == [False, True, True, True]


def test_a_move_that_cannot_be_told_drops_the_whole_index() -> None:
    lab = lab_with_queries(OLD)
    lab(
        "UpdateItem",
        Key=KEY,
        UpdateExpression="SET #o = if_not_exists(note, :o)",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "bob"}},
    )
    assert not any(query(lab, owner) for owner in ("ann", "bob", "cid", "dan"))
