"""The reader's rules: when it asks what, and what it makes of descriptions and of broken replies."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from daxlite.feeds.streams.events import Ended, Records, Trouble
from daxlite.feeds.streams.progress import TRIMMED
from daxlite.feeds.streams.reading import HORIZON
from tests.feeds.streams.conftest import Follow
from tests.feeds.streams.driver import Clock, Driver
from tests.feeds.streams.judge import check_rates
from tests.feeds.streams.service import StreamService

HOUR = 3600.0
MakeService = Callable[..., StreamService]


# How often it asks


def test_an_idle_shard_is_read_once_a_second(make_service: MakeService, follow: Follow) -> None:
    driver = follow(make_service(roots=2))
    driver.run(59.0)
    assert 110 <= len(driver.asked("GetRecords")) <= 120
    assert len(driver.asked("DescribeStream")) == 1


def test_a_busy_shard_is_read_five_times_a_second(make_service: MakeService, follow: Follow) -> None:
    service = make_service(batch=1)
    driver = follow(service)
    service.write(service.open_shards()[0], 100)
    driver.run(10.0)
    assert 45 <= len(driver.asked("GetRecords")) <= 50
    check_rates(driver.asks)


def test_iterators_that_expire_at_once_do_not_make_it_read_faster(service: StreamService, follow: Follow) -> None:
    driver = follow(service)
    service.fail("GetRecords", "ExpiredIteratorException", 20)
    driver.run(5.0)
    check_rates(driver.asks)


@pytest.mark.parametrize("operation", ["GetRecords", "GetShardIterator", "DescribeStream"])
def test_what_is_throttled_is_asked_again_ever_later(
    service: StreamService, clock: Clock, follow: Follow, operation: str
) -> None:
    driver = Driver(service, clock, chance=1.0)
    service.fail(operation, "LimitExceededException", 6)
    driver.run(120.0, lambda: len(driver.asked(operation)) == 7)
    moments = [at for at, _ in driver.asked(operation)]
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert pauses == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 30.0], abs=0.1)
    assert [event.is_throttling for event in driver.events if isinstance(event, Trouble)] == [True] * 6


def test_a_pause_is_short_again_after_a_success(service: StreamService, clock: Clock, follow: Follow) -> None:
    driver = follow(service, chance=1.0)
    for _ in range(2):
        driver.asks.clear()
        service.fail("GetRecords", "LimitExceededException", 3)
        driver.run(20.0, lambda: len(driver.asked("GetRecords")) == 4)
        moments = [at for at, _ in driver.asked("GetRecords")]
        assert moments[-1] - moments[0] == pytest.approx(7.0, abs=0.1)
        driver.run(5.0)


def test_a_shard_that_ends_does_not_cut_short_the_pause_of_descriptions(service: StreamService, follow: Follow) -> None:
    driver = follow(service, chance=1.0)
    (shard,) = service.open_shards()
    service.fail("DescribeStream", "LimitExceededException", 3)
    for _ in range(3):
        (shard,) = service.split(shard, 1)
    driver.run(6.5)
    assert len(driver.asked("DescribeStream")) == 1 + 3


def test_a_listing_that_is_under_way_comes_to_its_end_though_shards_end(
    make_service: MakeService, follow: Follow
) -> None:
    service = make_service(roots=3, page=1, may_filter=False)
    driver = follow(service)
    for _ in range(20):
        service.split(service.open_shards()[0], 1)
        driver.run(1.0)
    newest = {shard.id for shard in service.open_shards()}
    driver.run(10.0, lambda: newest <= driver.reader.positions().keys())
    assert newest <= driver.reader.positions().keys()


@pytest.mark.parametrize(("shown_open", "hidden"), [(0, 0), (10, 0), (0, 10)])
def test_a_closed_shard_is_read_to_its_end_without_pauses(
    service: StreamService, follow: Follow, shown_open: int, hidden: int
) -> None:
    """Its description says that it is closed, or its child does."""
    driver = follow(service, poll=30.0)
    (shard,) = service.open_shards()
    service.write(shard)
    (child,) = service.split(shard, 1)
    service.blank(shard, 3)
    service.show_open(shard, shown_open)
    service.hide(child, hidden)
    driver.restart()
    driver.caught_up(seconds=5.0)


# Descriptions


def test_children_that_are_listed_on_several_pages_are_not_the_whole_stream(
    make_service: MakeService, follow: Follow
) -> None:
    service = make_service(roots=3, page=1)
    driver = follow(service)
    children = service.split(service.open_shards()[0], 3)
    driver.run(2.0)
    asked = [ask.params for _, ask in driver.asked("DescribeStream")][3:]
    assert [params["ShardFilter"]["Type"] for params in asked] == ["CHILD_SHARDS"] * 3
    assert {child.id for child in children} <= driver.reader.positions().keys()


@pytest.mark.parametrize("may_filter", [True, False])
def test_a_child_that_is_not_listed_yet_is_asked_for_again_soon(
    make_service: MakeService, follow: Follow, may_filter: bool
) -> None:
    service = make_service(roots=2, may_filter=may_filter)
    driver = follow(service)
    (child,) = service.split(service.open_shards()[0], 1)
    service.hide(child, 2)
    service.write(child)
    driver.caught_up(seconds=6.0)


def test_what_was_in_doubt_before_does_not_make_it_slower(make_service: MakeService, follow: Follow) -> None:
    service = make_service(roots=2)
    driver = follow(service)
    for _ in range(4):
        (child,) = service.split(service.open_shards()[0], 1)
        service.hide(child, 3)
        service.write(child)
        driver.caught_up(seconds=10.0)
        driver.run(90.0)


def test_a_listing_that_fails_begins_anew(make_service: MakeService, clock: Clock) -> None:
    """The shard after which a page begins may be gone."""
    driver = Driver(make_service(roots=3, page=1), clock)
    driver.steps(1)
    driver.service.fail("DescribeStream", "ValidationException")
    driver.run(10.0, lambda: driver.reader.has_begun)
    pages = [ask.params.get("ExclusiveStartShardId") for _, ask in driver.asked("DescribeStream")]
    assert [page is None for page in pages] == [True, False, True, False, False]


def test_the_other_parent_of_a_child_is_asked_for_soon(make_service: MakeService, follow: Follow) -> None:
    service = make_service(roots=2)
    driver = follow(service)
    left, right = service.split(service.open_shards()[0])
    service.write(right)
    (child,) = service.merge([left, right])
    service.write(child)
    service.hide(right, 1)
    driver.caught_up(seconds=6.0)


def test_a_service_without_filters_is_asked_for_all_shards(make_service: MakeService, follow: Follow) -> None:
    service = make_service(may_filter=False)
    driver = follow(service)
    for _ in range(2):
        for child in service.split(service.open_shards()[0]):
            service.write(child)
        driver.caught_up(seconds=3.0)
    filtered = [ask for _, ask in driver.asked("DescribeStream") if "ShardFilter" in ask.params]
    assert len(filtered) == 1
    assert not driver.events or not any(isinstance(event, Trouble) for event in driver.events)


def test_a_reader_does_not_begin_before_a_shard_is_listed(service: StreamService, clock: Clock, follow: Follow) -> None:
    (shard,) = service.open_shards()
    service.hide(shard, 2)
    driver = follow(service)
    assert len(driver.asked("DescribeStream")) == 3
    assert clock.now < 6.0
    service.write(shard)
    driver.caught_up(seconds=3.0)


def test_a_parent_that_is_listed_late_is_not_read_after_its_child(make_service: MakeService, follow: Follow) -> None:
    """The follower began at the end, beyond all that the parent holds."""
    service = make_service()
    (grandparent,) = service.open_shards()
    service.write(grandparent)
    (parent,) = service.split(grandparent, 1)
    service.write(parent)
    (child,) = service.split(parent, 1)
    service.hide(grandparent, 1)
    service.hide(parent, 1)
    driver = follow(service, start="latest")
    service.write(child)
    driver.run(120.0)
    assert [event.shard for event in driver.events if isinstance(event, Records)] == [child.id]


# The end of a stream


def test_a_stream_that_is_disabled_is_read_to_its_end(make_service: MakeService, follow: Follow) -> None:
    """Even if its last shard is listed late."""
    service = make_service(may_filter=False)
    driver = follow(service)
    (child,) = service.split(service.open_shards()[0], 1)
    service.write(child)
    service.disable()
    service.hide(child, 2)
    driver.run(60.0)
    assert driver.events[-1] == Ended()
    assert not driver.judge.is_behind()


def test_a_stream_that_is_gone_has_ended(service: StreamService, follow: Follow) -> None:
    driver = follow(service)
    service.remove()
    driver.run(60.0)
    assert driver.events[-1] == Ended(is_gone=True)


# Broken replies


def test_a_broken_reply_is_not_the_end_of_a_shard(service: StreamService, follow: Follow) -> None:
    driver = follow(service)
    due = driver.reader.due()
    assert not isinstance(due, float)
    assert due.operation == "GetRecords"
    with pytest.raises(KeyError):
        driver.reader.replied(due, {})
    driver.reader.failed(due, "KeyError")
    (shard,) = service.open_shards()
    service.write(shard)
    driver.caught_up(seconds=2.0)


def test_a_place_that_the_service_does_not_know_is_a_gap(service: StreamService, follow: Follow) -> None:
    (shard,) = service.open_shards()
    driver = follow(service)
    service.write(shard)
    driver.caught_up()
    driver.restart()
    service.fail("GetShardIterator", "ValidationException")
    service.write(shard)
    driver.run(5.0)
    assert [gap.reason for gap in driver.gaps] == [TRIMMED]
    assert driver.reader.positions()[shard.id] != HORIZON


def test_an_iterator_that_is_refused_again_and_again_is_replaced(service: StreamService, follow: Follow) -> None:
    driver = follow(service)
    service.fail("GetRecords", "ValidationException", 6)
    driver.run(120.0)
    assert len(driver.asked("GetShardIterator")) > 1
