"""`install(tables=...)`: other tables pass through, and what is written to them counts."""

from typing import Any

import pytest

import daxlite
from daxlite import Cache
from tests.installing.reading import ITEM, KEY, NEW, answered, get, put
from tests.responses import is_hit
from tests.scripted_client import TABLE

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/"


def test_only_these_are_answered(client: Any, cache: Cache) -> None:
    dynamodb = answered(client)
    daxlite.install(cache, [TABLE])
    for table in (TABLE, ARN + TABLE):
        get(client, table)
        assert is_hit(get(client, table))
    for table in ("Other", ARN + "Other"):
        for read in (
            lambda table: get(client, table),
            lambda table: client.scan(TableName=table),
            lambda table: client.query(
                TableName=table, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": KEY["pk"]}
            ),
        ):
            assert [is_hit(read(table)) for _ in range(2)] == [False, False]
        put(client, table)
        assert get(client, table)["Item"] == ITEM, "and what was written is not answered either"
    assert "DescribeTable" not in dynamodb.take()
    assert cache.stats().tables["Other"]["item"].bypasses == {"table_off": 6}
    assert cache.stats().total.entries == 2


def test_a_pattern_stands_for_the_tables_that_match_it(client: Any) -> None:
    answered(client)
    installation = daxlite.install(tables=["Orders-*", TABLE])
    assert installation.tables == {"Orders-*", TABLE}
    for table, is_answered in (("Orders-eu", True), (ARN + "Orders-us", True), (TABLE, True), ("Orders", False)):
        get(client, table)
        assert is_hit(get(client, table)) is is_answered, table


def test_what_is_switched_on_while_the_cache_is_used_stays_off_for_these_clients(client: Any, cache: Cache) -> None:
    answered(client)
    wrapped = daxlite.wrap(client, cache)
    daxlite.install(cache, [TABLE])
    get(client, "Other")
    cache.configure(tables={"Other": {"item_ttl": 10}})
    for _ in range(2):
        assert not is_hit(get(client, "Other"))
    get(wrapped, "Other")
    assert is_hit(get(wrapped, "Other"))


def test_a_batch_of_both_is_answered_as_far_as_it_can_be(client: Any, cache: Cache) -> None:
    dynamodb = answered(client)
    daxlite.install(cache, [TABLE])
    get(client)
    found = client.batch_get_item(RequestItems={TABLE: {"Keys": [KEY]}, "Other": {"Keys": [KEY]}})
    assert found["Responses"] == {TABLE: [ITEM], "Other": [ITEM]}
    assert dynamodb.last_params("RequestItems").keys() == {"Other"}


WRITES: dict[str, Any] = {
    "PutItem": lambda client: put(client, "Other"),
    "UpdateItem": lambda client: client.update_item(TableName="Other", Key=KEY),
    "DeleteItem": lambda client: client.delete_item(TableName="Other", Key=KEY),
    "BatchWriteItem": lambda client: client.batch_write_item(
        RequestItems={"Other": [{"PutRequest": {"Item": NEW}}], TABLE: [{"PutRequest": {"Item": NEW}}]}
    ),
    "TransactWriteItems": lambda client: client.transact_write_items(
        TransactItems=[{"Put": {"TableName": "Other", "Item": NEW}}]
    ),
    "ExecuteStatement": lambda client: client.execute_statement(
        Statement="UPDATE \"Other\" SET note = 1 WHERE pk = 'a'"
    ),
}


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("is_same", [True, False], ids=["the same cache", "another cache"])
def test_what_is_written_to_others_is_dropped_where_it_is_cached(
    client: Any, cache: Cache, operation: str, is_same: bool
) -> None:
    dynamodb = answered(client)
    dynamodb.answers |= {name: {"ResponseMetadata": {"RetryAttempts": 0}} for name in WRITES}
    wrapped = daxlite.wrap(client, cache if is_same else Cache(cache.config))
    daxlite.install(cache, [TABLE])
    get(wrapped, "Other")
    assert is_hit(get(wrapped, "Other"))
    WRITES[operation](client)
    assert not is_hit(get(wrapped, "Other"))
    assert not is_hit(get(client, "Other"))


def test_a_table_that_is_off_in_the_cache_stays_off(client: Any) -> None:
    answered(client)
    cache = Cache(daxlite.CacheConfig(tables={TABLE: daxlite.TableConfig(enabled=False)}))
    daxlite.install(cache, [TABLE])
    for _ in range(2):
        assert not is_hit(get(client))
