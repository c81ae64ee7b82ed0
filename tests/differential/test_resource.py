"""A wrapped resource: its collections, its batches, and the client that it carries."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Side, Steps, scenario
from tests.differential.tables import ORDERS, PLAIN, attributes, keys

SOON = {"Delay": 0, "MaxAttempts": 1000}


@scenario(PLAIN)
def test_batch_get_item(steps: Steps) -> None:
    request = {steps.name: {"Keys": [{"pk": "key-1"}, {"pk": "key-2"}, {"pk": "nobody"}]}}
    steps.watch("resource.batch_get_item", RequestItems=request)
    steps.watch("table.get_item", Key={"pk": "key-1"})
    projected = {steps.name: {"Keys": [{"pk": "key-1"}], "ProjectionExpression": "pk"}}
    steps.watch("resource.batch_get_item", RequestItems=projected)
    steps.write("table.put_item", Item={"pk": "key-1", "new": True})
    steps.write("table.delete_item", Key={"pk": "key-2"})


@scenario(PLAIN)
def test_batch_write_item(steps: Steps) -> None:
    steps.watch("table.scan")
    steps.watch("table.get_item", Key={"pk": "key-1"})
    requests = [
        {"PutRequest": {"Item": {"pk": "key-1", "value": 1}}},
        {"DeleteRequest": {"Key": {"pk": "key-2"}}},
    ]
    steps.write("resource.batch_write_item", RequestItems={steps.name: requests})


@scenario(PLAIN)
def test_the_client_of_a_resource_takes_native_types(steps: Steps) -> None:
    def get(side: Side) -> Any:
        return side.resource.meta.client.get_item(TableName=side.name, Key={"pk": "key-1"})

    def get_through_the_table(side: Side) -> Any:
        return side.table.meta.client.get_item(TableName=side.name, Key={"pk": "key-1"})

    assert steps.watch(get)["Item"]["pk"] == "key-1"
    steps.watch(get_through_the_table)
    steps.watch("get_item", Key={"pk": {"S": "key-1"}})
    steps.write(lambda side: side.resource.meta.client.put_item(TableName=side.name, Item={"pk": "key-1", "value": 5}))
    steps.write(lambda side: side.table.meta.client.delete_item(TableName=side.name, Key={"pk": "key-1"}))


@scenario(PLAIN)
def test_paginators_of_the_client_of_a_resource(steps: Steps) -> None:
    def pages(side: Side) -> Any:
        paginator = side.resource.meta.client.get_paginator("scan")
        return list(paginator.paginate(TableName=side.name, PaginationConfig={"PageSize": 2}))

    steps.watch(pages)
    steps.write("table.put_item", Item={"pk": "another"})
    steps.write("put_item", Item={"pk": {"S": "one more"}})


@scenario(PLAIN)
def test_collections(steps: Steps) -> None:
    def mine(side: Side) -> Any:
        return [table for table in side.resource.tables.all() if table.name == side.name]

    def names(side: Side) -> Any:
        return [table.name for table in mine(side)]

    assert steps.do(names) == [steps.name]
    steps.do(lambda side: len(list(side.resource.tables.limit(1))))
    steps.do(lambda side: [len(page) for page in side.resource.tables.limit(1).pages()])
    steps.read(lambda side: mine(side)[0].get_item(Key={"pk": "key-1"}))
    steps.watch("table.get_item", Key={"pk": "key-1"})
    steps.write(lambda side: mine(side)[0].put_item(Item={"pk": "key-1", "from": "a collection"}))


@scenario(PLAIN)
def test_tables_that_a_resource_makes(steps: Steps) -> None:
    def create(side: Side) -> str:
        table = side.resource.create_table(
            TableName=f"{side.name}-made",
            KeySchema=keys("pk"),
            AttributeDefinitions=attributes(pk="S"),
            BillingMode="PAY_PER_REQUEST",
        )
        table.wait_until_exists(WaiterConfig=SOON)
        name: str = table.name
        return name

    def made(side: Side) -> Any:
        return side.resource.Table(f"{side.name}-made")

    steps.do(create)
    steps.watch(lambda side: made(side).get_item(Key={"pk": "a"}))
    steps.write(lambda side: made(side).put_item(Item={"pk": "a"}))
    steps.do(lambda side: made(side).delete())
    steps.do(lambda side: made(side).wait_until_not_exists(WaiterConfig=SOON))
    steps.look()


@scenario(ORDERS)
def test_attributes(steps: Steps) -> None:
    steps.do(lambda side: side.resource.Table("anything").name)
    steps.do(lambda side: sorted(side.resource.get_available_subresources()))
    steps.do(lambda side: side.resource.meta.service_name)
    steps.do(lambda side: "Table" in dir(side.resource))
    steps.fail(lambda side: side.resource.NoSuchThing)
    steps.fail(lambda side: side.resource.Table())
    steps.fail(lambda side: side.resource.batch_get_item(side.name))
