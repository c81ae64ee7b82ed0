"""Progress on the screen, and a few lines of it in a log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

STEPS_IN_A_LOG = 4


@contextmanager
def progress(console: Console, label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields what to call with the number of things that got done."""
    if not console.is_terminal:
        yield _sparse(console, label, total)
        return
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)


def _sparse(console: Console, label: str, total: int) -> Callable[[int], None]:
    """One line for each quarter: a log keeps every line that a bar would draw over."""
    done = shown = 0

    def advance(more: int) -> None:
        nonlocal done, shown
        done += more
        step = done * STEPS_IN_A_LOG // total if total else 0
        if step > shown:
            shown = step
            console.print(f"{label}: {done:,} of {total:,}")

    return advance
