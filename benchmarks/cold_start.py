"""What a new process pays for daxlite until its first answer: `python -m benchmarks.cold_start` prints the table, and
`--write` puts it into docs/recipes.md, too."""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import canned, cores, markdown
from benchmarks.items import TABLE, key

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
SECTION = markdown.Section(
    "<!-- cold start: python -m benchmarks.cold_start --write -->", "<!-- end of the cold start -->"
)
HEAD = ("after boto3 is imported and has made a client", "best", "median", "CPU, median")
PROCESSES = 40

WRAP = """
import daxlite
client = daxlite.wrap(client)
"""
WRAP_WITH_SCHEMA = """
import daxlite
schema = daxlite.TableSchema(daxlite.KeySchema.of("pk", "sk"))
config = daxlite.CacheConfig(tables={table: daxlite.TableConfig(schema=schema)})
client = daxlite.wrap(client, config=config)
"""
ANSWER = "client.get_item(TableName=table, Key=key)"
CASES = {
    "`import daxlite` and `wrap(client)`": WRAP,
    "the first answer of a GetItem without daxlite": ANSWER,
    "with daxlite, and the schema given": WRAP_WITH_SCHEMA + ANSWER,
    "with daxlite, which asks for the schema": WRAP + ANSWER,
    "a full garbage collection of what boto3 has made": "gc.unfreeze()\ngc.collect()",
}
PROCESS = """
import gc, json, sys, time
import boto3
code, endpoint, table, key = json.loads(sys.argv[1])
secrets = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
client = boto3.client("dynamodb", endpoint_url=endpoint, region_name="us-east-1", **secrets)
code = compile(code, "case", "exec")
gc.collect()
gc.freeze()
seconds, cpu = time.perf_counter(), time.process_time()
exec(code)
print(json.dumps([time.perf_counter() - seconds, time.process_time() - cpu]))
"""
WORDS = """\
New processes on a DynamoDB on loopback that answers at once, each case in {processes} of them, in random order. Modules
are compiled, as pip leaves them. Python's garbage collector runs, but leaves alone what boto3 has made: when it goes
through that depends on how many objects a program has made before, so it is a row of its own.

`python -m benchmarks.cold_start --write` measures and writes this section."""


@contextmanager
def compiled() -> Iterator[dict[str, str]]:
    """Variables of processes that compile each module once. Whether the interpreter may write that beside the sources
    is no matter of ours."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as directory:
        yield {**kept, "PYTHONPYCACHEPREFIX": directory}


def measure(processes: int) -> Iterator[list[str]]:
    """The rows of the table."""
    found: dict[str, list[list[float]]] = {case: [] for case in CASES}
    with canned.running() as endpoint, compiled() as variables, cores.for_clients():
        for turn in range(processes + 1):
            for case in random.sample(list(CASES), len(CASES)):
                asked = json.dumps([CASES[case], endpoint, TABLE, key()])
                out = subprocess.check_output([sys.executable, "-c", PROCESS, asked], env=variables)
                if turn:  # the first one compiles
                    found[case].append(json.loads(out))
    for case, times in found.items():
        seconds, cpu = zip(*times, strict=True)
        figures = (min(seconds), statistics.median(seconds), statistics.median(cpu))
        yield [case, *(f"{figure * 1e3:.1f} ms" for figure in figures)]


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description="What a cold start costs.")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="for each case")
    parser.add_argument("--write", action="store_true", help=f"the table goes into docs/{PAGE.name}, too")
    wanted = parser.parse_args(arguments)
    rows = list(measure(wanted.processes))
    shown = Table(*HEAD, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)
    if wanted.write:
        parts = ("### What a cold start costs", WORDS.format(processes=wanted.processes), markdown.table(HEAD, rows))
        PAGE.write_text(SECTION.put_into(PAGE.read_text(), "\n\n".join(parts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
