"""No hit is further above the floor than recorded, but for a margin.

`tests/performance` counts steps; this sees what that does not, the time spent within C.
"""

import pytest

from benchmarks.conftest import Record
from benchmarks.interleave import Call, Case, Comparison
from benchmarks.items import item, page
from benchmarks.peers import floor
from tests.performance.operations import OPERATIONS

# In seconds: shorter than what the system gives to a process at a time, so that most are not interrupted.
CHUNK = 0.0003
SECONDS = 0.6

FLOORS: dict[str, Call] = {
    "get_item_hit": floor.decode(item()),
    "table_get_item_hit": floor.decode(item()),
    "batch_get_item_hit": floor.decode(page()),
    "query_hit_of_25": floor.decode(page()),
}
# How many times the floor a hit takes.
RECORDED = {
    "get_item_hit": 2.3,
    "table_get_item_hit": 7.9,
    "batch_get_item_hit": 1.45,
    "query_hit_of_25": 1.2,
}
# Processors and versions of Python differ in what they make of the interpreter's part and of C's.
MARGIN = 1.5


def ratio_to_floor(operation: str) -> float:
    """Of the fastest rounds: a disturbance only makes them slower."""
    call = OPERATIONS[operation]()
    call()
    comparison = Comparison([Case("hit", call), Case("floor", FLOORS[operation])], chunk=CHUNK, chunks=1).run(SECONDS)
    return min(comparison.rounds("hit")) / min(comparison.rounds("floor"))


@pytest.mark.parametrize("operation", RECORDED)
def test_a_hit_takes_no_more_times_the_floor_than_recorded(record: Record, operation: str) -> None:
    measured: list[float] = []

    def measure() -> dict[str, float]:
        measured.append(ratio_to_floor(operation))
        return {"times the floor": measured[0]}

    record(measure)
    assert measured[0] <= RECORDED[operation] * MARGIN
