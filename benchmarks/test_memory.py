"""Memory, in a process of its own."""

import json
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.canned import ROOT
from benchmarks.conftest import Record


def test_memory(record: Record, request: pytest.FixtureRequest) -> None:
    entries = request.config.getoption("--entries")

    def measure() -> dict[str, Any]:
        command = [sys.executable, "-m", "benchmarks.memory", str(entries)]
        figures: dict[str, Any] = json.loads(subprocess.check_output(command, cwd=ROOT))
        return figures

    record(measure)
