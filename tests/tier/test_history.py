"""The judge of the soak itself: what it must find, and what it must not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tier.history import History, faults, judge, read_logs


def history(tmp_path: Path, *logs: list[list[Any]]) -> History:
    paths = []
    for process, lines in enumerate(logs):
        path = tmp_path / f"log-{process}"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        paths.append((process, path))
    return read_logs(paths)


def put(number: str, start: float, end: float | None, outcome: str = "ok", id: str = "") -> list[list[Any]]:
    begun = ["w", number, ["k"], number, start]
    return [begun] if end is None else [begun, ["d", number, end, outcome, [id]]]


def get(start: float, value: str | None) -> list[Any]:
    return ["r", "get", start, start + 0.1, {"k": value}]


WRITES = [*put("one", 1, 2), *put("two", 3, 4, id="b")]


def test_what_is_current_or_overlaps_is_not_stale(tmp_path: Path) -> None:
    reads = [get(0.5, None), get(1.5, "one"), get(1.5, None), get(3.5, "one"), get(3.5, "two"), get(5, "two")]
    assert judge(history(tmp_path, WRITES, reads)) == []


def test_an_old_version_is_stale_since_the_newer_write_returned(tmp_path: Path) -> None:
    (stale,) = judge(history(tmp_path, WRITES, [get(5, "one")]))
    assert (stale.seconds, stale.is_own, stale.had_heard) == (1.0, False, False)
    assert faults([stale], lambda moment: 0.9)
    assert not faults([stale], lambda moment: 1.1)


def test_an_item_that_is_missing_is_stale_since_the_first_write(tmp_path: Path) -> None:
    (stale,) = judge(history(tmp_path, WRITES, [get(5, None)]))
    assert stale.seconds == 3.0


def test_the_version_that_is_least_stale_counts(tmp_path: Path) -> None:
    deleted = [["w", "x", ["k"], None, 5], ["d", "x", 6, "ok", []], *put("three", 7, 8)]
    (stale,) = judge(history(tmp_path, [*WRITES, *deleted], [get(9, None)]))
    assert stale.seconds == 1.0


def test_a_process_knows_its_own_writes_and_what_it_heard(tmp_path: Path) -> None:
    (stale,) = judge(history(tmp_path, [*WRITES, get(4.01, "one")]))
    assert stale.is_own
    (stale,) = judge(history(tmp_path, WRITES, [["h", 3.1, "b"], get(4.01, "one")]))
    assert stale.had_heard
    (stale,) = judge(history(tmp_path, WRITES, [["h", 4.5, "b"], get(4.01, "one")]))
    assert not stale.had_heard


@pytest.mark.parametrize("end", [None, 4])
def test_a_write_of_unknown_outcome_makes_nothing_stale(tmp_path: Path, end: float | None) -> None:
    writes = [*put("one", 1, 2), *put("two", 3, end, "unknown"), *put("three", 10, 11)]
    assert judge(history(tmp_path, writes, [get(5, "one"), get(6, "two"), get(12, "two"), get(12, "three")])) == []


@pytest.mark.parametrize("read", [get(5, "never"), get(0.5, "one")])
def test_what_nobody_had_written_is_refused(tmp_path: Path, read: list[Any]) -> None:
    with pytest.raises(AssertionError, match="nobody had written"):
        judge(history(tmp_path, WRITES, [read]))
