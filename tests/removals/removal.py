"""One guard, how to remove it, and the tests that catch its removal."""

from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
"""The directory of the repository."""


class Removal(NamedTuple):
    """A guard that can be taken out of the code."""

    guard: str
    """What is removed, in the words of the documentation."""
    file: str
    """Where it stands, as seen from the root of the repository."""
    hunks: tuple[tuple[str, str], ...]
    """The texts that are replaced, each with what takes its place. Each occurs in the file exactly once."""
    tests: tuple[str, ...]
    """Node ids of pytest, without parameters. Each of these tests fails once the guard is removed, at least with some
    of its parameters."""

    def apply(self, text: str) -> str:
        """The text of the file without the guard. Raises ValueError unless each text to be replaced occurs once.

        >>> Removal("the minus", "a.py", (("x - 1", "x"),), ()).apply("y = x - 1")
        'y = x'
        """
        for old, new in self.hunks:
            count = text.count(old)
            if count != 1:
                raise ValueError(f"{self.guard}: this occurs {count} times in {self.file}, not once:\n{old}")
            text = text.replace(old, new)
        return text


def removals_of(text: str) -> list[Removal]:
    """The removals in the text of a list. Each is a paragraph; a line that begins with # is a heading.

    >>> [removal] = removals_of('''
    ... # Headings are for the reader.
    ...
    ... the comparison of ticks
    ... daxlite/cache/clock.py
    ... - if stamp.tick > tick:
    ... + if False:
    ... tests/cache/test_clock.py::test_something
    ... ''')
    >>> removal.hunks, removal.tests
    ((('if stamp.tick > tick:', 'if False:'),), ('tests/cache/test_clock.py::test_something',))

    Several lines are written with the indentation that they have. Where nothing takes their place, they are removed
    with their ends.
    """
    return [_removal(lines) for lines in map(_lines, text.split("\n\n")) if lines]


def _lines(paragraph: str) -> list[str]:
    return [line for line in paragraph.splitlines() if line and not line.startswith("#")]


def _removal(lines: list[str]) -> Removal:
    guard, file, *rest = lines
    hunks: list[tuple[str, str]] = []
    tests = []
    for sign, group in groupby(rest, key=lambda line: line[0]):
        if sign not in "-+":
            tests += group
            continue
        text = "\n".join(line[2:] for line in group)
        if sign == "-":
            hunks.append((f"{text}\n", ""))
        else:
            hunks[-1] = hunks[-1][0].removesuffix("\n"), text
    return Removal(guard, file, tuple(hunks), tuple(tests))


def in_words(tests: tuple[str, ...]) -> str:
    """Tests as the documentation names them.

    >>> in_words(("tests/cache/test_ttl.py::test_ttl", "tests/cache/test_ttl.py::test_jitter_only_shortens"))
    '`tests/cache/test_ttl.py`: ttl; jitter only shortens'
    """
    by_path: dict[str, list[str]] = {}
    for test in tests:
        path, *names = test.split("::")
        by_path.setdefault(path, []).append(names[-1].removeprefix("test_").replace("_", " "))
    return "; ".join(f"`{path}`: {'; '.join(names)}" for path, names in by_path.items())
