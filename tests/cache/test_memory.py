"""`max_bytes` bounds what the process takes, not only what is counted."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cache.memory_shapes import MAX_BYTES, MIB, SHAPES

ROOT = Path(__file__).parents[2]
BESIDE = {"filters": 8, "settling": 16, "tables": 24}
"""MiB that are bounded apart from the entries: parsed expressions, settling tags, 10,000 tables at 2.5 KB."""
ALLOWED = 2
"""MiB for what Python and the system's allocator keep free."""


@pytest.mark.skipif(sys.platform != "linux", reason="measures by /proc")
@pytest.mark.parametrize("shape", SHAPES)
def test_the_process_grows_by_no_more_than_the_bound(shape: str) -> None:
    command = [sys.executable, "-m", "tests.cache.memory_shapes", shape]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    # What settles is kept beside an empty cache.
    bound = 0 if shape == "settling" else MAX_BYTES * 1.15
    assert int(run.stdout) <= bound + (BESIDE.get(shape, 0) + ALLOWED) * MIB
