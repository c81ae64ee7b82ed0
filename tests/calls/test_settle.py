"""The settle window: what has just changed is read strongly, or not stored, because a replica may still lag (P2)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.calls.lagging import NEW, OTHER, WINDOW, change, lagging, strengths
from tests.calls.scripted import ARN, ITEM, KEY, SCOPE, TABLE, Lab, Params, description, made, page, refused

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
