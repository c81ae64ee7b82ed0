"""The settle window: what has just changed is read strongly, or not stored, because a replica may still lag (P2)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.calls.lagging import NEW, OTHER, WINDOW, change, lagging, strengths
from tests.scripted_client import ARN, ITEM, KEY, SCOPE, TABLE, Params, ScriptedClient, description, made, page, refused

STRONG: dict[str, Callable[[ScriptedClient], dict[str, Any]]] = {
    "get": ScriptedClient.get,
    "get a part": lambda client: client.get(ProjectionExpression="note"),
    "query": ScriptedClient.query,
    "query a local index": lambda client: client.query(IndexName="by_age"),
    "scan": lambda client: client("Scan"),
    "scan a segment": lambda client: client("Scan", Segment=0, TotalSegments=2),
    "scan a local index": lambda client: client("Scan", IndexName="by_age"),
}
WEAK: dict[str, Callable[[ScriptedClient], dict[str, Any]]] = {
    "query a global index": lambda client: client.by_owner("ann"),
    "scan a global index": lambda client: client("Scan", IndexName="by_owner"),
}
UNCHANGED: dict[str, Callable[[ScriptedClient], dict[str, Any]]] = {
    "another item": lambda client: client.get(Key=OTHER),
    "another partition": lambda client: client.query(value=OTHER["pk"]),
    "another partition of a local index": lambda client: client.query(value=OTHER["pk"], IndexName="by_age"),
}


@pytest.mark.parametrize("read", STRONG.values(), ids=STRONG)
def test_a_miss_on_what_has_just_changed_is_read_strongly_and_stored(
    read: Callable[[ScriptedClient], dict[str, Any]],
) -> None:
    client = lagging()
    change(client)
    client.clock.now += WINDOW - 0.01
    first = read(client)
    assert strengths(client) == [True]
    assert not client.is_hit(first)
    second = read(client)
    assert client.is_hit(second)
    assert second.keys() == first.keys()
    assert "new" in str(first)
    assert {**first, "ResponseMetadata": 0} == {**second, "ResponseMetadata": 0}
    assert client.cache.stats().total.consistent_misses == 1
    assert client.cache.stats().total.discarded_fills == 0


@pytest.mark.parametrize("read", STRONG.values(), ids=STRONG)
def test_once_the_window_is_over_reads_are_plain_again(read: Callable[[ScriptedClient], dict[str, Any]]) -> None:
    client = lagging()
    change(client)
    client.clock.now += WINDOW
    read(client)
    assert strengths(client) == [None]
    assert client.is_hit(read(client))
    assert client.cache.stats().total.consistent_misses == 0


@pytest.mark.parametrize("read", UNCHANGED.values(), ids=UNCHANGED)
def test_what_did_not_change_is_read_as_ever(read: Callable[[ScriptedClient], dict[str, Any]]) -> None:
    client = lagging()
    change(client)
    read(client)
    assert strengths(client) == [None]
    assert client.is_hit(read(client))


@pytest.mark.parametrize("read", WEAK.values(), ids=WEAK)
def test_a_global_index_is_answered_but_not_stored_until_the_window_is_over(
    read: Callable[[ScriptedClient], dict[str, Any]],
) -> None:
    """DynamoDB has no strongly consistent reads there, and refuses the parameter."""
    client = lagging()
    change(client)
    for _ in range(2):
        assert read(client)["Items"] == [ITEM]
        assert strengths(client) == [None]
    assert client.cache.stats().total.discarded_fills == 2
    assert client.cache.stats().total.consistent_misses == 0
    client.clock.now += WINDOW
    read(client)
    assert client.is_hit(read(client))


def test_an_index_partition_that_the_change_cannot_have_touched_is_stored() -> None:
    client = lagging(PutItem=made(Attributes=ITEM))
    client.put(NEW)
    client.by_owner("bob")
    assert client.is_hit(client.by_owner("bob"))
    client.by_owner("ann")
    assert not client.is_hit(client.by_owner("ann"))


def test_without_a_schema_an_index_counts_as_one_without_strong_reads() -> None:
    client = lagging(config={"tables": {}})
    change(client)
    for name in ("by_age", "by_owner"):
        for _ in range(2):
            assert not client.is_hit(client.query(IndexName=name))
    assert client.query()["Items"] == [NEW], "the table itself has them"
    assert client.is_hit(client.query())


def test_a_read_that_starts_in_the_window_and_ends_after_it_is_not_stored() -> None:
    def slow(params: Params) -> dict[str, Any]:
        client.clock.now += WINDOW
        return page(ITEM)

    client = lagging(Query=[slow, page(NEW)])
    change(client)
    client.by_owner("ann")
    assert client.by_owner("ann")["Items"] == [NEW]


@pytest.mark.parametrize(
    "operation", ["PutItem", "DeleteItem", "UpdateItem", "invalidate", "TransactWriteItems", "fails"]
)
def test_every_change_starts_the_window(operation: str) -> None:
    error = refused("InternalServerError", status=500)
    client = lagging(
        PutItem=error if operation == "fails" else made(),
        DeleteItem=made(),
        UpdateItem=made(),
        TransactWriteItems=made(),
    )
    if operation == "PutItem":
        client.put(NEW)
    elif operation == "fails":
        with pytest.raises(type(error)):
            client.put(NEW)
    elif operation == "invalidate":
        client.query()
        client.cache.invalidate(TABLE, KEY)
    elif operation == "TransactWriteItems":
        client(operation, TransactItems=[{"Delete": {"TableName": TABLE, "Key": KEY}}])
    else:
        client(operation, Key=KEY)
    client.dynamodb.take()
    client.query()
    assert strengths(client) == [True]


def test_invalidating_what_was_never_read_starts_the_window() -> None:
    """Another process wrote it and told this one, which reads it for the first time."""
    client = lagging()
    client.cache.invalidate(TABLE, KEY)
    assert client.get()["Item"] == NEW


@pytest.mark.parametrize("read", [ScriptedClient.get, ScriptedClient.query], ids=["get", "query"])
def test_a_write_by_name_settles_for_reads_by_arn(read: Callable[..., dict[str, Any]]) -> None:
    """The account of the writer's credentials is not known, and the table was never named by its ARN before."""
    writer = lagging(scope=SCOPE._replace(account=None))
    reader = lagging(cache=writer.cache)
    change(writer)
    read(reader, TableName=ARN)
    assert strengths(reader) == [True]


