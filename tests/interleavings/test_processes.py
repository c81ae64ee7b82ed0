"""P2 to P5 and P9 in random interleavings of two or three processes that share a tier, with all that may go wrong.

A failure names its seed; `python -m tests.interleavings.soak_processes --seed N --rounds 1` replays it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.interleavings.fates import FEEDS
from tests.interleavings.process_oracle import Tally, check
from tests.interleavings.processes import Processes
from tests.volume import amount

FEW: Final = 10
"""Fates that are enough for each of what is counted to happen once."""


@pytest.fixture(scope="module")
def world() -> Iterator[Processes]:
    made = Processes()
    yield made
    made.close()


def _check(world: Processes, kind: str, trouble: str | None = None, share: int = 1) -> Tally:
    tally = Tally()
    for seed in range(max(FEW, amount("fates of processes") // share)):
        tally.note(check(world, seed, kind, trouble), world)
    return tally


def test_p5_processes_that_live(world: Processes) -> None:
    tally = _check(world, "calm")
    assert tally.shared_hits, "no process found what another one had read"
    assert tally.local_hits
    assert tally.left, "nothing was left to be judged"


def test_p5_p9_writers_that_die_and_outcomes_that_are_unknown(world: Processes) -> None:
    tally = _check(world, "writers")
    assert tally.killed
    assert tally.late
    assert tally.left


@pytest.mark.parametrize("trouble", ["evict", "frozen", "deaf", "down", "flaky"])
def test_p5_p7_one_trouble_of_redis(world: Processes, trouble: str) -> None:
    tally = _check(world, "redis", trouble, share=5)
    assert tally.troubles
    assert tally.left


def test_the_same_seed_gives_the_same_history(world: Processes) -> None:
    stories = []
    for _ in range(2):
        check(world, 7, "writers")
        stories.append([(each.thread, each.op, each.began, each.ended, str(each.error)) for each in world.events])
    assert stories[0] == stories[1]


@pytest.mark.parametrize("kind", FEEDS)
def test_p6_other_programs_write_and_a_feed_tells(world: Processes, kind: str) -> None:
    tally = _check(world, kind, share=4)
    assert tally.records
    assert tally.left
    assert (tally.echoes > 0) == (kind in FEEDS[:2]), "own writes are not told apart from those of others"
