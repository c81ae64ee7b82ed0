"""Generations: when Redis is asked for one, and what a change meanwhile does."""

from __future__ import annotations

from daxlite.core.extents import EVERYTHING
from daxlite.shared.generations import REFRESH, Generations
from daxlite.shared.scripts import NotedState
from daxlite.shared.states import LogRecord

TAG = bytes(32)


def state(token: bytes) -> NotedState:
    return NotedState(1.0, False, (LogRecord(token * 12, 1.0, EVERYTHING),), noted_at=1.0)


def learn(generations: Generations, token: bytes) -> None:
    asked = generations.ask([TAG])
    generations.learn(asked, {TAG: state(token)})
    generations.asked(asked)


def tops(generations: Generations) -> list[bytes] | None:
    known = generations.known([TAG])
    return None if known is None else [each.top for each in known]


def test_one_caller_asks_again_now_and_then_and_the_others_use_what_is_known() -> None:
    now = [100.0]
    generations = Generations(lambda: now[0])
    assert generations.unknown([TAG]) == [TAG]
    learn(generations, b"a")
    now[0] += REFRESH - 1
    assert generations.unknown([TAG]) == []
    now[0] += 1
    assert generations.unknown([TAG]) == [TAG]
    assert generations.unknown([TAG]) == [], "another one asks"
    assert tops(generations) == [b"a" * 12]
    learn(generations, b"b")  # its state was lost meanwhile, and made anew
    assert tops(generations) == [b"b" * 12]
    assert generations.unknown([TAG]) == []


def test_what_changes_while_it_is_asked_for_is_not_known() -> None:
    generations = Generations(lambda: 0.0)
    asked = generations.ask([TAG])
    generations.forget(TAG)
    generations.learn(asked, {TAG: state(b"a")})
    assert generations.unknown([TAG]) == [TAG]
    learn(generations, b"a")
    generations.forget_all()
    assert tops(generations) is None
