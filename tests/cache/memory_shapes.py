"""What a cache makes the process grow by, for some shapes of data: `python -m tests.cache.memory_shapes SHAPE`.

Each shape stores several times what the cache may keep. To be run in a process of its own.
"""

import gc
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daxlite import CacheConfig, KeySchema, TableConfig, TableSchema
from tests.scripted_client import TABLE, Params, ScriptedClient, made

MIB = 1024 * 1024
MAX_BYTES = 24 * MIB
SCHEMA = TableSchema(KeySchema.of("pk"), {"by_owner": KeySchema.of("owner")})
PAGE = made(Items=[], Count=0, ScannedCount=0)


def client(item: Callable[[], Params] = dict, **settings: Any) -> ScriptedClient:
    def dynamodb(operation: str, params: Params) -> Params:
        return made(Item=item()) if operation == "GetItem" else dict(PAGE)

    config = {"max_bytes": MAX_BYTES, "settle_window": 0, "tables": {TABLE: TableConfig(schema=SCHEMA)}, **settings}
    assert CacheConfig(**config).max_bytes == MAX_BYTES
    return ScriptedClient(config=config, dynamodb=dynamodb)


def key(number: int, length: int = 8) -> Params:
    return {"pk": {"S": f"{number:08}".ljust(length, "k")}}


def items() -> Callable[[int], None]:
    """Items of 1 KB, in whose encoding most room is left unused."""
    to = client(lambda: {"payload": {"S": "x" * 1000}})
    return lambda number: void(to.get(Key=key(number)))


def items_of_all_sizes() -> Callable[[int], None]:
    chance = random.Random(1)
    to = client(lambda: {"payload": {"S": "x" * int(10 ** chance.uniform(1, 5))}})
    return lambda number: void(to.get(Key=key(number)))


def small_items() -> Callable[[int], None]:
    to = client(lambda: {"n": {"N": "1"}})
    return lambda number: void(to.get(Key=key(number)))


def items_under_long_keys() -> Callable[[int], None]:
    to = client(lambda: {"n": {"N": "1"}})
    return lambda number: void(to.get(Key=key(number, 2000)))


def pages_of_long_partition_keys() -> Callable[[int], None]:
    """Each page depends on a partition of its own."""
    to = client()
    return lambda number: void(to.query(value={"S": f"{number:08}".ljust(2000, "k")}))


def pages_of_an_index() -> Callable[[int], None]:
    """Each page depends on two tags, one of them its own."""
    to = client()
    return lambda number: void(to.by_owner(f"{number:08}"))


def projections() -> Callable[[int], None]:
    """Each of them depends on its item."""
    to = client(lambda: {"a": {"S": "1"}})
    return lambda number: void(to.get(Key=key(number, 200), ProjectionExpression="a"))


def filters() -> Callable[[int], None]:
    """No two expressions are alike."""
    to = client()
    text = " AND ".join(f"name{part} = :v" for part in range(20))
    return lambda number: void(to.query(FilterExpression=f"{text} AND a{number} = :v"))


def changing_partitions() -> Callable[[int], None]:
    """Each page depends on a partition of its own, whose stamp remembers as many changes as it can."""
    schema = TableSchema(KeySchema.of("pk", "sk"))
    to = client(tables={TABLE: TableConfig(schema=schema)}, item_ttl=0)

    def change(number: int) -> None:
        condition = "pk = :p AND sk BETWEEN :low AND :high"
        values = {":p": key(number)["pk"], ":low": {"S": "a" * 1000}, ":high": {"S": "b" * 1000}}
        to("Query", KeyConditionExpression=condition, ExpressionAttributeValues=values)
        for each in range(9):
            to.put({**key(number), "sk": {"S": f"{each}".ljust(1000, "s")}})

    return change


def settling() -> Callable[[int], None]:
    """Writes that leave nothing in the cache but what settles."""
    to = client(settle_window=1000, item_ttl=0, negative_ttl=0)
    return lambda number: void(to.put({**key(number, 2000), "owner": {"S": f"{number:08}".ljust(2000, "o")}}))


def tables() -> Callable[[int], None]:
    """Each item is of a table of its own, until there are too many."""
    to = client(lambda: {"n": {"N": "1"}}, tables={})
    return lambda number: void(to.get(TableName=f"table{number}", Key=key(number)))


def void(value: object) -> None:
    """Drop what a call returned."""


SHAPES: dict[str, tuple[Callable[[], Callable[[int], None]], int]] = {
    shape.__name__: (shape, calls)
    for shape, calls in [
        (items, 35_000),
        (items_of_all_sizes, 8_000),
        (small_items, 50_000),
        (items_under_long_keys, 20_000),
        (pages_of_long_partition_keys, 15_000),
        (pages_of_an_index, 30_000),
        (projections, 30_000),
        (filters, 6_000),
        (changing_partitions, 4_000),
        (settling, 15_000),
        (tables, 12_000),
    ]
}


def resident() -> int:
    """Bytes of this process in the memory of the machine, by Linux."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmRSS")


def growth(shape: str) -> int:
    """Bytes by which the process has grown."""
    make, calls = SHAPES[shape]
    warm = make()
    for number in range(500):  # what is imported and made once
        warm(number)
    del warm
    gc.collect()
    before = resident()
    call = make()
    for number in range(calls):
        call(number)
    gc.collect()
    return resident() - before


if __name__ == "__main__":
    sys.stdout.write(f"{growth(sys.argv[1])}\n")
