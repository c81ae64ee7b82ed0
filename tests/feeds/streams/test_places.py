"""What a checkpoint says, how far the reader claims to have come, and what is a gap."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daxlite.feeds.streams.events import Records
from daxlite.feeds.streams.progress import AWAY, MISSING
from tests.feeds.streams.conftest import Follow
from tests.feeds.streams.driver import EPOCH, Clock
from tests.feeds.streams.service import StreamService

HOUR = 3600.0
MakeService = Callable[..., StreamService]


def test_replies_without_records_do_not_say_that_there_are_none(service: StreamService, follow: Follow) -> None:
    (shard,) = service.open_shards()
    driver = follow(service)
    driver.run(60.0)
    service.write(shard)
    service.blank(shard, 3)
    moment = driver.clock.wall()
    driver.run(3.0)
    reached = driver.reader.reached()
    assert reached is not None
    assert reached <= moment


def test_records_between_replies_without_any_do_not_say_so_either(make_service: MakeService, follow: Follow) -> None:
    service = make_service(batch=1)
    (shard,) = service.open_shards()
    driver = follow(service)
    driver.run(10.0)
    moment = driver.clock.wall()
    service.write(shard, 2)
    service.blank(shard, 2)
    driver.run(60.0, lambda: any(isinstance(event, Records) for event in driver.events))
    service.blank(shard, 4)
    driver.run(60.0, lambda: shard.blanks == 0)
    reached = driver.reader.reached()
    assert reached is not None
    assert reached <= moment


def test_an_idle_reader_has_reached_the_present(service: StreamService, clock: Clock, follow: Follow) -> None:
    driver = follow(service)
    driver.run(600.0)
    reached = driver.reader.reached()
    assert reached is not None
    assert clock.wall() - 10.0 < reached <= clock.wall()


def test_old_records_that_are_read_once_more_do_not_take_it_back(
    service: StreamService, clock: Clock, follow: Follow
) -> None:
    (shard,) = service.open_shards()
    service.write(shard)
    clock.now += 20 * HOUR
    began_at = clock.wall()
    driver = follow(service, start="latest")
    driver.run(5.0)
    service.fail("GetRecords", "ExpiredIteratorException")
    driver.run(60.0, lambda: any(isinstance(event, Records) for event in driver.events))
    reached = driver.reader.reached()
    assert reached is not None
    assert reached >= began_at


def test_a_reader_that_waits_for_a_child_has_reached_no_more_than_its_parent(
    make_service: MakeService, follow: Follow
) -> None:
    service = make_service(roots=2, may_filter=False)
    parent, _ = service.open_shards()
    driver = follow(service)
    driver.run(60.0)
    moment = driver.clock.wall()
    (child,) = service.split(parent, 1)
    service.hide(child, 10)
    service.write(child)
    driver.run(10.0)
    assert driver.reader.shards == 1
    reached = driver.reader.reached()
    assert reached is not None
    assert reached <= moment


@pytest.mark.parametrize("slept", [2 * HOUR, 20 * HOUR])
def test_a_reader_that_begins_with_the_oldest_records_has_not_reached_the_present(
    service: StreamService, clock: Clock, follow: Follow, slept: float
) -> None:
    (shard,) = service.open_shards()
    service.write(shard)
    clock.now += 12 * HOUR
    driver = follow(service, start="trim_horizon")
    service.fail("GetShardIterator", "LimitExceededException", 2)
    driver.steps(1)
    assert driver.reader.reached() == EPOCH
    clock.now += slept
    driver.restart()
    driver.caught_up()
    assert [gap.reason for gap in driver.gaps] == ([AWAY] if slept > 12 * HOUR else [])


def test_the_oldest_records_of_an_old_stream_are_no_gap(service: StreamService, clock: Clock, follow: Follow) -> None:
    (shard,) = service.open_shards()
    clock.now += 30 * HOUR
    service.write(shard)
    driver = follow(service, start="trim_horizon")
    driver.caught_up()
    assert not driver.gaps


def test_a_shard_that_outlived_its_parent_goes_on_after_a_restart(
    service: StreamService, clock: Clock, follow: Follow
) -> None:
    driver = follow(service)
    parent = service.open_shards()[0]
    (child,) = service.split(parent, 1)
    for _ in range(8):
        service.write(child)
        driver.caught_up()
        clock.now += 4 * HOUR
        driver.run(200.0)
    assert driver.reader.positions().keys() == {child.id}
    driver.restart()
    driver.run(30.0)
    assert not driver.gaps


def test_a_gap_begins_where_the_slowest_shard_is(make_service: MakeService, clock: Clock, follow: Follow) -> None:
    """That shard is gone, and another one tells how long the follower was away."""
    service = make_service(roots=2, batch=1)
    slow, _ = service.open_shards()
    driver = follow(service)
    driver.run(60.0)
    moment = clock.wall()
    service.write(slow, 100)
    service.split(slow, 1)
    driver.run(15.0)
    clock.now += 25 * HOUR
    driver.run(1.0)
    gap = driver.gaps[0]
    assert gap.since is not None
    assert gap.since <= moment


def test_a_gap_of_several_shards_is_told_once(make_service: MakeService, clock: Clock, follow: Follow) -> None:
    driver = follow(make_service(roots=3))
    clock.now += 25 * HOUR
    driver.run(10.0)
    assert [gap.reason for gap in driver.gaps] == [AWAY]


def test_a_follower_that_was_away_for_a_day_says_so_before_it_reads(
    service: StreamService, clock: Clock, follow: Follow
) -> None:
    driver = follow(service)
    driver.restart()
    clock.now += 25 * HOUR
    driver.steps(1)
    assert [gap.reason for gap in driver.gaps] == [AWAY]


def test_what_was_born_and_trimmed_while_it_was_away_is_no_gap_of_its_own(
    make_service: MakeService, clock: Clock, follow: Follow
) -> None:
    service = make_service(may_filter=False)
    driver = follow(service)
    (born,) = service.split(service.open_shards()[0], 1)
    service.hide(born, 10)
    driver.run(3.0)
    assert driver.reader.shards == 0
    clock.now += HOUR
    (child,) = service.split(born, 1)
    clock.now += 25 * HOUR
    driver.restart()
    driver.run(30.0)
    assert driver.reader.positions().keys() >= {child.id}
    assert [gap.reason for gap in driver.gaps] == [AWAY]


def test_a_parent_that_was_trimmed_before_the_beginning_is_no_gap(
    service: StreamService, clock: Clock, follow: Follow
) -> None:
    (child,) = service.split(service.open_shards()[0], 1)
    clock.now += 30 * HOUR
    service.write(child)
    driver = follow(service, start="trim_horizon")
    assert driver.reader.positions().keys() == {child.id}
    driver.caught_up(seconds=10.0)
    assert not driver.gaps


def test_shards_that_are_gone_are_forgotten(service: StreamService, clock: Clock, follow: Follow) -> None:
    driver = follow(service)
    for _ in range(30):
        (child,) = service.split(service.open_shards()[0], 1)
        service.write(child)
        driver.caught_up()
        clock.now += 4 * HOUR
        driver.run(200.0)
    assert len(driver.reader.positions()) < 10
    driver.restart()
    driver.run(30.0)
    assert not driver.gaps


def test_a_child_that_is_not_listed_for_a_day_is_a_gap(service: StreamService, clock: Clock, follow: Follow) -> None:
    driver = follow(service)
    (child,) = service.split(service.open_shards()[0], 1)
    service.hide(child, 10**9)
    driver.run(5.0)
    for _ in range(25):
        clock.now += HOUR
        driver.run(40.0)
    assert [gap.reason for gap in driver.gaps] == [MISSING]


def test_a_shard_that_is_awaited_has_been_read_up_to_the_checkpoint(make_service: MakeService, follow: Follow) -> None:
    service = make_service(roots=2)
    driver = follow(service, poll=0.2, save_every=0, chance=1.0)
    shard, _ = service.open_shards()
    driver.save()
    assert driver.saved is not None
    _, saved_at = driver.saved
    driver.restart()
    service.hide(shard, 2)
    driver.run(2.5)
    assert driver.reader.shards == 1
    assert driver.reader.reached() == saved_at


def test_records_that_took_no_effect_are_told_again(service: StreamService, follow: Follow) -> None:
    (shard,) = service.open_shards()
    driver = follow(service)
    service.write(shard, 2)
    driver.failing = 2
    driver.caught_up()
    assert [len(event.records) for event in driver.events if isinstance(event, Records)] == [2, 2, 2]
