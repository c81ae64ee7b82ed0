"""The feed of one table, by a virtual clock: Redis fails, and followers die, anywhere."""

from contextlib import suppress

import pytest
import redis

import daxlite
from daxlite.feeds import FeedError
from tests.feeds.driving import ANYWHERE, FROM_THE_END, Street

# What it is for


def test_p6_a_change_shows_once_its_record_was_read(street: Street) -> None:
    street.follow()
    version = street.write()
    assert street.see(1) == {1: version - 1}, "nobody told of it"
    street.run(2)
    assert street.see() == street.versions
    assert (street.counts.records, street.counts.applied, street.counts.gaps) == (1, 1, 1)


def test_an_own_write_costs_no_read(street: Street) -> None:
    street.follow()
    writer = daxlite.wrap(street.shop.raw, street.shop.process())
    street.write(1, writer)
    street.run(6)
    street.write(1, writer)
    street.run(3)
    assert (street.counts.records, street.counts.applied, street.counts.echoes) == (2, 0, 2)


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


# Redis fails


def test_p6_the_checkpoint_waits_for_redis(street: Street) -> None:
    street.follow()
    before = street.checkpoint
    assert before is not None
    with street.takes_no_writes():
        street.write()
        street.run(30)
        assert street.counts.records == 1
        (kept,) = street.feed._reader.positions().values()
        assert kept not in before.positions.values(), "it has read on"
        assert street.checkpoint is not None
        assert street.checkpoint.positions == before.positions
    street.run(3)
    assert street.checkpoint.positions == street.feed._reader.positions()
    assert street.see() == street.versions


@pytest.mark.parametrize("dies", [True, False])
def test_p6_what_redis_was_not_told_is_read_again_by_the_next_follower(street: Street, dies: bool) -> None:
    """What waits in its memory is lost with it."""
    street.follow()
    with street.takes_no_writes():
        street.write()
        street.run(3)
        if dies:
            street.die()
        else:
            street.stop()
    street.begin()
    street.run(3)
    assert (street.counts.records, street.counts.gaps) == (1, 0)
    assert street.see() == street.versions


def test_p6_a_stop_keeps_no_place_that_redis_was_not_told_of(street: Street) -> None:
    """Redis refuses scripts alone: it would take the checkpoint."""
    street.follow()
    before = street.checkpoint
    street.write()
    street.shop.server.failing = lambda command: redis.ResponseError("no") if command[0] == "EVAL" else None
    street.run(3)
    street.stop()
    assert street.checkpoint is not None
    assert before is not None
    assert street.checkpoint.positions == before.positions


def test_a_stop_tells_redis_what_waits_and_keeps_the_place(street: Street) -> None:
    street.follow()
    with street.redis_down():
        street.write()
        street.run(3)
    street.stop()
    assert street.checkpoint is not None
    assert street.checkpoint.positions == street.feed._reader.positions()
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


# It ends, anywhere


def test_a_restart_believes_the_excuses_of_before(street: Street) -> None:
    street.follow()
    writer = daxlite.wrap(street.shop.raw, street.shop.process())
    street.write(1, writer)
    street.run(3)
    street.die()
    street.write(1, writer)
    street.begin()
    street.run(3)
    assert (street.counts.applied, street.counts.echoes) == (0, 1)


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
