"""An entry never outlives the moment that its item's own TTL attribute names. After that moment the item is kept for a
short time each time that it is read, for as long as DynamoDB has not deleted it."""

from typing import Any

import pytest

from daxlite import KeySchema, TableConfig, TableSchema
from tests.scripted_client import KEY, TABLE, Clock, ScriptedClient, description, made, page

START = Clock().wall()


def expiring_client(status: str = "ENABLED", **config: Any) -> ScriptedClient:
    """A client of a table whose items expire."""
    told = {"TimeToLiveStatus": status, "AttributeName": "expires"}
    return ScriptedClient(
        schema=None,
        config={"settle_window": 0, **config},
        DescribeTable=description("pk"),
        DescribeTimeToLive=made(TimeToLiveDescription=told),
        PutItem=made(),
    )


def item(left: float | str, **more: Any) -> dict[str, Any]:
    """An item that expires `left` seconds after the start, or at the moment that `left` says as text."""
    return {**KEY, "expires": {"N": str(START + left) if isinstance(left, float) else left}, **more}


def test_an_item_read_lives_no_longer_than_its_attribute_says() -> None:
    client = expiring_client()
    client.dynamodb.answers["GetItem"] = made(Item=item(60.0))
    client.get()
    client.clock.now += 59.0
    assert client.is_hit(client.get())
    client.clock.now += 1.0
    assert not client.is_hit(client.get())


def test_an_item_written_lives_no_longer_than_its_attribute_says() -> None:
    client = expiring_client()
    client.dynamodb.answers["GetItem"] = made(Item=item(60.0))
    client.put(item(60.0))
    assert client.is_hit(client.get())
    client.clock.now += 60.0
    assert not client.is_hit(client.get())


def test_a_page_lives_no_longer_than_the_first_of_its_items() -> None:
    client = expiring_client()
    client.dynamodb.answers["Query"] = page(item(200.0), item(60.0), KEY)
    client.query()
    client.clock.now += 59.0
    assert client.is_hit(client.query())
    client.clock.now += 1.0
    assert not client.is_hit(client.query())


def test_the_moment_comes_though_the_machine_is_frozen() -> None:
    client = expiring_client()
    client.dynamodb.answers["GetItem"] = made(Item=item(60.0))
    client.get()
    client.clock.wall_is_ahead = 59.0
    assert client.is_hit(client.get())
    client.clock.wall_is_ahead = 60.0
    assert not client.is_hit(client.get())


def test_the_moment_comes_though_the_wall_clock_is_set_back() -> None:
    client = expiring_client()
    client.dynamodb.answers["GetItem"] = made(Item=item(60.0))
    client.get()
    client.clock.wall_is_ahead = -10.0
    client.clock.now += 59.0
    assert client.is_hit(client.get())
    client.clock.now += 1.0
    assert not client.is_hit(client.get())


@pytest.mark.parametrize("freezes", [[8 * 3600.0], [50.0] * 80])
def test_what_was_described_before_a_freeze_is_described_again(freezes: list[float]) -> None:
    """Another program may have made the table anew, or given it another TTL attribute; also during many short
    freezes."""
    client = expiring_client()
    client.dynamodb.answers["GetItem"] = made()
    client.get()
    assert client.dynamodb.take() == ["DescribeTable", "DescribeTimeToLive", "GetItem"]
    for number, seconds in enumerate([*freezes, 0.0]):
        client.clock.wall_is_ahead += seconds
        client.get(Key={"pk": {"S": str(number)}})
    assert client.dynamodb.take().count("DescribeTable") == 1


def test_an_item_that_has_expired_and_is_not_deleted_yet_is_kept_for_a_short_time() -> None:
    client = expiring_client()
    client.dynamodb.answers["GetItem"] = made(Item=item(-1.0))
    client.put(item(-1.0))  # a written item, too
    for _ in range(2):
        client.clock.now += 9.0
        assert client.is_hit(client.get())
        client.clock.now += 1.0
        assert not client.is_hit(client.get())


