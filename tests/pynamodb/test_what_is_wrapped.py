"""Which models and connections are wrapped, whenever they are made, and what is refused."""

import threading
from typing import Any

import boto3
import pynamodb
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.connection import Connection, TableConnection
from pynamodb.models import Model

import daxlite.pynamodb
from daxlite import Cache, CacheConfig
from tests.pynamodb.world import PLACE, World, description
from tests.responses import is_hit

wrap = daxlite.pynamodb.wrap


def is_cached(world: World, model: Any, *key: Any) -> bool:
    """Whether the second of two reads of one item is answered from the cache."""
    world.sent()
    for _ in range(2):
        with pytest.raises(model.DoesNotExist):
            model.get(*key)
    return world.sent() == ["GetItem"]


def test_a_decorator(world: World) -> None:
    @wrap
    class Click(world.shop.Base):
        class Meta(world.shop.Base.Meta):
            table_name = "Events"

        id = UnicodeAttribute(hash_key=True)

    assert isinstance(Click, type)
    assert is_cached(world, Click, "a")


def test_what_inherits_from_a_wrapped_model(world: World) -> None:
    wrap(world.shop.Base, world.cache)

    class Later(world.shop.Event, discriminator="later"):
        pass

    assert is_cached(world, world.shop.Order, "ann", 1)
    for key, model in enumerate((world.shop.Event, world.shop.Sale, Later)):
        assert is_cached(world, model, str(key))
    assert world.cache.stats().tables.keys() == {"Orders", "Events"}


def test_a_connection_that_was_made_before(world: World) -> None:
    world.shop.Order.count("ann")
    assert is_cached(world, wrap(world.shop.Order), "ann", 1)


def test_a_connection_that_is_made_anew(world: World) -> None:
    order = wrap(world.shop.Order, world.cache)
    assert is_cached(world, order, "ann", 1)
    order._connection = None
    assert is_cached(world, order, "ann", 2)
    order.Meta.table_name = "Archive"
    world.simulator.answer("CreateTable", description(order))
    assert is_cached(world, order, "ann", 1)


def test_a_client_that_is_made_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as there are no credentials, PynamoDB makes a client for each request."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    connection = wrap(Connection(region=PLACE["region"], host=PLACE["host"]), world.cache)
    assert connection.client is not connection.client
    connection.describe_table("Events")
    assert [is_hit(connection.get_item("Events", "a")) for _ in range(2)] == [False, True]


def test_threads_share_a_model(world: World) -> None:
    """PynamoDB keeps a session for each thread."""
    order = wrap(world.shop.Order, world.cache)
    for _ in range(3):
        thread = threading.Thread(target=lambda: order.count("ann"))
        thread.start()
        thread.join()
    assert world.sent() == ["Query"]


def test_tables_of_one_name_in_two_places_share_no_answers(world: World) -> None:
    class Far(world.shop.Base):
        class Meta(world.shop.Base.Meta):
            table_name, host = "Events", "http://far.simulated.invalid"

        id = UnicodeAttribute(hash_key=True)

    for model in (world.shop.Event, Far):
        assert is_cached(world, wrap(model, world.cache), "a")


def test_principals_share_no_answers(world: World) -> None:
    first, second = (
        wrap(TableConnection("Events", **PLACE), world.cache, principal=each) for each in ("role-a", "role-b")
    )
    for connection in (first, second):
        connection.describe_table()
    assert [is_hit(each.get_item("a")) for each in (first, first, second)] == [False, True, False]


def test_connections(world: World) -> None:
    class Own(Connection):
        pass

    for connection in (world.connection(), Own(**PLACE)):
        kind = type(connection)
        assert wrap(connection) is connection
        assert isinstance(connection, kind)
        assert repr(connection) == "Connection<http://dynamodb.simulated.invalid>"
        connection.describe_table("Events")
        assert [is_hit(connection.get_item("Events", "a")) for _ in range(2)] == [False, True]
        assert is_hit(connection.client.get_item(TableName="Events", Key={"id": {"S": "a"}}))
    assert not is_hit(world.connection().client.get_item(TableName="Events", Key={"id": {"S": "a"}}))


def test_a_client_that_the_application_has_wrapped_stays(world: World) -> None:
    connection = world.connection()
    connection._client = client = daxlite.wrap(connection.client, world.cache)
    assert wrap(connection).client is client


@pytest.mark.parametrize("again", ["itself", "what inherits from it", "its connection"])
def test_what_is_wrapped_already_is_refused(world: World, again: str) -> None:
    event = wrap(world.shop.Event)
    x = {"itself": event, "what inherits from it": world.shop.Sale, "its connection": event._get_connection()}[again]
    with pytest.raises(TypeError, match="wrapped already"):
        wrap(x)


def test_anything_else_is_refused(world: World) -> None:
    client = boto3.client("dynamodb", region_name="eu-west-1")
    for wrong in (world.shop.Event("secret"), Connection, client, None, "Event", int):
        with pytest.raises(TypeError, match="it must be a model of PynamoDB, which is") as error:
            wrap(wrong)
        assert "secret" not in str(error.value)
    for arguments in ({"cache": Cache(), "config": CacheConfig()}, {"cache": CacheConfig()}, {"principal": 3}):
        with pytest.raises(TypeError):
            wrap(world.shop.Event, **arguments)
    with pytest.raises(ValueError, match="principal"):
        wrap(world.shop.Event, principal="")
    client.close()
    assert not is_cached(world, world.shop.Event, "a"), "nothing was wrapped by halves"


def test_a_version_that_is_not_supported_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynamodb, "__version__", "5.5.1")
    with pytest.raises(RuntimeError, match=r"PynamoDB 5\.5\.1 .* install PynamoDB 6 or newer"):
        wrap(world.shop.Event)
    monkeypatch.setattr(pynamodb, "__version__", "7.0.0")
    monkeypatch.setattr(Model, "_get_connection", None)
    with pytest.raises(RuntimeError, match=r"PynamoDB 7\.0\.0 .* Model\._get_connection"):
        wrap(world.shop.Event)
