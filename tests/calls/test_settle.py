"""The settle window: what has just changed is read strongly, or not stored, because a replica may still lag (P2)."""

from collections.abc import Callable
from typing import Any

import pytest

from daxlite.cache import flights
from daxlite.core.requests import PageRead
from daxlite.core.tables import table_id
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


@pytest.mark.parametrize("operation", ["Query", "Scan"])
def test_p2_an_index_of_a_table_that_is_not_described_is_read_strongly_where_dynamodb_can(operation: str) -> None:
    def answer(params: Params) -> Params:
        if params["IndexName"] == "global" and params.get("ConsistentRead"):
            raise refused("ValidationException")
        return page(NEW if params.get("ConsistentRead") else ITEM)

    client = lagging(
        schema=None, config={"tables": {}}, DescribeTable=refused("AccessDeniedException"), **{operation: answer}
    )
    change(client)
    condition = {} if operation == "Scan" else {"KeyConditionExpression": "pk = :p"}
    values = {} if operation == "Scan" else {"ExpressionAttributeValues": {":p": KEY["pk"]}}
    for index, item, tries in (("local", NEW, [True]), ("global", ITEM, [True, None])):
        assert client(operation, IndexName=index, **condition, **values)["Items"] == [item]
        assert strengths(client)[-len(tries) :] == tries


@pytest.mark.parametrize("read", WEAK.values(), ids=WEAK)
def test_a_page_of_a_settling_index_is_kept_for_as_long_as_the_change_was_old(
    read: Callable[[ScriptedClient], dict[str, Any]],
) -> None:
    """DynamoDB has no strongly consistent reads there, and refuses the parameter."""
    client = lagging()
    change(client)
    changed_at = client.clock.now
    for age in (1.0, 2.0, 4.0):
        client.clock.now = changed_at + age
        assert not client.is_hit(read(client))
        assert strengths(client) == [None]
        client.clock.now = changed_at + min(2 * age, WINDOW) - 0.01
        assert client.is_hit(read(client))
    client.clock.now = changed_at + WINDOW
    assert not client.is_hit(read(client)), "the index has settled: what is read now is kept for the full TTL"
    client.clock.now += 200
    assert client.is_hit(read(client))
    counts = client.cache.stats().total
    assert (counts.settling_fills, counts.discarded_fills, counts.consistent_misses) == (3, 0, 0)


def test_a_page_that_is_read_right_after_the_change_is_kept_for_20_ms() -> None:
    client = lagging()
    change(client)
    client.by_owner("ann")
    client.clock.now += 0.019
    assert client.is_hit(client.by_owner("ann"))
    client.clock.now += 0.001
    assert not client.is_hit(client.by_owner("ann"))


@pytest.mark.parametrize(("factor", "kept"), [(0, 0.0), (0.5, 1.0), (10, WINDOW - 2)])
def test_how_long_it_is_kept_is_a_setting(factor: float, kept: float) -> None:
    client = lagging(config={"index_settle_factor": factor})
    change(client)
    client.clock.now += 2
    client.by_owner("ann")
    if kept:
        client.clock.now += kept - 0.01
        assert client.is_hit(client.by_owner("ann"))
    client.clock.now += 0.01
    assert not client.is_hit(client.by_owner("ann"))


@pytest.mark.parametrize(("age", "joined_for"), [(0, 0.02), (1, 1.0), (WINDOW - 1, 1.0)])
def test_a_read_of_a_settling_index_is_joined_for_no_longer_than_its_page_would_be_kept(
    monkeypatch: pytest.MonkeyPatch, age: float, joined_for: float
) -> None:
    """Else a reader that comes long after the index has settled would get what the leader read before."""
    monkeypatch.setattr(flights, "place", object)  # the readers are in threads of their own
    client = lagging()
    change(client)
    client.clock.now += age
    table, read = client.memory.table(table_id(SCOPE, TABLE)), PageRead("scan", "by_owner", b"", {})
    key = table.page("scan", b"")
    with client.memory.read_flight(table, read, key) as leader:
        leader.start_or_follow()
        client.clock.now += joined_for - 0.001
        with client.memory.read_flight(table, read, key) as follower:
            assert follower.start_or_follow() is leader
        client.clock.now += 0.001
        with client.memory.read_flight(table, read, key) as reader:
            assert reader.start_or_follow() is None


def test_another_change_of_the_partition_drops_the_page_at_once() -> None:
    client = lagging(PutItem=made(Attributes=ITEM))
    change(client)
    client.clock.now += 4
    client.by_owner("ann")
    client.put(NEW)
    assert not client.is_hit(client.by_owner("ann"))


def test_an_index_partition_that_the_change_cannot_have_touched_is_stored() -> None:
    client = lagging(PutItem=made(Attributes=ITEM))
    client.put(NEW)
    client.by_owner("bob")
    client.by_owner("ann")
    client.clock.now += WINDOW / 2
    assert client.is_hit(client.by_owner("bob"))
    assert not client.is_hit(client.by_owner("ann"))


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
