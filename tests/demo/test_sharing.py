"""The demo's shared cache: the other process finds what this one has read, and sees what it writes."""

from collections.abc import Iterator
from typing import Any

import pytest

from daxlite.demo import redis_servers
from daxlite.demo.aggregation import Shop
from daxlite.demo.check import CheckResult
from daxlite.demo.connect import embedded_client
from daxlite.demo.orders import key_of, make_orders
from daxlite.demo.report import sharing
from daxlite.demo.settings import Settings
from daxlite.demo.sharing import Sharing, share
from daxlite.demo.table import load, temporary_tables

ORDERS = make_orders(20, seed=1)
KEYS = [key_of(order) for order in ORDERS]


@pytest.fixture
def dynamodb(embedded: str) -> Iterator[tuple[str, Any]]:
    """The URL of a server with a table of orders, and a plain client of it."""
    client = embedded_client(embedded)
    with temporary_tables(client, ["Orders"]):
        load(client, "Orders", ORDERS, lambda _: None)
        yield embedded, client
    client.close()


def shared(dynamodb: tuple[str, Any]) -> Sharing:
    url, plain = dynamodb
    result, steps = CheckResult(), list[int]()
    with redis_servers.redis_server(None) as server:
        shop = Shop(embedded_client, url, "Orders", server, Settings(items=len(ORDERS)))
        found = share(shop, plain, KEYS, result, steps.append)
        with server.connect() as client:
            assert all(client.pttl(key) > 0 for key in client.scan_iter("daxlite-demo-*"))
    assert result.disagreements == []
    assert (result.along_the_way, sum(steps)) == (3 * len(KEYS), 2)
    return found


def check(found: Sharing) -> None:
    assert found.first.reads == len(KEYS)
    assert found.first.items == found.found.items == found.again.items
    assert (found.found.reads, found.again.reads) == (0, 0)
    assert (found.seen, found.writes) == (len(KEYS), len(KEYS))
    said = sharing(found)
    assert f"found {len(KEYS)} orders that this one had read,\nwith 0 reads of DynamoDB" in said
    assert max(map(len, said.splitlines())) <= 100


def test_another_process_finds_what_this_one_has_read_and_sees_its_writes(dynamodb: tuple[str, Any]) -> None:
    found = shared(dynamodb)
    assert found.elsewhere == "another process"
    check(found)


@pytest.mark.usefixtures("fakeredis_only")
def test_the_same_without_a_valkey_server(dynamodb: tuple[str, Any]) -> None:
    found = shared(dynamodb)
    assert found.elsewhere == "a second cache of this process"
    check(found)
