"""PynamoDB on a simulated DynamoDB, with models of its own: what is wrapped here is wrapped nowhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import botocore.session
from botocore.loaders import Loader
from pynamodb.attributes import (
    BinaryAttribute,
    DiscriminatorAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, LocalSecondaryIndex
from pynamodb.models import Model

import daxlite
from tests.simulator import Simulator
from tests.simulator.faults import ENDPOINT

PLACE = {"region": "us-east-1", "host": ENDPOINT, "aws_access_key_id": "a", "aws_secret_access_key": "b"}
READS = ("GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems")
_loader = Loader()  # reads botocore's description of DynamoDB once


class World:
    """One simulated DynamoDB, which answers every client that PynamoDB makes, and fresh models."""

    def __init__(self) -> None:
        self.simulator = Simulator()
        self.shop = shop()
        self.cache = daxlite.Cache(
            daxlite.CacheConfig(jitter=0), clock=self.simulator.clock.now, wall_clock=self.simulator.clock.now
        )
        self.clients = 0
        """How many PynamoDB has made."""

    def session(self) -> Any:
        """What PynamoDB makes its clients with."""
        session = botocore.session.get_session()
        session.register_component("data_loader", _loader)
        make = session.create_client

        def make_and_connect(*arguments: Any, **named: Any) -> Any:
            client = make(*arguments, **named)
            self.simulator.connect(client)
            self.clients += 1
            return client

        session.create_client = make_and_connect
        return session

    def sent(self, *operations: str) -> list[str]:
        """The requests of these operations that were sent since the last call of this; all reads unless given."""
        calls, self.simulator.history.calls = self.simulator.history.calls, []
        return [call.operation for call in calls if call.operation in (operations or READS)]

    def elsewhere(self, pk: str, number: int, **attributes: Any) -> None:
        """Another program puts an order, past PynamoDB."""
        item = {"customer": {"S": pk}, "number": {"N": str(number)}, "version": {"N": "1"}, **attributes}
        self.simulator.answer("PutItem", {"TableName": "Orders", "Item": item})
        self.simulator.settle()

    def connection(self) -> Any:
        """A connection of the application's own."""
        return Connection(**PLACE)


@contextmanager
def world(*, tables: Callable[[Any], Any] = lambda shop: (shop.Order, shop.Event)) -> Iterator[World]:
    """A world for as long as the block runs, with tables for these models of its shop."""
    made = World()
    with mock.patch("pynamodb.connection.base.get_session", made.session):
        for model in tables(made.shop):
            made.simulator.answer("CreateTable", description(model))
        yield made


def description(model: Any) -> dict[str, Any]:
    """The parameters of CreateTable for a model, by what PynamoDB says of it."""
    schema = model._get_schema()

    def named(key: list[dict[str, str]]) -> list[dict[str, str]]:
        return sorted(key, key=lambda part: part["KeyType"])

    def index(each: dict[str, Any]) -> dict[str, Any]:
        return {
            "IndexName": each["index_name"],
            "KeySchema": named(each["key_schema"]),
            "Projection": each["projection"],
        }

    found = {
        "TableName": model.Meta.table_name,
        "KeySchema": named(schema["key_schema"]),
        "AttributeDefinitions": schema["attribute_definitions"],
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [index(each) for each in schema["global_secondary_indexes"]],
        "LocalSecondaryIndexes": [index(each) for each in schema["local_secondary_indexes"]],
    }
    return {name: value for name, value in found.items() if value != []}


def shop() -> Any:
    """Fresh models. `Order` has a version and indexes; `Event` has subclasses that share its table."""

    class ByStatus(GlobalSecondaryIndex):
        class Meta:
            index_name = "by_status"
            projection = AllProjection()

        status = UnicodeAttribute(hash_key=True)
        total = NumberAttribute(range_key=True)

    class ByTotal(LocalSecondaryIndex):
        class Meta:
            index_name = "by_total"
            projection = AllProjection()

        customer = UnicodeAttribute(hash_key=True)
        total = NumberAttribute(range_key=True)

    class Base(Model):
        """Has no table, as a base of models often has none."""

        class Meta:
            region, host = PLACE["region"], PLACE["host"]
            aws_access_key_id, aws_secret_access_key = "a", "b"

    class Order(Base):
        class Meta(Base.Meta):
            table_name = "Orders"

        customer = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)
        status = UnicodeAttribute(null=True)
        total = NumberAttribute(null=True)
        tags = UnicodeSetAttribute(null=True)
        seal = BinaryAttribute(null=True, legacy_encoding=False)
        lines: Any = ListAttribute(null=True)
        address: Any = MapAttribute(null=True)
        version = VersionAttribute()
        by_status = ByStatus()
        by_total = ByTotal()

    class Event(Base):
        class Meta(Base.Meta):
            table_name = "Events"

        id = UnicodeAttribute(hash_key=True)
        kind = DiscriminatorAttribute()

    class Click(Event, discriminator="click"):
        page = UnicodeAttribute(null=True)

    class Sale(Event, discriminator="sale"):
        amount = NumberAttribute(null=True)

    return SimpleNamespace(Base=Base, Order=Order, Event=Event, Click=Click, Sale=Sale)
