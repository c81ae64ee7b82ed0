"""The embedded server answers as moto does, and the meter counts what it answers."""

from collections.abc import Iterator
from typing import Any

import pytest

from daxlite.demo.connect import embedded_client
from daxlite.demo.meter import Meter
from daxlite.demo.orders import key_of, make_orders
from daxlite.demo.table import definition, load, temporary_tables


@pytest.fixture
def client(embedded: str) -> Iterator[Any]:
    client = embedded_client(embedded)
    yield client
    client.close()


def test_the_server_gives_back_what_it_was_given(client: Any) -> None:
    orders = make_orders(30, seed=1)
    tricky = {
        **orders[0],
        "map": {"M": {"S": {"N": "1"}, "L": {"BOOL": False}, "s": {"NULL": True}}},
        "raw": {"B": b"\0x"},
    }
    with temporary_tables(client, ["Orders"]):
        load(client, "Orders", [tricky, *orders[1:]], lambda _: None)
        for order in (tricky, *orders[1:]):
            assert client.get_item(TableName="Orders", Key=key_of(order))["Item"] == order
        assert client.scan(TableName="Orders")["Count"] == 30
        described = client.describe_table(TableName="Orders")["Table"]
        assert described["KeySchema"] == definition("Orders")["KeySchema"]


def test_the_meter_counts_what_was_sent(client: Any) -> None:
    (order,) = make_orders(1, seed=1)
    with temporary_tables(client, ["Orders"]):
        load(client, "Orders", [order], lambda _: None)
        meter = Meter(client)
        key = key_of(order)
        client.get_item(TableName="Orders", Key=key)
        assert (meter.requests, meter.reads, meter.read_units) == (1, 1, 0.5)
        client.get_item(TableName="Orders", Key=key, ConsistentRead=True)
        client.batch_get_item(RequestItems={"Orders": {"Keys": [key], "ConsistentRead": True}})
        assert (meter.requests, meter.reads, meter.read_units) == (3, 3, 2.5)
        client.put_item(TableName="Orders", Item=order)
        assert (meter.requests, meter.reads, meter.read_units) == (4, 3, 2.5)
