"""PutItem, UpdateItem and DeleteItem: the new state goes into the cache, and the caller gets what it asked for."""

from typing import Any

import pytest

from daxlite import CacheConfig, TableConfig
from tests.calls.scripted import ARN, ITEM, KEY, TABLE, Lab, Params, description, made, page, refused

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
    lab = Lab(**{operation: returning})
    response = lab(operation, **WRITES[operation], **({"ReturnValues": asked} if asked else {}))
    assert "Attributes" not in response
    assert lab.dynamodb.take() == [operation]
    found = lab.get()
    assert lab.is_hit(found)
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
    lab = Lab(**{operation: returning}, GetItem=made(Item=NEW))
    lab.get()
    response = lab(operation, **WRITES[operation], ReturnValues=asked)
    assert lab.dynamodb.last_params("ReturnValues") == asked
    assert response["Attributes"] == returning({"ReturnValues": asked})["Attributes"]
    found = lab.get()
    assert found.get("Item") == (None if operation == "DeleteItem" else NEW)
    # From the old image and plain assignments the new one follows; from the updated attributes alone it does not.
    assert lab.is_hit(found) is (not asked.startswith("UPDATED"))


def test_the_caller_gets_no_attributes_where_there_was_no_item() -> None:
    lab = Lab(PutItem=made())
    assert "Attributes" not in lab.put(ReturnValues="ALL_OLD")


@pytest.mark.parametrize("operation", WRITES)
def test_where_iam_denies_return_values_daxlite_stops_asking(operation: str) -> None:
    def deny(params: Params) -> dict[str, Any]:
        if "ReturnValues" in params:
            raise refused("AccessDeniedException")
        return made()

    lab = Lab(**{operation: deny}, GetItem=made(Item=ITEM), Query=page(ITEM))
    lab.get()
    lab.by_owner("ann")
    lab.dynamodb.take()
    response = lab(operation, **WRITES[operation])
    assert "Attributes" not in response
    assert lab.dynamodb.take() == [operation, operation]
    assert lab.is_hit(lab.get()) is (operation != "UpdateItem")
    assert not lab.is_hit(lab.by_owner("ann"))
    lab.dynamodb.take()
    lab(operation, **WRITES[operation])
    assert lab.dynamodb.take() == [operation], "it asked again"


@pytest.mark.parametrize("operation", WRITES)
def test_a_caller_who_may_not_write_gets_its_own_error(operation: str) -> None:
    lab = Lab(**{operation: refused("AccessDeniedException")}, GetItem=made(Item=ITEM))
    lab.get()
    with pytest.raises(Exception, match="AccessDenied"):
        lab(operation, **WRITES[operation])
    assert lab.is_hit(lab.get())


@pytest.mark.parametrize("operation", ["PutItem", "DeleteItem"])
def test_the_old_image_of_a_retried_write_is_not_believed(operation: str) -> None:
    """The first attempt was applied and its reply lost: the second one's old image is what the first one left."""
    attributes = {"Attributes": {**ITEM, "owner": {"S": "bob"}}} if operation == "PutItem" else {}
    lab = Lab(**{operation: made(retries=1, **attributes)}, Query=page(ITEM))
    lab.by_owner("ann")
    assert lab.is_hit(lab.by_owner("ann"))
    lab(operation, **({"Item": {**ITEM, "owner": {"S": "bob"}}} if operation == "PutItem" else {"Key": KEY}))
    assert not lab.is_hit(lab.by_owner("ann")), "the item was in this partition before the first attempt"


def test_the_old_image_that_the_caller_asked_for_of_a_retried_update_is_not_believed() -> None:
    moved = {**ITEM, "owner": {"S": "bob"}}
    lab = Lab(UpdateItem=made(retries=1, Attributes=moved), Query=page(ITEM))
    lab.by_owner("ann")
    lab(
        "UpdateItem",
        Key=KEY,
        UpdateExpression="SET #o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "bob"}},
        ReturnValues="ALL_OLD",
    )
    assert not lab.is_hit(lab.by_owner("ann"))


def test_a_put_drops_the_pages_it_left_and_the_pages_it_entered_and_no_others() -> None:
    lab = Lab(PutItem=made(Attributes=ITEM), Query=page())
    for owner in ("ann", "bob", "cyd"):
        lab.by_owner(owner)
    lab.query(value={"S": "other"})
    lab.put({**ITEM, "owner": {"S": "bob"}})
    assert [lab.is_hit(lab.by_owner(owner)) for owner in ("ann", "bob", "cyd")] == [False, False, True]
    assert lab.is_hit(lab.query(value={"S": "other"}))


def test_what_is_cached_after_a_put_is_dynamodbs_canonical_form() -> None:
    lab = Lab(PutItem=made())
    lab.put({**KEY, "n": {"N": "1.50"}, "s": {"NS": ["1.0", "2"]}, "b": {"B": bytearray(b"x")}, "m": {"N": "+1e2"}})
    item = lab.get()["Item"]
    assert item == {**KEY, "n": {"N": "1.5"}, "s": {"NS": ["1", "2"]}, "b": {"B": b"x"}, "m": {"N": "100"}}
    assert type(item["b"]["B"]) is bytes


