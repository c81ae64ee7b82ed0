"""Each operation of PynamoDB's gives the same results wrapped and plain, and asks DynamoDB less often."""

from collections.abc import Callable
from typing import Any

import pytest
from pynamodb.exceptions import DeleteError, PutError, TransactWriteError, UpdateError
from pynamodb.transactions import TransactGet, TransactWrite

import daxlite.pynamodb
from tests.pynamodb.world import World, world

Program = Callable[[Any, World], Any]

_programs: list[Any] = []


def program(*sent: str) -> Callable[[Program], Program]:
    """A program, and the reads that are sent for it where the models are wrapped."""

    def add(each: Program) -> Program:
        _programs.append(pytest.param(each, list(sent), id=each.__name__))
        return each

    return add


def plain(found: Any) -> Any:
    """What was found, as it can be compared."""
    return found.to_simple_dict(force=True) if hasattr(found, "to_simple_dict") else found


def orders(found: Any) -> list[Any]:
    return [plain(each) for each in found]


def fill(shop: Any) -> None:
    for number in range(1, 6):
        more: dict[str, Any] = {}
        if number == 1:
            more = {"tags": {"b", "a"}, "seal": b"\x00\xff", "lines": [{"sku": "x", "amounts": [1, 2.5]}]}
            more["address"] = {"city": "Basel", "geo": {"lat": 47.5}}
        shop.Order("ann", number, status="open" if number % 2 else "paid", total=number * 10, **more).save()


@program()
def get(shop: Any, world: World) -> Any:
    return [plain(shop.Order.get("ann", 1)) for _ in range(3)]


@program("GetItem", "GetItem")
def get_strongly(shop: Any, world: World) -> Any:
    return [plain(shop.Order.get("ann", 1, consistent_read=True)) for _ in range(2)]


@program("GetItem")
def get_what_is_not_there(shop: Any, world: World) -> Any:
    found = []
    for _ in range(2):
        with pytest.raises(shop.Order.DoesNotExist) as caught:
            shop.Order.get("ann", 99)
        found.append(str(caught.value))
    return found


@program()
def get_some_attributes(shop: Any, world: World) -> Any:
    return [plain(shop.Order.get("ann", 1, attributes_to_get=["status", "address.geo", "lines[0]"])) for _ in range(2)]


@program("Query", "Query", "Query")
def query(shop: Any, world: World) -> Any:
    def found() -> Any:
        whole = orders(shop.Order.query("ann", shop.Order.number > 1, shop.Order.total < 50, scan_index_forward=False))
        pages = shop.Order.query("ann", page_size=3)
        return whole, orders(pages), pages.total_count, pages.last_evaluated_key

    return [found() for _ in range(2)]


@program("Query", "Query")
def query_strongly(shop: Any, world: World) -> Any:
    return [orders(shop.Order.query("ann", consistent_read=True)) for _ in range(2)]


@program("Query", "Query", "Query")
def query_indexes(shop: Any, world: World) -> Any:
    def found() -> Any:
        some = orders(shop.Order.by_status.query("open", shop.Order.total >= 30, limit=1))
        return some, orders(shop.Order.by_status.query("paid")), orders(shop.Order.by_total.query("ann"))

    world.simulator.clock.advance(10)
    return [found() for _ in range(2)]


@program("Scan", "Scan")
def scan(shop: Any, world: World) -> Any:
    def found() -> Any:
        return orders(shop.Order.scan(shop.Order.status == "open")), orders(shop.Order.by_status.scan())

    world.simulator.clock.advance(10)
    return [found() for _ in range(2)]


@program("Query", "Query")
def count(shop: Any, world: World) -> Any:
    def found() -> Any:
        return shop.Order.count("ann", filter_condition=shop.Order.total > 20), shop.Order.by_total.count("ann")

    return [found() for _ in range(2)]


@program("BatchGetItem")
def batch_get(shop: Any, world: World) -> Any:
    keys = [("ann", 1), ("ann", 2), ("ann", 99)]
    return [sorted(orders(shop.Order.batch_get(keys)), key=lambda each: each["number"]) for _ in range(2)]


@program("Query", "Query")
def batch_write(shop: Any, world: World) -> Any:
    found = [orders(shop.Order.query("bob"))]
    with shop.Order.batch_write() as batch:
        for number in range(30):
            batch.save(shop.Order("bob", number, version=1))
        batch.delete(shop.Order("ann", 1))
    found.append(orders(shop.Order.query("bob")))
    with pytest.raises(shop.Order.DoesNotExist):
        shop.Order.get("ann", 1)
    return found, plain(shop.Order.get("bob", 29))


@program()
def save_and_its_version(shop: Any, world: World) -> Any:
    first, second = shop.Order.get("ann", 1), shop.Order.get("ann", 1)
    first.status = "sent"
    first.save()
    second.status = "lost"
    with pytest.raises(PutError) as caught:
        second.save()
    return first.version, second.version, caught.value.cause_response_code


