"""P1 to P4 and P9 in random interleavings of two to four threads that share a cache."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daxlite.cache import clock
from tests.edges import EDGES, waiting_in_threads
from tests.interleavings.interleaving import Interleaving
from tests.interleavings.oracle import check, judge
from tests.interleavings.programs import KEYS, READS, TABLE, Op, Program, item_reads, page_reads, programs
from tests.volume import amount


@pytest.fixture(scope="module")
def interleaving(edge: str) -> Iterator[Interleaving]:
    made = Interleaving(edge)
    with waiting_in_threads():
        yield made
    made.close()


def interleavings(of: st.SearchStrategy[Program]) -> Callable[[Any], Any]:
    """Make a test of random interleavings of random programs."""
    volume = settings(
        max_examples=amount("interleavings", shared_by=len(EDGES)), suppress_health_check=list(HealthCheck)
    )
    return lambda test: volume(given(data=st.data(), program=of)(test))


@interleavings(of=programs(item_reads))
def test_p1_p2_p3_items(interleaving: Interleaving, data: st.DataObject, program: Program) -> None:
    check(interleaving, data, program)


@interleavings(of=programs(page_reads))
def test_p1_p2_p3_p4_pages(interleaving: Interleaving, data: st.DataObject, program: Program) -> None:
    check(interleaving, data, program)


@interleavings(of=programs(page_reads))
def test_p1_p2_p3_p4_pages_with_logs_that_overflow(
    interleaving: Interleaving, data: st.DataObject, program: Program
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "MAX_LOG", 1)
        check(interleaving, data, program)


@interleavings(of=programs(READS))
def test_p1_p2_p3_p4_everything(interleaving: Interleaving, data: st.DataObject, program: Program) -> None:
    check(interleaving, data, program)


@interleavings(of=programs(READS, with_faults=True))
def test_p9_unknown_outcomes(interleaving: Interleaving, data: st.DataObject, program: Program) -> None:
    check(interleaving, data, program)


@interleavings(of=programs(READS, with_faults=True))
def test_p2_p3_several_caches(interleaving: Interleaving, data: st.DataObject, program: Program) -> None:
    check(interleaving, data, program, caches=2)


@interleavings(of=programs(READS, with_faults=True))
def test_p2_p3_a_table_that_is_described_meanwhile(
    interleaving: Interleaving, data: st.DataObject, program: Program
) -> None:
    check(interleaving, data, replace(program, warm=[]), is_cold=True)


@interleavings(of=programs(READS))
def test_p2_p3_several_caches_of_a_table_that_is_described_meanwhile(
    interleaving: Interleaving, data: st.DataObject, program: Program
) -> None:
    check(interleaving, data, replace(program, warm=[]), caches=3, is_cold=True)


@pytest.mark.parametrize("read", READS, ids=repr)
def test_two_readers_of_a_cold_table_ask_once(interleaving: Interleaving, read: Op) -> None:
    keys = len(read.request.get("RequestItems", {}).get(TABLE, {}).get("Keys", [0]))
    joined = 0
    for seed in range(5):
        order = random.Random(seed)
        interleaving.reset([{**KEYS[0], "n": {"N": "1"}}], is_cold=True)
        interleaving.run(
            [[read], [read]],
            choose=lambda names, order=order: order.randrange(len(names)),
            choose_replica=lambda call, ticks: ticks[-1],
        )
        sent = [call.operation for event in interleaving.events for call in event.sent]
        assert sent.count(read.operation) == 1
        total = interleaving.cache.stats().total
        assert total.hits + total.joined == keys
        joined += total.joined
        judge(interleaving)
    assert joined, "in no order did the readers meet"
