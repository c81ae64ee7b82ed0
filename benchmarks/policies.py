"""How many reads a cache of a certain size answers, by the policy that chooses what goes.

The reads are those of an application whose items are popular by Zipf's law, and of a job that reads the table from one
end to the other beside it, again and again, a stretch at a time: it fills the cache with keys that are not asked for
again soon.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cachetools

import daxlite
from benchmarks.items import TABLE, key
from benchmarks.servers import instant_client
from daxlite.demo.zipf import Zipf

POLICIES: dict[str, Callable[[int], Any]] = {
    "LRU": cachetools.LRUCache,
    "LFU": cachetools.LFUCache,
    "FIFO": cachetools.FIFOCache,
    "RR": lambda size: cachetools.RRCache(size, choice=random.Random(5).choice),
}


@dataclass(frozen=True)
class Workload:
    """Reads of items by their numbers."""

    items: int = 20_000
    reads: int = 150_000
    exponent: float = 1.0
    scanned: float = 0.3
    """The share of the reads that are the job's."""
    stretch: int = 2_000
    """How many items it reads at a time."""
    seed: int = 5

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(self.seed)
        # The popular ones lie anywhere in the table.
        popular = Zipf(rng, rng.sample(range(self.items), self.items), self.exponent)
        between = round(self.stretch * (1 - self.scanned) / self.scanned) if self.scanned else self.reads
        read = at = 0
        while read < self.reads:
            for _ in range(between):
                yield popular.draw()
            read += between
            if self.scanned:
                for _ in range(self.stretch):
                    yield at
                    at = (at + 1) % self.items
                read += self.stretch


WORKLOADS = {
    "Zipf 1.0, 30 % scans": Workload(),
    "Zipf 0.8, 30 % scans": Workload(exponent=0.8),
    "Zipf 1.0, no scans": Workload(scanned=0.0),
}
SIZES = (0.02, 0.1)
"""Of the cache, as a share of the items."""


def hit_ratio(cache: Any, reads: list[int]) -> float:
    """Of one of cachetools' caches."""
    hits = 0
    for number in reads:
        try:
            cache[number]
        except KeyError:
            cache[number] = number
        else:
            hits += 1
    return hits / len(reads)


def hit_ratio_of_daxlite(entries: int, reads: list[int]) -> float:
    """Of daxlite with so much room; the time that entries live does not matter here."""
    client = instant_client(GetItem=lambda params: {"Item": params["Key"]})
    forever: dict[str, Any] = {"item_ttl": None, "jitter": 0}
    one = daxlite.Cache(daxlite.CacheConfig(**forever))
    _read(daxlite.wrap(client, cache=one), 0)
    size = one.stats().total.bytes  # all entries have the same
    # Beside them the stamps of the table and of the read under way, which are less than another entry.
    room = entries * size + one._memory._state.changes.bytes + size - 1
    cache = daxlite.Cache(daxlite.CacheConfig(**forever, max_bytes=room, max_entry_bytes=size))
    wrapped = daxlite.wrap(client, cache=cache)
    for number in reads:
        _read(wrapped, number)
    total = cache.stats().total
    assert total.entries == entries
    assert total.hits + total.misses == len(reads)
    return total.hits / len(reads)


def _read(client: Any, number: int) -> None:
    client.get_item(TableName=TABLE, Key=key(number=number))