def test_the_cached_item_is_isolated_from_what_was_put_and_from_what_was_read() -> None:
    item = {**KEY, "m": {"M": {"x": {"L": [{"S": "1"}]}}}}
    lab = Lab(PutItem=made())
    lab.put(item)
    item["m"]["M"]["x"]["L"].append({"S": "2"})  # type: ignore[index]
    first = lab.get()["Item"]
    first["m"]["M"].clear()
    assert lab.get()["Item"] == {**KEY, "m": {"M": {"x": {"L": [{"S": "1"}]}}}}


def test_a_configured_schema_needs_no_description() -> None:
    lab = Lab(PutItem=made(), Query=page())
    lab.put()
    lab.query()
    lab.by_owner("ann")
    assert lab.dynamodb.take() == ["PutItem", "Query", "Query"]


def test_a_table_is_described_once() -> None:
    described = description("pk", indexes={"by_owner": ("owner", "age")})
    lab = Lab(schema=None, DescribeTable=described, PutItem=made(), Query=page())
    for _ in range(3):
        lab.put()
        lab.by_owner("ann")
        lab.query(value={"S": "other"})
    assert lab.dynamodb.take().count("DescribeTable") == 1


@pytest.mark.parametrize("name", [TABLE, ARN])
def test_without_describe_table_everything_stays_right(name: str) -> None:
    lab = Lab(schema=None, DescribeTable=refused("AccessDeniedException"), PutItem=made(), Query=page(ITEM))
    lab.dynamodb.answers["GetItem"] = made(Item=ITEM)
    for read in (lab.get, lab.query, lambda: lab.by_owner("ann")):
        assert not lab.is_hit(read())
        assert lab.is_hit(read())
    lab("PutItem", TableName=name, Item={**NEW, "owner": {"S": "bob"}})
    for read in (lab.query, lambda: lab.by_owner("ann"), lambda: lab.by_owner("bob")):
        assert not lab.is_hit(read())
    found = lab.get()
    assert not lab.is_hit(found) or found["Item"]["owner"] == {"S": "bob"}
    assert lab.dynamodb.take().count("DescribeTable") == 1, "a refusal is remembered"


def test_a_refused_description_is_tried_again_later() -> None:
    lab = Lab(schema=None, DescribeTable=refused("AccessDeniedException"), PutItem=made())
    lab.put()
    lab.clock.now += 3600
    lab.put()
    assert lab.dynamodb.take().count("DescribeTable") == 2


@pytest.mark.parametrize("operation", WRITES)
def test_a_table_that_is_off_gets_the_call_alone_and_no_entry(operation: str) -> None:
    config = {"tables": {TABLE: TableConfig(enabled=False)}}
    lab = Lab(config=config, **{operation: returning}, DescribeTable=description("pk"))
    lab(operation, **WRITES[operation])
    assert lab.dynamodb.take() == [operation]
    assert lab.cache.stats().total.entries == 0


@pytest.mark.parametrize("operation", WRITES)
def test_with_item_ttl_zero_a_write_leaves_no_entry(operation: str) -> None:
    assert CacheConfig(item_ttl=0).for_table(TABLE).negative_ttl == 0
    lab = Lab(config={"item_ttl": 0}, **{operation: returning})
    lab(operation, **WRITES[operation])
    assert lab.cache.stats().total.entries == 0


def test_a_table_made_anew_with_another_key_is_learned_from_a_put() -> None:
    lab = Lab(schema=None, DescribeTable=[description("pk"), description("id")], PutItem=made(), Query=page())
    lab.put()
    lab.put({"id": {"S": "1"}, "note": {"S": "no pk"}})
    lab.query("id", {"S": "1"})
    lab.query("id", {"S": "1"})
    lab.put({"id": {"S": "1"}, "note": {"S": "new"}})
    assert not lab.is_hit(lab.query("id", {"S": "1"}))
    found = lab.get(Key={"id": {"S": "1"}})
    assert lab.is_hit(found)
    assert found["Item"]["note"] == {"S": "new"}


def test_a_table_made_anew_with_another_key_is_learned_from_a_read() -> None:
    anew = {"pk": {"S": "a"}, "sk": {"S": "1"}}
    lab = Lab(schema=None, DescribeTable=[description("pk"), description("pk", "sk")], PutItem=made())
    lab.dynamodb.answers["GetItem"] = made(Item={**anew, "v": {"N": "1"}})
    lab.put()
    lab.get(Key=anew)
    lab.get(Key=anew)
    lab.put({**anew, "v": {"N": "2"}})
    assert lab.get(Key=anew)["Item"]["v"] == {"N": "2"}
    lab.dynamodb.answers["GetItem"] = refused("ValidationException")
    with pytest.raises(Exception, match="ValidationException"):
        lab.get(Key=KEY)
