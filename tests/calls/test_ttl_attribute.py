"""An entry never outlives the moment that its item's own TTL attribute names."""

from typing import Any

import pytest

import daxlite
from daxlite import CacheConfig, KeySchema, TableConfig, TableSchema
from daxlite.calls.context import Context
from daxlite.calls.dialects import Typed
from daxlite.core.tables import Scope
from daxlite.edges.dispatcher import Dispatcher
from tests.calls.scripted import KEY, TABLE, description, made

WALL = 1_800_000_000.0
"""The wall clock's time when the test's own clock shows 0."""


class Laboratory:
    """A wrapped client of a table whose items expire, and two clocks that go together."""

    def __init__(self, status: str = "ENABLED", **settings: Any) -> None:
        self.seconds = 0.0
        config = CacheConfig(item_ttl=300, query_ttl=300, jitter=0, settle_window=0, **settings)
        self.cache = daxlite.Cache(config, clock=lambda: self.seconds, wall_clock=lambda: WALL + self.seconds)
        told = {"TimeToLiveStatus": status, "AttributeName": "expires"}
        self.answers: dict[str, Any] = {
            "DescribeTable": description("pk"),
            "DescribeTimeToLive": made(TimeToLiveDescription=told),
            "PutItem": made(),
        }
        self.sent: list[str] = []
        names = self.cache.names(Scope("http://127.0.0.1", "nowhere", "key"))
        self.caller = Dispatcher(Context(self.cache, Typed(), names), self.send)

    def call(self, operation: str, **params: Any) -> Any:
        return self.caller.call(operation, {"TableName": TABLE, **params})

    def send(self, operation: str, params: Any) -> Any:
        self.sent.append(operation)
        return self.answers[operation]

    def reads(self, operation: str, **params: Any) -> int:
        """How often a read is sent when it is made once more."""
        before = len(self.sent)
        self.call(operation, **params)
        return len(self.sent) - before


def item(left: float | str, **more: Any) -> dict[str, Any]:
    """An item that expires so many seconds from the start."""
    return {**KEY, "expires": {"N": str(WALL + left) if isinstance(left, float) else left}, **more}


QUERY = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": KEY["pk"]}}


def test_an_item_read_lives_no_longer_than_its_attribute_says() -> None:
    lab = Laboratory()
    lab.answers["GetItem"] = made(Item=item(60.0))
    lab.call("GetItem", Key=KEY)
    lab.seconds = 59.0
    assert lab.reads("GetItem", Key=KEY) == 0
    lab.seconds = 60.0
    assert lab.reads("GetItem", Key=KEY) == 1


def test_an_item_written_lives_no_longer_than_its_attribute_says() -> None:
    lab = Laboratory()
    lab.answers["GetItem"] = made(Item=item(60.0))
    lab.call("PutItem", Item=item(60.0))
    assert lab.reads("GetItem", Key=KEY) == 0
    lab.seconds = 60.0
    assert lab.reads("GetItem", Key=KEY) == 1


def test_a_page_lives_no_longer_than_the_first_of_its_items() -> None:
    lab = Laboratory()
    lab.answers["Query"] = made(Items=[item(200.0), item(60.0), KEY], Count=3, ScannedCount=3)
    lab.call("Query", **QUERY)
    lab.seconds = 59.0
    assert lab.reads("Query", **QUERY) == 0
    lab.seconds = 60.0
    assert lab.reads("Query", **QUERY) == 1


def test_an_item_that_expired_and_is_not_deleted_yet_is_not_stored() -> None:
    lab = Laboratory()
    lab.answers["GetItem"] = made(Item=item(-1.0))
    lab.call("GetItem", Key=KEY)
    assert lab.reads("GetItem", Key=KEY) == 1


@pytest.mark.parametrize("moment", ["0", "-5", "1"])
def test_a_moment_more_than_five_years_ago_does_not_count(moment: str) -> None:
    lab = Laboratory()
    lab.answers["GetItem"] = made(Item=item(moment))
    lab.call("GetItem", Key=KEY)
    lab.seconds = 299.0
    assert lab.reads("GetItem", Key=KEY) == 0


@pytest.mark.parametrize("value", [{"S": str(WALL)}, {"NULL": True}, {"M": {}}])
def test_what_is_no_number_is_no_moment(value: Any) -> None:
    lab = Laboratory()
    lab.answers["GetItem"] = made(Item={**KEY, "expires": value})
    lab.call("GetItem", Key=KEY)
    lab.seconds = 299.0
    assert lab.reads("GetItem", Key=KEY) == 0


def test_a_table_whose_ttl_is_off_has_none() -> None:
    lab = Laboratory(status="DISABLED")
    lab.answers["GetItem"] = made(Item=item(60.0))
    lab.call("GetItem", Key=KEY)
    lab.seconds = 299.0
    assert lab.reads("GetItem", Key=KEY) == 0


def test_the_attribute_can_be_configured() -> None:
    settings = TableConfig(schema=TableSchema(KeySchema.of("pk")), ttl_attribute="expires")
    lab = Laboratory(tables={TABLE: settings})
    lab.answers["GetItem"] = made(Item=item(60.0))
    lab.call("GetItem", Key=KEY)
    assert lab.sent == ["GetItem"]
    lab.seconds = 60.0
    assert lab.reads("GetItem", Key=KEY) == 1
