"""`python -m benchmarks.feeds` prints the tables; `--write` puts them into docs/benchmarks.md, too."""

import argparse
import sys
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import markdown, servers
from benchmarks.feeds import measure, ratios

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
SECTION = markdown.Section("<!-- feeds: python -m benchmarks.feeds --write -->", "<!-- end of the feeds -->")
HEAD = ("feed", "measured", "target")
SECONDS = 20.0
OPERATIONS = 12_000
WORDS = """\
A follower reads the stream of a table of moto's and keeps a Valkey up to date, both on loopback. The lag is that from a
write of a plain client, before it is sent, to the moment at which the cache of another process asks DynamoDB anew. A
record has two images of 1 KB.

`python -m benchmarks.feeds --write` measures and writes this section."""
RATIO_WORDS = f"""\
Hits with a feed beside hits without one: three processes that share a tier do {OPERATIONS:,} operations, a tenth of
them writes, most of the others reads of items, some queries of a partition or of a global index. A follower in one of
them reads the stream every second. No other program writes, so whatever the feed drops is lost for nothing. Simulated
on a virtual clock: the figures are the same on every machine."""


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feeds", description="What feeds cost and bring.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    parser.add_argument("--operations", type=int, default=OPERATIONS, help="of the workload, for each kind of stream")
    parser.add_argument("--write", action="store_true", help=f"the tables go into docs/{PAGE.name}, too")
    wanted = parser.parse_args(arguments)
    with servers.valkey() as valkey:
        rows = [
            *measure.lags(valkey, wanted.seconds),
            *measure.records(valkey, wanted.seconds),
            *measure.idle(valkey, wanted.seconds),
        ]
    hits = ratios.rows(wanted.operations)
    for head, found in ((HEAD, rows), (ratios.HEAD, hits)):
        shown = Table(*head, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in found:
            shown.add_row(*row)
        Console().print(shown)
    if wanted.write:
        parts = ("## Feeds", WORDS, markdown.table(HEAD, rows), RATIO_WORDS, markdown.table(ratios.HEAD, hits))
        PAGE.write_text(SECTION.put_into(PAGE.read_text(), "\n\n".join(parts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
