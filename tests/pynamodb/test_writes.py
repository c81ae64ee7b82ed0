"""What PynamoDB writes to the table of a wrapped model by other ways than the model, the model's cache sees (P2)."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.connection import TableConnection
from pynamodb.expressions.operand import Path, Value
from pynamodb.expressions.update import SetAction
from pynamodb.signals import post_dynamodb_send, pre_dynamodb_send
from pynamodb.transactions import TransactWrite

import daxlite.pynamodb
from daxlite.pynamodb import writes
from tests.pynamodb.world import PLACE, World


def by_a_transaction(world: World, connection: Any = None) -> None:
    with TransactWrite(connection=connection or world.connection()) as transaction:
        transaction.update(world.shop.Order("ann", 1, version=1), actions=[world.shop.Order.status.set("sent")])


def by_a_connection(world: World) -> None:
    connection = world.connection()
    connection.describe_table("Orders")
    connection.put_item("Orders", "ann", "1", attributes={"status": {"S": "sent"}, "version": {"N": "1"}})


def by_a_batch(world: World) -> None:
    connection = TableConnection("Orders", **PLACE)
    connection.describe_table()
    item = {"customer": {"S": "ann"}, "number": {"N": "1"}, "status": {"S": "sent"}, "version": {"N": "1"}}
    connection.batch_write_item(put_items=[item])


def by_an_update(world: World) -> None:
    connection = TableConnection("Orders", **PLACE)
    connection.describe_table()
    connection.update_item("ann", "1", actions=[SetAction(Path("status"), Value("sent"))])


def by_another_model(world: World) -> None:
    class Other(world.shop.Base):
        class Meta(world.shop.Base.Meta):
            table_name = "Orders"

        customer = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)
        status = UnicodeAttribute(null=True)
        version = NumberAttribute(default=1)

    Other("ann", 1, status="sent").save()


@pytest.mark.parametrize("write", [by_a_transaction, by_a_connection, by_a_batch, by_an_update, by_another_model])
def test_p2_a_write_by_another_way(world: World, write: Callable[[World], None]) -> None:
    order = daxlite.pynamodb.wrap(world.shop.Order, world.cache)
    world.elsewhere("ann", 1, status={"S": "open"})
    assert (order.get("ann", 1).status, order.count("ann", filter_condition=order.status == "sent")) == ("open", 0)
    world.simulator.replicas.base_lag = 2.0
    write(world)
    assert (order.get("ann", 1).status, order.count("ann", filter_condition=order.status == "sent")) == ("sent", 1)


def test_a_model_whose_subclass_alone_is_wrapped_does_not_write_past_it(world: World) -> None:
    click = daxlite.pynamodb.wrap(world.shop.Click, world.cache)
    world.shop.Click("a", page="home").save()
    assert click.get("a").page == "home"
    with world.shop.Event.batch_write() as batch:
        batch.delete(world.shop.Event("a"))
    with pytest.raises(click.DoesNotExist):
        click.get("a")


def test_p2_a_model_whose_connection_was_wrapped_before(world: World) -> None:
    order = world.shop.Order
    daxlite.pynamodb.wrap(order._get_connection(), world.cache)
    daxlite.pynamodb.wrap(order)
    assert order.count("ann") == 0
    by_a_connection(world)
    assert order.count("ann") == 1


def test_a_connection_that_is_not_wrapped_reads_as_ever(world: World) -> None:
    daxlite.pynamodb.wrap(world.shop.Order, world.cache).count("ann")
    connection = world.connection()
    connection.describe_table("Orders")
    connection.put_item("Orders", "ann", "1")
    world.sent()
    for _ in range(2):
        assert "Item" in connection.get_item("Orders", "ann", "1")
    assert world.sent() == ["GetItem", "GetItem"]
    entries = world.cache.stats().total.entries
    world.shop.Click("a").save()
    assert world.cache.stats().total.entries == entries, "nobody wrapped this model"


def test_a_connection_that_is_not_wrapped_has_one_client(world: World) -> None:
    daxlite.pynamodb.wrap(world.shop.Order, world.cache).count("ann")
    world.elsewhere("ann", 1)
    connection, before = world.connection(), world.clients
    by_a_transaction(world, connection)
    connection.list_tables()
    assert world.clients == before + 1
    world.shop.Order("bob", 1).save()
    of_model = world.shop.Order._get_connection().connection
    assert ("_daxlite_twin" in vars(connection), "_daxlite_twin" in vars(of_model)) == (True, False)


def test_signals_tell_of_each_write_once(world: World) -> None:
    daxlite.pynamodb.wrap(world.shop.Order, world.cache).count("ann")
    world.elsewhere("ann", 1)
    heard: list[tuple[str, str]] = []

    def hear(sender: Any, operation_name: str, table_name: str, req_uuid: Any) -> None:
        heard.append((operation_name, table_name))

    with pre_dynamodb_send.connected_to(hear), post_dynamodb_send.connected_to(hear):
        by_a_transaction(world)
    assert heard == [("TransactWriteItems", None)] * 2


def test_a_model_that_is_gone_is_forgotten(world: World) -> None:
    daxlite.pynamodb.wrap(world.shop.Order, world.cache).count("ann")
    assert "Orders" in writes._wrapping_of
    world.shop = None
    gc.collect()
    assert "Orders" not in writes._wrapping_of
