"""The pure parts of the demo: its data, its workload, its arithmetic."""

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from daxlite.demo.measure import percentile
from daxlite.demo.orders import by_customer, key_of, make_orders
from daxlite.demo.settings import Settings
from daxlite.demo.units import READ_BLOCK, item_size, read_units
from daxlite.demo.workload import READ_MIX, WRITES, Workload, make_workload
from daxlite.demo.zipf import Zipf


@pytest.fixture(scope="module")
def workload() -> Workload:
    settings = Settings(reads=4_000, writes=0.05)
    return make_workload(make_orders(1_000, seed=3), settings.reads, settings.write_count, seed=3)


def test_a_seed_makes_the_same_orders_and_operations() -> None:
    assert make_orders(300, seed=5) == make_orders(300, seed=5)
    assert make_orders(300, seed=5) != make_orders(300, seed=6)
    first, again = (make_workload(make_orders(300, seed=5), 500, 30, seed=5) for _ in range(2))
    assert first == again
    assert first.operations != make_workload(make_orders(300, seed=5), 500, 30, seed=6).operations


@pytest.mark.parametrize("count", [1, 10, 999])
def test_orders_are_as_many_as_asked_and_have_keys_of_their_own(count: int) -> None:
    orders = make_orders(count, seed=1)
    assert len({repr(key_of(order)) for order in orders}) == count


def test_numbers_are_written_as_dynamodb_gives_them_back() -> None:
    for order in make_orders(500, seed=2):
        numbers = [order["total"]["N"], *(line["M"]["price"]["N"] for line in order["lines"]["L"])]
        assert not [text for text in numbers if "." in text and text.endswith("0")]


def test_the_workload_has_the_asked_proportions(workload: Workload) -> None:
    counts = workload.count()
    reads = {kind: counts[kind] for kind in READ_MIX}
    assert sum(reads.values()) == 4_000
    assert reads == pytest.approx({kind: 4_000 * share for kind, share in READ_MIX.items()}, abs=len(READ_MIX))
    writes = sum(counts[kind] for kind in WRITES)
    assert writes / len(workload.operations) == pytest.approx(0.05, abs=0.001)
    assert all(counts[kind] for kind in WRITES)


def test_the_shares_of_reads_add_up_to_one() -> None:
    assert sum(READ_MIX.values()) == pytest.approx(1.0)


def test_a_few_orders_get_most_of_the_reads(workload: Workload) -> None:
    keys = Counter(repr(operation.parameters) for operation in workload.operations if operation.kind == "GetItem")
    assert sum(count for _, count in keys.most_common(100)) > 0.5 * keys.total()
    assert len(keys) > 200


def test_an_order_that_was_deleted_comes_back_with_the_next_write(workload: Workload) -> None:
    writes = [operation for operation in workload.operations if operation.kind in WRITES]
    deleted = [(one, after) for one, after in pairwise(writes) if one.kind == "DeleteItem"]
    assert deleted
    for one, after in deleted:
        assert after.kind == "PutItem"
        assert key_of(after.parameters["Item"]) == one.parameters["Key"]


def test_the_workload_knows_every_key_that_it_writes(workload: Workload) -> None:
    known = {repr(key) for key in workload.keys}
    assert len(known) == len(workload.keys) > 1_000
    for operation in workload.operations:
        if operation.kind == "PutItem":
            assert repr(key_of(operation.parameters["Item"])) in known


def test_queries_are_listed_once(workload: Workload) -> None:
    queries = [repr(query.parameters) for query in workload.queries()]
    assert len(queries) == len(set(queries))
    assert {query.kind for query in workload.queries()} == {"Query table", "Query index", "Scan"}


def test_a_workload_without_writes() -> None:
    assert not {*make_workload(make_orders(20, seed=1), 50, 0, seed=1).count()} & {*WRITES}


def test_the_latest_order_of_a_customer_comes_first() -> None:
    for owned in by_customer(make_orders(200, seed=1)).values():
        assert all(newer["order"]["S"] >= older["order"]["S"] for newer, older in pairwise(owned))


def test_popularity_falls_with_rank() -> None:
    popular = Zipf(Random(1), range(50))
    drawn = Counter(popular.draw() for _ in range(20_000))
    assert drawn[0] / drawn[1] == pytest.approx(2, rel=0.15)
    assert drawn[0] / drawn[9] == pytest.approx(10, rel=0.25)


def test_read_units_count_each_started_block() -> None:
    assert [read_units(size) for size in (0, 1, READ_BLOCK, READ_BLOCK + 1, 10 * READ_BLOCK)] == [0.5, 0.5, 0.5, 1, 5]
    assert read_units(1, 1, 1) == 1.5
    assert read_units() == 0


def test_an_item_is_as_big_as_its_names_and_values() -> None:
    assert item_size(
        {"pk": {"S": "é"}, "n": {"NULL": True}, "l": {"L": [{"N": "-1.5"}, {"M": {"a": {"B": b"xy"}}}]}}
    ) == ((2 + 2) + (1 + 1) + (1 + 3 + (1 + 3) + (1 + 3 + 1 + 1 + 2)))


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    Random(1).shuffle(values)
    assert [percentile(values, percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([7.0, 3.0], 50) == 3.0
    with pytest.raises(ValueError, match="percentile of nothing"):
        percentile([], 50)
