"""From the JSON of a run to docs/benchmarks.md and its pictures: `python -m benchmarks.report [JSON]`.

The section of `benchmarks.workloads` stays as it is.
"""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from benchmarks.canned import ROOT
from benchmarks.interleave import Ratio, median
from benchmarks.markdown import table
from benchmarks.pictures import PICTURES, draw, file_name
from benchmarks.results import Results
from benchmarks.targets import TARGETS, Target
from benchmarks.workloads.report import SECTION as WORKLOADS

LATEST = ROOT / ".benchmarks" / "latest.json"
DOCS = ROOT / "docs"

METHOD = """\
Only ratios of one run are compared. A run consists of many short rounds; in each of them every case of a comparison
runs once, in random order, and a ratio is the median of the ratios of all rounds, with the range in which that median
lies with a confidence of 95 %. *Time* is the median of all rounds, of calls that are timed together where they are
short; *p50* and *p99* are of calls that are timed one by one; *first* is the median of the first call of each round,
which finds the processor's caches full of the other cases. Hits are of a warm cache; of a cold one, all reads are
misses.

Servers run in processes of their own, {apart}. The "canned server" answers every request at once with the same bytes:
what a call to it takes is boto3's own cost, and a real DynamoDB adds its milliseconds. The same goes for the canned DAX
node. The *floor* is `msgspec` decoding the answer's bytes, which every cache does whose answers belong to those who get
them. Python's garbage collector runs, but leaves alone what was there before the measurement.

`make bench` measures, in less than ten minutes; `make bench-report` writes this page."""

COMPARISONS = {
    "test_get_item": (
        "GetItem",
        """\
The same item, again and again. `cachetools.cached` gives all callers one object, which no write ever changes; the
others give each caller objects of their own.""",
    ),
    "test_table_get_item": ("Table.get_item", "The same with boto3's native types."),
    "test_batch_get_item": ("BatchGetItem of 25 items", ""),
    "test_get_item_with_projection": (
        "GetItem with a projection",
        "The item is cached whole; the projection of three paths is taken of it.",
    ),
    "test_query": ("Query, a page of 25 items", ""),
    "test_query_of_one_item": (
        "Query, a page of one item",
        "Here it shows what it costs to understand the request. The filter compares two attributes.",
    ),
    "test_requests": (
        "Requests with expressions",
        "What it costs to understand a request whose expressions were seen before; this is a part of each call.",
    ),
    "test_through": (
        "What DynamoDB has to answer",
        """\
A miss asks for another key each time. Where an item is overwritten, daxlite asks for the old one, and pays for reading
it. The two plain DescribeLimits are the same: what differs between them is chance.""",
    ),
    "test_write_beside_queries": (
        "PutItem while queries are cached",
        "By their number, on a client that is answered within the process: daxlite's own cost, without boto3's.",
    ),
    "test_entries": ("GetItem hits in a cache of many items", "By their number; items are asked for at random."),
    "test_aggregation": (
        "Results that are kept in Redis",
        "A result of twenty numbers, on one Valkey server. Cases for asyncio have an event loop of their own.",
    ),
}


def report(results: Results) -> str:
    """The page."""
    return "\n\n".join(_wrapped(part) for part in _parts(results) if part) + "\n"


def _wrapped(part: str) -> str:
    """Tables, titles and pictures stay as they are."""
    return part if part.startswith(("|", "#", "!")) else textwrap.fill(part, 120, break_on_hyphens=False)


def _parts(results: Results) -> Iterator[str]:
    yield "# Benchmarks"
    yield from _machine(results)
    yield "## Targets"
    yield targets(results)
    yield "## How it is measured"
    apart = "on another core than the client" if results.machine["are_apart"] else "on the one core that there is"
    yield from METHOD.format(apart=apart).split("\n\n")
    for test, (title, words) in COMPARISONS.items():
        if results.has(test):
            yield f"## {title}"
            yield words
            yield _picture(test, title)
            yield _cases(results, test)
            for name, reason in results.not_measured(test).items():
                yield f"Not measured: {name}, because {reason}."
    for test, part in (
        ("test_threads", _threads),
        ("test_memory", _memory),
        ("test_import", _import),
        ("test_hit_ratio", _hit_ratios),
    ):
        if results.has(test):
            yield from part(results)


def _machine(results: Results) -> Iterator[str]:
    machine = results.machine
    processor = machine["cpu"].get("brand_raw", "an unknown processor")
    load = f", load {machine['load'][0]:.1f} at the start" if machine["load"] else ""
    commit = (results.commit.get("id") or "unknown")[:12] + (", with changes" if results.commit.get("dirty") else "")
    yield (
        f"Measured on {results.when[:10]} on {processor}, {machine['cores']} cores{load}; {machine['system']} "
        f"{machine['release']}, {machine['python_implementation']} {machine['python_version']}; commit {commit}."
    )
    versions = machine["versions"]
    missing = [name for name, version in versions.items() if not version]
    yield (
        ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        + (f"; not installed: {', '.join(missing)}" if missing else "")
        + "."
    )


