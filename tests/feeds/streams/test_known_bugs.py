"""Bugs that readers of streams are known for, each by its name.

Who reads out of order or skips anything fails in `judge`, as soon as it happens.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daxlite.feeds.streams.events import Records
from daxlite.feeds.streams.progress import AWAY, DONE, MISSING, TRIMMED
from tests.feeds.streams.conftest import Follow
from tests.feeds.streams.driver import Clock
from tests.feeds.streams.service import StreamService

HOUR = 3600.0
MakeService = Callable[..., StreamService]


def test_a_parent_that_expired_does_not_take_its_child_with_it(
    service: StreamService, clock: Clock, follow: Follow
) -> None:
    (parent,) = service.open_shards()
    driver = follow(service)
    clock.now += 4 * HOUR
    (child,) = service.split(parent, 1)
    clock.now += 21 * HOUR
    service.write(child, 2)
    clock.now += 4 * HOUR
    driver.restart()
    driver.run(30.0)
    assert driver.told(child.id) == 2
    assert parent.id not in service.shards
    assert [gap.reason for gap in driver.gaps] == [AWAY]


@pytest.mark.parametrize("start", ["latest", "trim_horizon"])
def test_a_child_does_not_wait_forever_for_a_parent_that_is_not_listed(
    service: StreamService, follow: Follow, start: str
) -> None:
    (parent,) = service.open_shards()
    (child,) = service.split(parent, 1)
    service.lose(parent)
    driver = follow(service, start=start)
    service.write(child)
    driver.run(10.0)
    assert driver.told(child.id) == 1


def test_latest_is_not_for_the_shards_that_come_later(service: StreamService, follow: Follow) -> None:
    driver = follow(service, start="latest")
    (parent,) = service.open_shards()
    left, right = service.split(parent)
    service.write(left)
    service.write(right)
    (grandchild,) = service.split(left, 1)
    service.write(grandchild, 3)
    driver.caught_up(seconds=10.0)
    assert [driver.told(shard.id) for shard in (left, right, grandchild)] == [1, 1, 3]


def test_a_restart_does_not_begin_at_the_end_of_shards_that_were_not_read_yet(
    make_service: MakeService, follow: Follow
) -> None:
    service = make_service(batch=1)
    (parent,) = service.open_shards()
    driver = follow(service)
    service.write(parent, 3)
    left, right = service.split(parent)
    service.write(left, 2)
    service.write(right, 2)
    driver.run(60.0, lambda: driver.told(parent.id) == 1)
    driver.save()
    driver.restart()
    driver.caught_up()
    assert driver.told(left.id) == driver.told(right.id) == 2


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_child_is_not_read_beside_its_parent(make_service: MakeService, follow: Follow, is_restarted: bool) -> None:
    service = make_service(batch=1)
    (parent,) = service.open_shards()
    service.write(parent, 5)
    (child,) = service.split(parent, 1)
    service.write(child, 5)
    driver = follow(service, start="trim_horizon")
    driver.steps(2)
    if is_restarted:  # both are in the checkpoint, and the listing shows neither
        assert {parent.id, child.id} <= driver.reader.positions().keys()
        driver.restart()
        service.hide(parent, 1)
        service.hide(child, 1)
    driver.caught_up()
    ids = [event.shard for event in driver.events if isinstance(event, Records)]
    assert ids == [parent.id] * 5 + [child.id] * 5


def test_a_parent_that_a_listing_leaves_out_is_awaited(make_service: MakeService, follow: Follow) -> None:
    """It was born and closed between two descriptions, and the second of them knows its child alone."""
    service = make_service(may_filter=False)
    (first,) = service.open_shards()
    driver = follow(service)
    (second,) = service.split(first, 1)
    service.write(second)
    (third,) = service.split(second, 1)
    service.write(third)
    service.hide(second, 2)
    driver.caught_up(seconds=10.0)
    assert driver.told(second.id) == driver.told(third.id) == 1
    assert not driver.gaps


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_parent_of_a_parent_that_a_listing_leaves_out_is_awaited(
    make_service: MakeService, follow: Follow, is_restarted: bool
) -> None:
    """Even if it is that parent which tells of it, and a follower that dies before that."""
    service = make_service(may_filter=False)
    (shard,) = service.open_shards()
    driver = follow(service)
    descendants = []
    for _ in range(3):
        (shard,) = service.split(shard, 1)
        service.write(shard)
        descendants.append(shard)
    service.hide(descendants[0], 2)
    service.hide(descendants[1], 1)
    driver.run(60.0, lambda: len(driver.asked("DescribeStream")) == 3)  # one is refused
    driver.save()
    if is_restarted:
        driver.restart()
    driver.caught_up(seconds=15.0)
    assert [driver.told(each.id) for each in descendants] == [1, 1, 1]
    assert not driver.gaps


@pytest.mark.parametrize("pause", [20 * 60.0, 5 * HOUR])
def test_an_iterator_that_expires_in_a_pause_is_replaced_where_it_was(
    service: StreamService, clock: Clock, follow: Follow, pause: float
) -> None:
    """Even if it was one at the end, and nothing came since."""
    (shard,) = service.open_shards()
    driver = follow(service, start="latest")
    service.write(shard, 2)
    clock.now += pause
    service.write(shard, 2)
    driver.caught_up(seconds=10.0)
    assert driver.told(shard.id) == 4
    assert not driver.gaps


@pytest.mark.parametrize("has_read", [False, True])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_data_that_was_trimmed_is_a_gap(
    service: StreamService, clock: Clock, follow: Follow, has_read: bool, is_restarted: bool
) -> None:
    """Even if an iterator at the horizon skips it in silence."""
    (shard,) = service.open_shards()
    driver = follow(service, start="latest")
    if has_read:
        service.write(shard)
        driver.caught_up()
    written_at = clock.wall()
    service.write(shard)
    clock.now += 25 * HOUR
    service.write(shard)
    if is_restarted:
        driver.restart()
    driver.caught_up(seconds=10.0)
    (gap,) = driver.gaps
    assert gap.reason in (AWAY, TRIMMED)
    assert gap.since is not None
    assert gap.since <= written_at


def test_data_that_is_trimmed_while_a_shard_waits_for_its_parent_is_a_gap(
    make_service: MakeService, clock: Clock, follow: Follow
) -> None:
    service = make_service(batch=1)
    (parent,) = service.open_shards()
    driver = follow(service, start="trim_horizon")
    (child,) = service.split(parent, 1)
    service.write(child)
    clock.now += 23 * HOUR
    driver.restart()
    for _ in range(12):  # hours in which every read is refused
        service.fail("GetRecords", "LimitExceededException")
        driver.steps(2)
        clock.now += HOUR
    service.write(child)
    driver.caught_up()
    assert len(driver.gaps) == 1


def test_a_shard_that_is_missing_is_not_taken_for_one_that_ended(service: StreamService, follow: Follow) -> None:
    (shard,) = service.open_shards()
    driver = follow(service)
    service.write(shard)
    driver.caught_up()
    service.write(shard)
    service.lose(shard)
    driver.run(30.0)
    assert [gap.reason for gap in driver.gaps] == [MISSING]
    assert DONE not in driver.reader.positions().values()


@pytest.mark.parametrize("may_filter", [True, False])
@pytest.mark.parametrize("page", [1, 100])
def test_shards_that_end_at_once_do_not_hide_each_others_children(
    make_service: MakeService, follow: Follow, may_filter: bool, page: int
) -> None:
    service = make_service(roots=3, may_filter=may_filter, page=page)
    driver = follow(service)
    for parent in service.open_shards():
        for child in service.split(parent):
            service.write(child)
    driver.caught_up(seconds=6.0)
