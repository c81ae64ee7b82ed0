"""What PynamoDB costs plain and wrapped: `python -m tests.pynamodb.cost` prints a table, `--write` puts it into
docs/pynamodb.md.

One program runs on a simulated DynamoDB twice. Requests and units are what that was sent, and what it charged.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pynamodb.exceptions import UpdateError
from pynamodb.transactions import TransactGet, TransactWrite

import daxlite.pynamodb
from tests.pynamodb.world import World, world

PAGE = Path(__file__).parents[2] / "docs" / "pynamodb.md"
BEGIN, END = "<!-- cost: python -m tests.pynamodb.cost --write -->", "<!-- end of the cost -->"
ORDERS, TIMES = 20, 5
STEP = 0.01
"""Seconds from one step of the program to the next, so that replicas may lag behind most of its writes."""

Row = tuple[int, float, float]
"""Requests, read units and write units."""


def save_all(order: Any, world: World) -> None:
    for number in range(ORDERS):
        order("ann", number, status="open", total=number).save()


def get_all(order: Any, world: World) -> None:
    for _ in range(TIMES):
        for number in range(ORDERS):
            order.get("ann", number)


def change_and_save(order: Any, world: World) -> None:
    for number in range(ORDERS):
        found = order.get("ann", number)
        found.total += 1
        found.save()
        order.get("ann", number)


def update(order: Any, world: World) -> None:
    for number in range(ORDERS):
        order.get("ann", number).update(actions=[order.status.set("paid"), order.total.set(order.total + 1)])
        order.get("ann", number)


def conflict(order: Any, world: World) -> None:
    for number in range(TIMES):
        first, second = order.get("ann", number), order.get("ann", number)
        first.save()
        try:
            second.update(actions=[order.total.add(1)])
        except UpdateError:
            second.refresh()
            second.update(actions=[order.total.add(1)])


def queries_after_writes(order: Any, world: World) -> None:
    for number in range(TIMES):
        order.get("ann", number).update(actions=[order.total.set(100 + number)])
        for _ in range(TIMES):
            list(order.query("ann"))
            order.count("ann")


def index_after_writes(order: Any, world: World) -> None:
    for number in range(TIMES):
        order.get("ann", number).update(actions=[order.total.set(200 + number)])
        for _ in range(TIMES):
            world.simulator.clock.advance(STEP)
            list(order.by_status.query("paid"))


def batches(order: Any, world: World) -> None:
    for _ in range(TIMES):
        list(order.batch_get([("ann", number) for number in range(ORDERS)]))


def strong(order: Any, world: World) -> None:
    for number in range(ORDERS):
        order.get("ann", number, consistent_read=True)


def refreshes(order: Any, world: World) -> None:
    for number in range(ORDERS):
        order.get("ann", number).refresh()


def transactions(order: Any, world: World) -> None:
    for number in range(0, ORDERS, 2):
        with TransactWrite(connection=world.connection()) as transaction:
            for each in (number, number + 1):
                transaction.update(order.get("ann", each), actions=[order.total.add(1)])
        with TransactGet(connection=world.connection()) as transaction:
            for each in (number, number + 1):
                transaction.get(order, "ann", each)


def later(order: Any, world: World) -> None:
    world.simulator.clock.advance(60)
    for _ in range(TIMES):
        get_all(order, world)
        list(order.query("ann"))
        list(order.by_status.query("paid"))


def delete_all(order: Any, world: World) -> None:
    for number in range(ORDERS):
        order.get("ann", number).delete()


PROGRAM: dict[str, Callable[[Any, World], None]] = {
    f"`save()` {ORDERS} new orders": save_all,
    f"`get()` each, {TIMES} times": get_all,
    "`get()`, change, `save()` and `get()` each": change_and_save,
    "`get()`, `update()` and `get()` each": update,
    f"{TIMES} conflicts of versions, each solved by `refresh()`": conflict,
    f"{TIMES} updates, `query()` and `count()` {TIMES} times after each": queries_after_writes,
    f"{TIMES} updates, `query()` of a global index {TIMES} times after each": index_after_writes,
    f"`batch_get()` all, {TIMES} times": batches,
    "`get(consistent_read=True)` each": strong,
    "`get()` and `refresh()` each": refreshes,
    "`TransactWrite` and `TransactGet` each, two at a time": transactions,
    f"a minute later, `get()` each {TIMES * TIMES} times, `query()` and index {TIMES} times": later,
    "`get()` and `delete()` each": delete_all,
}


def costs(*, is_wrapped: bool) -> Iterator[Row]:
    """What each part of the program costs."""
    with world() as here:
        if is_wrapped:
            daxlite.pynamodb.wrap(here.shop.Order, here.cache)
        for part in PROGRAM.values():
            here.simulator.history.calls = []
            here.simulator.clock.advance(STEP)
            part(here.shop.Order, here)
            calls = here.simulator.history.calls
            yield len(calls), *(sum(units(call) for call in calls if is_write(call) == side) for side in (False, True))


def is_write(call: Any) -> bool:
    return "Write" in call.operation or call.operation in ("PutItem", "UpdateItem", "DeleteItem")


def units(call: Any) -> float:
    """What a call consumed. PynamoDB asks for that; DynamoDB does not tell it of a call that it refused."""
    told = (call.response or {}).get("ConsumedCapacity", [])
    return sum(each["CapacityUnits"] for each in (told if isinstance(told, list) else [told]))


def table() -> str:
    """The table, in Markdown."""
    plain, wrapped = list(costs(is_wrapped=False)), list(costs(is_wrapped=True))
    lines = [
        "| the program | requests, plain | wrapped | read units, plain | wrapped |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {name} | {one[0]} | {other[0]} | {one[1]:g} | {other[1]:g} |"
            for name, one, other in zip(PROGRAM, plain, wrapped, strict=True)
        ),
    ]
    sums = [[sum(column) for column in zip(*rows, strict=True)] for rows in (plain, wrapped)]
    lines.append(f"| **all** | **{sums[0][0]}** | **{sums[1][0]}** | **{sums[0][1]:g}** | **{sums[1][1]:g}** |")
    if sums[0][2] != sums[1][2]:
        raise AssertionError(f"the write units differ: {sums[0][2]} and {sums[1][2]}")
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.partition(END)[2]}")
    else:
        sys.stdout.write(f"{table()}\n")
