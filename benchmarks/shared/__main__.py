"""`python -m benchmarks.shared` prints the table; `--write` puts it into docs/benchmarks.md, too."""

import argparse
import sys
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import markdown, servers
from benchmarks.shared import measure

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
SECTION = markdown.Section(
    "<!-- shared tier: python -m benchmarks.shared --write -->", "<!-- end of the shared tier -->"
)
HEAD = ("shared tier", "measured", "target")
SECONDS = 20.0
WRITES = 2_000
WORDS = f"""\
A Valkey and a DynamoDB that answers at once, both on loopback; items of 1 KB. Calls are interleaved with bare commands
of redis-py in random order, and ratios are taken within a round. Two processes take {WRITES:,} turns: one writes, the
other one reads as soon as the write has returned.

`python -m benchmarks.shared --write` measures and writes this section."""


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shared", description="What a shared tier costs.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    parser.add_argument("--writes", type=int, default=WRITES, help="of one process, each read by another")
    parser.add_argument("--write", action="store_true", help=f"the table goes into docs/{PAGE.name}, too")
    wanted = parser.parse_args(arguments)
    with servers.valkey() as valkey:
        rows = [
            *measure.calls(valkey, wanted.seconds),
            *measure.staleness(valkey, wanted.writes),
            *measure.outage(wanted.seconds / 2),
            *measure.tasks(valkey, wanted.seconds),
            *measure.messages(valkey, 20_000),
            *measure.sizes(valkey),
        ]
    shown = Table(*HEAD, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)
    if wanted.write:
        text = f"## Shared tier\n\n{WORDS}\n\n{markdown.table(HEAD, rows)}"
        PAGE.write_text(SECTION.put_into(PAGE.read_text(), text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
