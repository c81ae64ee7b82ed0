"""An error of the application's own number context reaches the application as without daxlite, and is no fault."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from decimal import Decimal, Inexact
from typing import Any

import pytest
from boto3.dynamodb import types
from boto3.dynamodb.conditions import Attr, Key
from botocore.stub import ANY, Stubber

import daxlite
from daxlite.testing import enabled

LONG = Decimal("1." + "1" * 45)
READ_BACK = "1." + "1" * 37

CALLS: dict[str, Callable[[Any], Any]] = {
    "a put": lambda table: table.put_item(Item={"pk": 1, "value": LONG}),
    "a get": lambda table: table.get_item(Key={"pk": LONG}),
    "an update": lambda table: table.update_item(
        Key={"pk": 1}, UpdateExpression="SET a = :a", ExpressionAttributeValues={":a": LONG}
    ),
    "an update by a set": lambda table: table.update_item(
        Key={"pk": 1}, UpdateExpression="SET a = :a", ExpressionAttributeValues={":a": {LONG}}
    ),
    "a legacy update": lambda table: table.update_item(
        Key={"pk": 1}, AttributeUpdates={"a": {"Value": LONG, "Action": "PUT"}}
    ),
    "a delete": lambda table: table.delete_item(Key={"pk": 1}, ConditionExpression=Attr("a").eq(LONG)),
    "a query": lambda table: table.query(KeyConditionExpression=Key("pk").eq(LONG)),
    "a scan": lambda table: table.scan(ExclusiveStartKey={"pk": LONG}),
    "a batch": lambda table: table.meta.client.batch_get_item(RequestItems={"T": {"Keys": [{"pk": LONG}, {"pk": 1}]}}),
    "writes": lambda table: table.meta.client.batch_write_item(
        RequestItems={"T": [{"PutRequest": {"Item": {"pk": LONG}}}, {"DeleteRequest": {"Key": {"pk": LONG}}}]}
    ),
    "a transaction": lambda table: table.meta.client.transact_write_items(
        TransactItems=[{"Put": {"TableName": "T", "Item": {"pk": LONG}}}]
    ),
    "a statement": lambda table: table.meta.client.execute_statement(Statement="SELECT 1", Parameters=[LONG]),
}


@pytest.mark.parametrize("way", CALLS)
def test_a_number_that_boto3_does_not_send(resource: Any, way: str) -> None:
    cache = daxlite.Cache()
    with pytest.raises(Inexact):
        CALLS[way](resource.Table("T"))
    with pytest.raises(Inexact):
        CALLS[way](daxlite.wrap(resource, cache=cache).Table("T"))
    assert cache.stats().faults == 0


@pytest.fixture
def short_numbers() -> Iterator[Callable[[], None]]:
    """From the call of this on, boto3 does not read numbers of 38 digits."""
    before = types.DYNAMODB_CONTEXT.prec
    yield lambda: setattr(types.DYNAMODB_CONTEXT, "prec", 10)
    types.DYNAMODB_CONTEXT.prec = before


def test_a_number_that_boto3_does_not_read(resource: Any, short_numbers: Callable[[], None]) -> None:
    item = {"pk": {"N": "1"}, "value": {"N": READ_BACK}}
    cache = daxlite.Cache()
    wrapped = daxlite.wrap(resource, cache=cache).Table("T")
    with enabled(), Stubber(resource.meta.client) as stub:
        stub.add_client_error("describe_table", "AccessDeniedException")
        for _ in range(3):
            stub.add_response("get_item", {"Item": deepcopy(item)}, {"TableName": "T", "Key": ANY})
        assert wrapped.get_item(Key={"pk": 1})["Item"]["value"] == Decimal(READ_BACK)
        short_numbers()
        for _ in range(2):
            with pytest.raises(Inexact):
                wrapped.get_item(Key={"pk": 1})
    assert cache.stats().faults == 0
