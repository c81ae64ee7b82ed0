"""What a write in one process makes stale in the others: what was computed from it, at once, and nothing else."""

import pytest

from tests.conftest import MakeTable
from tests.valkey import Valkey

from . import shop
from .processes import Process, Processes
from .waiting import wait_until

pytestmark = pytest.mark.usefixtures("only_own_keys")

# What is computed, and from what: the orders a and b are of the first day, c and d of the second.
READS = [
    pytest.param(("day", "1"), 3, id="query of an index"),
    pytest.param(("all",), 15, id="scan"),
    pytest.param(("items", "a", "b"), 3, id="items"),
]


class Branches:
    """Processes, each with a wrapped client and an aggregation cache of its own."""

    def __init__(self, processes: Processes, url: str, namespace: str, endpoint: str, table: str) -> None:
        self._processes = processes
        self._where = (url, namespace, endpoint, table)

    def open(self, number: int, near_bytes: int = 0) -> list[Process]:
        every = self._processes.take(number)
        for process in every:
            process.begin(shop.enter, *self._where, near_bytes)
        for process in every:
            process.end()
        for number, id in enumerate("abcd"):
            every[0].do(shop.put, id, "1" if id in "ab" else "2", 2**number)
        return every


@pytest.fixture
def branches(processes: Processes, valkey: Valkey, namespace: str, endpoint: str, make_table: MakeTable) -> Branches:
    return Branches(processes, valkey.url, namespace, endpoint, make_table("orders", **shop.TABLE))


@pytest.mark.parametrize(("what", "total"), READS)
def test_p5_a_write_of_another_process_is_in_the_next_answer(
    branches: Branches, what: tuple[str, ...], total: int
) -> None:
    writer, reader = branches.open(2)
    label = " ".join(what)
    assert reader.do(shop.aggregate, *what) == (total, [label])
    assert reader.do(shop.aggregate, *what) == (total, [])
    writer.do(shop.put, "a", "1", 101)
    assert reader.do(shop.aggregate, *what) == (total + 100, [label])
    assert writer.do(shop.aggregate, *what) == (total + 100, []), "it is computed once for both"
    reader.do(shop.put, "b", "1", 1002)
    assert writer.do(shop.aggregate, *what) == (total + 1100, [label])


def test_p5_a_near_cache_hears_of_it_within_a_moment(branches: Branches) -> None:
    writer, reader = branches.open(2, near_bytes=2**20)
    assert reader.do(shop.aggregate, "day", "1") == (3, ["day 1"])
    wait_until("the reader listens", lambda: reader.do(shop.is_listening))
    reader.do(shop.aggregate, "day", "1")
    assert reader.do(shop.aggregate, "day", "1") == (3, [])
    assert reader.do(shop.near_hits) > 0, "nothing was kept near; so this shows nothing"
    writer.do(shop.put, "a", "1", 101)
    wait_until("the reader heard of it", lambda: reader.do(shop.aggregate, "day", "1")[0] == 103, 1.0)


def test_p4_a_write_elsewhere_makes_nothing_stale(branches: Branches) -> None:
    writer, reader = branches.open(2)
    for what in (("day", "1"), ("day", "2"), ("items", "a", "b"), ("items", "c")):
        reader.do(shop.aggregate, *what)
    writer.do(shop.put, "c", "2", 104)
    assert reader.do(shop.aggregate, "day", "1") == (3, [])
    assert reader.do(shop.aggregate, "items", "a", "b") == (3, [])
    assert reader.do(shop.aggregate, "day", "2") == (112, ["day 2"])
    assert reader.do(shop.aggregate, "items", "c") == (104, ["items c"])


def test_p4_an_order_that_moves_is_missed_on_both_days(branches: Branches) -> None:
    writer, reader = branches.open(2)
    reader.do(shop.aggregate, "day", "1")
    reader.do(shop.aggregate, "day", "2")
    writer.do(shop.put, "a", "2", 1)
    assert reader.do(shop.aggregate, "day", "1") == (2, ["day 1"])
    assert reader.do(shop.aggregate, "day", "2") == (13, ["day 2"])


@pytest.mark.parametrize(("what", "total"), READS)
def test_p5_the_old_page_in_the_clients_own_cache_is_not_computed_from(
    branches: Branches, what: tuple[str, ...], total: int
) -> None:
    """No feed tells the client's own cache of writes elsewhere: it is the computation that sees to it."""
    writer, bystander = branches.open(2)
    label = " ".join(what)
    assert bystander.do(shop.read, *what) == (total, 0)
    value, hits = bystander.do(shop.read, *what)
    assert value == total
    assert hits > 0, "the page was not in the client's own cache; so this shows nothing"
    writer.do(shop.put, "a", "1", 101)
    assert bystander.do(shop.aggregate, *what) == (total + 100, [label])

    # Again, now that this process knows the stamps: with the page of the computation, and with one of a plain read.
    writer.do(shop.put, "a", "1", 201)
    assert bystander.do(shop.aggregate, *what) == (total + 200, [label])
    assert bystander.do(shop.read, *what)[0] == total + 200
    writer.do(shop.put, "b", "1", 1002)
    assert bystander.do(shop.aggregate, *what) == (total + 1200, [label])


@pytest.mark.parametrize(("what", "total"), READS)
def test_p5_nor_is_it_once_another_process_has_computed(branches: Branches, what: tuple[str, ...], total: int) -> None:
    """By then there is a new stamp, which the process with the old page sees for the first time."""
    writer, bystander, other = branches.open(3)
    assert bystander.do(shop.aggregate, *what)[0] == total
    writer.do(shop.put, "a", "1", 101)
    assert other.do(shop.aggregate, *what)[0] == total + 100
    assert bystander.do(shop.aggregate, *what) == (total + 100, []), "the result of the other"
    # Its own client still has the old page, and no process has computed this result from a new one.
    assert bystander.do(shop.aggregate_anew, *what) == total + 100
