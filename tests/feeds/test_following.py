"""The feed of one table, by a virtual clock, as threads and as tasks take its steps. What may happen at each of them is
in test_anywhere.py."""

from collections.abc import Iterator

import pytest
import redis

import daxlite
from tests.feeds.driving import Street
from tests.feeds.shop import Shop


@pytest.fixture
def street(shop: Shop, edge: str) -> Iterator[Street]:
    made = Street(shop, edge)
    yield made
    made.die()


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


# It ends


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
