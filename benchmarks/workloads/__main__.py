"""`python -m benchmarks.workloads` prints the table; `--write` puts it into docs/benchmarks.md, too."""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks.workloads import report
from benchmarks.workloads.common import Counters, GlobalIndex, Timelines, TimeSeries
from benchmarks.workloads.run import OPERATIONS, RATE, SEED, Result, Runner
from benchmarks.workloads.workload import Workload
from benchmarks.workloads.ycsb import YCSB

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
ROWS: tuple[tuple[Workload, float], ...] = (
    (TimeSeries(), RATE),
    (GlobalIndex(), RATE),
    (GlobalIndex(), 10 * RATE),
    (Timelines(), RATE),
    (Counters(), RATE),
    *((workload, RATE) for workload in YCSB),
)
"""The workloads of the table, and the operations a second of each."""


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 1 if an answer was wrong, or daxlite had a fault."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workloads", description="Hits by workload, all judged.")
    parser.add_argument("--operations", type=int, default=OPERATIONS, help="of each workload")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--write", action="store_true", help=f"the table goes into docs/{PAGE.name}, too")
    wanted = parser.parse_args(arguments)
    if wanted.write and (wanted.operations, wanted.seed) != (OPERATIONS, SEED):
        parser.error("--write goes with neither --operations nor --seed: the page says how it was measured")
    console = Console()
    runner = Runner()
    results = [
        runner.run(workload, operations=wanted.operations, rate=rate, seed=wanted.seed)
        for workload, rate in track(ROWS, "workloads", console=console, transient=True)
    ]
    runner.close()
    console.print(report.for_terminal(results))
    for result in results:
        _complain(result)
    if wanted.write:
        PAGE.write_text(report.SECTION.put_into(PAGE.read_text(), report.for_page(results)))
    return 0 if all(result.is_right for result in results) else 1


def _complain(result: Result) -> None:
    if result.first_wrong:
        print(f"{result.name}: the first wrong answer is that of {result.first_wrong}", file=sys.stderr)
    if result.faults:
        print(f"{result.name}: daxlite had {result.faults} faults, and hid them", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
