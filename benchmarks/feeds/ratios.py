"""Hits of a workload with a feed beside those of the same workload without one."""

from random import Random
from typing import Any, Final

from daxlite.demo.zipf import Zipf
from tests.interleavings.feed import Feed
from tests.interleavings.interleaving import SETTLE_WINDOW
from tests.interleavings.processes import Processes
from tests.interleavings.programs import INDEX, TABLE, Op

HEAD: Final = ("stream", "hits", "points fewer", "records excused")
VIEWS: Final = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY")
PROCESSES: Final = 3
ITEMS: Final = 400
PARTITION: Final = 10
"""So many items are in one."""
PAUSE: Final = 0.05
"""Seconds between two operations."""
POLL: Final = 1.0


def rows(operations: int) -> list[tuple[str, ...]]:
    """A row without a feed, and one for each kind of stream."""
    world = Processes()
    try:
        without, _ = _run(world, operations, None)
        found = [("none", f"{without:.1%}", "", "")]
        for view in VIEWS:
            hits, excused = _run(world, operations, view)
            found.append((view, f"{hits:.1%}", f"{100 * (without - hits):.1f}", f"{excused:.1%}"))
        hits, _ = _run(world, operations, VIEWS[0], is_ordered=False)
        found.append(("Kinesis", f"{hits:.1%}", f"{100 * (without - hits):.1f}", "0.0%"))
    finally:
        world.close()
    return found


def _run(world: Processes, operations: int, view: str | None, *, is_ordered: bool = True) -> tuple[float, float]:
    """The share of reads that DynamoDB was not asked for, and the share of records that were excused."""
    random = Random(1)
    popular = Zipf(random, range(ITEMS))
    world.reset([_item(number, 0) for number in range(ITEMS)], [{}] * PROCESSES)
    feed = None if view is None else Feed(world, view, is_ordered=is_ordered)
    read_at, reads, sent = 0.0, 0, 0
    history, clock = world.simulator.history, world.simulator.clock
    for number in range(operations):
        process = world.processes[random.randrange(PROCESSES)]
        op = _operation(random, popular.draw(), number)
        before = len(history.calls)
        world.call(process, f"p{process.number}", op)
        if not op.is_write:
            reads += 1
            sent += any(call.operation in ("GetItem", "Query") for call in history.calls[before:])
        clock.advance(PAUSE)
        for each in world.processes:
            each.listen()
            each.deliver()
        if feed is not None and clock.now() - read_at >= POLL:
            read_at = clock.now()
            feed.announce()
            feed.read(len(feed.records))
        history.calls.clear()
    clock.advance(SETTLE_WINDOW)
    counts = None if feed is None else feed.counts
    return 1 - sent / reads, 0.0 if counts is None else counts.echoes / max(1, counts.records)


def _key(number: int) -> dict[str, Any]:
    return {"pk": {"S": f"p{number // PARTITION}"}, "sk": {"S": str(number)}}


def _item(number: int, version: int) -> dict[str, Any]:
    return {**_key(number), "n": {"N": str(version)}, "day": {"S": f"d{number % 40}"}, "total": {"N": str(version)}}


def _operation(random: Random, number: int, version: int) -> Op:
    chance = random.random()
    if chance < 0.05:
        return Op("PutItem", {"TableName": TABLE, "Item": _item(number, version)})
    if chance < 0.1:
        values = {":n": {"N": str(version)}}
        request = {"Key": _key(number), "UpdateExpression": "SET n = :n", "ExpressionAttributeValues": values}
        return Op("UpdateItem", {"TableName": TABLE, **request})
    if chance < 0.2:
        return _query("pk", f"p{number // PARTITION}")
    if chance < 0.25:
        return _query("day", f"d{number % 40}", IndexName=INDEX)
    return Op("GetItem", {"TableName": TABLE, "Key": _key(number)})


def _query(name: str, value: str, **more: Any) -> Op:
    condition = {"KeyConditionExpression": "#k = :v", "ExpressionAttributeNames": {"#k": name}}
    return Op("Query", {"TableName": TABLE, **condition, "ExpressionAttributeValues": {":v": {"S": value}}, **more})