def test_a_change_settles_though_the_account_is_learned_after_it() -> None:
    """A PartiQL write describes no table. The Query after it does, and finds the table under its account thereby."""
    described = description("pk", indexes={"by_owner": ("owner", "age")})
    client = lagging(
        scope=SCOPE._replace(account=None), config={"tables": {}}, DescribeTable=described, ExecuteStatement=made()
    )
    client("ExecuteStatement", Statement="UPDATE \"T\" SET note = 'new' WHERE pk = 'a'")
    assert client.query()["Items"] == [NEW]


def test_clear_starts_the_window_for_everything() -> None:
    client = lagging()
    client.query()
    client.cache.clear()
    client.dynamodb.take()
    client.query(value=OTHER["pk"])
    assert strengths(client) == [True]


@pytest.mark.parametrize("read", [*STRONG.values(), *WEAK.values()], ids=[*STRONG, *WEAK])
def test_a_window_of_zero_turns_it_off(read: Callable[[ScriptedClient], dict[str, Any]]) -> None:
    client = lagging(config={"settle_window": 0})
    change(client)
    read(client)
    assert strengths(client) == [None]
    assert client.is_hit(read(client))


def test_with_query_invalidation_by_ttl_pages_are_read_and_stored_as_ever() -> None:
    client = lagging(config={"query_invalidation": "ttl"})
    for read in (ScriptedClient.query, WEAK["query a global index"], STRONG["scan"]):
        change(client)
        read(client)
        assert strengths(client) == [None]
        assert client.is_hit(read(client))
    client.get()
    assert strengths(client) == [True], "items are kept exact"


@pytest.mark.parametrize("read", STRONG.values(), ids=STRONG)
def test_where_strong_reads_are_refused_the_answer_is_a_plain_one_and_not_stored(
    read: Callable[[ScriptedClient], dict[str, Any]],
) -> None:
    def refuse(plain: Any) -> Callable[[Params], dict[str, Any]]:
        def reply(params: Params) -> dict[str, Any]:
            if params.get("ConsistentRead"):
                raise refused("AccessDeniedException")
            return dict(plain)

        return reply

    client = lagging(GetItem=refuse(made(Item=ITEM)), Query=refuse(page(ITEM)), Scan=refuse(page(ITEM)))
    change(client)
    for _ in range(2):
        assert not client.is_hit(read(client))
        assert strengths(client) == [True, None]
    assert client.cache.stats().total.consistent_misses == 0
    client.clock.now += WINDOW
    read(client)
    assert client.is_hit(read(client))


def test_an_error_of_a_strong_read_is_the_applications() -> None:
    error = refused("ProvisionedThroughputExceededException")
    client = lagging(GetItem=error)
    change(client)
    with pytest.raises(type(error)) as raised:
        client.get()
    assert raised.value is error
    assert strengths(client) == [True], "throttled once, it is not asked twice"
