"""A wrapped client is a client: its attributes, exceptions, waiters and misuse."""

from __future__ import annotations

from typing import Any

from tests.differential.harness import Harness, Side, Steps, scenario
from tests.differential.tables import PLAIN

KEY = {"pk": {"S": "key-1"}}


@scenario(PLAIN)
def test_exceptions_can_be_caught_through_the_client(steps: Steps) -> None:
    def missing_table(side: Side) -> str:
        try:
            side.client.get_item(TableName="no-such-table", Key=KEY)
        except side.client.exceptions.ResourceNotFoundException as error:
            return f"caught {error}"
        return "not raised"

    def failed_condition(side: Side) -> str:
        try:
            side.client.put_item(TableName=side.name, Item=KEY, ConditionExpression="attribute_not_exists(pk)")
        except side.client.exceptions.ConditionalCheckFailedException as error:
            return f"caught {error.response['Error']['Code']}"
        return "not raised"

    assert steps.do(missing_table).startswith("caught")
    assert steps.do(failed_condition).startswith("caught")
    steps.do(lambda side: issubclass(side.client.exceptions.ClientError, Exception))
    steps.do(lambda side: hasattr(side.client.exceptions, "NoSuchException"))


@scenario(PLAIN)
def test_misuse(steps: Steps) -> None:
    steps.read("get_item", Key=KEY)
    steps.fail(lambda side: side.client.get_item(side.name, KEY))
    steps.fail(lambda side: side.client.get_item())
    steps.fail(lambda side: side.client.get_item(TableName=side.name))
    steps.fail(lambda side: side.client.get_item(TableName=side.name, Key=KEY, Nonsense=1))
    steps.fail(lambda side: side.client.get_item(TableName=side.name, Key="key-1"))
    steps.fail(lambda side: side.client.get_item(TableName=side.name, Key={"pk": "key-1"}))
    steps.fail(lambda side: side.client.get_item(TableName=side.name, Key={"pk": {"S": b"key-1"}}))
    steps.fail(lambda side: side.client.get_item(TableName=side.name, Key={"pk": {"S": "a", "N": "1"}}))
    steps.fail(lambda side: side.client.get_item(TableName=side.name, Key=KEY, ConsistentRead="yes"))
    steps.fail(lambda side: side.client.get_item(TableName=None, Key=KEY))
    steps.fail(lambda side: side.client.no_such_operation())
    steps.fail(lambda side: side.client.put_item(TableName=side.name, Item=None))
    steps.fail(lambda side: side.client.query(side.name))
    steps.fail(lambda side: side.client.scan(TableName=side.name, Limit="1"))
    steps.fail(lambda side: side.client.get_waiter("no_such_waiter"))


@scenario(PLAIN)
def test_waiters(steps: Steps) -> None:
    steps.do(lambda side: side.client.waiter_names)
    steps.do(lambda side: side.client.get_waiter("table_exists").wait(TableName=side.name))
    steps.do(lambda side: side.client.get_waiter("table_not_exists").wait(TableName="no-such-table"))
    once = {"MaxAttempts": 1, "Delay": 0}
    steps.fail(lambda side: side.client.get_waiter("table_exists").wait(TableName="no-such-table", WaiterConfig=once))


@scenario(PLAIN)
def test_attributes(steps: Steps) -> None:
    steps.do(lambda side: side.client.meta.service_model.service_name)
    steps.do(lambda side: side.client.meta.region_name)
    steps.do(lambda side: side.client.meta.method_to_api_mapping["get_item"])
    steps.do(lambda side: side.client.get_item.__name__)
    steps.do(lambda side: "get_item" in dir(side.client))
    steps.do(lambda side: hasattr(side.client, "no_such_operation"))
    steps.do(lambda side: type(side.client.meta.events).__name__)


@scenario(PLAIN)
def test_the_request_is_left_as_it_was(steps: Steps) -> None:
    """A caller may use one request for many calls."""
    requests: dict[str, dict[str, Any]] = {
        "get_item": {"Key": {"pk": {"S": "key-1"}}, "ProjectionExpression": "pk"},
        "put_item": {"Item": {"pk": {"S": "key-1"}}},
        "delete_item": {"Key": {"pk": {"S": "key-1"}}},
        "update_item": {"Key": {"pk": {"S": "key-1"}}, "UpdateExpression": "REMOVE title"},
        "batch_get_item": {"RequestItems": {steps.name: {"Keys": [{"pk": {"S": "key-1"}}]}}},
        "scan": {"Limit": 1},
    }
    for operation, request in requests.items():
        if operation != "batch_get_item":
            request["TableName"] = steps.name
        before = repr(request)
        for _ in range(2):
            # `Steps` copies what it is given as keywords, so the call is made here.
            getattr(steps.side.client, operation)(**request)
            assert repr(request) == before


@scenario(PLAIN)
def test_an_operation_that_was_kept(steps: Steps) -> None:
    get = steps.side.client.get_item
    steps.watch(lambda side: (get if side is steps.side else side.client.get_item)(TableName=side.name, Key=KEY))
    steps.write("put_item", Item=KEY | {"kept": {"BOOL": True}})


def test_a_name_that_no_client_has(harness: Harness) -> None:
    wrapped = harness.wrap(harness.raw)
    assert callable(wrapped.close)
    assert not hasattr(wrapped, "no_such_attribute")