@program("GetItem")
def a_conflict_is_solved_by_a_refresh(shop: Any, world: World) -> Any:
    first, second = shop.Order.get("ann", 1), shop.Order.get("ann", 1)
    first.update(actions=[shop.Order.total.set(99)])
    with pytest.raises(UpdateError):
        second.update(actions=[shop.Order.total.add(1)])
    second.refresh()
    second.update(actions=[shop.Order.total.add(1)])
    return plain(second), plain(shop.Order.get("ann", 1))


@program("Query", "Query")
def update(shop: Any, world: World) -> Any:
    order, before = shop.Order.get("ann", 1), orders(shop.Order.by_total.query("ann"))
    response = order.update(
        actions=[
            shop.Order.total.set(shop.Order.total + 5),
            shop.Order.tags.add({"c"}),
            shop.Order.lines.set(shop.Order.lines.append(["y"])),
            shop.Order.address["city"].set("Bern"),
            shop.Order.seal.remove(),
        ],
        condition=shop.Order.status == "open",
    )
    new = response["Attributes"]
    new["tags"] = sorted(new["tags"]["SS"])
    return before, new, plain(shop.Order.get("ann", 1)), orders(shop.Order.by_total.query("ann"))


@program("GetItem")
def a_condition_that_fails(shop: Any, world: World) -> Any:
    order, found = shop.Order.get("ann", 1), []
    for change in (
        lambda: order.update(actions=[shop.Order.total.set(0)], condition=shop.Order.status == "lost"),
        lambda: order.delete(condition=shop.Order.total > 1000),
    ):
        with pytest.raises((UpdateError, DeleteError)) as caught:
            change()
        found.append((caught.value.cause_response_code, caught.value.cause_response_message))
    return found, plain(shop.Order.get("ann", 1))


@program()
def delete(shop: Any, world: World) -> Any:
    shop.Order.get("ann", 1).delete()
    with pytest.raises(shop.Order.DoesNotExist):
        shop.Order.get("ann", 1)


@program("TransactGetItems", "TransactGetItems")
def transact_get(shop: Any, world: World) -> Any:
    found = []
    for _ in range(2):
        with TransactGet(connection=world.connection()) as transaction:
            futures = [transaction.get(shop.Order, "ann", number) for number in (1, 2)]
        found.append([plain(future.get()) for future in futures])
    return found


@program("Query", "GetItem", "Query")
def transact_write(shop: Any, world: World) -> Any:
    order, other = shop.Order.get("ann", 1), shop.Order.get("ann", 2)
    before = orders(shop.Order.query("ann"))
    with TransactWrite(connection=world.connection()) as transaction:
        order.status = "sent"
        transaction.save(order)
        transaction.update(other, actions=[shop.Order.total.set(21)])
        transaction.delete(shop.Order.get("ann", 3))
        transaction.condition_check(shop.Order, "ann", 4, condition=shop.Order.total > 1)
    with pytest.raises(shop.Order.DoesNotExist):
        shop.Order.get("ann", 3)
    return before, [plain(shop.Order.get("ann", each)) for each in (1, 2)], orders(shop.Order.query("ann"))


@program()
def a_transaction_that_is_cancelled(shop: Any, world: World) -> Any:
    order = shop.Order.get("ann", 1)
    with pytest.raises(TransactWriteError) as caught, TransactWrite(connection=world.connection()) as transaction:
        transaction.save(shop.Order("ann", 1, total=1), condition=shop.Order.total > 1000)
    reasons = [reason and (reason.code, reason.message) for reason in caught.value.cancellation_reasons]
    return plain(order), reasons


@program("GetItem", "GetItem")
def refresh(shop: Any, world: World) -> Any:
    order = shop.Order.get("ann", 1)
    order.status = "changed here only"
    order.refresh()
    order.refresh(consistent_read=True)
    return plain(order)


@program("Scan", "Query")
def subclasses_in_one_table(shop: Any, world: World) -> Any:
    shop.Click("a", page="home").save()
    shop.Sale("b", amount=3).save()
    sale = shop.Event.get("b")
    sale.update(actions=[shop.Sale.amount.add(1)])
    found = [shop.Click.get("a"), shop.Event.get("b"), *shop.Event.scan(), *shop.Click.query("a")]
    return [type(each).__name__ for each in found], sorted(orders(found), key=str), shop.Sale.exists()


def run(each: Program, world: World) -> Any:
    fill(world.shop)
    world.sent()
    return each(world.shop, world)


@pytest.mark.parametrize(("each", "sent"), _programs)
def test_wrapped_and_plain_give_the_same(each: Program, sent: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with world() as without:
        expected = run(each, without)
    with world() as with_cache:
        for model in (with_cache.shop.Order, with_cache.shop.Event):
            daxlite.pynamodb.wrap(model, with_cache.cache)
        assert run(each, with_cache) == expected
        assert with_cache.sent() == sent
    assert len(without.sent()) >= len(sent)
    assert with_cache.cache.stats().faults == 0
    assert not [record for record in caplog.records if record.name == "daxlite"]
