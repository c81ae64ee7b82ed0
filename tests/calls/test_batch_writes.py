"""BatchWriteItem and TransactWriteItems: what they put or deleted stays in the cache where that is certain."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from daxlite import KeySchema, TableConfig, TableSchema
from tests.scripted_client import (
    ARN,
    ITEM,
    KEY,
    SCHEMA,
    TABLE,
    Params,
    ScriptedClient,
    description,
    made,
    page,
    refused,
)

NEW = {**ITEM, "note": {"S": "new"}}
OTHER = {"pk": {"S": "other"}}
THIRD = {"pk": {"S": "third"}}
PUTS_AND_DELETES: list[tuple[str, dict[str, Any]]] = [("Put", {"Item": NEW}), ("Delete", {"Key": OTHER})]
WRITES = ("BatchWriteItem", "TransactWriteItems")


def request(operation: str, *writes: tuple[str, dict[str, Any]], table: str = TABLE, **more: Any) -> Params:
    """A request to put and to delete: PUTS_AND_DELETES if nothing is given."""
    parts = writes or PUTS_AND_DELETES
    if operation == "BatchWriteItem":
        return {"RequestItems": {table: [{f"{kind}Request": part} for kind, part in parts]}, **more}
    return {"TransactItems": [{kind: {"TableName": table, **part}} for kind, part in parts], **more}


def write(client: ScriptedClient, operation: str, *writes: Any, **more: Any) -> dict[str, Any]:
    return client(operation, **request(operation, *writes, **more))


def writing(**answers: Any) -> ScriptedClient:
    """A client whose writes succeed."""
    made_writes: dict[str, Any] = {name: made() for name in ("PutItem", "UpdateItem", "DeleteItem", *WRITES)}
    return ScriptedClient(**{**made_writes, "GetItem": made(Item=ITEM), "Query": page(ITEM), **answers})


def left(client: ScriptedClient, *keys: Any) -> list[Any]:
    """What the cache has of each item: the item, None for none, or "unknown"."""
    found = [client.get(Key=key) for key in keys or (KEY, OTHER)]
    return [response.get("Item") if client.is_hit(response) else "unknown" for response in found]


@pytest.mark.parametrize("operation", WRITES)
def test_a_put_leaves_its_item_and_a_delete_leaves_none(operation: str) -> None:
    client = writing()
    client.query()
    client.by_owner("ann")
    write(client, operation)
    assert left(client) == [NEW, None]
    assert client.cache.stats().total.fills == 4
    assert not client.is_hit(client.query()), "its partition"
    assert not client.is_hit(client.by_owner("ann")), "what was there before is not known"


@pytest.mark.parametrize("operation", WRITES)
def test_what_stays_is_dynamodbs_canonical_form_and_the_callers_no_more(operation: str) -> None:
    client = writing()
    item = {**KEY, "n": {"N": "1.50"}, "m": {"M": {"x": {"L": []}}}}
    write(client, operation, ("Put", {"Item": item}))
    item["m"]["M"]["x"]["L"].append({"S": "2"})  # type: ignore[index]
    expected = {**KEY, "n": {"N": "1.5"}, "m": {"M": {"x": {"L": []}}}}
    assert left(client, KEY) == [expected]
    client.get()["Item"]["m"]["M"].clear()
    assert left(client, KEY) == [expected]


def test_the_items_of_several_tables() -> None:
    config = {"tables": {name: TableConfig(schema=TableSchema(KeySchema.of("pk"))) for name in (TABLE, "U")}}
    client = writing(config=config)
    puts = {name: [{"PutRequest": {"Item": {**KEY, "table": {"S": name}}}}] for name in (TABLE, "U")}
    client("BatchWriteItem", RequestItems=puts)
    for name in (TABLE, "U"):
        found = client.get(TableName=name)
        assert client.is_hit(found)
        assert found["Item"]["table"] == {"S": name}


# Overlaps


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda client: client.put({**ITEM, "note": {"S": "meanwhile"}}),
        lambda client: client("DeleteItem", Key=KEY),
        lambda client: write(client, "BatchWriteItem", ("Put", {"Item": {**ITEM, "note": {"S": "meanwhile"}}})),
        lambda client: write(client, "TransactWriteItems", ("Delete", {"Key": KEY})),
        lambda client: client.cache.invalidate(TABLE, {"pk": "a"}),
    ],
    ids=["put", "delete", "batch", "transaction", "invalidate"],
)
def test_p3_a_write_that_was_overlapped_leaves_no_entry_and_its_neighbours_do(
    operation: str, meanwhile: Callable[[ScriptedClient], Any]
) -> None:
    def overlapped(params: Params) -> dict[str, Any]:
        client.dynamodb.answers[operation] = made()
        meanwhile(client)
        return made()

    client = writing(**{operation: overlapped})
    write(client, operation)
    assert left(client) == ["unknown", None]


@pytest.mark.parametrize("operation", WRITES)
def test_p3_a_put_that_was_overlapped_by_many_writes_leaves_no_entry(operation: str) -> None:
    def overlapped(params: Params) -> dict[str, Any]:
        write(client, operation)
        return made()

    client = writing(PutItem=overlapped)
    client.put({**ITEM, "note": {"S": "meanwhile"}})
    assert left(client) == ["unknown", None]


@pytest.mark.parametrize("operation", WRITES)
def test_p3_a_read_that_was_overlapped_by_many_writes_is_not_stored(operation: str) -> None:
    def overlapped(params: Params) -> dict[str, Any]:
        write(client, operation)
        return made(Item=ITEM)

    client = writing(GetItem=[overlapped, made(Item=ITEM)])
    client.get()
    assert left(client) == [NEW, None]


@pytest.mark.parametrize("operation", WRITES)
def test_p3_two_writes_of_one_item_leave_no_entry(operation: str) -> None:
    """DynamoDB refuses them; a server that does not may apply them in any order."""
    client = writing()
    write(client, operation, ("Put", {"Item": NEW}), ("Delete", {"Key": OTHER}), ("Delete", {"Key": KEY}))
    assert left(client) == ["unknown", None]


# What is not certain


@pytest.mark.parametrize("name", [TABLE, ARN])
def test_p9_what_was_not_processed_leaves_no_entry(name: str) -> None:
    unprocessed = {name: [{"PutRequest": {"Item": {**NEW, "n": {"N": "1.0"}}}}, {"DeleteRequest": {"Key": THIRD}}]}
    client = writing(BatchWriteItem=made(UnprocessedItems=unprocessed))
    client.get()
    write(client, "BatchWriteItem", ("Put", {"Item": NEW}), ("Put", {"Item": OTHER}), ("Delete", {"Key": THIRD}))
    assert left(client, KEY, OTHER, THIRD) == ["unknown", OTHER, "unknown"]


@pytest.mark.parametrize(
    "unprocessed",
    [
        {TABLE: [{"PutRequest": {"Item": {"no": {"S": "key"}}}}]},
        {TABLE: [{"DeleteRequest": {"Key": {}}}]},
        {TABLE: [{"SomethingNew": {}}]},
        {TABLE: [{"PutRequest": None}]},
        {TABLE: [None]},
        {"not / a name": [{"PutRequest": {"Item": NEW}}]},
        [{"PutRequest": {"Item": NEW}}],
        {TABLE: [{"PutRequest": {"Item": {"pk": {"BOOL": True}}}}]},
    ],
    ids=str,
)
@pytest.mark.parametrize("schema", [TableSchema(KeySchema.of("pk")), None])
def test_p9_where_it_cannot_be_told_what_was_not_processed_nothing_is_left(unprocessed: Any, schema: Any) -> None:
    client = writing(BatchWriteItem=made(UnprocessedItems=unprocessed), schema=schema)
    write(client, "BatchWriteItem")
    assert left(client) == ["unknown", "unknown"]
    assert client.cache.stats().faults == 0


def test_p9_a_transaction_with_a_token_of_the_callers_leaves_no_entry() -> None:
    """It may be the second time, and then it writes nothing."""
    client = writing()
    write(client, "TransactWriteItems", ClientRequestToken="t")
    assert left(client) == ["unknown", "unknown"]


@pytest.mark.parametrize("metadata", [{"RetryAttempts": 1}, {}, None])
def test_p9_a_transaction_that_was_tried_again_leaves_no_entry(metadata: Any) -> None:
    """The first attempt may have been applied, and other processes may have written since."""
    client = writing(TransactWriteItems={} if metadata is None else {"ResponseMetadata": metadata})
    write(client, "TransactWriteItems")
    assert left(client) == ["unknown", "unknown"]


def test_p9_a_write_that_was_tried_again_leaves_no_entry_if_nothing_is_known_of_its_first_attempt() -> None:
    """That one may be under way still. tests/wrapping/test_attempts.py has attempts that were refused."""
    client = writing(BatchWriteItem=made(retries=1, UnprocessedItems={}), PutItem=made(retries=1))
    client.put({**THIRD, "n": {"N": "1"}})
    write(client, "BatchWriteItem")
    assert left(client, KEY, OTHER, THIRD) == ["unknown", "unknown", "unknown"]


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url="http://127.0.0.1"),
        refused("InternalServerError", status=500),
        refused("TransactionCanceledException"),
        refused("ProvisionedThroughputExceededException", retries=2),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_p9_writes_of_unknown_outcome_leave_no_entry(operation: str, error: BaseException) -> None:
    client = writing(**{operation: error})
    client.put()
    with pytest.raises(type(error)):
        write(client, operation)
    assert left(client) == ["unknown", "unknown"]
    assert client.cache.stats().in_flight == 0


def test_what_an_update_made_and_what_a_condition_met_is_not_known() -> None:
    client = writing()
    client.put(OTHER)
    update = {"Key": KEY, "UpdateExpression": "SET note = :n", "ExpressionAttributeValues": {":n": {"S": "new"}}}
    check = {"Key": OTHER, "ConditionExpression": "attribute_exists(pk)"}
    third = {**THIRD, "n": {"N": "1"}}
    write(client, "TransactWriteItems", ("Update", update), ("ConditionCheck", check), ("Put", {"Item": third}))
    assert left(client, KEY, OTHER, THIRD) == ["unknown", OTHER, third]


# Settings


@pytest.mark.parametrize("operation", WRITES)
def test_what_is_not_to_be_cached_is_not(operation: str) -> None:
    for config in ({"tables": {TABLE: TableConfig(enabled=False, schema=SCHEMA)}}, {"item_ttl": 0, "negative_ttl": 0}):
        client = writing(config=config, DescribeTable=description("pk"))
        write(client, operation)
        assert client.cache.stats().total.entries == 0


@pytest.mark.parametrize("operation", WRITES)
def test_no_item_outlives_the_moment_in_its_ttl_attribute(operation: str) -> None:
    table = TableConfig(schema=TableSchema(KeySchema.of("pk")), ttl_attribute="expires")
    client = writing(config={"tables": {TABLE: table}})
    item = {**KEY, "expires": {"N": str(int(client.clock.wall()) + 60)}}
    write(client, operation, ("Put", {"Item": item}))
    client.clock.now += 59.0
    assert left(client, KEY) == [item]
    client.clock.now += 1.0
    assert left(client, KEY) == ["unknown"]


# Keys


def test_a_table_that_was_made_anew_with_another_key_is_learned_from_a_batch() -> None:
    client = writing(schema=None, DescribeTable=[description("pk"), description("id")], Query=page())
    write(client, "BatchWriteItem", ("Put", {"Item": ITEM}))
    write(client, "BatchWriteItem", ("Put", {"Item": {"id": {"S": "1"}}}))
    client.query("id", {"S": "1"})
    assert client.dynamodb.take().count("DescribeTable") == 2
    write(client, "BatchWriteItem", ("Put", {"Item": {"id": {"S": "1"}, "v": {"N": "2"}}}))
    found = client.get(Key={"id": {"S": "1"}})
    assert client.is_hit(found)
    assert found["Item"]["v"] == {"N": "2"}


def test_without_a_description_a_delete_tells_the_key() -> None:
    client = writing(schema=None, DescribeTable=refused("AccessDeniedException"))
    write(client, "BatchWriteItem")
    write(client, "BatchWriteItem")
    assert left(client) == [NEW, None]
