"""The settle window: what has just changed is read strongly, or not stored, because a replica may still lag (P2)."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import StubAssertionError
from botocore.stub import Stubber

import daxlite
from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from tests.calls.scripted import ARN, ITEM, KEY, SCOPE, TABLE, Clock, Lab, Params, description, made, page, refused

SCHEMA = TableSchema(
    KeySchema.of("pk"), {"by_owner": KeySchema.of("owner", "age")}, local_indexes=frozenset({"by_age"})
)
OTHER = {"pk": {"S": "other"}}
NEW = {**ITEM, "note": {"S": "new"}}
WINDOW = 5.0


def batch_get(params: Params) -> dict[str, Any]:
    asked = params["RequestItems"][TABLE]
    item = NEW if asked.get("ConsistentRead") else ITEM
    return made(Responses={TABLE: [{**item, **key} for key in asked["Keys"]]}, UnprocessedKeys={})


def lagging(**given: Any) -> Lab:
    """A cache whose item changed a moment ago, behind a DynamoDB whose replicas do not know."""
    answers = {
        "GetItem": lambda params: made(Item={**(NEW if params.get("ConsistentRead") else ITEM), **params["Key"]}),
        "Query": lambda params: page(NEW if params.get("ConsistentRead") else ITEM, LastEvaluatedKey=KEY),
        "Scan": lambda params: page(NEW if params.get("ConsistentRead") else ITEM),
        "BatchGetItem": batch_get,
        "BatchWriteItem": made(UnprocessedItems={}),  # leaves no new state behind, so that the next read is a miss
    }
    config = {"tables": {TABLE: TableConfig(schema=SCHEMA)}, "settle_window": WINDOW, **given.pop("config", {})}
    return Lab(config=config, **{**answers, **given})


def change(lab: Lab, item: Any = NEW) -> None:
    lab("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": item}}]})
    lab.dynamodb.take()


STRONG: dict[str, Callable[[Lab], dict[str, Any]]] = {
    "get": Lab.get,
    "get a part": lambda lab: lab.get(ProjectionExpression="note"),
    "query": Lab.query,
    "query a local index": lambda lab: lab.query(IndexName="by_age"),
    "scan": lambda lab: lab("Scan"),
    "scan a segment": lambda lab: lab("Scan", Segment=0, TotalSegments=2),
    "scan a local index": lambda lab: lab("Scan", IndexName="by_age"),
}
WEAK: dict[str, Callable[[Lab], dict[str, Any]]] = {
    "query a global index": lambda lab: lab.by_owner("ann"),
    "scan a global index": lambda lab: lab("Scan", IndexName="by_owner"),
}
UNCHANGED: dict[str, Callable[[Lab], dict[str, Any]]] = {
    "another item": lambda lab: lab.get(Key=OTHER),
    "another partition": lambda lab: lab.query(value=OTHER["pk"]),
    "another partition of a local index": lambda lab: lab.query(value=OTHER["pk"], IndexName="by_age"),
}


def strengths(lab: Lab) -> list[Any]:
    """The ConsistentRead of each call since this was last asked."""
    sent = [params.get("ConsistentRead") for _, params in lab.dynamodb.sent]
    lab.dynamodb.take()
    return sent


@pytest.mark.parametrize("read", STRONG.values(), ids=STRONG)
def test_a_miss_on_what_has_just_changed_is_read_strongly_and_stored(read: Callable[[Lab], dict[str, Any]]) -> None:
    lab = lagging()
    change(lab)
    lab.clock.now += WINDOW - 0.01
    first = read(lab)
    assert strengths(lab) == [True]
    assert not lab.is_hit(first)
    second = read(lab)
    assert lab.is_hit(second)
    assert second.keys() == first.keys()
    assert "new" in str(first)
    assert {**first, "ResponseMetadata": 0} == {**second, "ResponseMetadata": 0}
    assert lab.cache.stats().total.consistent_misses == 1
    assert lab.cache.stats().total.discarded_fills == 0


@pytest.mark.parametrize("read", STRONG.values(), ids=STRONG)
def test_once_the_window_is_over_reads_are_plain_again(read: Callable[[Lab], dict[str, Any]]) -> None:
    lab = lagging()
    change(lab)
    lab.clock.now += WINDOW
    read(lab)
    assert strengths(lab) == [None]
    assert lab.is_hit(read(lab))
    assert lab.cache.stats().total.consistent_misses == 0


@pytest.mark.parametrize("read", UNCHANGED.values(), ids=UNCHANGED)
def test_what_did_not_change_is_read_as_ever(read: Callable[[Lab], dict[str, Any]]) -> None:
    lab = lagging()
    change(lab)
    read(lab)
    assert strengths(lab) == [None]
    assert lab.is_hit(read(lab))


@pytest.mark.parametrize("read", WEAK.values(), ids=WEAK)
def test_a_global_index_is_answered_but_not_stored_until_the_window_is_over(
    read: Callable[[Lab], dict[str, Any]],
) -> None:
    """DynamoDB has no strongly consistent reads there, and refuses the parameter."""
    lab = lagging()
    change(lab)
    for _ in range(2):
        assert read(lab)["Items"] == [ITEM]
        assert strengths(lab) == [None]
    assert lab.cache.stats().total.discarded_fills == 2
    assert lab.cache.stats().total.consistent_misses == 0
    lab.clock.now += WINDOW
    read(lab)
    assert lab.is_hit(read(lab))


def test_an_index_partition_that_the_change_cannot_have_touched_is_stored() -> None:
    lab = lagging(PutItem=made(Attributes=ITEM))
    lab.put(NEW)
    lab.by_owner("bob")
    assert lab.is_hit(lab.by_owner("bob"))
    lab.by_owner("ann")
    assert not lab.is_hit(lab.by_owner("ann"))


def test_without_a_schema_an_index_counts_as_one_without_strong_reads() -> None:
    lab = lagging(config={"tables": {}})
    change(lab)
    for name in ("by_age", "by_owner"):
        for _ in range(2):
            assert not lab.is_hit(lab.query(IndexName=name))
    assert lab.query()["Items"] == [NEW], "the table itself has them"
    assert lab.is_hit(lab.query())


def test_a_read_that_starts_in_the_window_and_ends_after_it_is_not_stored() -> None:
    def slow(params: Params) -> dict[str, Any]:
        lab.clock.now += WINDOW
        return page(ITEM)

    lab = lagging(Query=[slow, page(NEW)])
    change(lab)
    lab.by_owner("ann")
    assert lab.by_owner("ann")["Items"] == [NEW]


@pytest.mark.parametrize(
    "operation", ["PutItem", "DeleteItem", "UpdateItem", "invalidate", "TransactWriteItems", "fails"]
)
def test_whatever_changes_it_starts_the_window(operation: str) -> None:
    error = refused("InternalServerError", status=500)
    lab = lagging(
        PutItem=error if operation == "fails" else made(),
        DeleteItem=made(),
        UpdateItem=made(),
        TransactWriteItems=made(),
    )
    if operation == "PutItem":
        lab.put(NEW)
    elif operation == "fails":
        with pytest.raises(type(error)):
            lab.put(NEW)
    elif operation == "invalidate":
        lab.query()
        lab.cache.invalidate(TABLE, KEY)
    elif operation == "TransactWriteItems":
        lab(operation, TransactItems=[{"Delete": {"TableName": TABLE, "Key": KEY}}])
    else:
        lab(operation, Key=KEY)
    lab.dynamodb.take()
    lab.query()
    assert strengths(lab) == [True]


def test_invalidating_what_was_never_read_starts_the_window() -> None:
    """Another process wrote it and told this one, which reads it for the first time."""
    lab = lagging()
    lab.cache.invalidate(TABLE, KEY)
    assert lab.get()["Item"] == NEW


@pytest.mark.parametrize("read", [Lab.get, Lab.query], ids=["get", "query"])
def test_a_write_by_name_settles_for_who_reads_by_arn(read: Callable[..., dict[str, Any]]) -> None:
    """Nobody told whose credentials the writer has, and the table was never named by its ARN before."""
    writer = lagging(scope=SCOPE._replace(account=None))
    reader = lagging(cache=writer.cache)
    change(writer)
    read(reader, TableName=ARN)
    assert strengths(reader) == [True]


def test_a_change_settles_though_the_account_is_learned_after_it() -> None:
    """A PartiQL write describes no table. The Query after it does, and finds the table under its account thereby."""
    described = description("pk", indexes={"by_owner": ("owner", "age")})
    lab = lagging(
        scope=SCOPE._replace(account=None), config={"tables": {}}, DescribeTable=described, ExecuteStatement=made()
    )
    lab("ExecuteStatement", Statement="UPDATE \"T\" SET note = 'new' WHERE pk = 'a'")
    assert lab.query()["Items"] == [NEW]


def test_clear_starts_the_window_for_everything() -> None:
    lab = lagging()
    lab.query()
    lab.cache.clear()
    lab.dynamodb.take()
    lab.query(value=OTHER["pk"])
    assert strengths(lab) == [True]


@pytest.mark.parametrize("read", [*STRONG.values(), *WEAK.values()], ids=[*STRONG, *WEAK])
def test_a_window_of_zero_turns_it_off(read: Callable[[Lab], dict[str, Any]]) -> None:
    lab = lagging(config={"settle_window": 0})
    change(lab)
    read(lab)
    assert strengths(lab) == [None]
    assert lab.is_hit(read(lab))


def test_with_query_invalidation_by_ttl_pages_are_read_and_stored_as_ever() -> None:
    lab = lagging(config={"query_invalidation": "ttl"})
    for read in (Lab.query, WEAK["query a global index"], STRONG["scan"]):
        change(lab)
        read(lab)
        assert strengths(lab) == [None]
        assert lab.is_hit(read(lab))
    lab.get()
    assert strengths(lab) == [True], "items are kept exact"


@pytest.mark.parametrize("read", STRONG.values(), ids=STRONG)
def test_where_strong_reads_are_refused_the_answer_is_a_plain_one_and_not_stored(
    read: Callable[[Lab], dict[str, Any]],
) -> None:
    def refuse(plain: Any) -> Callable[[Params], dict[str, Any]]:
        def reply(params: Params) -> dict[str, Any]:
            if params.get("ConsistentRead"):
                raise refused("AccessDeniedException")
            return dict(plain)

        return reply

    lab = lagging(GetItem=refuse(made(Item=ITEM)), Query=refuse(page(ITEM)), Scan=refuse(page(ITEM)))
    change(lab)
    for _ in range(2):
        assert not lab.is_hit(read(lab))
        assert strengths(lab) == [True, None]
    assert lab.cache.stats().total.consistent_misses == 0
    lab.clock.now += WINDOW
    read(lab)
    assert lab.is_hit(read(lab))


def test_an_error_of_a_strong_read_is_the_applications() -> None:
    error = refused("ProvisionedThroughputExceededException")
    lab = lagging(GetItem=error)
    change(lab)
    with pytest.raises(type(error)) as raised:
        lab.get()
    assert raised.value is error
    assert strengths(lab) == [True], "throttled once, it is not asked twice"


# BatchGetItem


def batch(lab: Lab, *keys: Any, **asked: Any) -> dict[str, Any]:
    return lab("BatchGetItem", RequestItems={TABLE: {"Keys": list(keys), **asked}})


@pytest.mark.parametrize("asked", [{}, {"ProjectionExpression": "pk, note"}, {"ProjectionExpression": "note"}], ids=str)
def test_a_batch_with_something_that_settles_is_read_strongly(asked: Params) -> None:
    lab = lagging()
    change(lab)
    batch(lab, OTHER, **asked)
    assert "ConsistentRead" not in lab.dynamodb.last_params("RequestItems")[TABLE]
    response = batch(lab, KEY, {"pk": {"S": "third"}}, **asked)
    assert lab.dynamodb.last_params("RequestItems")[TABLE]["ConsistentRead"] is True
    assert [item["note"] for item in response["Responses"][TABLE]] == [NEW["note"]] * 2
    assert lab.cache.stats().total.consistent_misses == 2, "what it costs: the item that changed, and its neighbour"
    lab.dynamodb.take()
    assert lab.is_hit(batch(lab, KEY, OTHER, **asked))
    assert lab.dynamodb.take() == []


def test_unprocessed_keys_show_nothing_of_it() -> None:
    def leave(params: Params) -> dict[str, Any]:
        return made(Responses={TABLE: []}, UnprocessedKeys=params["RequestItems"])

    lab = lagging(BatchGetItem=leave)
    change(lab)
    assert batch(lab, KEY)["UnprocessedKeys"] == {TABLE: {"Keys": [KEY]}}
    assert batch(lab, KEY, ConsistentRead=False)["UnprocessedKeys"] == {TABLE: {"Keys": [KEY], "ConsistentRead": False}}


def test_a_batch_that_may_not_read_strongly_stores_only_what_has_settled() -> None:
    def refuse(params: Params) -> dict[str, Any]:
        if "ConsistentRead" in params["RequestItems"][TABLE]:
            raise refused("AccessDeniedException")
        return batch_get(params)

    lab = lagging(BatchGetItem=refuse)
    change(lab)
    batch(lab, KEY, OTHER)
    lab.dynamodb.take()
    assert lab.is_hit(lab.get(Key=OTHER))
    assert not lab.is_hit(lab.get())


# Clients as they are


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
    client, table, _ = wire
    with Stubber(table.meta.client) as stubber:
        stubber.add_response("delete_item", {}, {"TableName": TABLE, "Key": {"pk": "a"}, "ReturnValues": "ALL_OLD"})
        stubber.add_response(
            "query",
            {"Items": [], "Count": 0, "ScannedCount": 0},
            {"TableName": TABLE, "KeyConditions": _EQUAL, "ConsistentRead": True},
        )
        table.delete_item(Key={"pk": "a"})
        first = table.query(KeyConditions=_EQUAL)
        second = table.query(KeyConditions=_EQUAL)
        stubber.assert_no_pending_responses()
    assert first["Items"] == second["Items"] == []
    assert "x-cache" in second["ResponseMetadata"]["HTTPHeaders"]
    assert "x-cache" in client.get_item(TableName=TABLE, Key=KEY)["ResponseMetadata"]["HTTPHeaders"]


_EQUAL: Any = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": ["a"]}}


def test_a_stubber_that_expects_a_plain_read_gets_one_and_it_is_not_stored(wire: tuple[Any, Any, Clock]) -> None:
    client, _, clock = wire
    query = {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :a",
        "ExpressionAttributeValues": {":a": KEY["pk"]},
    }
    with Stubber(client) as stubber:
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
