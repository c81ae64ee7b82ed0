"""`on_partition` with the name of an index that is none: an error as soon as it can be known."""

from __future__ import annotations

from itertools import count

import pytest

from daxlite import TableConfig
from daxlite.aggregations import Dependency, on_partition
from daxlite.cache import regions
from daxlite.core.tables import Scope
from tests.aggregations.scripted import Counted, World
from tests.scripted_client import ARN, SCOPE, ScriptedClient, description, page

TABLE = ""
NUMBERS = count()
WRONG = {"by_total": "'by_total' is a local index of .*leave index= out", "by_dya": r"no index 'by_dya'.*'by_day'"}


@pytest.fixture(autouse=True)
def one_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests know of others. What they described must not be told: their caches may not be collected yet."""
    global TABLE
    TABLE = f"Table-{next(NUMBERS)}"
    monkeypatch.setattr(regions, "_known", {SCOPE.region: None})


def partition(index: str, **where: str) -> Dependency:
    return on_partition(TABLE, {"day": "2026-11-22"}, index, **where)


def describing(*indexes: str, arn: str | None = None, scope: Scope = SCOPE) -> ScriptedClient:
    """A client that has described the table."""
    described = description("pk", "sk", arn=arn, indexes=dict.fromkeys(indexes, ("day",)), local={"by_total": "total"})
    client = ScriptedClient(config={"tables": {}}, scope=scope, DescribeTable=described, Query=page())
    client.query(TableName=TABLE)
    return client


@pytest.mark.parametrize("index", WRONG)
def test_it_is_refused_where_it_is_written_if_the_table_is_described(index: str) -> None:
    assert partition(index), "no client has described the table"
    client = describing("by_day")
    with pytest.raises(ValueError, match=WRONG[index]):
        partition(index)
    assert partition("by_day")
    assert client.dynamodb.take()


@pytest.mark.parametrize("index", WRONG)
def test_it_is_refused_where_the_description_told_the_account_of_the_credentials(index: str) -> None:
    client = describing("by_day", arn=ARN, scope=SCOPE._replace(account=None))
    with pytest.raises(ValueError, match=WRONG[index]):
        partition(index)
    assert client.dynamodb.take()


@pytest.mark.parametrize("index", WRONG)
def test_it_is_refused_at_the_first_call_after_the_table_was_described(world: World, index: str) -> None:
    process, function, by_hand = world.process(), Counted(), partition(index)
    cached = process.cache.cached(depends_on=[by_hand, partition("by_day")])(function)
    assert cached() == 1
    client = describing("by_day")
    for _ in range(2):
        with pytest.raises(ValueError, match=WRONG[index]):
            cached()
        with pytest.raises(ValueError, match=WRONG[index]):
            process.cache.get_or_compute("key", function, depends_on=[by_hand])
    assert function.calls == 1
    assert client.dynamodb.take()


def test_an_index_that_was_added_is_known_after_the_next_read() -> None:
    client = describing("by_day")
    client.dynamodb.answers["DescribeTable"] = description(
        "pk", "sk", arn=None, indexes={"by_day": ("day",), "by_dya": ("d",)}
    )
    with pytest.raises(ValueError, match="no index 'by_dya'"):
        partition("by_dya")
    client.clock.now += 60
    client.query(TableName=TABLE, value={"S": "b"})
    assert partition("by_dya")


def test_a_schema_that_is_given_is_believed() -> None:
    schema = describing("by_day").cache._memory._state.tables_at(partition("by_day").tags[0].table)[0].schema
    tables = {TABLE: TableConfig(schema=schema)}
    client = ScriptedClient(config={"tables": tables}, Query=page())
    client.query(TableName=TABLE)
    with pytest.raises(ValueError, match="no index"):
        partition("by_dya")
    client.query(TableName=TABLE, value={"S": "b"})
    assert client.dynamodb.take() == ["Query", "Query"]


def test_a_table_in_another_region_may_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    client = describing("by_day")
    monkeypatch.setattr(regions, "_known", {SCOPE.region: None, "us-east-1": None})
    assert partition("by_dya")
    with pytest.raises(ValueError, match="no index"):
        partition("by_dya", region=SCOPE.region)
    assert client.dynamodb.take()
