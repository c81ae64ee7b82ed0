"""The short form of `make soak-shared`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import chosen_edges
from tests.tier.soak import Soak, make_table
from tests.valkey import Valkey

SECONDS = 7.0
FAULTS = ["CLIENT KILL", "FLUSHALL", "kill a writer"]


def test_p5_nothing_stale_while_processes_read_and_write(
    endpoint: str, own_valkey: Valkey, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """In threads, and in tasks, some of which are cancelled."""
    tasks = int("asyncio" in chosen_edges(pytestconfig))
    soak = Soak(
        endpoint, [own_valkey], make_table(endpoint), tmp_path, processes=6, threads=2 - tasks, tasks=tasks, seed=21
    )
    soak.surveyed_partitions = 4
    try:
        report = soak.run(SECONDS, FAULTS, gap=1.5)
    finally:
        soak.end()
    assert not report.faults, str(report)
    assert len(report.happened) == len(FAULTS)
    assert report.reads > 100, str(report)
    assert report.writes > 30, str(report)
    assert report.heard > 30, str(report)
