"""P1 to P4 and P9 in random interleavings of two to four threads that share a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interleavings.interleaving import Interleaving
from tests.interleavings.oracle import check
from tests.interleavings.programs import READS, Program, item_reads, page_reads, programs
from tests.volume import amount


@pytest.fixture(scope="module")
def interleaving() -> Iterator[Interleaving]:
    made = Interleaving()
    yield made
    made.close()


def interleavings(of: st.SearchStrategy[Program]) -> Callable[[Any], Any]:
    """Make a test of random interleavings of random programs."""
    volume = settings(max_examples=amount("interleavings"), deadline=None, suppress_health_check=list(HealthCheck))
    return lambda test: volume(given(data=st.data(), program=of)(test))


@interleavings(of=programs(item_reads))
def test_p1_p2_p3_items(interleaving: Interleaving, data: st.DataObject, program: Program) -> None:
    check(interleaving, data, program)


@interleavings(of=programs(page_reads))
def test_p1_p2_p3_p4_pages(interleaving: Interleaving, data: st.DataObject, program: Program) -> None:
    check(interleaving, data, program)


@interleavings(of=programs(READS))
def test_p1_p2_p3_p4_everything(interleaving: Interleaving, data: st.DataObject, program: Program) -> None:
    check(interleaving, data, program)


@interleavings(of=programs(READS, with_faults=True))
def test_p9_unknown_outcomes(interleaving: Interleaving, data: st.DataObject, program: Program) -> None:
    check(interleaving, data, program)
