"""`refresh()` of a wrapped model asks DynamoDB, and what it finds the cache answers from then on."""

from typing import Any

import pytest

import daxlite.pynamodb
from daxlite import Shared
from tests.pynamodb.world import World
from tests.valkey import Valkey


@pytest.fixture
def order(world: World) -> Any:
    """An order that is cached, as a page with it is."""
    order = daxlite.pynamodb.wrap(world.shop.Order, world.cache)
    world.elsewhere("ann", 1, status={"S": "open"}, tags={"SS": ["a", "b"]})
    world.elsewhere("ann", 2)
    assert [each.number for each in order.query("ann")] == [1, 2]
    found = order.get("ann", 1)
    world.sent()
    return found


def strengths(world: World) -> list[bool]:
    """Whether each GetItem since the last look was strongly consistent."""
    calls, world.simulator.history.calls = world.simulator.history.calls, []
    return [call.request["ConsistentRead"] for call in calls if call.operation == "GetItem"]


def test_a_refresh_that_finds_nothing_new_reads_once_and_drops_nothing(world: World, order: Any) -> None:
    for _ in range(2):
        order.status = "changed here only"
        order.refresh()
        assert order.status == "open"
    assert strengths(world) == [False, False]
    order.get("ann", 1)
    assert [each.status for each in order.query("ann")] == ["open", None]
    assert world.sent() == []


def test_what_a_refresh_finds_all_reads_show(world: World, order: Any) -> None:
    world.elsewhere("ann", 1, status={"S": "paid"})
    assert order.get("ann", 1).status == "open"
    order.refresh()
    assert order.status == "paid"
    assert strengths(world) == [False, True]
    assert order.get("ann", 1).status == "paid"
    assert world.sent() == []
    assert [each.status for each in order.query("ann")] == ["paid", None]


def test_a_refresh_shows_that_an_item_is_gone(world: World, order: Any) -> None:
    key = {"customer": {"S": "ann"}, "number": {"N": "1"}}
    world.simulator.answer("DeleteItem", {"TableName": "Orders", "Key": key})
    world.simulator.settle()
    for read in (order.refresh, lambda: order.get("ann", 1)):
        with pytest.raises(order.DoesNotExist):
            read()


def test_p2_a_refresh_shows_own_writes_though_replicas_lag(world: World, order: Any) -> None:
    world.simulator.replicas.base_lag = 2.0
    order.status = "sent"
    order.save()
    order.refresh()
    assert (order.status, order.version) == ("sent", 2)
    assert order.get("ann", 1).status == "sent"


def test_a_set_in_another_order_is_no_change(world: World, order: Any) -> None:
    world.elsewhere("ann", 1, status={"S": "open"}, tags={"SS": ["b", "a"]})
    order.refresh()
    assert strengths(world) == [False]


def test_a_miss_is_not_read_twice(world: World, order: Any) -> None:
    world.cache.clear()
    order.refresh()
    order.get("ann", 1)
    assert world.sent() == ["GetItem"]


def test_a_strongly_consistent_refresh_is_one_strong_read(world: World, order: Any) -> None:
    order.refresh(consistent_read=True)
    assert strengths(world) == [True]


def test_a_refresh_of_the_application_s_own(world: World) -> None:
    daxlite.pynamodb.wrap(world.shop.Event, world.cache)

    class Visit(world.shop.Click, discriminator="visit"):
        refreshed = 0

        def refresh(self, consistent_read: bool = False) -> None:
            super().refresh(consistent_read)
            self.refreshed += 1

    visit = Visit("a", page="home")
    visit.save()
    world.simulator.answer("PutItem", {"TableName": "Events", "Item": {"id": {"S": "a"}, "kind": {"S": "visit"}}})
    world.simulator.settle()
    visit.refresh()
    assert (visit.page, visit.refreshed) == (None, 1)


def test_a_refresh_looks_past_what_other_processes_have_cached(world: World, valkey: Valkey, namespace: str) -> None:
    shared = Shared(valkey.url, namespace=namespace, local=False, account="123456789012", budget=5)
    cache = daxlite.Cache(shared=shared)
    model = daxlite.pynamodb.wrap(world.shop.Order, cache)
    world.elsewhere("ann", 1, status={"S": "open"})
    order = model.get("ann", 1)
    world.elsewhere("ann", 1, status={"S": "paid"})
    world.sent()
    assert (model.get("ann", 1).status, world.sent()) == ("open", [])
    order.refresh()
    assert order.status == "paid"
    assert model.get("ann", 1).status == "paid"
    cache.close()
