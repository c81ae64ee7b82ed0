"""`wrap(..., principal=...)`: callers of one cache whose policies differ."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import daxlite
from daxlite import Cache, CacheConfig, KeySchema, TableConfig, TableSchema
from tests.responses import is_hit
from tests.scripted_client import ARN, ITEM, KEY, TABLE, made, page, refused
from tests.wrapping.wire import HERE, answer

NEW = {**ITEM, "note": {"S": "new"}}
READS: dict[str, Callable[[Any, str], Any]] = {
    "GetItem": lambda client, table: client.get_item(TableName=table, Key=KEY),
    "Query": lambda client, table: client.query(
        TableName=table, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": KEY["pk"]}
    ),
    "Scan": lambda client, table: client.scan(TableName=table),
    "BatchGetItem": lambda client, table: client.batch_get_item(RequestItems={table: {"Keys": [KEY]}}),
}


@pytest.fixture
def cache() -> Cache:
    table = TableConfig(schema=TableSchema(KeySchema.of("pk")))
    return Cache(CacheConfig(settle_window=0, tables={TABLE: table}))


def answered(client: Any) -> Any:
    answer(
        client,
        GetItem=made(Item=ITEM),
        Query=page(ITEM),
        Scan=page(ITEM),
        BatchGetItem=lambda params: made(Responses={next(iter(params["RequestItems"])): [ITEM]}, UnprocessedKeys={}),
        PutItem=made(),
    )
    return client


@pytest.mark.parametrize("table", [TABLE, ARN])
@pytest.mark.parametrize("operation", READS)
def test_p8_what_one_principal_read_is_not_answered_to_another(
    client: Any, cache: Cache, operation: str, table: str
) -> None:
    """All of them with the same credentials: what differs is known to the application alone."""
    read, raw = READS[operation], answered(client)
    first, again, other, none = (
        daxlite.wrap(raw, cache, principal=each) for each in ("role-a", "role-a", "role-b", None)
    )
    assert not is_hit(read(first, table))
    assert is_hit(read(first, table))
    assert is_hit(read(again, table)), "another client for the same principal shares its answers"
    assert not is_hit(read(other, table))
    assert not is_hit(read(none, table))


def test_p8_what_one_principal_may_not_read_is_not_answered(client: Any, cache: Cache) -> None:
    raw = answered(client)
    daxlite.wrap(raw, cache, principal="auditor").get_item(TableName=TABLE, Key=KEY)
    denied = boto3.client("dynamodb", **HERE)

    def deny(**_: Any) -> None:
        raise refused("AccessDeniedException")

    denied.meta.events.register("before-send.dynamodb", deny)
    clerk = daxlite.wrap(denied, cache, principal="clerk")
    with pytest.raises(ClientError, match="AccessDenied"):
        clerk.get_item(TableName=TABLE, Key=KEY)
    denied.close()


@pytest.mark.parametrize("operation", READS)
def test_p2_what_one_principal_writes_the_others_see(client: Any, cache: Cache, operation: str) -> None:
    read, raw = READS[operation], answered(client)
    readers = [daxlite.wrap(raw, cache, principal=each) for each in ("role-a", "role-b", None)]
    for reader in readers:
        read(reader, TABLE)
        assert is_hit(read(reader, TABLE))
    writer = daxlite.wrap(raw, cache, principal="role-c")
    writer.put_item(TableName=TABLE, Item=NEW)
    assert [is_hit(read(reader, TABLE)) for reader in readers] == [False] * 3
    assert writer.get_item(TableName=TABLE, Key=KEY)["Item"] == NEW
    assert is_hit(writer.get_item(TableName=TABLE, Key=KEY)), "its own principal finds what it wrote"


def test_a_session_and_a_resource_take_a_principal_too(resource: Any, cache: Cache) -> None:
    def identity(client: Any) -> Any:
        return client._self_dispatcher.context.names.table(TABLE).id.principal

    wrapped = daxlite.wrap(resource, cache, principal="role-a")
    assert identity(wrapped.meta.client) == "role-a"
    assert identity(wrapped.Table(TABLE).meta.client) == "role-a"
    assert identity(daxlite.wrap(resource.Table(TABLE), cache, principal="role-b").meta.client) == "role-b"
    session = daxlite.wrap(boto3.Session(region_name="eu-west-1"), cache, principal="role-c")
    made_by_it = session.client("dynamodb", **HERE)
    assert identity(made_by_it) == "role-c"
    assert identity(session.resource("dynamodb", **HERE).meta.client) == "role-c"
    made_by_it.close()


@pytest.mark.parametrize(
    ("wrong", "error"), [("", ValueError), (chr(0xD800), ValueError), (3, TypeError), (b"role", TypeError)], ids=repr
)
def test_what_is_no_name_is_no_principal(client: Any, wrong: Any, error: type[Exception]) -> None:
    for thing in (client, boto3.Session(region_name="eu-west-1")):
        with pytest.raises(error, match=r"principal is .*must be a name"):
            daxlite.wrap(thing, principal=wrong)
    with pytest.raises(TypeError):
        daxlite.wrap(client, None, None, "role-a")  # type: ignore[misc]
