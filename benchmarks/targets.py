"""What daxlite wants to reach, each with the cases that show it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmarks.interleave import Ratio, ratio
from benchmarks.results import Results

Measure = Callable[[Results], Ratio | None]


@dataclass(frozen=True)
class Target:
    """One row: a figure, and what it is to be."""

    row: str
    what: str
    """What the figure says, for a reader who knows the row."""
    test: str
    measure: Measure
    sense: Literal["at most", "at least"]
    limit: float
    unit: str = "x"

    def is_met(self, measured: Ratio) -> bool:
        return measured.median <= self.limit if self.sense == "at most" else measured.median >= self.limit


def _compared(
    row: str,
    what: str,
    test: str,
    numerator: str,
    denominator: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Target:
    """One case by another one of the same rounds."""
    sense, limit = _sense(at_most, at_least)
    return Target(row, what, test, lambda results: results.ratio(test, numerator, denominator), sense, limit)


def _sense(at_most: float | None, at_least: float | None) -> tuple[Literal["at most", "at least"], float]:
    if at_most is not None:
        return "at most", at_most
    assert at_least is not None
    return "at least", at_least


def _microseconds(row: str, what: str, test: str, case: str, at_most: float) -> Target:
    """The time of one case by itself."""

    def measure(results: Results) -> Ratio:
        seconds = results.seconds(test, case)
        return Ratio(seconds.median * 1e6, seconds.low * 1e6, seconds.high * 1e6)

    return Target(row, what, test, measure, "at most", at_most, "us")


def _threads(results: Results) -> Ratio:
    hits = results.figures("test_threads")["hits"]
    return ratio(hits["8"]["throughput"], hits["1"]["throughput"])


def _exactly(value: float) -> Ratio:
    return Ratio(value, value, value)


def _hit_ratio(results: Results) -> Ratio:
    """By that of the best policy of cachetools, on the workload where daxlite does worst."""
    quotients = []
    for words, ratios in results.figures("test_hit_ratio")["hit_ratios"].items():
        if "no scans" not in words:
            best = max(value for name, value in ratios.items() if name != "daxlite")
            quotients.append(ratios["daxlite"] / best)
    return _exactly(min(quotients))


_GET = "test_get_item"
_HIT = "daxlite, hit"
_THROUGH = "test_through"
_REQUESTS = "test_requests"

TARGETS = (
    _compared(
        "GetItem hit, client",
        "of the floor, on a flat item",
        _GET,
        "daxlite, hit, flat item",
        "floor: msgspec decodes the flat item",
        at_most=3.5,
    ),
    _compared("", "faster than the raw call", _GET, "boto3, canned server", _HIT, at_least=200),
    _compared("", "faster than `amazon-dax-client`", _GET, "amazon-dax-client, canned node", _HIT, at_least=40),
    _compared(
        "GetItem hit, Table",
        "faster than the raw call",
        "test_table_get_item",
        "boto3 Table, canned server",
        "daxlite Table, hit",
        at_least=60,
    ),
    _compared(
        "BatchGetItem of 25 hits",
        "of the floor",
        "test_batch_get_item",
        "daxlite, 25 hits",
        "floor: msgspec decodes them",
        at_most=1.5,
    ),
    _compared(
        "Query page of 25 items",
        "of the floor",
        "test_query",
        "daxlite, hit",
        "floor: msgspec decodes it",
        at_most=1.5,
    ),
    _microseconds("Signature of a Query", "with one value", _REQUESTS, "Query, one value", at_most=2),
    _microseconds("", "with a filter, and three values", _REQUESTS, "Query with a filter, three values", at_most=5),
    _microseconds("Projection of a GetItem", "understood", _REQUESTS, "GetItem with a projection", at_most=2),
    _microseconds("Update with two values", "understood", _REQUESTS, "UpdateItem, two values", at_most=3),
    _compared("Miss", "of the raw call", _THROUGH, "GetItem, daxlite, miss", "GetItem, boto3", at_most=1.05),
    _compared(
        "Write of a new item",
        "of the raw call",
        _THROUGH,
        "PutItem of a new item, daxlite",
        "PutItem of a new item, boto3",
        at_most=1.10,
    ),
    _compared(
        "Write over an item",
        "of the raw call",
        _THROUGH,
        "PutItem over an item, daxlite",
        "PutItem over an item, boto3",
        at_most=1.10,
    ),
    _compared(
        "Passed-through operation",
        "of the raw call",
        _THROUGH,
        "DescribeLimits, daxlite",
        "DescribeLimits, boto3",
        at_most=1.02,
    ),
    _compared(
        "A write while 100,000 queries are cached",
        "of the same beside 100",
        "test_write_beside_queries",
        "100000",
        "100",
        at_most=1.2,
    ),
    Target("8 threads, hits", "of the throughput of one", "test_threads", _threads, "at least", 0.8),
    Target(
        "",
        "of what the busiest thread gets, for the idlest",
        "test_threads",
        lambda results: _exactly(results.figures("test_threads")["hits"]["8"]["fairness"]),
        "at least",
        0.25,
    ),
    Target(
        "Memory of a cached item of 1 KB",
        "beyond its bytes and its key",
        "test_memory",
        lambda results: _exactly(results.figures("test_memory")["resident"]),
        "at most",
        600,
        "B",
    ),
    _compared(
        "Aggregation hit, shared",
        "of a bare GET",
        "test_aggregation",
        "daxlite, shared hit",
        "redis-py, bare GET",
        at_most=1.5,
    ),
    _microseconds("Aggregation hit, near", "", "test_aggregation", "daxlite, near hit", at_most=10),
    Target(
        "`import daxlite` and `wrap`, after boto3 and its client",
        "",
        "test_import",
        lambda results: _exactly(results.figures("test_import")["seconds"] * 1e3),
        "at most",
        25,
        "ms",
    ),
    Target(
        "",
        "packages imported that only extras need",
        "test_import",
        lambda results: _exactly(len(results.figures("test_import")["unused"])),
        "at most",
        0,
        "",
    ),
    Target(
        "Hit ratio, Zipf with scans",
        "of the best policy in cachetools",
        "test_hit_ratio",
        _hit_ratio,
        "at least",
        1.0,
    ),
)
