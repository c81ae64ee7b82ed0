"""Something happens at each step of a feed, by a virtual clock: Redis fails, the follower dies, is told to end, or its
task is cancelled."""

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
import redis

from daxlite.feeds import FeedError
from tests.feeds.driving import ANYWHERE, FROM_THE_END, Street


@pytest.mark.parametrize("number", ANYWHERE)
def test_p6_a_change_is_heard_of_whenever_it_is_made(street: Street, number: int) -> None:
    """A reader caches what it reads at each step of a follower that begins; something changes at one of them."""
    street.cache_all()

    def at_step(now: int) -> None:
        if now == number:
            street.write()
        street.see()

    street.at_step = at_step
    street.begin()
    street.run(12)
    assert street.see() == street.versions


@pytest.mark.parametrize("number", ANYWHERE)
def test_p6_redis_may_fail_anywhere(street: Street, number: int) -> None:
    street.follow()
    street.write()
    street.die()
    street.shop.server.fail_at(number)
    street.begin()
    street.run(2)
    street.write(2)
    street.run(20)
    assert street.see() == street.versions


@pytest.mark.parametrize("number", ANYWHERE)
def test_p6_a_follower_that_dies_anywhere_loses_nothing(street: Street, number: int) -> None:
    street.follow()
    street.write(1)
    street.die()
    street.cache.close()

    def at_step(now: int) -> None:
        if now == first + number:
            raise KeyboardInterrupt

    first, street.at_step = street.steps, at_step
    street.start()
    with pytest.raises(KeyboardInterrupt):
        street.begin_and_follow(60, between=lambda: street.write(2))
    street.at_step = lambda _: None
    street.begin()
    street.run(3)
    assert street.see() == street.versions
    assert street.counts.gaps == 0


@pytest.mark.parametrize("number", ANYWHERE)
def test_it_stops_anywhere_at_once_with_its_place_kept(street: Street, number: int) -> None:
    street.start(FROM_THE_END)
    stopped_at: list[float] = []

    def at_step(now: int) -> None:
        if now in (3, 9):
            street.write()
        if now == number:
            stopped_at.append(street.clock.now())
            street.feed.stop.open()

    street.at_step = at_step
    try:
        street.begin_and_follow(60)
    except FeedError:
        assert not street.feed._announcer.has_announced, "it had not begun"
    assert street.is_over
    assert stopped_at
    assert street.clock.now() - stopped_at[0] < 1
    if number > 4:  # it had begun
        assert street.checkpoint is not None
        assert street.checkpoint.positions == street.feed._reader.positions()


@pytest.mark.parametrize("number", [2, 3, 4])
def test_one_that_stops_before_it_holds_its_place_does_not_say_that_it_follows(street: Street, number: int) -> None:
    street.start(FROM_THE_END)
    street.at_step = lambda now: street.feed.stop.open() if now == number else None
    with suppress(FeedError):
        street.run(10)
    assert street.is_over
    assert street.stored("follower") is None


# Its task is cancelled


@pytest.mark.parametrize("fate", ["cancelled", "cancelled, its request sent", "collected"])
@pytest.mark.parametrize("is_refused", [True, False])
def test_p6_a_task_that_is_cancelled_at_any_await_loses_nothing(street: Street, fate: str, is_refused: bool) -> None:
    """collected: its loop is closed. is_refused: Redis runs no scripts meanwhile, but would take the checkpoint."""
    street.follow()
    for number in itertools.count(1):
        street.die()
        street.cache_all()
        street.write(1)
        task, run = street.start_a_task(), Interrupted(street, number, fate)
        street.shop.server.failing = _refuse_scripts if is_refused else lambda command: None
        is_interrupted = run.to_the_end()
        street.shop.server.failing = lambda command: None
        if not is_interrupted:
            assert number > 25, "a beginning, and some reads with what follows from them"
            break
        if task.has_begun and fate != "collected" and not is_refused:
            assert street.checkpoint is not None
            assert street.checkpoint.positions == street.feed._reader.positions(), number
        gaps = street.counts.gaps
        street.begin()
        street.run(3)
        assert street.see() == street.versions, number
        assert bool(gaps + street.counts.gaps) == run.has_gap, number


class Interrupted:
    """A run of the task that is about to begin, interrupted at one of its steps."""

    def __init__(self, street: Street, number: int, fate: str) -> None:
        self._street = street
        self._first, self._number = street.steps, number
        self._reads = street.calls.count("GetRecords")
        self._is_collected = fate == "collected"
        if not self._is_collected:
            street.cancel_at = self._first + number, fate != "cancelled"
        self.has_gap = False
        """Whether there is a record in the stream that tells that others were lost."""

    def to_the_end(self) -> bool:
        """Returns whether it is interrupted, and has not come to an end of its own."""
        street = self._street
        street.at_step = self._at_step
        try:
            street.run(60)
        except (asyncio.CancelledError, KeyboardInterrupt):
            return True
        finally:
            street.at_step = lambda _: None
            street.judge_checkpoint()
        assert street.is_over
        return False

    def _at_step(self, now: int) -> None:
        street, step = self._street, now - self._first
        if step == 12:
            street.write(2)
        if step == 18:
            self.has_gap = True
            street.write_without_a_record(3)
            street.append({"eventName": "MODIFY"})
        if self._is_collected and step == self._number:
            raise KeyboardInterrupt
        if street.calls.count("GetRecords") == self._reads + 6:
            street.feed.stop.open()


def _refuse_scripts(command: Sequence[Any]) -> Exception | None:
    return redis.ResponseError("no") if command[0] == "EVAL" else None
