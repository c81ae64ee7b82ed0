"""What a cached item takes beside its encoded bytes and its key: `python -m benchmarks.memory [items]`.

`daxlite.cache.entries.ENTRY_OVERHEAD` is what this prints, rounded up.
"""

import gc
import math
import sys
import tracemalloc

import daxlite
from daxlite.cache.entries import ENTRY_OVERHEAD
from daxlite.core.requests import ItemRead
from daxlite.core.schema import item_key
from daxlite.core.tables import TableId


def overhead(items: int) -> float:
    """Bytes per entry that are neither data nor key, for so many items of 1 KB."""
    cache = daxlite.Cache(daxlite.CacheConfig(max_bytes=2**40))
    table = cache.table(TableId("http://127.0.0.1", "nowhere", ("account", "1"), "Orders"))
    item = {f"attribute{number}": {"S": "x" * 80} for number in range(10)}
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(items):
        key = item_key({"pk": {"S": f"order#{number:09}"}})
        with cache.flight(table, ItemRead(key)) as flight:
            flight.fill_item(key, item)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    counted = cache.stats().total
    assert counted.entries == items
    return (after - before - (counted.bytes - items * ENTRY_OVERHEAD)) / items


if __name__ == "__main__":
    # Dictionaries double: just above a doubling they are at their emptiest, which is the worst case.
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    print(f"{number} items: {math.ceil(overhead(number))} bytes each beside data and key")
