"""What DescribeTable tells is believed only as long as the table cannot have become another one."""

from __future__ import annotations

from typing import Any

import pytest

from daxlite import Cache, CacheConfig
from tests.calls.scripted import ITEM, KEY, TABLE, Lab, description, made, page, refused

OLD = description("pk", indexes={"by_owner": ("owner", "created")})
NEW = description("pk", indexes={"by_owner": ("owner",)})


def by_owner(lab: Lab) -> Any:
    names, values = {"#o": "owner"}, {":o": ITEM["owner"]}
    condition = {"KeyConditionExpression": "#o = :o", "ExpressionAttributeNames": names}
    return lab("Query", IndexName="by_owner", ExpressionAttributeValues=values, **condition)


def test_p4_a_description_that_the_table_overtook_is_not_kept() -> None:
    lab = Lab(schema=None, config={"settle_window": 0}, DeleteTable=made(), CreateTable=made(), PutItem=made())
    lab.dynamodb.answers["Query"] = page()

    def described_late(_: Any) -> Any:
        lab.dynamodb.answers["DescribeTable"] = NEW
        lab("DeleteTable")
        lab("CreateTable")
        return OLD

    lab.dynamodb.answers["DescribeTable"] = described_late
    by_owner(lab)  # described as it was before it was made anew
    by_owner(lab)
    assert lab.is_hit(by_owner(lab))
    lab("PutItem", Item=ITEM)  # which the old index, with another attribute in its key, would not have held
    assert not lab.is_hit(by_owner(lab))


def test_p4_a_query_that_does_not_fit_the_schema_makes_it_forgotten() -> None:
    lab = Lab(schema=None, config={"settle_window": 0}, DescribeTable=description("pk"), Query=page())
    lab.query()
    lab.dynamodb.answers["DescribeTable"] = description("customer_id")
    lab.query("customer_id")
    lab.dynamodb.take()
    lab.query("customer_id", value={"S": "b"})
    assert lab.dynamodb.take() == ["DescribeTable", "Query"]


def test_a_table_is_described_anew_once_an_hour() -> None:
    lab = Lab(schema=None, DescribeTable=description("pk"), DescribeTimeToLive=made(), GetItem=made(Item=ITEM))
    lab.get()
    lab.dynamodb.take()
    lab.clock.now += 3599
    lab.get(Key={"pk": {"S": "b"}})
    assert lab.dynamodb.take() == ["GetItem"]
    lab.clock.now += 1
    lab.get(Key={"pk": {"S": "c"}})
    assert lab.dynamodb.take() == ["DescribeTable", "DescribeTimeToLive", "GetItem"]


def test_a_ttl_attribute_that_nobody_could_tell_is_asked_for_again() -> None:
    told = made(TimeToLiveDescription={"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"})
    answers: list[Any] = [refused("ThrottlingException"), told]
    lab = Lab(schema=None, DescribeTable=description("pk"), DescribeTimeToLive=answers, GetItem=made(Item=ITEM))
    lab.get()
    assert lab.caller.context.table(TABLE).ttl_attribute is None
    lab.clock.now += 60
    lab.get(Key={"pk": {"S": "b"}})
    assert lab.caller.context.table(TABLE).ttl_attribute == "expires"


def test_clients_of_the_same_credentials_share_what_was_learned() -> None:
    cache = Cache(CacheConfig())
    for number in range(3):
        lab = Lab(schema=None, cache=cache, DescribeTable=description("pk"), GetItem=made(Item=ITEM))
        assert lab.is_hit(lab.get()) is (number > 0), "a client that came and went took its knowledge along"


def test_p1_a_batch_that_others_answered_has_the_shape_of_one() -> None:
    """Each key is asked for by somebody else at that moment, who learns that there is no such item."""
    lab = Lab(GetItem=made())
    asked = {TABLE: {"Keys": [KEY]}}
    batch: list[Any] = []

    def reads_meanwhile(_: Any) -> Any:
        # The steps of the batch, up to the point where it waits for this very read.
        from daxlite.edges.dispatcher import plan

        steps = plan(lab.caller.context, "BatchGetItem", {"RequestItems": asked, "ReturnConsumedCapacity": "TOTAL"})
        batch.extend([steps, next(steps)])  # type: ignore[arg-type]
        return made()

    lab.dynamodb.answers["GetItem"] = reads_meanwhile
    lab.get()
    steps, _ = batch
    with pytest.raises(StopIteration) as finished:
        steps.send({})
    response = finished.value.value
    assert response["Responses"] == {TABLE: []}
    assert response["ConsumedCapacity"] == [{"TableName": TABLE, "CapacityUnits": 0.0}]


class Text(str):
    """As template engines and enumerations make them."""


def test_p1_a_string_by_inheritance_is_a_string() -> None:
    lab = Lab(PutItem=made(), Query=page(ITEM))
    lab("PutItem", Item={Text("pk"): {"S": Text("a")}, "owner": {"S": Text("ann")}})
    found = lab.get()
    assert lab.is_hit(found)
    assert found["Item"] == {"pk": {"S": "a"}, "owner": {"S": "ann"}}
    lab.query(value={"S": Text("a")})
    assert lab.is_hit(lab.query(value={"S": "a"}))
    assert lab.cache.stats().faults == 0


def test_a_key_that_is_not_the_tables_cannot_be_invalidated() -> None:
    lab = Lab(GetItem=made(Item=ITEM))
    lab.get()
    with pytest.raises(ValueError, match=r"the key of T has the attributes \['pk'\]"):
        lab.cache.invalidate(TABLE, {"pk": "a", "sk": "b"})
    lab.cache.invalidate(f"arn:aws:dynamodb:eu-west-1:123456789012:table/{TABLE}", {"pk": "a"})
    assert not lab.is_hit(lab.get())
