"""What holds for an aggregation cache in Redis holds for one of one process: the same tests, in another world."""

import pytest

from tests.aggregations import (
    test_capture,
    test_capture_threads,
    test_followers,
    test_functions,
    test_get_or_compute,
    test_nested,
    test_second_lines,
    test_stale,
    test_stamps,
)
from tests.aggregations.local import LocalWorld
from tests.aggregations.test_capture_threads import client as client
from tests.aggregations.test_capture_threads import pool as pool
from tests.aggregations.test_followers import play as play
from tests.aggregations.test_nested import source as source

SAME = {
    test_stale: "xfetch_a_result_is_due xfetch_is_off stale_while a_background_refresh_that what_changed_is_not "
    "stale_if_error_is_off an_old_result_served each_of_the_two a_list_that_is_changed",
    test_nested: "an_inner_result_served an_inner_result_that three_deep two_functions p3_an_outer_one_that_saw "
    "a_result_that_may_lag the_ages recursion an_expired_inner an_old_inner",
    test_get_or_compute: "a_result_is_computed_anew jitter none_and_empty the_ttl_counts a_result_that_is_too_large",
    test_functions: "the_same_arguments peek_does_not of_a_method dependencies_can",
    test_capture: "a_result_depends a_hit_of_the_local dependencies_by_hand p3_a_write_within a_write_within "
    "capture_can_be what_reads_very_much within_the_computation_the_local",
    test_capture_threads: "what_is_read_in_what_the_computation_starts",
    test_followers: "a_caller_that_arrives p2_a_change_at p2_a_caller_after p2_a_stale a_follower_waits",
    test_second_lines: "a_result_that_ends p7_after_a_fault",
    test_stamps: "what_is_invalidated",
}
"""Which of these modules' tests know of no server, and of no other process; by the beginnings of their names."""

for module, names in SAME.items():
    for beginning in names.split():
        found = {name: test for name, test in vars(module).items() if name.startswith(f"test_{beginning}")}
        assert found, beginning
        globals().update(found)


@pytest.fixture
def world() -> LocalWorld:
    return LocalWorld()
