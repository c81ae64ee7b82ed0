"""What DescribeTable tells is believed only as long as the table cannot have become another one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from daxlite import Cache, CacheConfig
from daxlite.cache import flights
from daxlite.cache.table import DESCRIPTION_TTL
from daxlite.calls.planning import plan
from daxlite.calls.registry import operation_of
from tests.scripted_client import ITEM, KEY, TABLE, ScriptedClient, description, made, page, refused

OLD = description("pk", indexes={"by_owner": ("owner", "created")})
NEW = description("pk", indexes={"by_owner": ("owner",)})
MADE = datetime(2026, 11, 22, tzinfo=UTC)
FAR_AWAY = timezone(timedelta(hours=9))


def described(**more: Any) -> Any:
    """A description that tells the table from another one of its name."""
    response = description("pk")
    response["Table"].update(more)
    return response


def by_owner(client: ScriptedClient) -> Any:
    names, values = {"#o": "owner"}, {":o": ITEM["owner"]}
    condition = {"KeyConditionExpression": "#o = :o", "ExpressionAttributeNames": names}
    return client("Query", IndexName="by_owner", ExpressionAttributeValues=values, **condition)


def test_p4_a_description_that_the_table_overtook_is_not_kept() -> None:
    client = ScriptedClient(
        schema=None, config={"settle_window": 0}, DeleteTable=made(), CreateTable=made(), PutItem=made()
    )
    client.dynamodb.answers["Query"] = page()

    def described_late(_: Any) -> Any:
        client.dynamodb.answers["DescribeTable"] = NEW
        client("DeleteTable")
        client("CreateTable")
        return OLD

    client.dynamodb.answers["DescribeTable"] = described_late
    by_owner(client)  # described as it was before it was made anew
    by_owner(client)
    assert client.is_hit(by_owner(client))
    client("PutItem", Item=ITEM)  # which the old index, with another attribute in its key, would not have held
    assert not client.is_hit(by_owner(client))


def test_p2_a_local_index_with_another_sort_key_is_of_another_table() -> None:
    """A local index lives as long as its table does. What is cached of it covers sort keys of the old attribute."""
    client = ScriptedClient(schema=None, config={"settle_window": 0, "query_ttl": None})
    client.dynamodb.answers["Query"] = page(LastEvaluatedKey={**KEY, "sk": {"S": "1"}, "age": {"N": "3"}})
    client.dynamodb.answers["DescribeTable"] = description("pk", "sk", local={"local": "age"})
    client.query(IndexName="local", Limit=1)
    client.clock.now += DESCRIPTION_TTL  # meanwhile another program made the table anew
    client.dynamodb.answers["DescribeTable"] = description("pk", "sk", local={"local": "total"})
    key = {**KEY, "sk": {"S": "2"}}
    client.dynamodb.answers["UpdateItem"] = made(Attributes={**key, "total": {"N": "9"}})
    client("UpdateItem", Key=key, UpdateExpression="REMOVE note")
    assert not client.is_hit(client.query(IndexName="local", Limit=1))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"TableId": "a"}, {"TableId": "b"}),
        ({"CreationDateTime": MADE}, {"CreationDateTime": MADE + timedelta(seconds=1)}),
    ],
)
def test_p6_a_table_that_was_made_anew_with_the_same_keys_is_noticed_at_its_next_description(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    """As by a restore under the old name. Without a feed nothing tells of it."""
    client = ScriptedClient(
        schema=None,
        config={"settle_window": 0, "item_ttl": None},
        DescribeTable=described(**first),
        DescribeTimeToLive=made(),
        GetItem=made(Item=ITEM),
    )
    client.get()
    assert client.is_hit(client.get())
    client.clock.now += DESCRIPTION_TTL
    client.dynamodb.answers["DescribeTable"] = described(**second)
    client.get(Key={"pk": {"S": "b"}})
    assert not client.is_hit(client.get())


def test_p4_the_same_table_described_once_more_drops_nothing() -> None:
    client = ScriptedClient(
        schema=None,
        config={"settle_window": 0, "item_ttl": None},
        DescribeTable=described(TableId="a", CreationDateTime=MADE),
        DescribeTimeToLive=made(),
        GetItem=made(Item=ITEM),
    )
    client.get()
    client.clock.now += DESCRIPTION_TTL
    client.dynamodb.answers["DescribeTable"] = described(TableId="a", CreationDateTime=MADE.astimezone(FAR_AWAY))
    client.get(Key={"pk": {"S": "b"}})
    assert client.is_hit(client.get())


def test_p4_a_query_that_does_not_fit_the_schema_makes_it_forgotten() -> None:
    client = ScriptedClient(schema=None, config={"settle_window": 0}, DescribeTable=description("pk"), Query=page())
    client.query()
    client.dynamodb.answers["DescribeTable"] = description("customer_id")
    client.query("customer_id")
    client.dynamodb.take()
    client.query("customer_id", value={"S": "b"})
    assert client.dynamodb.take() == ["DescribeTable", "Query"]


def test_a_table_is_described_anew_once_an_hour() -> None:
    client = ScriptedClient(
        schema=None, DescribeTable=description("pk"), DescribeTimeToLive=made(), GetItem=made(Item=ITEM)
    )
    client.get()
    client.dynamodb.take()
    client.clock.now += 3599
    client.get(Key={"pk": {"S": "b"}})
    assert client.dynamodb.take() == ["GetItem"]
    client.clock.now += 1
    client.get(Key={"pk": {"S": "c"}})
    assert client.dynamodb.take() == ["DescribeTable", "DescribeTimeToLive", "GetItem"]


def test_a_ttl_attribute_that_could_not_be_read_is_asked_for_again() -> None:
    told = made(TimeToLiveDescription={"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"})
    answers: list[Any] = [refused("ThrottlingException"), told]
    client = ScriptedClient(
        schema=None, DescribeTable=description("pk"), DescribeTimeToLive=answers, GetItem=made(Item=ITEM)
    )
    client.get()
    assert client.dispatcher.context.table(TABLE).ttl_attribute is None
    client.clock.now += 60
    client.get(Key={"pk": {"S": "b"}})
    assert client.dispatcher.context.table(TABLE).ttl_attribute == "expires"


def test_p7_what_iam_forbids_is_said_once_for_each_table(caplog: pytest.LogCaptureFixture) -> None:
    forbidden = refused("AccessDeniedException")
    for answers in (
        {"DescribeTable": forbidden},
        {"DescribeTable": description("pk"), "DescribeTimeToLive": forbidden},
    ):
        caplog.clear()
        client = ScriptedClient(schema=None, **answers, GetItem=made(Item=ITEM))
        for number in range(3):
            client.get(Key={"pk": {"S": str(number)}})
            client.clock.now += 60
        assert client.dynamodb.take().count(list(answers)[-1]) == 3
        (record,) = caplog.records
        said = record.getMessage()
        assert record.name == "daxlite"
        assert said.startswith(f"IAM forbids {list(answers)[-1]} for {TABLE}, so ")
    caplog.clear()
    client = ScriptedClient(schema=None, DescribeTable=refused("ThrottlingException"), GetItem=made(Item=ITEM))
    client.get()
    assert not caplog.records, "the call itself shows what matters"


def test_clients_of_the_same_credentials_share_what_was_learned() -> None:
    cache = Cache(CacheConfig())
    for number in range(3):
        client = ScriptedClient(schema=None, cache=cache, DescribeTable=description("pk"), GetItem=made(Item=ITEM))
        assert client.is_hit(client.get()) is (number > 0), "a client that came and went took its knowledge along"


def test_p1_a_batch_that_others_answered_has_the_shape_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another caller asks for each key at that moment, and learns that there is no such item."""
    monkeypatch.setattr(flights, "place", object)  # the two are in threads of their own
    client = ScriptedClient(GetItem=made())
    asked = {TABLE: {"Keys": [KEY]}}
    batch: list[Any] = []

    def reads_meanwhile(_: Any) -> Any:
        # The steps of the batch, up to the point where it waits for this very read.
        request = {"RequestItems": asked, "ReturnConsumedCapacity": "TOTAL"}
        steps = plan(client.dispatcher.context, operation_of("BatchGetItem"), request)
        batch.extend([steps, next(steps)])  # type: ignore[arg-type]
        return made()

    client.dynamodb.answers["GetItem"] = reads_meanwhile
    client.get()
    steps, _ = batch
    with pytest.raises(StopIteration) as finished:
        steps.send({})
    response = finished.value.value
    assert response["Responses"] == {TABLE: []}
    assert response["ConsumedCapacity"] == [{"TableName": TABLE, "CapacityUnits": 0.0}]


class Text(str):
    """As template engines and enumerations make them."""


def test_p1_a_string_by_inheritance_is_a_string() -> None:
    client = ScriptedClient(PutItem=made(), Query=page(ITEM))
    client("PutItem", Item={Text("pk"): {"S": Text("a")}, "owner": {"S": Text("ann")}})
    found = client.get()
    assert client.is_hit(found)
    assert found["Item"] == {"pk": {"S": "a"}, "owner": {"S": "ann"}}
    client.query(value={"S": Text("a")})
    assert client.is_hit(client.query(value={"S": "a"}))
    assert client.cache.stats().faults == 0


def test_a_key_that_is_not_the_tables_cannot_be_invalidated() -> None:
    client = ScriptedClient(GetItem=made(Item=ITEM))
    client.get()
    with pytest.raises(ValueError, match=r"the key of T has the attributes \['pk'\]"):
        client.cache.invalidate(TABLE, {"pk": "a", "sk": "b"})
    client.cache.invalidate(f"arn:aws:dynamodb:eu-west-1:123456789012:table/{TABLE}", {"pk": "a"})
    assert not client.is_hit(client.get())
