"""`python -m benchmarks.edges` prints the table; `--write` puts it into docs/benchmarks.md, too."""

import argparse
import sys
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import markdown
from benchmarks.edges import measure

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
SECTION = markdown.Section("<!-- edges: python -m benchmarks.edges --write -->", "<!-- end of the edges -->")
HEAD = ("edge", "measured", "target")
SECONDS = 10.0
ROUNDS = 8
WORDS = """\
The edges beside each other, in one process, on a DynamoDB on loopback that answers at once. Times are the best of many
rounds; ratios are the median of those of each round.

`python -m benchmarks.edges --write` measures and writes this section."""


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edges", description="What the edges cost.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of gathered misses")
    parser.add_argument("--write", action="store_true", help=f"the table goes into docs/{PAGE.name}, too")
    wanted = parser.parse_args(arguments)
    found = measure.rows(wanted.seconds, wanted.rounds)
    shown = Table(*HEAD, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in found:
        shown.add_row(*row)
    Console().print(shown)
    if wanted.write:
        parts = ("## Asyncio and install", WORDS, markdown.table(HEAD, found))
        PAGE.write_text(SECTION.put_into(PAGE.read_text(), "\n\n".join(parts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
