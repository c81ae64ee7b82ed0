"""P1 to P4 and P9 under every interleaving that Hypothesis finds, of two to four threads that share a cache."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interleavings.oracle import judge
from tests.interleavings.programs import READS, Op, item_reads, items, page_reads, threads
from tests.interleavings.world import World

EXAMPLES = 550
"""Of each of the four tests; together more than 2,000 interleavings."""

interleavings = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
initial = st.lists(items, max_size=2)
warm = st.lists(st.sampled_from(READS), max_size=4)


@pytest.fixture(scope="module")
def world() -> Any:
    world = World()
    yield world
    world.plain.close()


def run(world: World, data: st.DataObject, program: list[list[Op]], before: Any, read_before: list[Op]) -> None:
    """One interleaving, and the judgement of it."""
    world.reset(before)
    for op in read_before:
        world.call("warm", op)
    world.run(
        program,
        choose=lambda names: data.draw(st.integers(0, len(names) - 1)),
        choose_replica=lambda call, ticks: data.draw(st.sampled_from(ticks)),
    )
    judge(world)


@interleavings
@given(data=st.data(), program=threads(item_reads), before=initial, read_before=warm)
def test_p1_p2_p3_items(world: World, data: st.DataObject, program: Any, before: Any, read_before: Any) -> None:
    run(world, data, program, before, read_before)


@interleavings
@given(data=st.data(), program=threads(page_reads), before=initial, read_before=warm)
def test_p1_p2_p3_p4_pages(world: World, data: st.DataObject, program: Any, before: Any, read_before: Any) -> None:
    run(world, data, program, before, read_before)


@interleavings
@given(data=st.data(), program=threads(READS), before=initial, read_before=warm)
def test_p1_p2_p3_p4_everything(world: World, data: st.DataObject, program: Any, before: Any, read_before: Any) -> None:
    run(world, data, program, before, read_before)


@interleavings
@given(data=st.data(), program=threads(READS, with_faults=True), before=initial, read_before=warm)
def test_p9_unknown_outcomes(world: World, data: st.DataObject, program: Any, before: Any, read_before: Any) -> None:
    run(world, data, program, before, read_before)