def test_a_page_with_an_item_that_has_expired_is_kept_for_a_short_time_or_until_the_next_one_expires() -> None:
    client = expiring_client()
    client.dynamodb.answers["Query"] = [page(item(-1.0), item(60.0), KEY), page(item(-1.0), item(14.0), KEY)]
    client.query()
    client.clock.now += 9.0
    assert client.is_hit(client.query())
    client.clock.now += 1.0
    assert not client.is_hit(client.query())
    client.clock.now += 3.0
    assert client.is_hit(client.query())
    client.clock.now += 1.0
    assert not client.is_hit(client.query())


def test_an_item_that_expires_while_it_is_cached_is_read_anew_and_then_kept_for_a_short_time() -> None:
    client = expiring_client()
    client.dynamodb.answers["GetItem"] = made(Item=item(60.0))
    client.get()
    client.clock.now += 60.0
    assert not client.is_hit(client.get())
    client.clock.now += 9.0
    assert client.is_hit(client.get())
    client.dynamodb.answers["GetItem"] = made()  # DynamoDB deletes it
    client.clock.now += 1.0
    assert "Item" not in client.get()


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({"expired_item_ttl": 3}, 3.0),
        ({"expired_item_ttl": None}, 300.0),
        ({"expired_item_ttl": 600}, 300.0),
        ({"tables": {TABLE: TableConfig(expired_item_ttl=2)}}, 2.0),
    ],
)
def test_how_long_it_is_kept_is_a_setting_and_never_longer_than_the_ttl(
    settings: dict[str, Any], seconds: float
) -> None:
    client = expiring_client(**settings)
    client.dynamodb.answers |= {"GetItem": made(Item=item(-1.0)), "Query": page(item(-1.0))}
    for read in (client.get, client.query):
        read()
        client.clock.now += seconds - 0.1
        assert client.is_hit(read())
        client.clock.now += 0.1
        assert not client.is_hit(read())


def test_with_a_setting_of_0_an_item_that_has_expired_is_not_stored() -> None:
    client = expiring_client(expired_item_ttl=0)
    client.dynamodb.answers |= {"GetItem": made(Item=item(-1.0)), "Query": page(item(-1.0), KEY)}
    for read in (client.get, client.query):
        read()
        assert not client.is_hit(read())


@pytest.mark.parametrize("moment", ["0", "-5", "1"])
def test_a_moment_more_than_five_years_ago_does_not_count(moment: str) -> None:
    client = expiring_client()
    client.dynamodb.answers["GetItem"] = made(Item=item(moment))
    client.get()
    client.clock.now += 299.0
    assert client.is_hit(client.get())


@pytest.mark.parametrize("value", [{"S": str(START)}, {"NULL": True}, {"M": {}}])
def test_a_value_that_is_no_number_is_no_moment(value: Any) -> None:
    client = expiring_client()
    client.dynamodb.answers["GetItem"] = made(Item={**KEY, "expires": value})
    client.get()
    client.clock.now += 299.0
    assert client.is_hit(client.get())


def test_items_of_a_table_whose_ttl_is_off_do_not_expire() -> None:
    client = expiring_client(status="DISABLED")
    client.dynamodb.answers["GetItem"] = made(Item=item(60.0))
    client.get()
    client.clock.now += 299.0
    assert client.is_hit(client.get())


def test_the_attribute_can_be_configured() -> None:
    settings = TableConfig(schema=TableSchema(KeySchema.of("pk")), ttl_attribute="expires")
    client = expiring_client(tables={TABLE: settings})
    client.dynamodb.answers["GetItem"] = made(Item=item(60.0))
    client.get()
    assert client.dynamodb.take() == ["GetItem"]
    client.clock.now += 60.0
    assert not client.is_hit(client.get())
