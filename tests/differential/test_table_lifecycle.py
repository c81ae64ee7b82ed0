"""Tables that are deleted, created again or changed while their items are cached."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Side, Steps, scenario
from tests.differential.tables import NUMBERS, ORDERS, PLAIN, Shape, attributes, keys, row

KEY = {"pk": {"S": "key-1"}}
PARTITION: dict[str, Any] = {
    "KeyConditionExpression": "pk = :p",
    "ExpressionAttributeValues": {":p": {"S": "key-1"}},
}


def watch(steps: Steps) -> None:
    steps.watch("get_item", Key=KEY)
    steps.watch("get_item", Key={"pk": {"S": "nobody"}})
    steps.watch("query", **PARTITION)
    steps.watch("scan")
    steps.watch("batch_get_item", RequestItems={steps.name: {"Keys": [KEY]}})


def drop(steps: Steps) -> None:
    steps.do("delete_table")
    steps.do(lambda side: side.client.get_waiter("table_not_exists").wait(TableName=side.name, WaiterConfig=SOON))
    steps.look()


def create(steps: Steps, shape: Shape) -> None:
    steps.do("create_table", BillingMode="PAY_PER_REQUEST", **shape.request)
    steps.do(lambda side: side.client.get_waiter("table_exists").wait(TableName=side.name, WaiterConfig=SOON))
    steps.look()


SOON = {"Delay": 0, "MaxAttempts": 1000}


@scenario(PLAIN)
def test_deletion(steps: Steps) -> None:
    watch(steps)
    drop(steps)


@scenario(PLAIN)
def test_creation_with_the_same_name(steps: Steps) -> None:
    watch(steps)
    drop(steps)
    create(steps, PLAIN)
    steps.write("put_item", Item=KEY | {"value": {"S": "second life"}})
    steps.write("put_item", Item=row(2))


@scenario(PLAIN)
def test_creation_with_another_key(steps: Steps) -> None:
    watch(steps)
    drop(steps)
    create(steps, NUMBERS)
    steps.write("put_item", Item={"pk": {"N": "1"}, "sk": {"N": "2"}})
    steps.read("get_item", Key={"pk": {"N": "1"}, "sk": {"N": "2"}})
    steps.read("get_item", Key={"pk": {"N": "1"}, "sk": {"N": "3"}})
    steps.fail("get_item", Key=KEY)
    steps.write("delete_item", Key={"pk": {"N": "1"}, "sk": {"N": "2"}})
    steps.read("get_item", Key={"pk": {"N": "1"}, "sk": {"N": "2"}})


@scenario(PLAIN)
def test_a_table_that_was_not_there_when_it_was_first_read(steps: Steps) -> None:
    drop(steps)
    for _ in range(2):
        steps.fail("get_item", Key=KEY)
        steps.fail("query", **PARTITION)
    create(steps, PLAIN)
    watch(steps)
    steps.write("put_item", Item=row(1))


@scenario(PLAIN)
def test_deletion_that_fails(steps: Steps) -> None:
    watch(steps)
    steps.fail("delete_table", TableName="no-such-table")
    steps.fail("create_table", BillingMode="PAY_PER_REQUEST", **PLAIN.request)
    steps.look()


@scenario(PLAIN, "new_indexes")
def test_an_index_is_added_and_removed(steps: Steps) -> None:
    watch(steps)
    query: dict[str, Any] = {
        "IndexName": "by-name",
        "KeyConditionExpression": "#n = :n",
        "ExpressionAttributeNames": {"#n": "name"},
        "ExpressionAttributeValues": {":n": {"S": "row 1"}},
    }
    steps.fail("query", **query)
    index = {
        "IndexName": "by-name",
        "KeySchema": keys("name"),
        "Projection": {"ProjectionType": "ALL"},
    }
    steps.write(
        "update_table",
        AttributeDefinitions=attributes(pk="S", name="S"),
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )
    steps.do(wait_for_indexes)
    # What was read of the old index may still be settling, and global indexes have no strong reads.
    steps.watch("query", hit=False, **query)
    steps.write("put_item", Item=row(1) | {"extra": {"BOOL": True}})
    steps.write("put_item", Item=row(1) | {"name": {"S": "elsewhere"}})
    steps.write("put_item", Item=row(60) | {"name": {"S": "row 1"}})
    steps.write("delete_item", Key={"pk": {"S": "key-60"}})
    steps.write("update_table", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-name"}}])
    steps.do(wait_for_indexes)
    steps.fail("query", **query)


def wait_for_indexes(side: Side) -> None:
    """Until no index is on its way."""
    while True:
        table = side.client.describe_table(TableName=side.name)["Table"]
        if all(index["IndexStatus"] == "ACTIVE" for index in table.get("GlobalSecondaryIndexes", [])):
            return


@scenario(PLAIN)
def test_operations_without_a_cache(steps: Steps) -> None:
    """What daxlite knows nothing of goes straight through."""
    watch(steps)
    steps.do("describe_table")
    steps.do("list_tables", Limit=1, ExclusiveStartTableName="zzz")
    steps.fail("describe_table", TableName="no-such-table")
    steps.attempt("describe_time_to_live")
    arn = steps.do("describe_table")["Table"]["TableArn"]
    steps.attempt("tag_resource", ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    steps.attempt("list_tags_of_resource", ResourceArn=arn)
    steps.attempt("describe_limits")
    steps.look()


@scenario(ORDERS)
def test_another_table_is_left_alone(steps: Steps) -> None:
    """The same keys in two tables are different items."""
    other = steps.another_table(ORDERS)
    key = {"customer": {"S": "ada"}, "seq": {"N": "1"}}
    for name in (steps.name, other):
        steps.watch("get_item", TableName=name, Key=key)
        steps.watch("scan", TableName=name)
    steps.write("put_item", TableName=other, Item=key)
    steps.write("delete_item", Key=key)
    steps.write("delete_table", TableName=other)
