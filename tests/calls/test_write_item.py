"""PutItem, UpdateItem and DeleteItem: the new state goes into the cache, and the caller gets what it asked for."""

from typing import Any

import pytest

from daxlite import CacheConfig, TableConfig
from tests.scripted_client import ARN, ITEM, KEY, TABLE, Params, ScriptedClient, description, made, page, refused

NEW = {**ITEM, "note": {"S": "new"}}
UPDATE = {"Key": KEY, "UpdateExpression": "SET note = :n", "ExpressionAttributeValues": {":n": {"S": "new"}}}
WRITES: dict[str, Params] = {"PutItem": {"Item": NEW}, "UpdateItem": UPDATE, "DeleteItem": {"Key": KEY}}
AFTER = {"PutItem": NEW, "UpdateItem": NEW, "DeleteItem": None}


def returning(params: Params) -> dict[str, Any]:
    """What DynamoDB returns for a write over ITEM, as its ReturnValues ask."""
    part = {"note": NEW["note"]}
    attributes = {
        "ALL_OLD": ITEM,
        "ALL_NEW": NEW,
        "UPDATED_OLD": {"note": ITEM["note"]},
        "UPDATED_NEW": part,
        "NONE": None,
    }[params.get("ReturnValues", "NONE")]
    return made() if attributes is None else made(Attributes=dict(attributes))


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("asked", [None, "NONE"])
def test_what_the_caller_did_not_ask_for_is_not_shown(operation: str, asked: str | None) -> None:
    client = ScriptedClient(**{operation: returning})
    response = client(operation, **WRITES[operation], **({"ReturnValues": asked} if asked else {}))
    assert "Attributes" not in response
    assert client.dynamodb.take() == [operation]
    found = client.get()
    assert client.is_hit(found)
    assert found.get("Item") == AFTER[operation]


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("PutItem", "ALL_OLD"),
        ("DeleteItem", "ALL_OLD"),
        ("UpdateItem", "ALL_OLD"),
        ("UpdateItem", "ALL_NEW"),
        ("UpdateItem", "UPDATED_OLD"),
        ("UpdateItem", "UPDATED_NEW"),
    ],
)
def test_the_caller_gets_exactly_the_attributes_it_asked_for(operation: str, asked: str) -> None:
    client = ScriptedClient(**{operation: returning}, GetItem=made(Item=NEW))
    client.get()
    response = client(operation, **WRITES[operation], ReturnValues=asked)
    assert client.dynamodb.last_params("ReturnValues") == asked
    assert response["Attributes"] == returning({"ReturnValues": asked})["Attributes"]
    found = client.get()
    assert found.get("Item") == (None if operation == "DeleteItem" else NEW)
    # From the old image and plain assignments the new one follows; from the updated attributes alone it does not.
    assert client.is_hit(found) is (not asked.startswith("UPDATED"))


def test_the_caller_gets_no_attributes_where_there_was_no_item() -> None:
    client = ScriptedClient(PutItem=made())
    assert "Attributes" not in client.put(ReturnValues="ALL_OLD")


@pytest.mark.parametrize("operation", WRITES)
def test_where_iam_denies_return_values_daxlite_stops_asking(operation: str) -> None:
    def deny(params: Params) -> dict[str, Any]:
        if "ReturnValues" in params:
            raise refused("AccessDeniedException")
        return made()

    client = ScriptedClient(**{operation: deny}, GetItem=made(Item=ITEM), Query=page(ITEM))
    client.get()
    client.by_owner("ann")
    client.dynamodb.take()
    response = client(operation, **WRITES[operation])
    assert "Attributes" not in response
    assert client.dynamodb.take() == [operation, operation]
    assert client.is_hit(client.get()) is (operation != "UpdateItem")
    assert not client.is_hit(client.by_owner("ann"))
    client.dynamodb.take()
    client(operation, **WRITES[operation])
    assert client.dynamodb.take() == [operation], "it asked again"


@pytest.mark.parametrize("operation", WRITES)
def test_a_caller_that_may_not_write_gets_its_own_error(operation: str) -> None:
    client = ScriptedClient(**{operation: refused("AccessDeniedException")}, GetItem=made(Item=ITEM))
    client.get()
    with pytest.raises(Exception, match="AccessDenied"):
        client(operation, **WRITES[operation])
    assert client.is_hit(client.get())


@pytest.mark.parametrize("operation", ["PutItem", "DeleteItem"])
def test_the_old_image_of_a_retried_write_is_not_believed(operation: str) -> None:
    """The first attempt was applied and its reply lost: the second one's old image is what the first one left."""
    attributes = {"Attributes": {**ITEM, "owner": {"S": "bob"}}} if operation == "PutItem" else {}
    client = ScriptedClient(**{operation: made(retries=1, **attributes)}, Query=page(ITEM))
    client.by_owner("ann")
    assert client.is_hit(client.by_owner("ann"))
    client(operation, **({"Item": {**ITEM, "owner": {"S": "bob"}}} if operation == "PutItem" else {"Key": KEY}))
    assert not client.is_hit(client.by_owner("ann")), "the item was in this partition before the first attempt"


def test_the_old_image_that_the_caller_asked_for_of_a_retried_update_is_not_believed() -> None:
    moved = {**ITEM, "owner": {"S": "bob"}}
    client = ScriptedClient(UpdateItem=made(retries=1, Attributes=moved), Query=page(ITEM))
    client.by_owner("ann")
    client(
        "UpdateItem",
        Key=KEY,
        UpdateExpression="SET #o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "bob"}},
        ReturnValues="ALL_OLD",
    )
    assert not client.is_hit(client.by_owner("ann"))


