"""No hit is further above the floor than it was, but for a margin: this sees what the count of steps does not, the time
spent within C."""

import pytest

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
    "query_hit": floor.decode(page()),
}
# How many times the floor it takes, as `python -m tests.performance` prints it.
RECORDED = {
    "get_item_hit": 2.3,
    "table_get_item_hit": 7.9,
    "batch_get_item_hit": 1.45,
    "query_hit": 1.2,
}
# Processors and versions of Python differ in what they make of the interpreter's part and of C's.
MARGIN = 1.5


def ratio_to_floor(operation: str) -> float:
    """Of the fastest rounds: whatever disturbs only makes slower."""
    call = OPERATIONS[operation]()
    call()
    comparison = Comparison([Case("hit", call), Case("floor", FLOORS[operation])], chunk=CHUNK, chunks=1).run(SECONDS)
    return min(comparison.rounds("hit")) / min(comparison.rounds("floor"))


@pytest.mark.parametrize("operation", RECORDED)
def test_a_hit_is_no_more_times_the_floor_than_recorded(operation: str) -> None:
    assert ratio_to_floor(operation) <= RECORDED[operation] * MARGIN
