"""Judges the logs of a soak, with no knowledge of how the cache works.

A read shows a *version* of an item: what one write has left, or that there is no such item. It is stale if another
write began after that version's write had returned, and returned before the read began. How stale it is counts from the
return of the first such write. A write of which the outcome is not known makes nothing stale, and may show at any time
after its start.

    writer    |-- put 1 --|   |-- put 2 --|
    reader                                 ...  |-- get: 1 --|      stale, by the time at the dots
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Write:
    process: int
    value: str | None
    start: float
    end: float = math.inf
    is_certain: bool = False
    ids: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Read:
    process: int
    kind: str
    key: str
    value: str | None
    start: float
    end: float


@dataclass
class History:
    """What all processes did."""

    writes: dict[str, list[Write]] = field(default_factory=dict)
    """By key."""
    reads: list[Read] = field(default_factory=list)
    heard: dict[int, dict[str, float]] = field(default_factory=dict)
    """By process: when it first heard of each operation."""


@dataclass(frozen=True)
class Stale:
    """A read that was stale."""

    read: Read
    seconds: float
    is_own: bool
    """Whether its own process had written something newer."""
    had_heard: bool
    """Whether its process had heard of something newer."""

    def __str__(self) -> str:
        why = " although it wrote a newer one" * self.is_own + " although it had heard of a newer one" * self.had_heard
        read = self.read
        return (
            f"process {read.process}: {read.kind} of {read.key} at {read.start:.3f} showed {read.value}, "
            f"stale for {self.seconds * 1000:.1f} ms{why}"
        )


def read_logs(logs: Iterable[tuple[int, Path]]) -> History:
    """The history in the logs of these processes."""
    history = History()
    for process, path in logs:
        begun: dict[str, tuple[list[str], str | None, float]] = {}
        over: dict[str, tuple[float, str, list[str]]] = {}
        heard = history.heard.setdefault(process, {})
        for line in path.read_text().splitlines():
            match json.loads(line):
                case ["w", number, keys, value, start]:
                    begun[number] = keys, value, start
                case ["d", number, end, outcome, ids]:
                    over[number] = end, outcome, ids
                case ["r", kind, start, end, shown]:
                    history.reads += [Read(process, kind, key, value, start, end) for key, value in shown.items()]
                case ["h", moment, id]:
                    heard.setdefault(id, moment)
                case _:
                    raise ValueError(f"{path} has a line that is none: {line}")
        for number, (keys, value, start) in begun.items():
            end, outcome, ids = over.get(number, (math.inf, "unknown", []))
            is_certain = outcome == "ok"
            write = Write(process, value, start, end if is_certain else math.inf, is_certain, frozenset(ids))
            for key in keys:
                history.writes.setdefault(key, []).append(write)
    return history


def judge(history: History) -> list[Stale]:
    """All reads that were stale. Raises AssertionError for one that shows what was never written, or not yet."""
    for writes in history.writes.values():
        writes.sort(key=lambda write: write.end)
    return [stale for read in history.reads if (stale := _judge(history, read)) is not None]


def _judge(history: History, read: Read) -> Stale | None:
    writes = history.writes.get(read.key, [])
    versions = [write for write in writes if write.value == read.value and write.start <= read.end]
    if read.value is None:  # in the beginning there was nothing
        versions.append(Write(-1, None, -math.inf, -math.inf))
    assert versions, f"{read} shows what nobody had written"
    newer: list[Write] | None = None
    for version in versions:
        above = [write for write in writes if write.is_certain and version.end < write.start and write.end < read.start]
        if not above:
            return None
        if newer is None or above[0].end > newer[0].end:  # the version that is stale for the shortest time
            newer = above
    assert newer is not None
    heard = history.heard.get(read.process, {})
    return Stale(
        read,
        read.start - newer[0].end,
        any(write.process == read.process for write in newer),
        any(heard.get(id, math.inf) < read.start for write in newer for id in write.ids),
    )


def faults(stale: Iterable[Stale], allowed: Callable[[float], float]) -> list[str]:
    """What must not be: a process that serves less than it wrote or heard of, or that is stale for longer than is
    allowed of a read that began at a moment."""
    return [str(each) for each in stale if each.is_own or each.had_heard or each.seconds > allowed(each.read.start)]
