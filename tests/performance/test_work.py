"""No operation runs more Python than it did, but for a margin. See "Work is counted, and time compared" in
docs/decisions.md.

A change that makes an operation cheaper lowers its number here; one that makes it dearer says why."""

import pytest

from tests.performance.operations import OPERATIONS
from tests.performance.work import work

# As `python -m tests.performance` prints it, with Python 3.11.
RECORDED = {
    "get_item_hit": 321,
    "table_get_item_hit": 1185,
    "batch_get_item_hit": 6119,
    "query_hit": 1230,
    "get_item_miss": 1275,
    "put_item": 3798,
    "passed_through": 87,
}
# Versions of Python differ in how they cut the same code into steps.
MARGIN = 1.2


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_takes_no_more_steps_than_recorded(operation: str) -> None:
    steps = work(OPERATIONS[operation]())
    assert steps <= RECORDED[operation] * MARGIN, f"{operation} took {RECORDED[operation]} steps, and now {steps}"


def test_the_steps_of_an_operation_are_the_same_each_time() -> None:
    call = OPERATIONS["get_item_hit"]()
    assert work(call) == work(call)
