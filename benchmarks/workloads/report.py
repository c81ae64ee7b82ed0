"""The results as a table, on the terminal and in docs/benchmarks.md."""

import textwrap
from collections.abc import Sequence

from rich import box
from rich.table import Table

from benchmarks import markdown
from benchmarks.workloads.dynamodb import LAG
from benchmarks.workloads.run import OPERATIONS, RATE, SETTLE_WINDOW, TTL, Result

SECTION = markdown.Section(
    "<!-- workloads: python -m benchmarks.workloads --write -->", "<!-- end of the workloads -->"
)

HEAD = ("workload", "hits", "ideal", "read units saved", "strong reads", "wrong answers")

WORDS = f"""\
{OPERATIONS:,} operations of one client, {RATE:g} a second unless the row says otherwise, on a virtual clock and a
simulated DynamoDB, so the figures are the same on every machine. Replicas and global indexes are {LAG:g} seconds late
all the time, which is worse than in life. The settle window is {SETTLE_WINDOW:g} seconds, the TTL {TTL:g}; the cache is
empty at first.

*Ideal* is the share of reads whose answer is what the client was told the last time, within the TTL: what a perfect
cache would serve. Of an item, the client also knows what it wrote itself. *Read units saved* are those of the same
reads without a cache; a strong read costs two of them, so a cache may cost more than it saves. *Strong reads* are a
share of all reads. *Wrong answers* are those that break a promise, of hits and misses alike: a read of a table has to
show every write that has ended, and a query of a global index every write that ended twice the index's lag ago.

`python -m benchmarks.workloads --write` measures and writes this section."""


def row(result: Result) -> list[str]:
    """The cells of a row."""
    rate = "" if result.rate == RATE else f", {result.rate:,.0f} a second"
    return [
        result.name + rate,
        _share(result.hits, result.reads),
        _share(result.ideal, result.reads),
        _share(result.units_without - result.units, result.units_without),
        _share(result.strong, result.reads),
        f"{result.wrong:,}",
    ]


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}".replace("%", " %") if whole else "-"


def for_terminal(results: Sequence[Result]) -> Table:
    """The table for people who wait for it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, title in enumerate(HEAD):
        table.add_column(title, justify="right" if number else "left", no_wrap=not number)
    for result in results:
        table.add_row(*row(result), style=None if result.is_right else "bold red")
    return table


def for_page(results: Sequence[Result]) -> str:
    """The section of the page."""
    words = [textwrap.fill(part, 120, break_on_hyphens=False) for part in WORDS.split("\n\n")]
    return "\n\n".join(["## Workloads", *words, markdown.table(HEAD, map(row, results))])
