"""P4: a write drops only the pages that it could change, by their range of sort keys."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import astuple

from daxlite import KeySchema, TableConfig, TableSchema
from daxlite.cache.clock import MAX_LOG
from daxlite.core.extents import EVERYTHING, extent_of_key
from daxlite.core.schema import partition_value
from daxlite.core.tables import Place
from daxlite.core.tags import partition_tag
from tests.performance.work import work
from tests.scripted_client import TABLE, Params, ScriptedClient, made, page

SCHEMA = TableSchema(
    KeySchema.of("pk", "sk"),
    {"by_owner": KeySchema.of("owner", "age")},
    {"by_age": KeySchema.of("pk", "age")},
)
OLD = {"owner": {"S": "ann"}, "age": {"N": "50"}}


def at(sk: str, **attributes: Any) -> Params:
    return {"pk": {"S": "a"}, "sk": {"S": sk}, **attributes}


def reader(**settings: Any) -> ScriptedClient:
    answers = {"Query": page(), "PutItem": made(), "UpdateItem": made(), "DeleteItem": made()}
    config = {"tables": {TABLE: TableConfig(schema=SCHEMA)}, "settle_window": 0, **settings.pop("config", {})}
    return ScriptedClient(config=config, **{**answers, **settings})


def between(client: ScriptedClient, low: Any = "15:00", high: Any = "15:59", name: str = "sk", **more: Any) -> Params:
    kind = "S" if isinstance(low, str) else "N"
    values = {":p": {"S": "a"}, ":low": {kind: str(low)}, ":high": {kind: str(high)}}
    condition = f"pk = :p AND {name} BETWEEN :low AND :high"
    return client("Query", KeyConditionExpression=condition, ExpressionAttributeValues=values, **more)


def of_owner(client: ScriptedClient, owner: str, low: int, high: int) -> Params:
    values = {":o": {"S": owner}, ":low": {"N": str(low)}, ":high": {"N": str(high)}}
    return client(
        "Query",
        IndexName="by_owner",
        KeyConditionExpression="#o = :o AND age BETWEEN :low AND :high",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues=values,
    )


WRITES: dict[str, Callable[[ScriptedClient, str], Any]] = {
    "put": lambda client, sk: client.put(at(sk)),
    "delete": lambda client, sk: client("DeleteItem", Key=at(sk)),
    "update": lambda client, sk: client("UpdateItem", Key=at(sk), UpdateExpression="REMOVE note"),
    "batch": lambda client, sk: client("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": at(sk)}}]}),
    "transaction": lambda client, sk: client(
        "TransactWriteItems", TransactItems=[{"Put": {"TableName": TABLE, "Item": at(sk)}}]
    ),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_p4_a_write_beyond_the_range_leaves_the_page(write: Callable[[ScriptedClient, str], Any]) -> None:
    client = reader(BatchWriteItem=made(UnprocessedItems={}), TransactWriteItems=made())
    between(client)
    for sk in ("14:59", "16:00"):
        write(client, sk)
        assert client.is_hit(between(client)), sk
    for sk in ("15:00", "15:30", "15:59"):
        write(client, sk)
        assert not client.is_hit(between(client)), sk


def test_p4_a_page_ends_at_its_last_evaluated_key() -> None:
    client = reader(Query=page(LastEvaluatedKey=at("15:20")))
    between(client, Limit=2)
    client.put(at("15:21"))
    assert client.is_hit(between(client, Limit=2))
    client.put(at("15:20"))
    assert not client.is_hit(between(client, Limit=2))


def test_p4_the_next_page_begins_after_its_start() -> None:
    client = reader()
    for _ in range(2):
        between(client, ExclusiveStartKey=at("15:20"))
        client.put(at("15:19"))
    assert client.is_hit(between(client, ExclusiveStartKey=at("15:20")))
    client.put(at("15:21"))
    assert not client.is_hit(between(client, ExclusiveStartKey=at("15:20")))


def test_p4_a_backward_page_ends_below() -> None:
    client = reader(Query=page(LastEvaluatedKey=at("15:20")))
    between(client, ScanIndexForward=False)
    client.put(at("15:19"))
    assert client.is_hit(between(client, ScanIndexForward=False))
    client.put(at("15:40"))
    assert not client.is_hit(between(client, ScanIndexForward=False))


def test_p4_an_item_that_moves_in_an_index_touches_where_it_was_and_where_it_is() -> None:
    client = reader(PutItem=made(Attributes=at("1", **OLD)))
    reads = {(owner, low): (owner, low, low + 9) for owner in ("ann", "bob") for low in (10, 50)}
    for read in reads.values():
        of_owner(client, *read)
    client.put(at("1", owner={"S": "bob"}, age={"N": "12"}))
    stale = [name for name, read in reads.items() if not client.is_hit(of_owner(client, *read))]
    assert stale == [("ann", 50), ("bob", 10)]


def test_p4_within_a_partition_of_an_index_all_that_lies_between_is_touched() -> None:
    client = reader(PutItem=made(Attributes=at("1", **OLD)))
    of_owner(client, "ann", 30, 39)
    of_owner(client, "ann", 60, 69)
    client.put(at("1", owner={"S": "ann"}, age={"N": "12"}))
    assert not client.is_hit(of_owner(client, "ann", 30, 39))
    assert client.is_hit(of_owner(client, "ann", 60, 69))


def test_p4_an_item_that_moved_from_an_unknown_place_may_have_been_anywhere_in_its_partition() -> None:
    client = reader(UpdateItem=made(Attributes=at("1", owner={"S": "ann"}, age={"N": "12"})))
    of_owner(client, "ann", 50, 59)
    set_age = {"UpdateExpression": "SET age = :n", "ExpressionAttributeValues": {":n": {"N": "12"}}}
    client("UpdateItem", Key=at("1"), ReturnValues="ALL_NEW", **set_age)
    assert not client.is_hit(of_owner(client, "ann", 50, 59))


def test_p4_a_local_index_has_ranges_of_its_own() -> None:
    client = reader(PutItem=made(Attributes=at("1", age={"N": "50"})))
    for low in (10, 30, 50):
        between(client, low, low + 9, "age", IndexName="by_age")
    between(client, "2", "3")
    client.put(at("1", age={"N": "55"}))
    assert client.is_hit(between(client, "2", "3"))
    hits = [client.is_hit(between(client, low, low + 9, "age", IndexName="by_age")) for low in (10, 30, 50)]
    assert hits == [True, True, False]


def test_p4_what_was_there_is_asked_for_the_sake_of_a_local_index_too() -> None:
    schema = TableSchema(SCHEMA.key, {}, SCHEMA.local_indexes)
    client = reader(config={"tables": {TABLE: TableConfig(schema=schema)}})
    client.put(at("1", age={"N": "55"}))
    assert client.dynamodb.last_params("ReturnValues") == "ALL_OLD"


def test_p4_a_local_index_of_which_the_old_image_is_not_known_is_touched_everywhere() -> None:
    client = reader()
    between(client, 10, 19, "age", IndexName="by_age")
    client(
        "UpdateItem", Key=at("1"), UpdateExpression="SET age = age + :n", ExpressionAttributeValues={":n": {"N": "1"}}
    )
    assert not client.is_hit(between(client, 10, 19, "age", IndexName="by_age"))


def test_p3_a_change_beyond_the_range_does_not_keep_a_page_from_being_stored() -> None:
    def answer(params: Params) -> Params:
        client.put(at(writes.pop(0)))
        return page()

    client, writes = reader(Query=answer), ["16:30", "15:30", "16:40"]
    between(client)
    assert client.is_hit(between(client))
    client.cache.clear()
    between(client)
    assert not client.is_hit(between(client)), "what changed while it was read is not stored"


def test_p3_a_change_beyond_the_end_of_the_page_does_not_either() -> None:
    def answer(params: Params) -> Params:
        client.put(at("15:40"))
        return page(LastEvaluatedKey=at("15:20"))

    client = reader(Query=answer)
    between(client, Limit=1)
    assert client.is_hit(between(client, Limit=1))


def test_p2_only_what_covers_a_change_is_read_strongly() -> None:
    client = reader(config={"settle_window": 5})
    client.put(at("16:30"))
    between(client)
    assert client.dynamodb.last_params("ConsistentRead") is None
    between(client, "16:00", "16:59")
    assert client.dynamodb.last_params("ConsistentRead") is True
    assert client.is_hit(between(client))


def test_a_page_that_is_still_true_costs_what_it_did_before_the_change() -> None:
    client = reader()
    between(client)
    before = work(lambda: between(client))
    client.put(at("16:30"))
    between(client)
    assert work(lambda: between(client)) == before


def test_a_page_that_is_still_true_ends_with_its_ttl() -> None:
    client = reader(config={"query_ttl": 10})
    between(client)
    client.put(at("16:30"))
    client.clock.now += 10
    assert not client.is_hit(between(client))


def test_p4_more_changes_than_are_remembered_leave_what_lies_beyond_all_of_them() -> None:
    client = reader()
    between(client)
    for number in range(2 * MAX_LOG):
        client.put(at(f"17:{number:02}"))
    assert client.is_hit(between(client))
    client.put(at("14:00"))
    for number in range(2 * MAX_LOG):
        client.put(at(f"18:{number:02}"))
    assert not client.is_hit(between(client)), "the hull of 14:00 and 17:00 holds it"


def test_the_reason_of_a_drop_does_not_hold_the_request() -> None:
    """A hundred reasons are remembered beside the bound of the cache, and a filter may have 2 MB."""
    client = reader()
    names, values = {"#t": "text"}, {":p": {"S": "a"}, ":t": {"S": "x" * 100_000}}
    condition = {"KeyConditionExpression": "pk = :p", "FilterExpression": "#t = :t"}
    for _ in range(2):
        client("Query", **condition, ExpressionAttributeNames=names, ExpressionAttributeValues=values)
        client.put(at("1"))
    (cause,) = client.memory._state.causes
    assert len(pickle.dumps(astuple(cause))) < 1000


def test_the_reason_of_a_drop_is_at_hand() -> None:
    client = reader()
    between(client)
    client.put(at("15:30"))
    client.clock.now += 2
    between(client)
    (cause,) = client.memory._state.causes
    assert cause.tag == partition_tag(Place("eu-west-1", TABLE), None, partition_value([{"S": "a"}]))
    assert cause.touched == extent_of_key({"S": "15:30"})
    assert (cause.covered.low, cause.covered.high) == (b"S15:00", b"S15:59")
    assert cause.noticed_at - cause.changed_at == 2
    assert "15" not in repr(cause)
    client.cache.invalidate(TABLE)
    between(client)
    assert client.memory._state.causes[-1].touched is EVERYTHING
