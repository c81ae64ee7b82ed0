"""The instruments themselves: what the benchmarks say must be true of cases whose cost is known."""

import doctest
import itertools
import types
from typing import Any

import boto3
import cachetools
import pytest

from benchmarks import canned, canned_dax, interleave, servers
from benchmarks.interleave import Case, Comparison, Ratio, median, ratio
from benchmarks.items import TABLE, flat_item, item, key, nodes
from benchmarks.policies import Workload, hit_ratio, hit_ratio_of_daxlite
from benchmarks.results import Results
from benchmarks.targets import TARGETS


@pytest.mark.parametrize("module", [interleave, canned_dax, servers], ids=lambda module: module.__name__)
def test_examples(module: types.ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_items_are_what_the_targets_speak_of() -> None:
    assert (len(item()), nodes(item())) == (10, 20)
    assert (len(flat_item()), nodes(flat_item())) == (10, 10)


def test_a_case_that_takes_five_times_as_long_is_measured_so(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0  # nanoseconds

    def take(duration: int) -> None:
        nonlocal now
        now += duration

    monkeypatch.setattr(interleave, "perf_counter_ns", lambda: now)
    monkeypatch.setattr(interleave, "perf_counter", lambda: now / 1e9)
    comparison = Comparison(
        [Case("one", lambda: take(20_000)), Case("five", lambda: take(100_000))], chunk=0.0003, chunks=1
    ).run(0.3)
    one, five = comparison.rounds("one"), comparison.rounds("five")
    assert {round(slow / fast, 6) for fast, slow in zip(one, five, strict=True)} == {5}
    measured = comparison.as_json()["one"]
    assert measured["percentiles"]["1"] <= measured["percentiles"]["50"] <= measured["percentiles"]["99.9"]
    assert sum(count for _, count in measured["histogram"]) < measured["calls"]


def test_the_order_of_cases_differs_from_round_to_round() -> None:
    order: list[str] = []

    class Noting:
        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self) -> None:
            if order[-1:] != [self.name]:
                order.append(self.name)

    names = ["a", "b", "c"]
    comparison = Comparison([Case(name, Noting(name)) for name in names], chunk=1e-6)
    order.clear()
    for _ in range(30):
        comparison.round()
    firsts = [following for one, following in itertools.pairwise(order) if one == "a"]
    assert set(firsts) == {"b", "c"}


def test_the_range_of_a_median_holds_it() -> None:
    assert median([float(number) for number in range(101)]) == Ratio(50.0, 40.0, 61.0)
    assert ratio([3.0] * 9, [2.0] * 9) == Ratio(1.5, 1.5, 1.5)


def test_the_canned_server_answers_as_dynamodb_does() -> None:
    with canned.running() as endpoint:
        client: Any = boto3.client("dynamodb", **servers.connection(endpoint))
        assert client.get_item(TableName=TABLE, Key=key())["Item"] == item()
        put = {"Item": item(), "ReturnValues": "ALL_OLD"}
        assert client.put_item(TableName=TABLE, **put)["Attributes"] == item()
        assert "Attributes" not in client.put_item(TableName=canned.NEW_TABLE, **put)
        assert "Attributes" not in client.put_item(TableName=TABLE, Item=item())
        client.close()


def test_targets_are_read_from_results() -> None:
    """Each comparison that a target names, with made-up times."""
    target = next(target for target in TARGETS if target.test == "test_query")
    cases = {"daxlite, hit": {"rounds": [2.0, 2.0, 2.0]}, "floor: msgspec decodes it": {"rounds": [1.0, 1.0, 1.0]}}
    measured = target.measure(_results(test_query=cases))
    assert measured == Ratio(2.0, 2.0, 2.0)
    assert not target.is_met(measured)
    assert target.measure(_results(test_query={})) is None


def _results(**comparisons: object) -> Results:
    benchmarks = [{"name": name, "extra_info": {"cases": cases}} for name, cases in comparisons.items()]
    return Results({"machine_info": {}, "commit_info": {}, "datetime": "", "benchmarks": benchmarks})


def test_hit_ratios_are_of_caches_of_one_size() -> None:
    reads = list(Workload(items=500, reads=5_000, stretch=50))
    assert len(set(reads)) > 400
    # A cache that holds everything misses each item once, whatever its policy.
    once = 1 - len(set(reads)) / len(reads)
    assert hit_ratio(cachetools.LRUCache(500), reads) == once
    assert 0.05 < hit_ratio_of_daxlite(50, reads) < once