def targets(results: Results) -> str:
    """The table of the targets."""
    rows = []
    for target in TARGETS:
        wanted = f"{target.sense} {target.limit:g} {target.unit}".rstrip()
        measured = target.measure(results) if results.has(target.test) else None
        shown = "not measured" if measured is None else _measured(target, measured)
        met = "" if measured is None else "yes" if target.is_met(measured) else "**no**"
        rows.append([target.row, target.what, wanted, shown, met])
    return table(["", "", "target", "measured", "met"], rows, words=2)


def _measured(target: Target, measured: Ratio) -> str:
    shown = f"{_number(target, measured.median)} {target.unit}".rstrip()
    if measured.low == measured.high:
        return shown
    return f"{shown} ({_number(target, measured.low)} to {_number(target, measured.high)})"


def _number(target: Target, value: float) -> str:
    """As exactly as the target is given, and a little more."""
    if not target.unit:
        return f"{value:g}"
    return f"{value:.3f}" if target.limit < 1.5 else f"{value:.2f}" if target.limit < 20 else f"{value:.0f}"


def _picture(test: str, title: str) -> str:
    return f"![{title}](pictures/{file_name(test)})" if test in PICTURES else ""


def _cases(results: Results, test: str) -> str:
    cases = results.cases(test)
    if all(name.isdecimal() for name in cases):
        cases = {f"{int(name):,}": cases[name] for name in sorted(cases, key=int)}
    rows = []
    for name, case in cases.items():
        percentiles = case["percentiles"]
        times = (median(case["rounds"]).median, percentiles["50"], percentiles["99"], case["first"])
        rows.append([name, *(f"{seconds * 1e6:,.2f}" for seconds in times), f"{case['calls']:,}"])
    return table(["microseconds", "time", "p50", "p99", "first", "calls"], rows)


def _threads(results: Results) -> Iterator[str]:
    figures = results.figures("test_threads")
    yield "## Threads that hit one cache"
    yield (
        "Each thread reads a thousand items, in an order of its own; all cores are theirs. Python runs one thread at a "
        "time, and what that costs by itself shows in the floor."
    )
    yield _picture("test_threads", "Throughput")
    rows = [
        [
            count,
            f"{median(hits['throughput']).median:,.0f}",
            f"{hits['fairness']:.2f}",
            f"{median(figures['floor'][count]['throughput']).median:,.0f}",
        ]
        for count, hits in figures["hits"].items()
    ]
    yield table(["threads", "hits a second", "idlest by busiest thread", "floor, calls a second"], rows)


def _memory(results: Results) -> Iterator[str]:
    figures = results.figures("test_memory")
    yield "## Memory"
    yield (
        "What a cached item takes beside its encoded bytes and its key. Dictionaries double as they grow, so it "
        "depends on how full they happen to be."
    )
    rows = [
        ["resident memory of the process", f"{figures['entries']:,}", f"{figures['resident']:.0f}"],
        ["what Python says it allocated", f"{figures['traced_entries']:,}", f"{figures['traced']:.0f}"],
    ]
    yield table(["", "items", "bytes each"], rows)
    yield (
        f"A full garbage collection took {figures['collection_without'] * 1e3:.0f} ms before "
        f"{figures['entries']:,} items were cached, and {figures['collection'] * 1e3:.0f} ms after."
    )


def _import(results: Results) -> Iterator[str]:
    figures = results.figures("test_import")
    yield "## Import"
    yield (
        f"`import daxlite` and the first `daxlite.wrap` take {figures['seconds'] * 1e3:.1f} ms at best and "
        f"{figures['median'] * 1e3:.1f} ms in the median of new processes in which boto3 has made a client, compiled "
        f"as pip leaves it. Packages of which something comes in with it: {', '.join(figures['packages'])}. "
        "[Recipes](recipes.md#what-a-cold-start-costs) has what the first answer takes."
    )


def _hit_ratios(results: Results) -> Iterator[str]:
    ratios = results.figures("test_hit_ratio")["hit_ratios"]
    names = list(next(iter(ratios.values())))
    yield "## Hit ratios by policy"
    yield (
        "Reads by Zipf's law, and a job that reads the whole table beside them, a stretch at a time; room for a share "
        "of the items. LRU, LFU, FIFO and RR (random) are those of cachetools."
    )
    rows = [
        [words, *(f"**{row[name]:.3f}**" if row[name] == max(row.values()) else f"{row[name]:.3f}" for name in names)]
        for words, row in ratios.items()
    ]
    yield table(["", *names], rows)


def main(path: Path) -> None:
    """Write the page and the pictures."""
    results = Results.read(path)
    draw(results, DOCS / "pictures")
    page = DOCS / "benchmarks.md"
    page.write_text(WORKLOADS.put_into(report(results), WORKLOADS.of(page.read_text())))
    print(targets(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else LATEST)
