"""What `daxlite follow` says to people: a table that goes on on a terminal, else a line for each table now and then."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .output import Output
from .progress import TableProgress

LIVE_EVERY: Final = 1.0
_COLUMNS: Final = ("shards", "records/s", "records", "lag", "applied", "echoes", "unchanged", "expired", "gaps")
_STYLES: Final = {"warning": "yellow", "error": "red", "critical": "red"}


def view_of(console: Console, every: float) -> Output:
    """What fits the console. every: seconds between two lines, where it is not a terminal."""
    return LiveView(console) if console.is_terminal else LineView(console, every)


class LineView(Output):
    """Lines, each with the time: for a file, or whatever collects logs."""

    _is_wrapped_softly = True

    def __init__(self, console: Console, every: float) -> None:
        self.every = every
        self._console = console

    def begun(self, tables: Sequence[str]) -> None:
        self._print("info", f"following {', '.join(tables)}")

    def show(self, progress: Sequence[TableProgress]) -> None:
        for each in progress:
            self._print("info", line_of(each))

    def say(self, level: str, text: str) -> None:
        self._print(level, text)

    def ended(self, status: int, text: str) -> None:
        self._print("error" if status else "info", f"ended with {status}: {text}")

    def _print(self, level: str, text: str) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        # As a Text: what `print` is told otherwise goes for the table on a terminal, too.
        self._console.print(Text(f"{moment} {level} {text}", _STYLES.get(level, "")), soft_wrap=self._is_wrapped_softly)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        return None


class LiveView(LineView):
    """A table that is drawn anew every second; messages scroll above it."""

    _is_wrapped_softly = False

    def __init__(self, console: Console) -> None:
        super().__init__(console, LIVE_EVERY)
        self._live = Live(console=console, auto_refresh=False)

    def show(self, progress: Sequence[TableProgress]) -> None:
        self._live.update(table_of(progress), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._live.stop()


def line_of(progress: TableProgress) -> str:
    """One table's progress as text."""
    return (
        f"{progress.table}: shards {progress.shards}, {progress.per_second:,.1f} records/s, "
        f"lag {_seconds(progress.lag)}, behind {_seconds(progress.behind)}, "
        f"{progress.applied:,} applied, {progress.echoes:,} echoes, "
        f"{progress.unchanged:,} unchanged, {progress.expiries:,} expired, {progress.gaps:,} gaps"
    )


def table_of(progress: Sequence[TableProgress]) -> Table:
    """The same for all tables, as a table of rich's."""
    table = Table(box=None, pad_edge=False)
    table.add_column("table")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for each in progress:
        counts = (each.applied, each.echoes, each.unchanged, each.expiries)
        gaps = Text(f"{each.gaps:,}", "red" if each.gaps else "")
        rate = f"{each.per_second:,.1f}", f"{each.records:,}", _seconds(each.lag)
        table.add_row(Text(each.table), f"{each.shards}", *rate, *[f"{count:,}" for count in counts], gaps)
    return table


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f} s"
