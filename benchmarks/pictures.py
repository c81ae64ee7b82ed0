"""The pictures of the report, as SVG."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.interleave import BINS_PER_DECADE, duration, median
from benchmarks.results import Results

OURS, FLOOR, OTHERS = "#d9480f", "#868e96", "#4263eb"
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "daxlite",  # equal figures, equal files
    "svg.fonttype": "none",
    "figure.facecolor": "white",
}


def file_name(test: str) -> str:
    """Where the picture of a benchmark is: test_entries makes entries.svg."""
    return f"{test.removeprefix('test_')}.svg"


def draw(results: Results, directory: Path) -> None:
    """All pictures for which there are figures."""
    directory.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        for test, picture in PICTURES.items():
            if results.has(test):
                picture(results, directory / file_name(test))


def _get_item(results: Results, path: Path) -> None:
    flat = {name for name in results.cases("test_get_item") if "flat item" in name}
    _distributions(results, "test_get_item", path, "GetItem of one item of 1 KB, time per call", without=flat)


def _table(results: Results, path: Path) -> None:
    _distributions(results, "test_table_get_item", path, "Table.get_item of one item of 1 KB, time per call")


def _aggregations(results: Results, path: Path) -> None:
    _distributions(results, "test_aggregation", path, "A cached result, time per call")


def _distributions(
    results: Results, test: str, path: Path, title: str, without: frozenset[str] | set[str] = frozenset()
) -> None:
    """A hill for each case, on a logarithmic axis: how often a call took so long."""
    cases = {name: case for name, case in results.cases(test).items() if name not in without}
    figure, axes = plt.subplots(figsize=(8.5, 0.8 + 0.55 * len(cases)), layout="constrained")
    for row, (name, case) in enumerate(reversed(cases.items())):
        colour = _colour(name)
        bins, counts = zip(*case["histogram"], strict=True)
        shown = dict(zip(bins, counts, strict=True))
        low, high = case["percentiles"]["1"], case["percentiles"]["99.9"]
        numbers = [number for number in range(bins[0] - 1, bins[-1] + 2) if low / 1.3 <= _edge(number) <= high * 1.3]
        heights = [0.8 * shown.get(number, 0) / max(counts) for number in numbers]
        places = [_edge(number + 0.5) for number in numbers]
        axes.fill_between(
            places, [row] * len(places), [row + height for height in heights], color=colour, alpha=0.35, lw=0
        )
        middle, late = case["percentiles"]["50"], case["percentiles"]["99"]
        axes.plot([middle, late], [row, row], color=colour, lw=1.5)
        axes.plot([middle], [row], "o", color=colour, ms=6)
        axes.plot([late], [row], "|", color=colour, ms=9, mew=1.5)
        axes.annotate(
            duration(middle), (middle, row), xytext=(0, -11), textcoords="offset points", ha="center", fontsize=8
        )
    axes.set_yticks(range(len(cases)), list(reversed(cases)))
    for label in axes.get_yticklabels():
        label.set_color(_colour(label.get_text()))
    axes.set_ylim(-0.5, len(cases))
    axes.tick_params(axis="y", length=0)
    _seconds(axes)
    axes.set_title(f"{title} (dot: median, bar: 99th percentile)", fontsize=10, loc="left")
    _save(figure, path)


def _colour(name: str) -> str:
    return OURS if name.startswith("daxlite") else FLOOR if name.startswith("floor") else OTHERS


def _edge(number: float) -> float:
    return float(10 ** (number / BINS_PER_DECADE))


def _seconds(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: duration(value))
    axes.grid(axis="x", which="major", color="#dee2e6", lw=0.8)
    axes.set_axisbelow(True)


def _writes(results: Results, path: Path) -> None:
    _against(
        results.cases("test_write_beside_queries"),
        path,
        "What PutItem costs daxlite itself, by the number of cached queries of its table",
        "cached queries",
    )


def _entries(results: Results, path: Path) -> None:
    _against(results.cases("test_entries"), path, "A GetItem hit, by the number of cached items", "cached items")


def _against(cases: Mapping[str, Mapping[str, Any]], path: Path, title: str, of_what: str) -> None:
    """Time against a number, which is the name of each case."""
    numbers = sorted(cases, key=int)
    middles = [median(cases[number]["rounds"]).median * 1e6 for number in numbers]
    late = [cases[number]["percentiles"]["99"] * 1e6 for number in numbers]
    figure, axes = plt.subplots(figsize=(8.5, 3), layout="constrained")
    axes.plot([int(number) for number in numbers], middles, "o-", color=OURS, label="median")
    axes.plot([int(number) for number in numbers], late, "o--", color=FLOOR, label="99th percentile")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(of_what)
    axes.set_ylabel("µs per call")
    axes.grid(axis="y", color="#dee2e6", lw=0.8)
    axes.legend(frameon=False)
    axes.set_title(title, fontsize=10, loc="left")
    _save(figure, path)


def _threads(results: Results, path: Path) -> None:
    figures = results.figures("test_threads")
    figure, axes = plt.subplots(figsize=(8.5, 3), layout="constrained")
    for name, colour, label in (("hits", OURS, "daxlite, GetItem hits"), ("floor", FLOOR, "floor: msgspec decodes it")):
        by_count = {int(count): figure["throughput"] for count, figure in figures[name].items()}
        alone = median(by_count[1]).median
        middles = [median(throughput).median / alone for throughput in by_count.values()]
        axes.plot(list(by_count), middles, "o-", color=colour, label=label)
        for count, throughput in by_count.items():
            axes.plot(
                [count] * len(throughput), [each / alone for each in throughput], "o", color=colour, alpha=0.2, ms=4
            )
        axes.set_xticks(list(by_count))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("threads")
    axes.grid(axis="y", color="#dee2e6", lw=0.8)
    axes.legend(frameon=False, loc="lower left")
    axes.set_title("Calls of all threads together, one thread being 1 (each run a pale dot)", fontsize=10, loc="left")
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    # matplotlib leaves white space at the ends of lines.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


PICTURES: dict[str, Callable[[Results, Path], None]] = {
    "test_get_item": _get_item,
    "test_table_get_item": _table,
    "test_aggregation": _aggregations,
    "test_write_beside_queries": _writes,
    "test_entries": _entries,
    "test_threads": _threads,
}
