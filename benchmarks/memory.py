"""What a cached item of 1 KB takes beside its encoded bytes and its key: `python -m benchmarks.memory [entries]`.

Two measures: what the process takes from the system more than before, and, for fewer entries because it is slow, what
Python says that it allocated. `daxlite.cache.entries.ENTRY_OVERHEAD` allows for it; there, the
key counts as it is encoded, which takes some bytes more than its values, as it counts here.
"""

import gc
import json
import sys
import timeit
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec

import daxlite
from benchmarks.items import TABLE, item, key
from benchmarks.servers import instant_client

FEWER = 100_000


def _fill(client: Any, entries: int) -> None:
    for number in range(entries):
        client.get_item(TableName=TABLE, Key=key(number=number))


def _resident() -> int:
    """Bytes of this process in the memory of the machine, by Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmRSS")


def _of_entry() -> int:
    """The encoded bytes of an item, and those of its key's values."""
    return len(msgspec.msgpack.encode(item())) + sum(len(value["S"]) for value in key().values())


def _collection() -> float:
    """Seconds that a full garbage collection takes, at best."""
    return min(timeit.repeat(gc.collect, number=1, repeat=5))


def resident_overhead(entries: int) -> tuple[float, float, float]:
    """Bytes of memory per entry that are neither data nor key; and what a full garbage collection takes without them
    and with them."""
    raw = instant_client(GetItem=lambda params: {"Item": item()})
    _fill(daxlite.wrap(raw), 1000)  # what is imported and made once
    cache = daxlite.Cache(daxlite.CacheConfig(max_bytes=2**40))
    client = daxlite.wrap(raw, cache=cache)
    without = _collection()
    before = _resident()
    _fill(client, entries)
    collection = _collection()
    after = _resident()
    assert cache.stats().total.entries == entries
    return (after - before) / entries - _of_entry(), without, collection


def traced_overhead(entries: int) -> float:
    """The same by Python's own count."""
    raw = instant_client(GetItem=lambda params: {"Item": item()})
    cache = daxlite.Cache(daxlite.CacheConfig(max_bytes=2**40))
    client = daxlite.wrap(raw, cache=cache)
    _fill(client, 1)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    _fill(client, entries)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert cache.stats().total.entries == entries
    return (after - before) / (entries - 1) - _of_entry()


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    resident, without, collection = resident_overhead(number)
    figures = {"entries": number, "resident": resident, "collection_without": without, "collection": collection}
    figures |= {"traced": traced_overhead(FEWER), "traced_entries": FEWER}
    print(json.dumps(figures))