def test_a_put_drops_the_pages_it_left_and_the_pages_it_entered_and_no_others() -> None:
    client = ScriptedClient(PutItem=made(Attributes=ITEM), Query=page())
    for owner in ("ann", "bob", "cyd"):
        client.by_owner(owner)
    client.query(value={"S": "other"})
    client.put({**ITEM, "owner": {"S": "bob"}})
    assert [client.is_hit(client.by_owner(owner)) for owner in ("ann", "bob", "cyd")] == [False, False, True]
    assert client.is_hit(client.query(value={"S": "other"}))


def test_what_is_cached_after_a_put_is_dynamodbs_canonical_form() -> None:
    client = ScriptedClient(PutItem=made())
    client.put({**KEY, "n": {"N": "1.50"}, "s": {"NS": ["1.0", "2"]}, "b": {"B": bytearray(b"x")}, "m": {"N": "+1e2"}})
    item = client.get()["Item"]
    assert item == {**KEY, "n": {"N": "1.5"}, "s": {"NS": ["1", "2"]}, "b": {"B": b"x"}, "m": {"N": "100"}}
    assert type(item["b"]["B"]) is bytes


def test_the_cached_item_is_isolated_from_what_was_put_and_from_what_was_read() -> None:
    item = {**KEY, "m": {"M": {"x": {"L": [{"S": "1"}]}}}}
    client = ScriptedClient(PutItem=made())
    client.put(item)
    item["m"]["M"]["x"]["L"].append({"S": "2"})  # type: ignore[index]
    first = client.get()["Item"]
    first["m"]["M"].clear()
    assert client.get()["Item"] == {**KEY, "m": {"M": {"x": {"L": [{"S": "1"}]}}}}


def test_a_configured_schema_needs_no_description() -> None:
    client = ScriptedClient(PutItem=made(), Query=page())
    client.put()
    client.query()
    client.by_owner("ann")
    assert client.dynamodb.take() == ["PutItem", "Query", "Query"]


def test_a_table_is_described_once() -> None:
    described = description("pk", indexes={"by_owner": ("owner", "age")})
    client = ScriptedClient(schema=None, DescribeTable=described, PutItem=made(), Query=page())
    for _ in range(3):
        client.put()
        client.by_owner("ann")
        client.query(value={"S": "other"})
    assert client.dynamodb.take().count("DescribeTable") == 1


@pytest.mark.parametrize("name", [TABLE, ARN])
def test_without_describe_table_everything_stays_right(name: str) -> None:
    client = ScriptedClient(
        schema=None, DescribeTable=refused("AccessDeniedException"), PutItem=made(), Query=page(ITEM)
    )
    client.dynamodb.answers["GetItem"] = made(Item=ITEM)
    for read in (client.get, client.query, lambda: client.by_owner("ann")):
        assert not client.is_hit(read())
        assert client.is_hit(read())
    client("PutItem", TableName=name, Item={**NEW, "owner": {"S": "bob"}})
    for read in (client.query, lambda: client.by_owner("ann"), lambda: client.by_owner("bob")):
        assert not client.is_hit(read())
    found = client.get()
    assert not client.is_hit(found) or found["Item"]["owner"] == {"S": "bob"}
    assert client.dynamodb.take().count("DescribeTable") == 1, "a refusal is remembered"


def test_a_refused_description_is_tried_again_later() -> None:
    client = ScriptedClient(schema=None, DescribeTable=refused("AccessDeniedException"), PutItem=made())
    client.put()
    client.clock.now += 3600
    client.put()
    assert client.dynamodb.take().count("DescribeTable") == 2


@pytest.mark.parametrize("operation", WRITES)
def test_a_table_that_is_off_gets_the_call_alone_and_no_entry(operation: str) -> None:
    config = {"tables": {TABLE: TableConfig(enabled=False)}}
    client = ScriptedClient(config=config, **{operation: returning}, DescribeTable=description("pk"))
    client(operation, **WRITES[operation])
    assert client.dynamodb.take() == [operation]
    assert client.cache.stats().total.entries == 0


@pytest.mark.parametrize("operation", WRITES)
def test_with_item_ttl_zero_a_write_leaves_no_entry(operation: str) -> None:
    assert CacheConfig(item_ttl=0).for_table(TABLE).negative_ttl == 0
    client = ScriptedClient(config={"item_ttl": 0}, **{operation: returning})
    client(operation, **WRITES[operation])
    assert client.cache.stats().total.entries == 0


def test_a_table_made_anew_with_another_key_is_learned_from_a_put() -> None:
    client = ScriptedClient(
        schema=None, DescribeTable=[description("pk"), description("id")], PutItem=made(), Query=page()
    )
    client.put()
    client.put({"id": {"S": "1"}, "note": {"S": "no pk"}})
    client.query("id", {"S": "1"})
    client.query("id", {"S": "1"})
    client.put({"id": {"S": "1"}, "note": {"S": "new"}})
    assert not client.is_hit(client.query("id", {"S": "1"}))
    found = client.get(Key={"id": {"S": "1"}})
    assert client.is_hit(found)
    assert found["Item"]["note"] == {"S": "new"}


def test_a_table_made_anew_with_another_key_is_learned_from_a_read() -> None:
    anew = {"pk": {"S": "a"}, "sk": {"S": "1"}}
    client = ScriptedClient(schema=None, DescribeTable=[description("pk"), description("pk", "sk")], PutItem=made())
    client.dynamodb.answers["GetItem"] = made(Item={**anew, "v": {"N": "1"}})
    client.put()
    client.get(Key=anew)
    client.get(Key=anew)
    client.put({**anew, "v": {"N": "2"}})
    assert client.get(Key=anew)["Item"]["v"] == {"N": "2"}
    client.dynamodb.answers["GetItem"] = refused("ValidationException")
    with pytest.raises(Exception, match="ValidationException"):
        client.get(Key=KEY)
