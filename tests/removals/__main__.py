"""Which tests catch which removal: `python -m tests.removals`, or `make removals`.

Each guard of the algorithm is removed in a copy of the repository, one at a time. All tests of its row must then fail;
tests that do not end have caught it, too. Exits with 1 if a removal is not caught.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.removals.lists import LISTS, REMOVALS
from tests.removals.removal import Removal, in_words
from tests.removals.run import copied, run, without

TIMEOUT = 120.0
"""Seconds after which the tests of one removal count as hanging."""


def check(tree: Path, removal: Removal, timeout: float) -> tuple[bool, str, float]:
    """Remove a guard, and run the tests of its row. Returns whether each of them caught it, what to say of them, and
    the seconds that they took."""
    with without(tree, removal):
        outcome = run(tree, removal.tests, timeout)
    if outcome.is_hanging:
        return True, f"a hang of {in_words(removal.tests)}", outcome.seconds
    missing = tuple(test for test in removal.tests if test not in outcome.failed)
    if missing or not removal.tests:
        return False, f"NOT CAUGHT by {in_words(missing) or 'any test'}", outcome.seconds
    return True, in_words(removal.tests), outcome.seconds


def check_all(removals: list[Removal], timeout: float, console: Console) -> Iterator[tuple[Removal, bool, str, float]]:
    """The same for several removals, in one copy of the repository. Raises RuntimeError if a test fails though nothing
    is removed: such a test would catch anything."""
    with copied() as tree, console.status("the tests, with all guards in place") as status:
        before = run(tree, [test for removal in removals for test in removal.tests], timeout * len(removals))
        if before.failed or before.is_hanging:
            raise RuntimeError(f"not all tests pass though nothing is removed:\n{before.output}")
        for number, removal in enumerate(removals, 1):
            status.update(f"{number} of {len(removals)}: {removal.guard}")
            yield removal, *check(tree, removal, timeout)


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for. Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", metavar="SUBSTRING", default="", help="only the guards with this in their names")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds for each (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="only print the guards and their files")
    parser.add_argument("--write", action="store_true", help="only write the tables into the documentation")
    asked = parser.parse_args(arguments)
    if asked.write:
        for each in LISTS:
            each.page.write_text(each.written(), encoding="utf-8")
        return 0
    removals = [removal for removal in REMOVALS if asked.only in removal.guard]
    if not removals:
        parser.error(f"no guard has {asked.only!r} in its name")
    if asked.list:
        for removal in removals:
            print(f"{removal.guard} ({removal.file})")
        return 0
    console = Console()
    table = Table("guard", "caught by", "seconds")
    status = 0
    for removal, is_caught, words, seconds in check_all(removals, asked.timeout, console):
        table.add_row(removal.guard, words, f"{seconds:.1f}", style=None if is_caught else "bold red")
        status = status if is_caught else 1
    console.print(table)
    return status


if __name__ == "__main__":
    sys.exit(main())
