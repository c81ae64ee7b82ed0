"""The tables and the verdict that the demo prints at the end."""

from collections.abc import Sequence
from typing import Any, Final

from rich import box
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table

from daxlite.demo.aggregation import Measurement, speedup
from daxlite.demo.check import CheckResult, summary
from daxlite.demo.measure import Lane, percentile
from daxlite.demo.sharing import Sharing
from daxlite.demo.workload import METHODS, WRITES


def duration(seconds: float) -> str:
    """A duration with three significant digits.

    >>> duration(0.0000042), duration(0.0421), duration(0.1), duration(2.5), duration(135.24)
    ('4.20 us', '42.1 ms', '100 ms', '2.50 s', '135 s')
    """
    if seconds >= 1:
        value, unit = seconds, "s"
    elif seconds >= 1e-3:
        value, unit = seconds * 1e3, "ms"
    else:
        value, unit = seconds * 1e6, "us"
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


OF_THE_INDEX: Final = """\
* A global index shows a write later than its table does. So for 5 seconds after
  a write to a partition of it, a page of that partition is kept only as long as
  the write is old. What nothing was written to is kept for minutes.
"""


def latencies(raw: Lane, wrapped: Lane) -> Table:
    """The latency of each operation through both clients, and the ratio of hits."""
    table = Table(box=box.SIMPLE_HEAD, title="latency as the caller sees it", title_justify="left", pad_edge=False)
    table.add_column("\noperation", no_wrap=True)
    # Headings of two lines, so that the table fits into 80 columns.
    for heading in ("\ncalls", "raw\np50", "raw\np99", "wrapped\np50", "wrapped\np99", "ratio\nof p50", "hit\nratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    for kind in METHODS:
        before, after = raw.seconds.get(kind), wrapped.seconds.get(kind)
        if not before or not after:
            continue
        table.add_row(
            f"{kind} *" if kind == "Query index" else kind,
            f"{len(after):,}",
            duration(percentile(before, 50)),
            duration(percentile(before, 99)),
            duration(percentile(after, 50)),
            duration(percentile(after, 99)),
            f"{percentile(before, 50) / percentile(after, 50):,.1f} x",
            "" if kind in WRITES else f"{wrapped.hits[kind] / len(after):.1%}",
        )
    return table


def totals(raw: Lane, wrapped: Lane, stats: Any, seconds: float) -> RenderableType:
    """Requests, read units and time of both clients, and the contents of the cache."""
    rows = Table.grid(padding=(0, 3))
    rows.add_column()
    for _ in range(3):
        rows.add_column(justify="right")
    rows.add_row("", "raw", "wrapped", "saved", style="bold")
    rows.add_row(*_row("reads sent to DynamoDB", raw.meter.reads, wrapped.meter.reads, "{:,}"))
    rows.add_row(*_row("read units (estimated from sizes)", raw.meter.read_units, wrapped.meter.read_units, "{:,.1f}"))
    rows.add_row(*_row("seconds in calls", raw.total(), wrapped.total(), "{:,.1f}"))
    counts = stats.total
    rows.add_row("cache", f"{counts.entries:,} entries", f"{counts.bytes:,} bytes", f"{counts.hit_ratio:.1%} hits")
    rows.add_row("wall time, loading included", duration(seconds), "", "")
    return Panel(rows, title="totals", expand=False)


def _row(label: str, raw: float, wrapped: float, form: str) -> tuple[str, str, str, str]:
    return label, form.format(raw), form.format(wrapped), f"{1 - wrapped / raw:.1%}" if raw else ""


def aggregations(rows: Sequence[Measurement]) -> Table:
    """The source of each answer, its cost, and the speedup over the first computation."""
    title = "an aggregation: the revenue of a week by day, status and currency"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    table.add_column("\nasked for", no_wrap=True)
    table.add_column("answered\nfrom", no_wrap=True)
    for heading in ("reads sent\nto DynamoDB", "\ntime", "\nspeedup"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        asked = row.asked
        faster = "" if row is rows[0] else f"{speedup(rows, row):,.0f} x"
        table.add_row(row.when, asked.source, f"{asked.reads:,}", duration(asked.seconds), faster)
    return table


def sharing(found: Sharing) -> str:
    """What another process found of what this one had read, and saw of what it wrote."""
    return (
        f"a shared cache: {found.elsewhere} found {len(found.found.items):,} orders that this one had read,\n"
        f"with {found.found.reads:,} reads of DynamoDB, in {duration(found.found.seconds)} each instead of "
        f"{duration(found.first.seconds)}, and then in {duration(found.again.seconds)};\n"
        f"of {found.writes:,} writes it saw {found.seen:,} at once\n"
    )


def verdict(console: Console, result: CheckResult) -> None:
    """The result of the differential check: a green line, or red lines with the answers that differed."""
    style = "bold red" if result.disagreements else "bold green"
    for line in summary(result):
        console.print(line, style=style, markup=False, soft_wrap=True)
