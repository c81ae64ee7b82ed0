"""The core workloads A to F of the Yahoo! Cloud Serving Benchmark (Cooper et al., SoCC 2010, section 4).

A thousand records of ten fields of 100 bytes, popular by Zipf's law with the exponent 0.99; popular ones lie anywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from benchmarks.workloads.calls import Call, Read, Write, put, update
from benchmarks.workloads.workload import Shape, shape
from daxlite.demo.zipf import Zipf

EXPONENT = 0.99
FIELDS = 10
FIELD_BYTES = 100


@dataclass(frozen=True)
class Records:
    """Reads, and writes of one field: A, B, C and F."""

    name: str
    writes: float
    reads_first: bool = False
    """Whether a write reads the record before, as one operation (F)."""
    records: int = 1000
    shape: ClassVar[Shape] = shape("Records", "id", types={"id": "S"})

    def load(self) -> Iterator[Write]:
        return (put("Records", {**_id(number), **_fields(number)}, "id") for number in range(self.records))

    def operations(self, rng: Random) -> Iterator[Sequence[Call]]:
        popular = Zipf(rng, rng.sample(range(self.records), self.records), EXPONENT)
        count = 0
        while True:
            key = _id(popular.draw())
            read = Read.item("Records", key)
            if rng.random() >= self.writes:
                yield [read]
                continue
            count += 1
            field = {"#f": f"field{rng.randrange(FIELDS)}"}
            write = update("Records", key, "SET #f = :v", field, v=_field(count))
            yield [read, write] if self.reads_first else [write]


@dataclass(frozen=True)
class Latest:
    """Records are inserted, and the newest ones are the popular ones: D."""

    name: str = "YCSB D: latest"
    inserts: float = 0.05
    records: int = 1000
    shape: ClassVar[Shape] = Records.shape

    def load(self) -> Iterator[Write]:
        return (put("Records", {**_id(number), **_fields(number)}, "id") for number in range(self.records))

    def operations(self, rng: Random) -> Iterator[Sequence[Call]]:
        ages = Zipf(rng, range(1, self.records + 1), EXPONENT)
        count = self.records
        while True:
            if rng.random() < self.inserts:
                yield [put("Records", {**_id(count), **_fields(count)}, "id")]
                count += 1
            else:
                yield [Read.item("Records", _id(count - ages.draw()))]


@dataclass(frozen=True)
class ShortRanges:
    """Posts of threads: some from one on, and new ones at the end: E.

    YCSB reads up to a hundred at a time; here it is up to ten, because a thread has fifty posts at first.
    """

    name: str = "YCSB E: short ranges"
    inserts: float = 0.05
    threads: int = 20
    posts: int = 50
    longest: int = 10
    shape: ClassVar[Shape] = shape("Threads", "thread", "post", types={"thread": "S", "post": "N"})

    def load(self) -> Iterator[Write]:
        for thread in range(self.threads):
            for post in range(self.posts):
                yield self._post(thread, post)

    def operations(self, rng: Random) -> Iterator[Sequence[Call]]:
        all_posts = [(thread, post) for thread in range(self.threads) for post in range(self.posts)]
        popular = Zipf(rng, rng.sample(all_posts, len(all_posts)), EXPONENT)
        counts = [self.posts] * self.threads
        while True:
            thread, post = popular.draw()
            if rng.random() < self.inserts:
                yield [self._post(thread, counts[thread])]
                counts[thread] += 1
            else:
                yield [self._range(thread, post, rng.randint(1, self.longest))]

    def _post(self, thread: int, post: int) -> Write:
        item = {"thread": {"S": f"thread#{thread}"}, "post": {"N": str(post)}, **_fields(post)}
        return put("Threads", item, "thread", "post")

    def _range(self, thread: int, first: int, length: int) -> Read:
        request = {
            "TableName": "Threads",
            "KeyConditionExpression": "thread = :t AND post >= :p",
            "ExpressionAttributeValues": {":t": {"S": f"thread#{thread}"}, ":p": {"N": str(first)}},
            "Limit": length,
        }
        return Read("Query", request)


YCSB = (
    Records("YCSB A: 50 % updates", 0.5),
    Records("YCSB B: 5 % updates", 0.05),
    Records("YCSB C: reads only", 0.0),
    Latest(),
    ShortRanges(),
    Records("YCSB F: 50 % read-modify-write", 0.5, reads_first=True),
)


def _id(number: int) -> dict[str, Any]:
    return {"id": {"S": f"user{number}"}}


def _fields(number: int) -> dict[str, Any]:
    return {f"field{field}": _field(number) for field in range(FIELDS)}


def _field(number: int) -> dict[str, str]:
    return {"S": f"{number:.>{FIELD_BYTES}}"}
