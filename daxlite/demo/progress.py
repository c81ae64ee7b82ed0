"""A progress bar on a terminal, a few lines in a log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

STEPS_IN_A_LOG = 4


@contextmanager
def progress(console: Console, label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with the number of steps that were done."""
    if not console.is_terminal:
        yield _sparse(console, label, total)
        return
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)


def _sparse(console: Console, label: str, total: int) -> Callable[[int], None]:
    """A line for each quarter: in a log, each update of a bar would be a line of its own."""
    done = shown = 0

    def advance(more: int) -> None:
        nonlocal done, shown
        done += more
        step = done * STEPS_IN_A_LOG // total if total else 0
        if step > shown:
            shown = step
            console.print(f"{label}: {done:,} of {total:,}")

    return advance
