"""The findings and the counts, as tables of rich's."""

from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .facts import Facts
from .judge import Finding, Weight

_MARKS: Final = {Weight.FINE: "[green]fine", Weight.WARNING: "[yellow]warning", Weight.UNUSABLE: "[red]unusable"}
_SUMMARY: Final = {
    Weight.FINE: "[green]The shared tier runs well here.",
    Weight.WARNING: "[yellow]The shared tier runs here, but see the warnings.",
    Weight.UNUSABLE: "[red]The shared tier cannot run here.",
}


def report(facts: Facts, findings: list[Finding], console: Console) -> None:
    """Print all that was found."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        table.add_row(_MARKS[finding.weight], escape(finding.about), escape(finding.text))
    console.print(table)
    if facts.unreachable is None:
        console.print()
        _memory(facts, console)
        _contents(facts, console)
    console.print(_SUMMARY[max((finding.weight for finding in findings), default=Weight.FINE)])


def _memory(facts: Facts, console: Console) -> None:
    used = {node.address: _share(node.memory, node.memory_limit) for node in facts.nodes if node.memory is not None}
    if used:
        _table(console, "memory", used)


def _share(used: int, limit: int | None) -> str:
    text = f"{used / 2**20:,.1f} MiB"
    return f"{text} of {limit / 2**20:,.1f} MiB ({used / limit:.0%})" if limit else text


def _contents(facts: Facts, console: Console) -> None:
    if facts.contents is None:
        console.print("entries: the user may not look (SCAN, PUBSUB)\n")
        return
    more = " or more" if facts.contents.is_part else ""
    counts = {kind: f"{count:,}{more}" for kind, count in sorted(facts.contents.by_kind.items())}
    _table(console, f"entries in namespace {facts.namespace}", counts or {"none": ""})
    heard = {table: f"{count}" for table, count in sorted(facts.contents.listeners.items())}
    _table(console, "processes that listen, by table", heard or {"none": ""})


def _table(console: Console, title: str, rows: Mapping[str, str]) -> None:
    console.print(escape(title))
    table = Table(box=None, padding=(0, 0, 0, 2), pad_edge=True, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(escape(name), value)
    console.print(table)
    console.print()
